//! One repository with one credential, and what its answers mean that are not what was wanted.

use std::{fmt, sync::Arc};

use http::{Method, StatusCode};

use super::{
    account::Account,
    delete::Abilities,
    error::{Cause, Error},
    referrers::Memory,
    transport::{Request, Response, Scopes, Transport},
};
use crate::{
    digest::Digest,
    reference::{Repository, Tag},
};

/// A repository of a registry, with the credential that it is used with. A clone costs a counter.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    repository: Repository,
    home: Transport,
    mirrors: Vec<(Repository, Transport)>,
}

/// Which manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// The one that the tag shows now.
    Tag(Tag),
    /// The one with this digest.
    Digest(Digest),
}

/// A repository at one of the registries that can be asked for it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) repository: &'a Repository,
    pub(super) transport: &'a Transport,
    pub(super) is_mirror: bool,
}

/// Codes that a registry gives to what is not there. Harbor, of all things, has one of its own.
const ABSENT: [&str; 5] =
    ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", "NOT_FOUND"];

impl Remote {
    pub(super) fn new(
        repository: Repository,
        home: Transport,
        mirrors: Vec<(Repository, Transport)>,
    ) -> Self {
        Self(Arc::new(Inner { repository, home, mirrors }))
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.0.repository
    }

    /// Which registry and credential this uses.
    #[must_use]
    pub fn account(&self) -> &Account {
        self.0.home.account()
    }

    /// What is known of referrers, by all that use the account.
    pub(super) fn memory(&self) -> &Memory {
        self.0.home.memory()
    }

    pub(super) fn home(&self) -> Place<'_> {
        Place { repository: &self.0.repository, transport: &self.0.home, is_mirror: false }
    }

    /// Where content can be read whose digest is known: mirrors that work, and the registry itself at last.
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let mirrors = self.0.mirrors.iter().map(|(repository, transport)| Place {
            repository,
            transport,
            is_mirror: true,
        });
        mirrors.filter(|place| !place.transport.endpoint().is_resting()).chain([self.home()])
    }

    /// What is known of how the registry deletes, with this credential.
    pub(super) fn abilities(&self) -> &Abilities {
        self.0.home.abilities()
    }

    /// An error about something of this repository.
    pub(super) fn error(&self, doing: &str, item: impl fmt::Display, cause: Cause) -> Error {
        Error::new(format!("{doing} {}{item}", self.0.repository), cause)
    }
}

impl Place<'_> {
    /// A request about something of the repository, with a token for `actions` on it.
    pub(super) fn request(&self, method: Method, path: &str, actions: &[&str]) -> Result<Request, Cause> {
        let url = self.transport.endpoint().url(&format!("{}/{path}", self.repository.path()))?;
        Ok(Request::new(method, url, self.scopes(actions)))
    }

    pub(super) fn scopes(&self, actions: &[&str]) -> Scopes {
        Scopes::repository(self.repository.path(), actions)
    }

    /// Why an answer is not the one that was wanted.
    pub(super) async fn refused(&self, response: Response) -> Cause {
        let (host, is_web_page) = (response.host(), response.is_web_page());
        let answer = response.answer().await;
        let account = self.transport.account();
        let (registry, who) = (account.registry().to_owned(), account.who());
        if answer.has(&["TOOMANYREQUESTS"]) {
            return self.transport.limited();
        }
        match answer.status {
            StatusCode::UNAUTHORIZED => Cause::Unauthorized { registry, who, answer },
            StatusCode::FORBIDDEN => Cause::Forbidden { registry, who, answer },
            StatusCode::NOT_FOUND if answer.has(&["UNAUTHORIZED"]) => {
                Cause::Unauthorized { registry, who, answer }
            }
            StatusCode::NOT_FOUND if answer.has(&["DENIED"]) => Cause::Forbidden { registry, who, answer },
            StatusCode::NOT_FOUND if answer.has(&ABSENT) => Cause::NotFound { answer },
            StatusCode::NOT_FOUND => Cause::Unproven { answer },
            StatusCode::PAYLOAD_TOO_LARGE => Cause::RefusedSize { answer },
            StatusCode::METHOD_NOT_ALLOWED => Cause::Unsupported { answer },
            _ if answer.has(&["UNSUPPORTED"]) => Cause::Unsupported { answer },
            _ if answer.has(&["UNAUTHORIZED"]) => Cause::Unauthorized { registry, who, answer },
            _ if answer.has(&["DENIED"]) => Cause::Forbidden { registry, who, answer },
            status if status.is_success() && is_web_page => Cause::WebPage { host },
            status if status.is_success() || status.is_redirection() => {
                Cause::Protocol { host, detail: format!("{status} is no answer to this") }
            }
            status if status.is_server_error() => Cause::Failed { host, answer },
            _ => Cause::Refused { answer },
        }
    }

    /// A mirror that failed is left alone for a while.
    pub(super) fn failed(&self) {
        if self.is_mirror {
            self.transport.endpoint().rest(self.transport.timing().mirror_rest);
        }
    }
}

impl At {
    /// As it stands in a URL.
    pub(super) fn reference(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }
}

/// As it stands behind a repository: `:tag` or `@digest`.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({}, {})", self.repository(), self.account().who())
    }
}
