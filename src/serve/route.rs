//! What a request asks for.

use axum::http::{Method, Uri};

use super::answer::Refusal;
use crate::{digest::Digest, reference::Repository, registry::At};

/// What is asked for. The path of each repository keeps to the grammar of names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Whether this is a registry.
    Base,
    Manifest(Repository, At),
    Blob(Repository, Digest),
    Tags(Repository),
    Referrers(Repository, Digest),
}

impl Route {
    pub(super) fn of(method: &Method, uri: &Uri) -> Result<Self, Refusal> {
        let Some(path) = uri.path().strip_prefix("/v2") else { return Err(Refusal::NoRegistry) };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Refusal::ReadOnly);
        }
        if matches!(path, "" | "/") {
            return Ok(Self::Base);
        }
        let path = path.strip_prefix('/').ok_or(Refusal::NoRegistry)?;
        let (path, last) = path.rsplit_once('/').ok_or(Refusal::Unsupported)?;
        let (name, kind) = path.rsplit_once('/').ok_or(Refusal::Unsupported)?;
        // All that a name, a tag or a digest may have can stand in a path as it is; some write the colon otherwise.
        let last = last.replace("%3A", ":").replace("%3a", ":");
        // With a host before it, it is read as it is: this one is none that anybody is called.
        let name = || format!("localhost/{name}").parse::<Repository>().map_err(|_| Refusal::Name);
        let digest = || last.parse::<Digest>().map_err(|error| Refusal::Digest(error.to_string()));
        match (kind, last.as_str()) {
            ("manifests", _) if last.contains(':') => Ok(Self::Manifest(name()?, At::Digest(digest()?))),
            ("manifests", _) => {
                let at = At::Tag(last.parse().map_err(|_| Refusal::NoManifest)?);
                Ok(Self::Manifest(name()?, at))
            }
            ("blobs", _) => Ok(Self::Blob(name()?, digest()?)),
            ("referrers", _) => Ok(Self::Referrers(name()?, digest()?)),
            ("tags", "list") => Ok(Self::Tags(name()?)),
            _ => Err(Refusal::Unsupported),
        }
    }
}

/// The value of a field of a query.
pub(super) fn field(uri: &Uri, name: &str) -> Option<String> {
    let fields = url::form_urlencoded::parse(uri.query()?.as_bytes());
    fields.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn of(path: &str) -> Result<Route, Refusal> {
        Route::of(&Method::GET, &Uri::try_from(path).map_err(|_| Refusal::NoRegistry)?)
    }

    fn name(text: &str) -> Repository {
        format!("localhost/{text}").parse().unwrap()
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
        let at = |text: &str| At::Tag(text.parse().unwrap());
        for (path, expected) in [
            ("/v2", Route::Base),
            ("/v2/", Route::Base),
            ("/v2/a/manifests/v1", Route::Manifest(name("a"), at("v1"))),
            ("/v2/a/manifests/tags/manifests/v1", Route::Manifest(name("a/manifests/tags"), at("v1"))),
            ("/v2/a/b/tags/list?n=1", Route::Tags(name("a/b"))),
        ] {
            assert_eq!(of(path).unwrap(), expected, "{path}");
        }
        for colon in [":", "%3A", "%3a"] {
            let path = |kind| format!("/v2/a/{kind}/sha256{colon}{HEX}");
            assert_eq!(
                of(&path("manifests")).unwrap(),
                Route::Manifest(name("a"), At::Digest(digest.clone()))
            );
            assert_eq!(of(&path("blobs")).unwrap(), Route::Blob(name("a"), digest.clone()));
            assert_eq!(of(&path("referrers")).unwrap(), Route::Referrers(name("a"), digest.clone()));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(matches!(of("/v1/"), Err(Refusal::NoRegistry)));
        assert!(matches!(of("/v2x"), Err(Refusal::NoRegistry)));
        assert!(matches!(of("/v2/_catalog"), Err(Refusal::Unsupported)));
        assert!(matches!(of("/v2/a/tags/other"), Err(Refusal::Unsupported)));
        for bad in ["..", ".a", "a/..", "a/./b", "a//b", "A", "a%2f..", "a:b", "a@b", ""] {
            assert!(matches!(of(&format!("/v2/{bad}/tags/list")), Err(Refusal::Name)), "{bad}");
        }
        assert!(matches!(of("/v2/a/blobs/v1"), Err(Refusal::Digest(_))));
        assert!(matches!(of("/v2/a/manifests/-v1"), Err(Refusal::NoManifest)));
        assert!(matches!(
            Route::of(&Method::PUT, &"/v2/a/manifests/v1".parse().unwrap()),
            Err(Refusal::ReadOnly)
        ));
    }

    proptest! {
        #[test]
        fn no_name_that_is_accepted_climbs_or_is_hidden(path in "/v2/[a-c./%2e~_-]{0,12}/tags/list") {
            if let Ok(uri) = path.parse()
                && let Ok(Route::Tags(name)) = Route::of(&Method::GET, &uri)
            {
                prop_assert!(name.path().split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
            }
        }
    }
}
