//! The system's memory: what was selected and what was written where, as `ImageSyncSlice`s hold it.

mod journal;
mod slices;
mod store;

pub use journal::Journal;
pub use slices::{MAX_SLICE_BYTES, MAX_SLICE_RECORDS, Records};
pub use store::{Error, Store};

#[cfg(test)]
mod tests;
