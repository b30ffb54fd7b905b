//! Deep checks: when all that belongs to a tag is looked for on its target, and what follows from what is missing there.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    Kind, Observed, Schedule, Seen, Selection,
    destination::Destination,
    resolve::{Memory, Resolved},
    rules::{self, Decision, Input},
};
use crate::{
    api::{Interval, State, TargetRecord},
    class::Class,
    digest::Digest,
    platform::Platforms,
    reference::Repository,
};

/// An image on a target, of which all is to be looked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Walk {
    /// The target's name.
    pub target: String,
    /// Where it is.
    pub repository: Repository,
    /// What is shown there.
    pub digest: Digest,
    /// The platforms that were brought; `None` where all were.
    pub platforms: Option<Platforms>,
    /// A hash of the referrers that were brought, where any were looked for.
    pub referrers: Option<String>,
    /// Where it is from, if what refers to it there is to be here too.
    pub source: Option<Repository>,
}

/// What came of looking for all of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walked {
    /// All of it is there.
    Whole,
    /// Something is not.
    Broken {
        /// The first of what is missing, as people read it.
        missing: Vec<String>,
        /// How much is.
        count: usize,
    },
    /// It could not be seen.
    Failed {
        /// What kind of trouble it was.
        class: Class,
        /// What was being done, and what can be done about it.
        message: String,
        /// When it is worth another try, if the registry said so.
        until: Option<Timestamp>,
    },
}

/// What deep checks of one plan found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeepCheck {
    /// Images on targets of which all is there.
    pub whole: usize,
    /// Images of which something is missing.
    pub broken: usize,
    /// Images that could not be seen.
    pub failed: usize,
}

/// Which images are looked at deeply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depth {
    /// Every one.
    pub(super) all: bool,
    /// Those that were not for so long.
    pub(super) interval: SignedDuration,
}

impl Walked {
    /// What is missing is named up to so many.
    pub const NAMED: usize = 3;

    /// What came of looking for two parts of an image. What is known to be missing is repaired, whatever else there may be.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Broken { mut missing, count }, Self::Broken { missing: more, count: other }) => {
                missing.extend(more);
                missing.truncate(Self::NAMED);
                Self::Broken { missing, count: count + other }
            }
            (broken @ Self::Broken { .. }, _) | (_, broken @ Self::Broken { .. }) => broken,
            (Self::Whole, other) => other,
            (failed @ Self::Failed { .. }, _) => failed,
        }
    }
}

impl Selection {
    /// Has all that is on the targets looked at deeply, whether it is due or not.
    #[must_use]
    pub const fn deeply(mut self) -> Self {
        self.depth.all = true;
        self
    }

    /// What is to be walked at a destination that shows its image, and was not yet.
    pub(super) fn walk(
        &self,
        memory: &Memory<'_>,
        (artifact, destination): (&Resolved<'_>, &Destination),
        answered: &Observed,
    ) -> Option<Walk> {
        let (reference, target) = (destination.name.reference()?, &destination.target.name);
        let seen = answered.target(target, reference)?;
        let remembered = memory.name(reference);
        let (Seen::Digest(found), Some(right)) = (seen, artifact.digest_at(Some(seen), remembered)) else {
            return None;
        };
        let entry = remembered.map(|name| name.target);
        let entry = entry.filter(|entry| entry.digest == *found && entry.stands_for() == right);
        let is_due = self.depth.all || entry.is_some_and(|entry| self.depth.is_due(entry, self.now));
        let is_right = found == right || entry.is_some();
        let wanted = || artifact.artifact.image.content.platforms.clone();
        let brought = |entry: &TargetRecord| {
            let texts = entry.platforms.as_ref()?.iter();
            Platforms::new(texts.filter_map(|text| text.parse().ok()))
        };
        (is_due && is_right).then(|| Walk {
            target: target.clone(),
            repository: reference.repository.clone(),
            digest: found.clone(),
            platforms: entry.map_or_else(wanted, brought),
            referrers: entry.and_then(|entry| entry.referrers.clone()),
            source: artifact.source_of_referrers(entry),
        })
    }

    /// Whether anything at these destinations is due, as it is remembered.
    pub(super) fn is_any_due(&self, memory: &Memory<'_>, destinations: &[Destination]) -> bool {
        destinations.iter().any(|destination| {
            let remembered = destination.name.reference().and_then(|reference| memory.name(reference));
            self.depth.all || remembered.is_some_and(|name| self.depth.is_due(name.target, self.now))
        })
    }
}

impl Depth {
    pub(super) fn every(interval: Interval) -> Self {
        let interval = interval.as_duration().try_into().unwrap_or(SignedDuration::MAX);
        Self { all: false, interval }
    }

    /// Whether what an entry speaks of is to be looked at now. What was published and could not be seen to be complete is
    /// first of all; and what was never looked at has time since it was found.
    pub(super) fn is_due(&self, entry: &TargetRecord, now: Timestamp) -> bool {
        let is_owed = entry.checked.is_none() && matches!(entry.state, State::Pending | State::Failed);
        is_owed || now.duration_since(last_checked(entry)) >= self.interval
    }

    /// When the first of them is due, where that may be before the sources are looked at again.
    pub(super) fn next(
        &self,
        schedule: &Schedule,
        checked: impl Iterator<Item = Timestamp>,
    ) -> Option<Timestamp> {
        let Schedule::Every(interval) = schedule else { return None };
        let is_longer = SignedDuration::try_from(*interval).is_ok_and(|interval| interval > self.interval);
        checked.filter(|_| is_longer).min()?.checked_add(self.interval).ok()
    }
}

/// When what an entry speaks of was looked at, or at least found.
pub(super) fn last_checked(entry: &TargetRecord) -> Timestamp {
    entry.checked.unwrap_or(entry.last_change)
}

impl DeepCheck {
    /// What was found, if anything was looked at.
    pub(super) fn of(observed: &Observed) -> Option<Self> {
        let mut found = Self::default();
        for walked in observed.walks.values() {
            *match walked {
                Walked::Whole => &mut found.whole,
                Walked::Broken { .. } => &mut found.broken,
                Walked::Failed { .. } => &mut found.failed,
            } += 1;
        }
        (!observed.walks.is_empty()).then_some(found)
    }
}

/// What a deep check changes about a decision.
pub(super) fn consider(input: &Input<'_>, decision: Decision) -> Decision {
    let (Kind::InSync { origin } | Kind::Amend { origin, .. }, Some(walked)) = (&decision.kind, input.walked)
    else {
        return decision;
    };
    let origin = *origin;
    let (missing, count) = match walked {
        Walked::Whole => return decision,
        Walked::Failed { class, message, until } => {
            return rules::trouble(*class, message.clone(), *until, input.now);
        }
        Walked::Broken { missing, count } => (missing, *count),
    };
    let lacks = lacks(missing, count);
    let source = input.this.source.familiar();
    match input.this.at_source {
        Some(Seen::Absent) => {
            let reason = format!(
                "{lacks}; {source} is gone from the source, so it cannot be repaired; what is on the target stays"
            );
            Decision { kind: Kind::Failed { class: Class::NotFound }, reason }
        }
        Some(Seen::Failed { class, message, until }) => {
            rules::trouble(*class, format!("{lacks}; it is not repaired: {message}"), *until, input.now)
        }
        Some(Seen::Digest(_)) | None => {
            Decision { kind: Kind::Amend { origin, repair: true }, reason: lacks }
        }
    }
}

/// `a deep check found 3 missing on the target: blob sha256:0123456789ab, … and 1 more`.
fn lacks(missing: &[String], count: usize) -> String {
    let mut text = format!("a deep check found {count} missing on the target: {}", missing.join(", "));
    if count > missing.len() {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {} more", count - missing.len());
    }
    text
}
