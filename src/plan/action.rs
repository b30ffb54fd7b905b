//! Plans and their actions.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Aged, DeepCheck, LeftOut, Pruning, Stale};
use crate::{
    api::{Interval, Origin, Overwrite, Referrers},
    class::Class,
    digest::Digest,
    platform::Platforms,
    reference::{Reference, Repository, Tag},
};

/// What is to be done for one ImageSync, and why; and what is not to be done, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The ImageSync's namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The ImageSync's name.
    pub name: String,
    /// One action for each name that each artifact has on each target. Images are in the spec's order; an image's
    /// newest version comes first. After all of them come the images whose tags could not be listed, with one action a
    /// target.
    pub actions: Vec<Action>,
    /// What was left out, and what a person should know, image by image in the spec's order.
    pub images: Vec<ImageSummary>,
    /// Names that the records have and that nothing needs there any more, or that another artifact has now. Only the
    /// records change.
    #[serde(skip)]
    pub stale: Vec<Stale>,
    /// What becomes on targets of names that nothing wants any more.
    #[serde(skip_serializing_if = "Pruning::is_empty")]
    pub pruning: Pruning,
    /// Which digests the tags had, of those with a minimum age. Only the records change.
    #[serde(skip)]
    pub aged: Vec<Aged>,
    /// When there will be something to do, if that may be before the next regular run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What deep checks found, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deep_check: Option<DeepCheck>,
    /// How often all that is on the targets is looked at deeply.
    #[serde(skip)]
    pub deep_interval: SignedDuration,
    /// The actions, by their number and in that order, at whose destination all of the image was seen to be there.
    #[serde(skip)]
    pub whole: Vec<usize>,
    /// Where an index of some platforms has to be rewritten, by the target's name and the repository: the records say that this
    /// target took none that names what is not there.
    #[serde(skip)]
    pub rewriting: BTreeSet<(String, Repository)>,
}

/// What a plan says of an image besides its actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSummary {
    /// The image's name in the spec.
    pub image: String,
    /// Where it is read.
    pub source: Repository,
    /// How many tags are mirrored; a digest without a tag counts as one.
    pub selected: usize,
    /// How many of the source's tags are not, reason by reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutCount>,
    /// What waits until it is old enough, if anything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// What a person should know, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Tags of an image that show what is not old enough yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The number of tags.
    pub count: usize,
    /// How old what they show has to be.
    pub min_age: Interval,
    /// When the first of them is old enough.
    pub until: Timestamp,
}

/// How many tags were left out for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutCount {
    /// The reason.
    pub reason: LeftOut,
    /// The number of tags.
    pub count: usize,
}

/// What is to be done about one artifact under one name on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// The image's name in the spec.
    pub image: String,
    /// The tag at the source. There is none where the source is pinned by digest alone, and where the source's tags could not
    /// be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// Where it is read: by digest, once that is known.
    pub source: Reference,
    /// The digest that the destination is to show, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The target's name in the spec.
    pub target: String,
    /// The name there. It has neither tag nor digest where these could not be told.
    pub destination: Reference,
    /// What the target says of tags that show something else.
    pub overwrite: Overwrite,
    /// What of the image, and of what refers to it, is to be there.
    #[serde(skip)]
    pub content: Arc<Content>,
    /// A hash of what refers to the image at the source, if it was looked for.
    #[serde(skip)]
    pub referrers: Option<String>,
    /// What is to be done.
    #[serde(flatten)]
    pub kind: Kind,
    /// Why, in a person's words.
    pub reason: String,
}

/// What of an image, and of what refers to it, is to be on a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content {
    /// The platforms; `None` is all that the source has.
    pub platforms: Option<Platforms>,
    /// What is done with signatures, SBOMs and attestations.
    pub referrers: Referrers,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all_fields = "camelCase")]
pub enum Kind {
    /// Nothing: the destination is as it is wanted.
    InSync {
        /// Who put it there.
        origin: Origin,
    },
    /// The destination is to be made to show the source's digest.
    Copy {
        /// The digest that it shows now; `None` where nothing is there.
        #[serde(skip_serializing_if = "Option::is_none")]
        replaces: Option<Digest>,
    },
    /// The destination shows what it is to show, and something that belongs to it is to be brought: referrers that were made
    /// since, platforms that are wanted now, or what was found to be missing.
    Amend {
        /// Who put there what it shows.
        origin: Origin,
        /// What the target says it has is not believed: all of it is sent again.
        repair: bool,
    },
    /// Nothing: somebody else owns the destination, or it may not be overwritten.
    Conflict,
    /// Nothing can be done.
    Failed {
        /// What kind of trouble it is.
        class: Class,
    },
    /// Nothing yet: a registry's limit puts it off.
    Deferred {
        /// When it is worth another try.
        until: Timestamp,
    },
}

impl Kind {
    /// Whether the destination shows what it is to show.
    #[must_use]
    pub const fn is_in_sync(&self) -> bool {
        matches!(self, Self::InSync { .. })
    }

    /// Whether something is moved.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self, Self::Copy { .. } | Self::Amend { .. })
    }
}
