//! Ages: which of the digests that a tag had is old enough to be mirrored.

mod found;

pub(super) use found::{remembered, summaries};
use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{Candidate, Interval, Record},
    digest::Digest,
};

/// Digests that are remembered of one tag at most.
pub(super) const MOST: usize = 16;

/// Which digests a tag had, as it is to be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    /// The artifact's image.
    pub image: String,
    /// The artifact's tag.
    pub tag: Option<String>,
    /// Where it is read.
    pub source: String,
    /// The digests, the one that the tag shows first; none if that is not to be remembered any more.
    pub candidates: Vec<Candidate>,
}

/// How long a digest must have been known under a tag.
pub(super) type MinAge = SignedDuration;

/// The length of time that a spec says.
pub(super) fn least(age: Interval) -> MinAge {
    // No interval is longer than a signed duration can be.
    age.as_duration().try_into().unwrap_or(SignedDuration::MAX)
}

/// The digests that a tag had at its source: the one that it shows, and behind it those that it showed before, the last
/// one first. In this order they are preferred: a tag that was put back to an older digest is mirrored as it is, and what
/// was withdrawn does not come once it is old enough.
///
/// # Guarantees
///
/// - There are at most [`MOST`], and none twice.
/// - However often the tag moves, there is one that is old enough from the time on when the first that was seen is: what
///   is forgotten for want of room are those that would never be mirrored, then some of those that follow each other
///   closely.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates(Vec<Candidate>);

impl Candidates {
    /// What a record remembers. Where there was no minimum age until now, it is the digest that was mirrored.
    pub(super) fn of(record: &Record) -> Self {
        if !record.candidates.is_empty() {
            return Self(record.candidates.clone());
        }
        let known = record.source_digest.clone().zip(record.first_seen);
        Self(known.map(|(digest, first_seen)| Candidate { digest, first_seen }).into_iter().collect())
    }

    /// The same after a look at the tag, which shows `digest` now.
    ///
    /// What was first seen later than now, since the clock was wrong then or is now, counts as first seen now.
    #[must_use]
    pub(super) fn seen(mut self, digest: &Digest, least: MinAge, now: Timestamp) -> Self {
        let known = self.0.iter().position(|candidate| candidate.digest == *digest);
        let shown = known.map(|known| self.0.remove(known));
        let shown = shown.unwrap_or_else(|| Candidate { digest: digest.clone(), first_seen: now });
        self.0.insert(0, shown);
        for candidate in &mut self.0 {
            candidate.first_seen = candidate.first_seen.min(now);
        }
        while self.0.len() > MOST {
            let least_of_use = self.superseded(least, now).or_else(|| self.closest(least, now));
            self.0.remove(least_of_use.unwrap_or(MOST));
        }
        self
    }

    /// Those that are old enough, the one to be mirrored first; the others are for the case that it is gone from the source.
    pub(super) fn old_enough(&self, least: MinAge, now: Timestamp) -> impl Iterator<Item = &Candidate> {
        self.0.iter().filter(move |candidate| is_old_enough(candidate, least, now))
    }

    /// When another one becomes old enough that is preferred to what is old enough now.
    pub(super) fn next(&self, least: MinAge, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.0.iter().take_while(|candidate| !is_old_enough(candidate, least, now));
        waiting.filter_map(|candidate| candidate.first_seen.checked_add(least).ok()).min()
    }

    /// Whether nothing was seen yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As records have them.
    pub(super) fn into_inner(self) -> Vec<Candidate> {
        self.0
    }

    /// The last one that will not be mirrored unless others go from the source: one that is preferred is, or will be, old
    /// enough no later.
    fn superseded(&self, least: MinAge, now: Timestamp) -> Option<usize> {
        let mut preferred = self.0.iter();
        let mut earliest = preferred.next()?;
        let mut found = None;
        for (place, candidate) in preferred.enumerate() {
            if is_old_enough(earliest, least, now) || earliest.first_seen <= candidate.first_seen {
                found = Some(place + 1);
            } else {
                earliest = candidate;
            }
        }
        found
    }

    /// Of those that nothing supersedes, so that each was seen before the one in front of it: the one that is missed
    /// least, since its neighbours are close. The one that the tag shows, the one that is old enough, and
    /// the next that will be stay.
    fn closest(&self, least: MinAge, now: Timestamp) -> Option<usize> {
        let is_settled = self.0.last().is_some_and(|last| is_old_enough(last, least, now));
        let until = self.0.len() - usize::from(is_settled);
        let gaps = self.0.windows(3).take(until.saturating_sub(2)).enumerate();
        let gaps = gaps.filter_map(|(before, window)| {
            let [newer, _, older] = window else { return None };
            Some((newer.first_seen.duration_since(older.first_seen), before + 1))
        });
        gaps.min().map(|(_, place)| place)
    }
}

fn is_old_enough(candidate: &Candidate, least: MinAge, now: Timestamp) -> bool {
    now.duration_since(candidate.first_seen) >= least
}

#[cfg(test)]
mod tests;
