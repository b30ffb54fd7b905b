//! What registries said: listings of sources, and the digests that tags show.

use hashbrown::{Equivalent, HashMap};
use jiff::Timestamp;

use super::{
    Walk, Walked,
    referrers::{Referring, Subject},
};
use crate::{
    class::Class,
    digest::Digest,
    reference::{Reference, Repository, Tag},
};

/// The listings of repositories whose tags are selected from.
pub type Listings = HashMap<Repository, Listed>;

/// What came of listing the tags of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// All tags that the repository has, in any order.
    Tags(Vec<Tag>),
    /// They could not be listed.
    Failed {
        /// What kind of trouble it was.
        class: Class,
        /// What was being done, and what can be done about it.
        message: String,
        /// When it is worth another try, if the registry said so.
        until: Option<Timestamp>,
    },
}

/// What a HEAD said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The digest that is there.
    Digest(Digest),
    /// Nothing is there.
    Absent,
    /// It could not be looked at.
    Failed {
        /// What kind of trouble it was.
        class: Class,
        /// What was being done, and what can be done about it.
        message: String,
        /// When it is worth another try, if the registry said so.
        until: Option<Timestamp>,
    },
}

/// The answers to [`Questions`](super::Questions).
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What is at the sources.
    pub sources: HashMap<Reference, Seen>,
    /// What is on the targets, by the target's name.
    pub targets: HashMap<(String, Reference), Seen>,
    /// What is there of images on targets.
    pub walks: HashMap<Walk, Walked>,
    /// What refers to images at the sources.
    pub referrers: HashMap<Subject, Referring>,
    /// When it was looked.
    pub now: Timestamp,
}

impl Observed {
    /// Nothing yet, at this time: what is new, and what is due, is told from it.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }

    /// Takes the answers to more questions.
    pub fn extend(&mut self, more: Self) {
        self.sources.extend(more.sources);
        self.targets.extend(more.targets);
        self.walks.extend(more.walks);
        self.referrers.extend(more.referrers);
    }

    /// What was seen on the named target.
    pub(super) fn target(&self, name: &str, reference: &Reference) -> Option<&Seen> {
        self.targets.get(&On(name, reference))
    }
}

/// A name on a target, as it is looked up: hashed as the pair of both.
#[derive(Hash)]
struct On<'a>(&'a str, &'a Reference);

impl Equivalent<(String, Reference)> for On<'_> {
    fn equivalent(&self, (name, reference): &(String, Reference)) -> bool {
        self.0 == name && self.1 == reference
    }
}
