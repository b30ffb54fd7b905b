//! ImageSync: container images where a manifest says they must be.
//!
//! The modules, in the order in which data flows; each may use those below it and none above:
//!
//! - [`reference`] and [`digest`]: the names of images and of bytes
//! - [`class`]: the classes of errors
//! - [`api`]: the kinds that people and the system write, and their rules
//! - [`records`]: what was selected and written, as it is remembered
//! - [`cli`]: the command line

pub mod api;
pub mod class;
pub mod cli;
pub mod digest;
pub mod plan;
pub mod records;
pub mod reference;
