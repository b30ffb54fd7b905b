//! What goes wrong with a store, whatever is behind it.

use jiff::Timestamp;

use crate::{class::Class, digest::Digest, registry};

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is in a registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
}

impl Error {
    /// The class that decides what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Registry(error) => error.class(),
        }
    }

    /// Until when it is worth no other try, where that was said.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Registry(error) => error.until(),
        }
    }

    /// It was not done: that was said, or it was never asked.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_refusal(),
        }
    }

    /// What was to be read is certainly not there, or not what it should be.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_gone(),
        }
    }

    /// A manifest was refused because what it names is not there.
    #[must_use]
    pub const fn is_missing_content(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_missing_content(),
        }
    }

    /// If a manifest was refused because of what is not there: the digests that were named, which may be none.
    #[must_use]
    pub fn missing(&self) -> Option<&[Digest]> {
        match self {
            Self::Registry(error) => error.missing(),
        }
    }
}
