//! `ImageSync`: what people write, the images and where they must be.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Defaults, Image, ImageSyncStatus, Interval, Target, rules};

/// What an ImageSync wants: images, read from their sources, kept at every target.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "imagesync.dev",
    version = "v1alpha1",
    kind = "ImageSync",
    namespaced,
    shortname = "isync",
    category = "imagesync-all",
    doc = "Keeps container images where they must be: reads each image's source again and again, and copies what is \
           new or has moved to every target.",
    status = "ImageSyncStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether everything the spec wants is in sync"
    ),
    printcolumn(
        name = "In Sync",
        type_ = "string",
        json_path = ".status.counts.summary",
        description = "Artifacts in sync, of all artifacts"
    ),
    printcolumn(
        name = "Failed",
        type_ = "integer",
        json_path = ".status.counts.failed",
        description = "Artifacts that failed"
    ),
    printcolumn(
        name = "Last Sync",
        type_ = "date",
        json_path = ".status.lastSyncTime",
        description = "When the last run was completed"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not",
        priority = 1
    ),
    printcolumn(
        name = "Next Sync",
        type_ = "string",
        json_path = ".status.nextSyncTime",
        description = "When the next run is due",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::interval_or_schedule())]
#[x_kube(validation = rules::some_target())]
#[x_kube(validation = rules::targets_name_images())]
pub struct ImageSyncSpec {
    /// How often the sources are looked at, counted from the end of the last run: whole hours, minutes and seconds,
    /// at least 10s. With neither `interval` nor `schedule`, it is `1h`. Example: `30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 18))]
    #[x_kube(validation = rules::interval())]
    pub interval: Option<Interval>,

    /// When the sources are looked at, instead of `interval`. Example: `{cron: 0 3 * * *, timeZone: Europe/Rome}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,

    /// How often all that is on the targets is walked, down to each blob, and repaired: whole hours, minutes and
    /// seconds, at least 1m. Signatures that were made later are found by then too. Default: `24h`. Example: `12h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 18))]
    #[x_kube(validation = rules::deep_interval())]
    pub deep_interval: Option<Interval>,

    /// Whether new runs are held back. A run that is on is finished, and the conditions stay as they are.
    /// Default: `false`. Example: `true`.
    #[serde(default)]
    pub suspend: bool,

    /// Secrets of type `kubernetes.io/dockerconfigjson` in this namespace, whose credentials are used to read sources. The entry
    /// with the longest matching registry and path is used. Default: none; sources are read anonymously.
    /// Example: `[{name: hub}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub pull_secrets: Vec<SecretRef>,

    /// What holds for those images that do not say it themselves. Default: nothing.
    /// Example: `{immutableTags: ['\d+\.\d+\.\d+']}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,

    /// The images: 1 to 64, each under a name of its own.
    /// Example: `[{name: alpine, source: 'alpine:3.20'}]`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub images: Vec<Image>,

    /// Where the images are kept: 1 to 8 targets, each under a name of its own.
    /// Example: `[{name: corp, repository: 'registry.corp.example/mirror/{path}'}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<Target>,

    /// What becomes of what this ImageSync wrote when it is deleted. `Retain`: it stays. `Prune`: it is deleted too, except what
    /// somebody else wants, uses or has changed. Default: `Retain`. Example: `Prune`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What becomes of what an ImageSync wrote when it is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It is deleted too.
    Prune,
}

/// Points in time, by the notation of cron.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Five fields: minute, hour, day of month, month, day of week. Example: `0 3 * * *`, which is every day at three.
    #[schemars(length(max = 128))]
    #[x_kube(validation = rules::cron(), validation = rules::cron_ranges())]
    pub cron: String,

    /// The IANA time zone in which `cron` is read. Default: `UTC`. Example: `Europe/Rome`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::time_zone())]
    pub time_zone: Option<String>,
}

/// A Secret in the namespace of the ImageSync.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The Secret's name. Its type is `kubernetes.io/dockerconfigjson`. Example: `hub`.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_name())]
    pub name: String,
}
