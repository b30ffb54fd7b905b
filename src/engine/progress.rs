//! What a run tells while it is going on, for progress bars and logs.

use std::sync::Arc;

use super::Outcome;
use crate::{plan::Action, registry::Blob};

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// An action that moves something begins.
    Began {
        /// The action.
        action: &'a Action,
    },
    /// Bytes of a blob came from the source.
    Read {
        /// The blob.
        blob: &'a Blob,
        /// How many bytes.
        bytes: u64,
    },
    /// Nothing more will be read of a blob: it is where it was to be, or that failed.
    Ended {
        /// The blob.
        blob: &'a Blob,
    },
    /// A registry had the blob in another repository and linked it: no byte was moved.
    Mounted {
        /// The blob.
        blob: &'a Blob,
    },
    /// A target had the blob already.
    Present {
        /// The blob.
        blob: &'a Blob,
    },
    /// An action was carried out, or was not.
    Finished {
        /// The action.
        action: &'a Action,
        /// What became of it.
        outcome: &'a Outcome,
    },
}

/// Whoever wants to know what happens. A clone tells the same listener.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&Event<'_>) + Send + Sync>);

impl Progress {
    /// Tells `listener` of every event; it is called from many tasks, and must not block.
    pub fn new(listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        (self.0)(event);
    }
}
