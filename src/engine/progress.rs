//! What a run tells while it is going on, for progress bars and logs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Outcome, Pruned};
use crate::{
    plan::{Action, Judged, Walk, Walked},
    registry::Blob,
};

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
        /// Which reading of the blob: it may be read several times, at the same time too.
        reading: u64,
        /// How far this reading is: the offset in the blob, in bytes.
        at: u64,
    },
    /// A reading is over: all of the blob was read, or that failed, or nobody wants it any more.
    Ended {
        /// Which reading.
        reading: u64,
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
    /// All of an image was looked for on a target.
    Walked {
        /// The image.
        walk: &'a Walk,
        /// What came of it.
        walked: &'a Walked,
    },
    /// An action was carried out, or was not.
    Finished {
        /// The action.
        action: &'a Action,
        /// What became of it.
        outcome: &'a Outcome,
    },
    /// A name that nothing wants any more was deleted, or was to be.
    Pruned {
        /// The name.
        name: &'a Judged,
        /// What became of it.
        outcome: &'a Pruned,
    },
}

/// Whoever wants to know what happens. A clone tells the same listener.
#[derive(Clone)]
pub struct Progress {
    listener: Arc<dyn Fn(&Event<'_>) + Send + Sync>,
    readings: Arc<AtomicU64>,
}

impl Progress {
    /// Tells `listener` of every event; it is called from many tasks, and must not block.
    pub fn new(listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self { listener: Arc::new(listener), readings: Arc::default() }
    }

    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        (self.listener)(event);
    }

    /// A reading of a blob begins at this offset.
    pub(crate) fn reading(&self, blob: &Blob, from: u64) -> Reading {
        let number = self.readings.fetch_add(1, Ordering::Relaxed);
        Reading { progress: self.clone(), blob: blob.clone(), number, at: AtomicU64::new(from) }
    }
}

/// One reading of a blob. It tells of its end when it is dropped, so one that is broken off ends too.
pub(crate) struct Reading {
    progress: Progress,
    blob: Blob,
    number: u64,
    at: AtomicU64,
}

impl Reading {
    /// So many bytes more were read.
    pub(crate) fn read(&self, bytes: u64) {
        let at = self.at.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.progress.tell(&Event::Read { blob: &self.blob, reading: self.number, at });
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.progress.tell(&Event::Ended { reading: self.number });
    }
}
