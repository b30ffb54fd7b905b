//! ImageSync: container images where a manifest says they must be.
//!
//! The modules, from the binary down; each may use those below it and none above:
//!
//! - [`cli`]: the command line
//! - [`serve`]: layouts, served as a registry
//! - [`engine`]: looks at registries for a plan, and carries it out
//! - [`plan`]: decides what is to be done, and why, out of values alone
//! - [`records`]: what was selected and written, as it is remembered
//! - [`store`]: where images are read and written, whatever is behind it
//! - [`layout`]: OCI image layouts, in directories
//! - [`registry`]: the distribution protocol
//! - [`api`]: the kinds that people and the system write, and their rules
//! - [`mod@reference`], [`digest`] and [`platform`]: the names of images and of bytes, and what images run on
//! - [`class`]: the classes of errors
//! - [`telemetry`]: the log, as lines or as JSON

pub mod api;
pub mod class;
pub mod cli;
pub mod digest;
pub mod engine;
pub mod layout;
pub mod plan;
pub mod platform;
pub mod records;
pub mod reference;
pub mod registry;
pub mod serve;
pub mod store;
pub mod telemetry;
mod text;
