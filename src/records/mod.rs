//! The system's memory: what was selected and what was written where, as `ImageSyncSlice`s hold it.

mod error;
mod files;
mod journal;
mod slices;
mod store;

pub use error::Error;
pub use files::MAX_FILE_BYTES;
pub use journal::Journal;
pub use slices::{MAX_SLICE_BYTES, MAX_SLICE_RECORDS, Records};
pub use store::Store;

#[cfg(test)]
mod tests;
