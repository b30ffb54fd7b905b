//! Why a name was not deleted.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{class::Class, records, registry, store::DeleteError};

/// Why a name was not deleted. A clone costs a counter.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PruneError {
    /// The target did not do it.
    #[error(transparent)]
    Target(#[from] DeleteError),
    /// What is going to happen could not be recorded, so it did not happen.
    #[error("cannot record what is going to be deleted, so nothing was")]
    Records(#[source] Arc<records::Error>),
}

impl PruneError {
    /// The class that decides what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Target(error) => error.class(),
            Self::Records(error) => error.class(),
        }
    }

    /// Until when the registry wants no more of this, where it said so.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Target(error) => error.until(),
            Self::Records(_) => None,
        }
    }

    /// The whole chain of causes in one line, as people read it.
    #[must_use]
    pub fn message(&self) -> String {
        registry::message(self)
    }
}

impl From<records::Error> for PruneError {
    fn from(error: records::Error) -> Self {
        Self::Records(Arc::new(error))
    }
}
