//! What goes wrong with a store, whatever is behind it.

use jiff::Timestamp;

use crate::{class::Class, digest::Digest, layout, registry};

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is in a registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// It is in a layout.
    #[error(transparent)]
    Layout(#[from] layout::Error),
}

impl Error {
    /// The class that decides what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Registry(error) => error.class(),
            Self::Layout(error) => error.class(),
        }
    }

    /// Until when it is worth no other try, where that was said.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Registry(error) => error.until(),
            Self::Layout(_) => None,
        }
    }

    /// It was not done: that was said, or it was never asked.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_refusal(),
            Self::Layout(error) => error.is_refusal(),
        }
    }

    /// What was to be read is certainly not there, or not what it should be.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_gone(),
            Self::Layout(error) => matches!(
                error,
                layout::Error::NoLayout(_)
                    | layout::Error::NoManifest { .. }
                    | layout::Error::NoBlob { .. }
                    | layout::Error::Digest { .. }
                    | layout::Error::Length { .. }
            ),
        }
    }

    /// A manifest was refused because what it names is not there.
    #[must_use]
    pub const fn is_missing_content(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_missing_content(),
            Self::Layout(error) => error.is_missing_content(),
        }
    }

    /// There is no room for what is to be written.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Layout(layout::Error::Full { .. }))
    }

    /// If a manifest was refused for what is in it: the digests that were named, which may be none.
    #[must_use]
    pub fn refused_over(&self) -> Option<&[Digest]> {
        match self {
            Self::Registry(error) => error.refused_over(),
            Self::Layout(error) => error.refused_over(),
        }
    }
}
