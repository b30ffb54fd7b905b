//! Manifests: the bytes as they came, and the little that has to be understood of them.

mod descriptor;
mod object;
mod parse;
mod subset;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub(crate) use self::parse::{Descriptors, MOST_CHILDREN, essence};
pub use self::{
    descriptor::{Blob, Descriptor},
    subset::{Child, Subset, Verdict},
};
use crate::{
    class::Class,
    digest::{Digest, DigestError},
};

/// An OCI image.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A Docker image, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker manifest list: their index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// An OCI artifact, which was in release candidates of the image-spec only; some registries still have them.
pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// All that is understood, for `Accept`. One that is missing there makes a registry say 404, or send another image.
pub(crate) const ACCEPT: &str = concat!(
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, ",
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, ",
    "application/vnd.oci.artifact.manifest.v1+json",
);

/// A manifest: an image, an artifact, or an index of them.
///
/// # Guarantees
///
/// The bytes are those that were read, and they have the digest. They are never written anew from what was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The bytes.
    pub bytes: Bytes,
    /// The media type that they are sent with.
    pub media_type: String,
    /// The digest of the bytes.
    pub digest: Digest,
    children: Vec<Descriptor>,
    blobs: Vec<Blob>,
    subject: Option<Digest>,
    is_index: bool,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON object, or a field is not what it has to be.
    #[error("the manifest is damaged: {0}")]
    Malformed(String),
    /// Docker's first format, whose digests are not those of its bytes.
    #[error(
        "the image has a Docker schema 1 manifest, which is obsolete and not supported: push it again with a current tool"
    )]
    Schema1,
    /// It has the parts of an image and of an index, so that two programs can understand two things.
    #[error("the manifest is an image and an index at the same time, which is not safe to copy")]
    Ambiguous,
    /// It has neither the parts of an image nor of an index.
    #[error("the manifest of type `{0}` is neither an image, an artifact nor an index")]
    Unknown(String),
    /// A size that is negative, no whole number, or larger than can be.
    #[error("the manifest says that {digest} has {size} bytes")]
    Size {
        /// The content.
        digest: String,
        /// What is said.
        size: String,
    },
    /// A digest that is none, or of an algorithm that cannot be checked.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// More descriptors than any real image has.
    #[error("the manifest names {found} {what}, and no more than {most} are accepted")]
    TooMany {
        /// How many.
        found: usize,
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
}

impl Manifest {
    /// Understands `bytes`, which must have `digest`; `content_type` is what came beside them.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] for what cannot be copied; nothing in the bytes makes this panic.
    pub fn parse(bytes: Bytes, content_type: Option<&str>, digest: Digest) -> Result<Self, ManifestError> {
        let parts = parse::parse(&bytes, content_type)?;
        let parse::Parts { media_type, children, blobs, subject, is_index } = parts;
        Ok(Self { bytes, media_type, digest, children, blobs, subject, is_index })
    }

    /// Whether this is an index: its [`children`](Self::children) are manifests.
    #[must_use]
    pub const fn is_index(&self) -> bool {
        self.is_index
    }

    /// The manifests that an index names; none for an image.
    #[must_use]
    pub fn children(&self) -> &[Descriptor] {
        &self.children
    }

    /// The blobs that a registry must have before it takes this manifest: config and layers, each once. Layers that are kept
    /// elsewhere (`urls`) are not among them.
    #[must_use]
    pub fn blobs(&self) -> Vec<Blob> {
        self.blobs.clone()
    }

    /// The manifest that this one refers to, if it is a referrer.
    #[must_use]
    pub const fn subject(&self) -> Option<&Digest> {
        self.subject.as_ref()
    }

    /// Describes this manifest.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            digest: self.digest.clone(),
            size: self.bytes.len() as u64,
            media_type: self.media_type.clone(),
        }
    }
}

impl ManifestError {
    /// The class that decides what happens next.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::TooMany { .. } => Class::TooLarge,
            _ => Class::Unsupported,
        }
    }
}
