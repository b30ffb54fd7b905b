//! What can go wrong while a plan is carried out.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    class::{Class, Retry},
    digest::Digest,
    records,
    reference::Repository,
    registry, store,
};

/// Why an action of a plan was not carried out.
///
/// One trouble can fail many actions (a blob that cannot be read fails every target that wants it), so a clone is
/// cheap.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The source did not give what was asked.
    #[error("cannot read from the source")]
    Source(#[source] Arc<store::Error>),
    /// The target did not take what was sent.
    #[error("cannot write to the target")]
    Target(#[source] Arc<store::Error>),
    /// The registry took nothing for too long while a blob was sent.
    #[error(
        "{repository} took nothing of blob {digest} for {seconds} s, again and again; the next run sends it again"
    )]
    Stalled {
        /// Where the blob was sent.
        repository: Repository,
        /// The blob.
        digest: Digest,
        /// How long it was waited.
        seconds: u64,
    },
    /// After the tag was published, the target does not show a manifest that belongs to it, even when sent again.
    #[error(
        "{repository} accepted the image and does not have its manifest {digest}: its garbage collection may be \
         running; run it on a stopped or read-only registry"
    )]
    Incomplete {
        /// The target.
        repository: Repository,
        /// The manifest that is not there.
        digest: Digest,
    },
    /// The tag was published, and whether the target has all that belongs to it could not be seen.
    #[error(
        "the tag was published, and it could not be checked whether the target has all that belongs to it; the next run looks \
         for it"
    )]
    Unchecked(#[source] Arc<store::Error>),
    /// What a deep check found to be missing was sent again, and cannot be read all the same.
    #[error("{repository} took what was missing again and still does not give {first}{}; look at its storage", more(*.count))]
    StillBroken {
        /// The target.
        repository: Repository,
        /// The first of what is missing.
        first: String,
        /// How much is.
        count: usize,
    },
    /// Indexes are nested deeper than any real image.
    #[error(
        "the indexes of {image}@{digest} are nested more than 4 levels deep, as no image needs; leave it out"
    )]
    TooDeep {
        /// The source.
        image: Repository,
        /// The root.
        digest: Digest,
    },
    /// The image has more manifests than any real image.
    #[error("{image}@{digest} has more than 2000 manifests, as no image needs; leave it out")]
    TooMany {
        /// The source.
        image: Repository,
        /// The root.
        digest: Digest,
    },
    /// Some platforms are wanted, and the image has none of them.
    #[error("{image} has nothing for {wanted}; it is there for {there}: write some of these as platforms")]
    NoPlatform {
        /// The source.
        image: Repository,
        /// The platforms that are wanted.
        wanted: String,
        /// Those that the image has.
        there: String,
    },
    /// The index of an image cannot be read.
    #[error("cannot tell the platforms of {image}@{digest}; mirror all of them, or have it built again")]
    Unusable {
        /// The source.
        image: Repository,
        /// The root.
        digest: Digest,
        /// Why.
        #[source]
        source: Arc<registry::ManifestError>,
    },
    /// Signatures are required, some platforms are wanted, and the target takes no index that names what is not there.
    #[error(
        "{repository} takes no index that names platforms which are not there, so it would have to be rewritten and would \
         lose its signatures, and they are required: mirror all platforms, or let the registry take such an index (in \
         distribution, `validation.manifests.indexes.platforms: none`)"
    )]
    WouldLoseSignatures {
        /// The target.
        repository: Repository,
    },
    /// The source is pinned to a digest, which is the only name it has on the target, and the index has to be rewritten.
    #[error(
        "{repository} takes no index that names platforms which are not there, and one that is rewritten has another digest \
         than the one it is pinned to: write a tag in the source or in the target's tags, or mirror all platforms"
    )]
    OtherDigest {
        /// The target.
        repository: Repository,
    },
    /// An index names a manifest with another size than it has.
    #[error(
        "an index of {image} gives {said} bytes to {digest}, which has {found}: clients refuse that; it has to be built \
         again"
    )]
    OtherSize {
        /// The source.
        image: Repository,
        /// The manifest.
        digest: Digest,
        /// What the index says, in bytes.
        said: u64,
        /// What it has, in bytes.
        found: u64,
    },
    /// The manifests of the image are together larger than those of any real image.
    #[error(
        "the manifests of {image}@{digest} have more than {limit} bytes together, as no image needs; leave it out"
    )]
    TooLarge {
        /// The source.
        image: Repository,
        /// The root.
        digest: Digest,
        /// What is accepted, in bytes.
        limit: u64,
    },
    /// What is going to be written could not be recorded, so it was not written.
    #[error("cannot record what is going to be written, so nothing was published")]
    Records(#[source] Arc<records::Error>),
    /// `overwrite: Never`, and somebody put another image under the tag since the plan was made.
    #[error("{reference} now has another image ({found}), and `overwrite: Never` keeps it")]
    Overwritten {
        /// The tag.
        reference: String,
        /// What is there.
        found: Digest,
    },
    /// `overwrite: Never`, and what is under the tag cannot be told.
    #[error("{reference} answers 404 to HEAD, and not to GET; `overwrite: Never` keeps what may be there")]
    Unseen {
        /// The tag.
        reference: String,
    },
    /// The run was ended before this was done.
    #[error("the run was interrupted before this was done; the next run does it")]
    Interrupted,
}

/// ` and 2 more`, of so many of which one is named.
fn more(count: usize) -> String {
    if count > 1 { format!(" and {} more", count - 1) } else { String::new() }
}

impl Error {
    pub(crate) fn source(error: store::Error) -> Self {
        Self::Source(Arc::new(error))
    }

    pub(crate) fn target(error: store::Error) -> Self {
        Self::Target(Arc::new(error))
    }

    pub(crate) fn unchecked(error: store::Error) -> Self {
        Self::Unchecked(Arc::new(error))
    }

    pub(crate) fn unusable(image: &Repository, digest: &Digest, error: registry::ManifestError) -> Self {
        Self::Unusable { image: image.clone(), digest: digest.clone(), source: Arc::new(error) }
    }

    pub(crate) fn records(error: records::Error) -> Self {
        Self::Records(Arc::new(error))
    }

    /// The class that decides what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Source(error) | Self::Target(error) | Self::Unchecked(error) => error.class(),
            Self::Stalled { .. } => Class::Timeout,
            Self::Incomplete { .. } | Self::StillBroken { .. } | Self::Unseen { .. } | Self::Interrupted => {
                Class::Unavailable
            }
            Self::NoPlatform { .. } => Class::NotFound,
            Self::Unusable { source, .. } => source.class(),
            Self::OtherSize { .. } | Self::WouldLoseSignatures { .. } | Self::OtherDigest { .. } => {
                Class::Unsupported
            }
            Self::TooDeep { .. } | Self::TooMany { .. } | Self::TooLarge { .. } => Class::TooLarge,
            Self::Records(error) => error.class(),
            Self::Overwritten { .. } => Class::Conflict,
        }
    }

    /// Whether another try may do better in a moment. A disk that is full stays so.
    pub(crate) fn may_pass(&self) -> bool {
        let is_full = matches!(self, Self::Target(error) if error.is_full());
        self.class().retry() == Retry::Transient && !is_full
    }

    /// Until when the registry wants no more of this, where it said so.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Source(error) | Self::Target(error) | Self::Unchecked(error) => error.until(),
            _ => None,
        }
    }

    /// The target says that it lacks something that the manifest names.
    pub(crate) fn is_missing_content(&self) -> bool {
        match self {
            Self::Target(error) => error.is_missing_content(),
            Self::Incomplete { .. } => true,
            _ => false,
        }
    }

    /// If the target refused a manifest for what is in it: the digests that it named, which may be none.
    pub(crate) fn refused_over(&self) -> Option<&[Digest]> {
        match self {
            Self::Target(error) => error.refused_over(),
            _ => None,
        }
    }

    /// It is certain that the target's tag is as it was before it was to be written.
    pub(crate) fn is_nothing_written(&self) -> bool {
        match self {
            Self::Target(error) => error.is_refusal(),
            Self::Records(_) => true,
            _ => false,
        }
    }

    /// The whole chain of causes in one line, as people read it.
    #[must_use]
    pub fn message(&self) -> String {
        registry::message(self)
    }
}
