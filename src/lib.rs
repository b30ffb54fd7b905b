//! ImageSync: container images where a manifest says they must be.
//!
//! The modules, in the order in which data flows; each may use those below it and none above:
//!
//! - [`registry`]: the distribution protocol
//! - [`reference`] and [`digest`]: the names of images and of bytes
//! - [`class`]: the classes of errors

pub mod class;
pub mod digest;
pub mod reference;
pub mod registry;
