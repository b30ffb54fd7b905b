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
