//! `ImageSyncSlice`: the records of an ImageSync, its memory.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{class::Class, digest::Digest};

/// The records of an [`ImageSyncSlice`], which stand at its top level, beside `metadata`.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "imagesync.dev",
    version = "v1alpha1",
    kind = "ImageSyncSlice",
    namespaced,
    category = "imagesync-all",
    no_spec,
    doc = "Some of the records of one ImageSync, as an EndpointSlice has some of the endpoints of one Service. Written \
           and read by the system: what was mirrored, and by whom, is answered from it.",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct Records {
    /// One record an artifact: at most 100.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub records: Vec<Record>,
}

impl Records {
    /// How many records a slice holds at most.
    pub const MOST: usize = 100;
}

/// What is remembered of one artifact.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The image's name in the spec.
    pub image: String,
    /// The tag at the source; absent where the source is pinned by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest that the source had when it was last looked at; absent as long as that never succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub source_digest: Option<Digest>,
    /// What was written and found, one entry for each tag on each target.
    #[serde(default)]
    pub targets: Vec<TargetRecord>,
}

/// What is remembered of one artifact under one name on one target.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetRecord {
    /// The target's name in the spec.
    pub name: String,
    /// The full reference on the target. Example: registry.corp.example/mirror/alpine:3.20.
    pub reference: String,
    /// The digest that was written there, or is about to be.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Whether this ImageSync wrote it, or found it there.
    pub origin: Origin,
    /// How far it is.
    pub state: State,
    /// What kind of trouble there is; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Class")]
    pub class: Option<Class>,
    /// What was being done when it went wrong, and what can be done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When anything in this entry last changed.
    #[schemars(with = "Time")]
    pub last_change: Timestamp,
}

/// Who put a tag on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// This ImageSync wrote it, or adopted it.
    Written,
    /// It was there already.
    Found,
}

/// How far an artifact is on one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// It is about to be written. This is recorded before the tag is, so that a crash in between does not make it
    /// look found.
    Pending,
    /// It is there, complete.
    InSync,
    /// It could not be read or written.
    Failed,
    /// The tag belongs to somebody else, or may not be overwritten.
    Conflict,
    /// A registry's rate limit puts it off.
    Deferred,
}
