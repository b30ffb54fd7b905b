//! The status of an ImageSync: what the last run saw and did.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::class::Class;

/// What was observed, after a completed run, or during a long one.
///
/// Tools that wait for objects (kstatus) read `observedGeneration` and the conditions `Ready`, `Reconciling` and
/// `Stalled`; the last two, and `PruneHeld`, are present only while they are True.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSyncStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// When the last run was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,

    /// When the next run is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_sync_time: Option<Time>,

    /// `Ready`: whether everything that the spec wants is in sync. `Reconciling`: a new spec is being carried out.
    /// `Stalled`: nothing goes on until the spec or a Secret changes. `PruneHeld`: more would be deleted from targets than
    /// the limit allows, and a person's approval is waited for; the message says how to give it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// How many artifacts there are, in which state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,

    /// What is wrong, one entry for each artifact and target: the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub problems: Vec<Problem>,
}

impl ImageSyncStatus {
    /// How many problems a status lists at most.
    pub const MOST_PROBLEMS: usize = 20;
}

/// How many artifacts an ImageSync has, in which state. An artifact counts under one state, the worst of those it has
/// on its targets.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Artifacts in sync, of all artifacts. Example: 39/40.
    pub summary: String,
    /// Images in the spec.
    pub images: i64,
    /// Artifacts: the tags and digests that were selected from all images.
    pub artifacts: i64,
    /// Artifacts that are on all of their targets, with the source's digest.
    pub in_sync: i64,
    /// Artifacts that wait for their turn or are being copied.
    pub pending: i64,
    /// Artifacts that wait for the time that a registry's rate limit named.
    pub deferred: i64,
    /// Artifacts that failed.
    pub failed: i64,
    /// Artifacts whose tag on a target belongs to somebody else, or may not be overwritten.
    pub conflicts: i64,
    /// Names on targets that the last run deleted, since nothing wanted them any more.
    #[serde(default)]
    pub pruned: i64,
    /// Names on targets that would be deleted and wait for a person's approval.
    #[serde(default)]
    pub prune_held: i64,
}

/// One thing that is wrong.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The image's name in the spec.
    pub image: String,
    /// The tag at the source; absent where it is about the whole image, or the source is pinned by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The target's name in the spec; absent where it is about the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What kind of trouble it is, which decides whether and when it is tried again.
    pub class: Class,
    /// What was being done, to which reference, and what can be done about it.
    pub message: String,
    /// Since when.
    pub since: Time,
}
