//! The API `imagesync.dev/v1alpha1`: its kinds, their schemas with the rules in them, and the same checks without a
//! cluster.
#![allow(
    unreachable_pub,
    reason = "kube's KubeSchema copies each struct, its `pub` included, into a function"
)]

mod images;
mod interval;
mod schema;
mod slice;
mod status;
mod sync;
mod targets;

pub use images::{Defaults, Image, Select};
pub use interval::{Interval, IntervalError};
pub use schema::crds;
pub use slice::{ImageSyncSlice, Origin, Record, Records, State, TargetRecord};
pub use status::{Counts, ImageSyncStatus, Problem};
pub use sync::{ImageSync, ImageSyncSpec, Schedule, SecretRef};
pub use targets::{Alias, AliasOf, Overwrite, Target};

/// The API's group.
pub const GROUP: &str = "imagesync.dev";

/// The API's version.
pub const VERSION: &str = "v1alpha1";
