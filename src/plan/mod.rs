//! Plans.
mod invalid;
mod pattern;
mod range;
mod version;
pub use self::invalid::{Fault, Invalid};
