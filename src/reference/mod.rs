//! References: `[registry/]path[:tag][@digest]`, parsed, normalised and printed.

use std::{fmt, sync::Arc};

use crate::digest::Digest;

/// A repository in a registry, normalised: `docker.io/library/alpine`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: Arc<str>,
    path: Arc<str>,
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution-spec, "Pulling manifests").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

/// A repository with a tag, a digest, or both.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Where.
    pub repository: Repository,
    /// The tag; where a digest is given too, the digest decides what is read.
    pub tag: Option<Tag>,
    /// The digest.
    pub digest: Option<Digest>,
}

impl Repository {
    /// The registry's host with its port: `docker.io`, `localhost:5000`, `[::1]:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path inside the registry: `library/alpine`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Tag {
    /// The tag itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}
