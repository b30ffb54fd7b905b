//! References: `[registry/]path[:tag][@digest]` and `oci:PATH[:tag][@digest]`, parsed, normalised and printed.

mod error;
mod layout;
mod parse;
mod template;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub(crate) use self::parse::is_docker_hub;
pub use self::{
    error::Error,
    template::{Template, TemplateError, Values, Word},
};
use crate::digest::Digest;

/// The registry that is meant where none is written.
pub const DOCKER_HUB: &str = "docker.io";

/// The namespace on Docker Hub that is meant where none is written.
const OFFICIAL: &str = "library/";

/// A repository in a registry, normalised: `docker.io/library/alpine`; or one that is an OCI image layout in a directory:
/// `oci:out/alpine`.
///
/// Two values are equal exactly if they are written the same in full. The host is lower case, Docker Hub has
/// one name, and its official images have their `library/`; a directory has no `/` at its end and no `.` in it. A
/// clone costs two counters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    registry: Arc<str>,
    path: Arc<str>,
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution-spec, "Pulling manifests").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Arc<str>);

/// A repository with a tag, a digest, or both.
///
/// Parsing fills in `latest` where the text has neither a tag nor a digest; [`Named`] does not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// Where.
    pub repository: Repository,
    /// The tag; where a digest is given too, the digest decides what is read.
    pub tag: Option<Tag>,
    /// The digest.
    pub digest: Option<Digest>,
}

/// What a person wrote, normalised, before `latest` is filled in: tells `alpine` from `alpine:latest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where.
    pub repository: Repository,
    /// The tag, if the text has one.
    pub tag: Option<Tag>,
    /// The digest, if the text has one.
    pub digest: Option<Digest>,
}

impl Repository {
    /// The registry's host with its port: `docker.io`, `localhost:5000`, `[::1]:5000`; `oci` for a
    /// [layout](Self::layout).
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path inside the registry: `library/alpine`; or that of a layout's directory.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last component of the path: `alpine`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The reference to `tag` in this repository.
    #[must_use]
    pub fn at_tag(&self, tag: Tag) -> Reference {
        Reference { repository: self.clone(), tag: Some(tag), digest: None }
    }

    /// The reference to `digest` in this repository.
    #[must_use]
    pub fn at_digest(&self, digest: Digest) -> Reference {
        Reference { repository: self.clone(), tag: None, digest: Some(digest) }
    }

    /// The short form that people write: Docker Hub and `library/` are left out where parsing puts them back.
    #[must_use]
    pub fn familiar(&self) -> String {
        if self.registry() != DOCKER_HUB {
            return self.to_string();
        }
        let short = self.path.strip_prefix(OFFICIAL).unwrap_or(&self.path);
        // With a tag behind it, `oci` would be read as a layout.
        let means_this =
            short != layout::REGISTRY && short.parse::<Named>().is_ok_and(|named| named.repository == *self);
        if means_this { short.to_owned() } else { self.to_string() }
    }
}

impl Tag {
    /// The tag that is meant where neither a tag nor a digest is written.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".into())
    }

    /// The tag itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is not a version of an image but a place where clients keep what belongs to a digest:
    /// `sha256-<hex>` (distribution-spec, "Referrers Tag Schema"), and `sha256-<hex>.sig` and the like, which
    /// signing tools write.
    #[must_use]
    pub fn belongs_to_digest(&self) -> bool {
        let Some((algorithm, rest)) = self.0.split_once('-') else { return false };
        let hex = rest.split('.').next().unwrap_or_default();
        // The schema cuts the value at 64 characters, which is the whole of a sha256.
        matches!(algorithm, "sha256" | "sha512")
            && hex.len() >= 64
            && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
}

/// [`Tag::latest`], as everywhere where no tag is written.
impl Default for Tag {
    fn default() -> Self {
        Self::latest()
    }
}

impl Reference {
    /// The short form that people write: `alpine:3.20`. The tag is always there, the digest if there is one.
    #[must_use]
    pub fn familiar(&self) -> String {
        let mut text = self.repository.familiar();
        // Writing to a string cannot fail.
        let _ = self.write_version(&mut text);
        text
    }

    fn write_version(&self, to: &mut impl fmt::Write) -> fmt::Result {
        if let Some(tag) = &self.tag {
            write!(to, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(to, "@{digest}")?;
        }
        Ok(())
    }
}

impl From<Named> for Reference {
    fn from(Named { repository, tag, digest }: Named) -> Self {
        let tag = tag.or_else(|| digest.is_none().then(Tag::latest));
        Self { repository, tag, digest }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.layout().is_some() { ':' } else { '/' };
        write!(f, "{}{between}{}", self.registry, self.path)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The full form: parsing it gives the same reference.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        self.write_version(f)
    }
}

macro_rules! text_in_serde_and_debug {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

text_in_serde_and_debug!(Repository, Tag, Reference);
