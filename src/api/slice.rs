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
    /// The repository that the source digest was seen in: a record says nothing of another one. Example:
    /// docker.io/library/alpine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The digest that the source had when it was last looked at with success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub source_digest: Option<Digest>,
    /// Since when the source shows that digest under this tag, as far as this system knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub first_seen: Option<Timestamp>,
    /// With a minimum age: the digests that the tag had, the last one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub candidates: Vec<Candidate>,
    /// What was written and found, one entry for each name on each target. A name that nothing was written to or found
    /// under has none: what is wrong with it stands in the ImageSync's status.
    #[serde(default)]
    pub targets: Vec<TargetRecord>,
}

/// A digest that a tag had at the source.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The digest.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// When this system first saw it under the tag.
    #[schemars(with = "Time")]
    pub first_seen: Timestamp,
}

/// What is remembered of one artifact under one name on one target.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetRecord {
    /// The target's name in the spec.
    pub name: String,
    /// The full reference on the target. Example: registry.corp.example/mirror/alpine:3.20.
    pub reference: String,
    /// The digest that was last written or found there, or, where the origin is Intended or Deleting, is being written.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Whether this ImageSync wrote that digest there, found it there, or was about to write it.
    pub origin: Origin,
    /// The digest that this ImageSync had written there before, as long as it is not known whether the other one has
    /// replaced it; only where the origin is Intended or Deleting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub previous_digest: Option<Digest>,
    /// The source's digest, where the digest here is another one: that of an index which was rewritten to name some platforms
    /// only, since the target takes none that names what it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub source_digest: Option<Digest>,
    /// The platforms that were brought; absent where all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub platforms: Option<Vec<String>>,
    /// A hash of the referrers that were brought: signatures, SBOMs, attestations. Absent where none were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrers: Option<String>,
    /// When all that belongs to it was last seen on the target, down to each blob; absent where it could not be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub checked: Option<Timestamp>,
    /// How far it was at the end of the last run that could tell.
    pub state: State,
    /// What kind of trouble there is; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Class")]
    pub class: Option<Class>,
    /// What was being done when it went wrong, and what can be done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when nothing in the spec wants this name; absent where something does. It is remembered because this
    /// ImageSync wrote it, and it no longer keeps other ImageSyncs from writing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub unwanted_since: Option<Timestamp>,
    /// Whether the last run found that somebody else wants it, or may, or did not look for it since its target is not pruned:
    /// then it was not unwanted before the run that finds that nobody does. Only where `unwantedSince` is given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wanted_elsewhere: bool,
    /// When anything in this entry last changed.
    #[schemars(with = "Time")]
    pub last_change: Timestamp,
}

impl Record {
    /// A record of an artifact of which nothing is remembered yet.
    #[must_use]
    pub fn new(image: impl Into<String>, tag: Option<String>) -> Self {
        Self {
            image: image.into(),
            tag,
            source: None,
            source_digest: None,
            first_seen: None,
            candidates: Vec::new(),
            targets: Vec::new(),
        }
    }
}

impl TargetRecord {
    /// A name on a target of which nothing more is known than its digest.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        reference: impl Into<String>,
        digest: Digest,
        (origin, state): (Origin, State),
        now: Timestamp,
    ) -> Self {
        Self {
            name: name.into(),
            reference: reference.into(),
            digest,
            origin,
            previous_digest: None,
            source_digest: None,
            platforms: None,
            referrers: None,
            checked: None,
            state,
            class: None,
            message: None,
            unwanted_since: None,
            wanted_elsewhere: false,
            last_change: now,
        }
    }

    /// The source's digest of what is there, whether it is there as it is or rewritten. A dummy stands for nothing but itself.
    #[must_use]
    pub fn stands_for(&self) -> &Digest {
        self.source_digest.as_ref().filter(|_| self.dummy().is_none()).unwrap_or(&self.digest)
    }

    /// Whether this ImageSync wrote `digest` under this name, as far as anybody can tell: where a write was begun and its
    /// end is not known, both what it was to write and what it was to replace count.
    #[must_use]
    pub fn wrote(&self, digest: &Digest) -> bool {
        let is_ours = matches!(self.origin, Origin::Written | Origin::Intended | Origin::Deleting);
        (is_ours && self.digest == *digest) || self.previous_digest.as_ref() == Some(digest)
    }

    /// The dummy manifest that the tag may show, since its deletion began and nobody knows of its end.
    #[must_use]
    pub fn dummy(&self) -> Option<&Digest> {
        (self.origin == Origin::Deleting && self.previous_digest.is_some()).then_some(&self.digest)
    }
}

/// Who put a tag on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// This ImageSync wrote it, or adopted it.
    Written,
    /// It was there already.
    Found,
    /// This ImageSync was about to write it, and it is not known whether it did: the process ended in between, or the
    /// registry did not answer. The next look at the target tells.
    Intended,
    /// This ImageSync wrote it and was about to delete it, and it is not known whether it did. Where the registry deletes digests
    /// only, `digest` is that of the dummy manifest that is deleted in the tag's place, and `previousDigest` what the tag
    /// showed before. The next look at the target tells.
    Deleting,
}

/// How far an artifact is on one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// It is being written. This is recorded before the tag is, so that a crash in between does not make it
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
