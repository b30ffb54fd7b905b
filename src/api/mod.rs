//! The API `imagesync.dev/v1alpha1`: its kinds, their schemas with the rules in them, and the same checks without a
//! cluster.
#![allow(
    unreachable_pub,
    reason = "kube's KubeSchema copies each struct, its `pub` included, into a function"
)]
#![allow(clippy::duplicated_attributes, reason = "kube's printer columns repeat the names of their fields")]

pub mod check;
mod images;
mod interval;
mod prune;
mod rules;
mod schema;
mod slice;
mod status;
mod sync;
mod targets;
#[cfg(test)]
mod tests;

pub use images::{Defaults, Image, Referrers, Select};
pub use interval::{Interval, IntervalError};
pub use prune::{APPROVE_PRUNE, Prune, PruneMode};
pub use schema::crds;
pub use slice::{Candidate, ImageSyncSlice, Origin, Record, Records, State, TargetRecord};
pub use status::{Counts, ImageSyncStatus, Problem};
pub use sync::{DeletionPolicy, ImageSync, ImageSyncSpec, Schedule, SecretRef};
pub use targets::{Alias, AliasOf, Overwrite, Target};

/// The API's group.
pub const GROUP: &str = "imagesync.dev";

/// The API's version.
pub const VERSION: &str = "v1alpha1";
