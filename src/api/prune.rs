//! Pruning of a target: which of its tags go, and what keeps them.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Interval,
    rules::{self, Within},
};

/// The annotation of an ImageSync that approves one plan of deletions that is above its limit. Its value is
/// what the condition `PruneHeld` names.
pub const APPROVE_PRUNE: &str = "imagesync.dev/approve-prune";

/// What becomes of tags that an ImageSync wrote on a target and that nothing wants any more.
///
/// A tag goes only if this ImageSync wrote it, it still shows what was written, no ImageSync wants it, and it was unwanted in two
/// runs at least `grace` apart.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prune {
    /// `Disabled`: nothing is deleted. `DryRun`: the plan says what would be. `Enforce`: it is deleted. Default: `Disabled`.
    /// Example: `Enforce`.
    #[serde(default)]
    pub mode: PruneMode,

    /// How long a tag has to be unwanted: whole hours, minutes and seconds. Default: `24h`. Example: `72h`.
    #[serde(default = "Prune::default_grace")]
    #[schemars(with = "String", length(max = 18))]
    #[x_kube(validation = rules::grace())]
    pub grace: Interval,

    /// How many of the highest versions of each image stay, whether they are wanted or not. Default: `3`. Example: `5`.
    #[serde(default = "Prune::default_keep_last")]
    #[schemars(range(min = 0, max = 1000))]
    pub keep_last: i32,

    /// How many tags one run may delete: a number, or a percentage of what was written to this target, rounded up. Where there are
    /// more, nothing is deleted before a person approves it. Default: `20%`. Example: `10`.
    #[serde(default = "Prune::default_limit")]
    #[schemars(transform = Within(6), transform = rules::Limit)]
    pub limit: IntOrString,

    /// Whether a tag stays that a pod, or a pod template, in the cluster references. Without a cluster this protects
    /// nothing. Default: `true`. Example: `false`.
    #[serde(default = "Prune::default_protect_in_use")]
    pub protect_in_use: bool,
}

/// Whether tags are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PruneMode {
    /// Nothing is deleted.
    #[default]
    Disabled,
    /// The plan says what would be deleted.
    DryRun,
    /// What nothing needs is deleted.
    Enforce,
}

impl Prune {
    const fn default_grace() -> Interval {
        Interval::DAY
    }

    const fn default_keep_last() -> i32 {
        3
    }

    fn default_limit() -> IntOrString {
        IntOrString::String("20%".to_owned())
    }

    const fn default_protect_in_use() -> bool {
        true
    }
}

impl Default for Prune {
    fn default() -> Self {
        Self {
            mode: PruneMode::default(),
            grace: Self::default_grace(),
            keep_last: Self::default_keep_last(),
            limit: Self::default_limit(),
            protect_in_use: Self::default_protect_in_use(),
        }
    }
}
