//! Why a tag was not deleted, and what it shows now.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    class::Class,
    digest::Digest,
    registry::{answer::Answer, error::Error},
};

/// Why a tag was not deleted. A clone costs a counter.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteError {
    /// The registry did not do what had to be done. The tag is as it was, as far as anybody knows.
    #[error(transparent)]
    Registry(#[from] Arc<Error>),
    /// The registry deletes neither tags nor digests here.
    #[error(
        "cannot delete {reference}: its registry deletes neither tags nor digests here ({answer}); allow deletion there, or set \
         `prune.mode: Disabled`, or to delete the ImageSync `deletionPolicy: Retain`"
    )]
    Unsupported {
        /// The tag.
        reference: String,
        /// What the registry said.
        answer: Answer,
    },
    /// The registry said that it was done, and still shows what was there.
    #[error(
        "{reference} is still there after its registry said that it was deleted; the next run looks again"
    )]
    StillThere {
        /// The tag.
        reference: String,
    },
    /// Only a digest can be deleted here, and that failed. The tag is as it was.
    #[error("cannot delete {reference}; it shows again what it showed before")]
    PutBack {
        /// The tag.
        reference: String,
        /// Why.
        #[source]
        source: Arc<Error>,
    },
    /// The tag shows the dummy, or may show it.
    #[error(
        "{reference} is held, or may be, at the dummy manifest {dummy} instead of {digest}: it could be neither deleted nor put back; \
         the next run tries again"
    )]
    Held {
        /// The tag.
        reference: String,
        /// What it showed before.
        digest: Digest,
        /// What it shows, if anything.
        dummy: Digest,
        /// Why.
        #[source]
        source: Arc<Error>,
    },
}

impl DeleteError {
    /// The class that decides what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Registry(error)
            | Self::PutBack { source: error, .. }
            | Self::Held { source: error, .. } => error.class(),
            Self::Unsupported { .. } => Class::Unsupported,
            Self::StillThere { .. } => Class::Unavailable,
        }
    }

    /// Until when the registry wants no more of this, where it said so.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Registry(error)
            | Self::PutBack { source: error, .. }
            | Self::Held { source: error, .. } => error.until(),
            Self::Unsupported { .. } | Self::StillThere { .. } => None,
        }
    }

    /// Whether it is certain that the tag is as it was before.
    #[must_use]
    pub fn is_as_before(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_refusal(),
            Self::Unsupported { .. } | Self::StillThere { .. } | Self::PutBack { .. } => true,
            Self::Held { .. } => false,
        }
    }

    /// Whether the tag may show a dummy now.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }
}

impl From<Error> for DeleteError {
    fn from(error: Error) -> Self {
        Self::Registry(Arc::new(error))
    }
}
