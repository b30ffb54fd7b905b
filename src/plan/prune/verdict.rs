//! Verdicts: what is to be done about each name that nothing wants.

use jiff::Timestamp;
use serde::Serialize;

use super::Hold;
use crate::{digest::Digest, reference::Reference};

/// What becomes of the names that nothing wants any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruning {
    /// The names, in the order of their records. Of targets whose prune mode is `Disabled` there is none.
    pub names: Vec<Judged>,
    /// What waits for a person's approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
    /// What a person should know, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A name that nothing wants, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// The image of the artifact whose record has it.
    pub image: String,
    /// The artifact's tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The target.
    pub target: String,
    /// The name there.
    pub reference: Reference,
    /// What was written there.
    pub digest: Digest,
    /// Since when nothing wants it, says its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwanted_since: Option<Timestamp>,
    /// The dummy manifest that it may show instead, since its deletion was broken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dummy: Option<Digest>,
    /// What is to be done.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why, in a person's words.
    pub reason: String,
    /// Somebody wants it, or may: its grace begins when nobody does any more, so that whoever stops wanting it gets all of it.
    #[serde(skip)]
    pub is_wanted: bool,
    /// It shows its dummy: its deletion was counted when it began.
    #[serde(skip)]
    pub is_begun: bool,
}

/// What is to be done about a name that nothing wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all_fields = "camelCase")]
pub enum Verdict {
    /// It is deleted.
    Delete,
    /// It would be deleted if the target's prune mode were `Enforce`.
    WouldDelete,
    /// It is above the limit, and waits for a person's approval.
    Held,
    /// It stays for now.
    Wait {
        /// Until when, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// It stays.
    Keep,
    /// It stays or is gone, and is not ours any more: its record is forgotten.
    Forget,
    /// It is held at a dummy manifest and stays: what it showed is put back.
    PutBack,
}

impl Pruning {
    /// The names with this verdict.
    pub fn with<'a>(&'a self, verdict: &'a Verdict) -> impl Iterator<Item = &'a Judged> {
        self.names.iter().filter(move |judged| judged.verdict == *verdict)
    }

    /// Whether there is nothing to be said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty() && self.notes.is_empty()
    }

    /// Whether registries are to be changed.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.names.iter().any(|judged| matches!(judged.verdict, Verdict::Delete | Verdict::PutBack))
    }
}
