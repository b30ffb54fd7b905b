//! Challenges: how a registry says which credentials it wants (`WWW-Authenticate`).

use http::{HeaderMap, header::WWW_AUTHENTICATE};
use http_auth::ChallengeParser;
use url::Url;

use super::Scopes;
use crate::registry::transport::guard::Named;

/// How a registry wants its requests to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// User and password with each request.
    Basic,
    /// A token from a token server.
    Bearer {
        /// The token server.
        realm: Named,
        /// What the registry is called there.
        service: Option<String>,
    },
}

/// A challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: Scheme,
    /// What the token must allow; the registry may know more than we asked for.
    pub(super) scopes: Scopes,
    /// The token is a good one, and does not allow this.
    pub(super) is_insufficient: bool,
}

impl Challenge {
    /// The best challenge among an answer's headers: a token before a password. Nothing that is in them makes this
    /// panic.
    ///
    /// `named` makes an address out of a realm.
    pub(super) fn of(headers: &HeaderMap, named: impl Fn(Url) -> Named) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let mut basic = None;
        // One bad challenge ends its header, and not the others.
        for challenge in texts.flat_map(|text| ChallengeParser::new(text).map_while(Result::ok)) {
            let param = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                let Some(realm) = param("realm").and_then(|realm| Url::parse(&realm).ok()) else { continue };
                return Some(Self {
                    scheme: Scheme::Bearer { realm: named(realm), service: param("service") },
                    scopes: param("scope").map(|scope| Scopes::parse(&scope)).unwrap_or_default(),
                    is_insufficient: param("error").is_some_and(|error| error == "insufficient_scope"),
                });
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                basic =
                    Some(Self { scheme: Scheme::Basic, scopes: Scopes::default(), is_insufficient: false });
            }
        }
        basic
    }
}
