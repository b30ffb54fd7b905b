//! What the records say of an action before, while and after it is carried out.
//!
//! ```text
//! planned     what the plan found out, of what is tried and of what is not
//! intended    a tag is going to be written      reaches the disk before the tag is sent
//! sent        what came of sending it
//! complete    all that belongs to it is there, and which referrers these are
//! failed      it went wrong
//! deletion    a name is going to be deleted, and what came of that
//! ```

mod deletion;
mod stale;

pub(crate) use self::deletion::{deleting, entry, forgotten, judged, undeleted};
use jiff::{SignedDuration, Timestamp};

use super::{Outcome, Trouble, error::Error, sparse::Shown};
use crate::{
    api::{Origin, Record, State, TargetRecord},
    digest::Digest,
    plan::{Action, Aged, Kind, Plan},
    platform::Platforms,
    records::Records,
    reference::Tag,
};

/// What is kept of a message, in characters: a record must not grow with what registries say.
pub(crate) const MOST_MESSAGE: usize = 1000;

/// What the plan found out: which names are wanted no longer, what is there, and what keeps the rest from being tried.
pub(crate) fn planned(records: &mut Records, plan: &Plan, now: Timestamp) {
    plan.aged.iter().for_each(|aged| remember(records, aged));
    plan.stale.iter().for_each(|stale| stale::record(records, stale, now));
    for (number, action) in plan.actions.iter().enumerate() {
        match &action.kind {
            Kind::InSync { origin } => {
                seen(records, action, *origin, now);
                if plan.whole.binary_search(&number).is_ok() {
                    checked(records, action, plan.deep_interval, now);
                }
            }
            Kind::Copy { replaces } => settle(records, action, replaces.as_ref(), now),
            Kind::Amend { origin, repair } => amend(records, action, (*origin, *repair), now),
            Kind::Conflict | Kind::Failed { .. } | Kind::Deferred { .. } => {
                troubled(records, action, &Outcome::NotTried, now);
            }
        }
    }
}

/// The digests that a tag had, so that they get older.
fn remember(records: &mut Records, aged: &Aged) {
    let mut record = records.get_or_empty(&aged.image, aged.tag.as_deref());
    record.candidates.clone_from(&aged.candidates);
    if !aged.candidates.is_empty() && record.source.as_ref() != Some(&aged.source) {
        // What was mirrored came from another source, of which nothing is said any more.
        (record.source, record.source_digest, record.first_seen) = (Some(aged.source.clone()), None, None);
    }
    records.keep(record);
}

/// A tag is going to be written. This reaches the disk before the tag reaches the registry, so that a tag with that
/// digest is known as ours, whatever happens in between; what was ours until then stays known besides. Returns the
/// entry as it was, which [`sent`] puts back if nothing was written.
pub(crate) fn intended(
    records: &mut Records,
    action: &Action,
    shown: &Shown<'_>,
    now: Timestamp,
) -> Option<TargetRecord> {
    let mut before = None;
    change(records, action, now, |entry| {
        before.clone_from(&entry);
        let (origin, previous_digest) = match entry {
            Some(entry) if matches!(entry.origin, Origin::Written | Origin::Deleting) => {
                (Origin::Intended, Some(entry.digest))
            }
            Some(entry) => (Origin::Intended, entry.previous_digest),
            None => (Origin::Intended, None),
        };
        Some(TargetRecord { previous_digest, ..showing(action, shown, origin, now) })
    });
    before
}

/// The registry answered, or did not. What it certainly did not do leaves the entry as it was `before`; where nobody
/// knows, what was meant and what was there both stay possible until somebody looks.
pub(crate) fn sent(
    records: &mut Records,
    action: &Action,
    before: Option<TargetRecord>,
    result: &Result<(), Error>,
    now: Timestamp,
) {
    change(records, action, now, |entry| match result {
        Ok(()) => entry.map(|entry| TargetRecord { origin: Origin::Written, previous_digest: None, ..entry }),
        Err(error) if error.is_nothing_written() => before,
        Err(_) => entry,
    });
}

/// A tag that was to be written shows the right digest already: somebody put it there after the plan was made, or an index
/// was rewritten to what it was before.
pub(crate) fn found(records: &mut Records, action: &Action, shown: &Shown<'_>, now: Timestamp) {
    change(records, action, now, |entry| {
        let is_ours = entry.is_some_and(|entry| entry.wrote(&shown.manifest.digest));
        let origin = if is_ours { Origin::Written } else { Origin::Found };
        Some(showing(action, shown, origin, now))
    });
}

/// A tag shows the right digest, and all that belongs to it is there.
pub(crate) fn complete(records: &mut Records, action: &Action, shown: &Shown<'_>, now: Timestamp) {
    // What something was added to was not looked at as a whole.
    let is_whole = !matches!(action.kind, Kind::Amend { repair: false, .. });
    change(records, action, now, |entry| {
        let platforms = shown.platforms.map(texts);
        let entry = entry?;
        // What was amended without a look has what it had, and perhaps more.
        let referrers = action.referrers.clone().or(entry.referrers);
        let checked = if is_whole { Some(now) } else { entry.checked };
        let (state, class, message) = (State::InSync, None, None);
        Some(TargetRecord { platforms, referrers, checked, state, class, message, ..entry })
    });
}

/// All that belongs to a tag was seen to be there. That is written down once a deep interval, so that checks that come more
/// often do not rewrite every record.
fn checked(records: &mut Records, action: &Action, interval: SignedDuration, now: Timestamp) {
    change(records, action, now, |entry| {
        entry.map(|entry| {
            let is_recent = entry.checked.is_some_and(|last| now.duration_since(last) < interval);
            TargetRecord { checked: if is_recent { entry.checked } else { Some(now) }, ..entry }
        })
    });
}

/// An action was tried and failed.
pub(crate) fn failed(records: &mut Records, action: &Action, error: &Error, now: Timestamp) {
    troubled(records, action, &Outcome::Failed(error.clone()), now);
}

/// A tag was there with the right digest.
fn seen(records: &mut Records, action: &Action, origin: Origin, now: Timestamp) {
    change(records, action, now, |entry| {
        let digest = action.digest.as_ref()?;
        let wanted = action.content.platforms.as_ref().map(texts);
        let referrers = action.referrers.clone();
        let Some(entry) = entry.filter(|entry| entry.stands_for() == digest) else {
            // Of what others put there, nobody knows whether all of it is.
            let new = new(action, digest, origin, State::InSync, now);
            return Some(TargetRecord { platforms: wanted, referrers, ..new });
        };
        // What was brought of more platforms stays there, and is not looked after any more.
        let platforms = entry.platforms.map(|before| wanted.unwrap_or(before));
        // What was brought stays known; where it was looked for now, it is what is there.
        let referrers = referrers.or(entry.referrers);
        let (state, previous_digest, class, message) = (State::InSync, None, None, None);
        Some(TargetRecord { origin, previous_digest, platforms, referrers, state, class, message, ..entry })
    });
}

/// A tag was there with the right digest, and something that belongs to it is not.
fn amend(records: &mut Records, action: &Action, (origin, repair): (Origin, bool), now: Timestamp) {
    change(records, action, now, |entry| {
        let digest = action.digest.as_ref()?;
        let new = new(action, digest, origin, State::Pending, now);
        // What was brought before stays known, until it is known better.
        Some(match entry {
            Some(entry) if entry.stands_for() == digest => TargetRecord {
                origin,
                previous_digest: None,
                state: State::Pending,
                checked: entry.checked.filter(|_| !repair),
                ..entry
            },
            _ => new,
        })
    });
}

/// A look at the target tells what became of a write whose end was not known. If neither side of it is there, the write
/// did not happen as far as anybody can tell, and somebody else was there since.
fn settle(records: &mut Records, action: &Action, there: Option<&Digest>, now: Timestamp) {
    change(records, action, now, |entry| match entry {
        Some(entry) if entry.origin == Origin::Intended => {
            let entry = TargetRecord { origin: Origin::Written, ..entry };
            if there == Some(&entry.digest) {
                return Some(TargetRecord { previous_digest: None, ..entry });
            }
            // Of what it was made from, and for which platforms, nothing is known any more.
            let (digest, previous_digest) = (entry.previous_digest?, None);
            Some(TargetRecord { digest, previous_digest, source_digest: None, platforms: None, ..entry })
        }
        // A tag that is held at a dummy stays known as such until something else is there.
        Some(entry)
            if entry.origin == Origin::Deleting
                && !(entry.previous_digest.is_some() && there == Some(&entry.digest)) =>
        {
            let digest = if there == Some(&entry.digest) { entry.digest } else { entry.previous_digest? };
            let is_there = there == Some(&digest);
            is_there.then_some(TargetRecord {
                digest,
                origin: Origin::Written,
                previous_digest: None,
                ..entry
            })
        }
        entry => entry,
    });
}

/// What is wrong, as the status tells it. Where nothing was ever written or found there is nothing to record.
fn troubled(records: &mut Records, action: &Action, outcome: &Outcome, now: Timestamp) {
    let Some(trouble) = Trouble::of(action, outcome) else { return };
    change(records, action, now, |entry| {
        let message = trouble.message.chars().filter(|c| !c.is_control()).take(MOST_MESSAGE).collect();
        let (state, class, message) = (trouble.state(), Some(trouble.class), Some(message));
        entry.map(|entry| TargetRecord { state, class, message, ..entry })
    });
}

/// An entry of a tag that shows this, or is going to.
fn showing(action: &Action, shown: &Shown<'_>, origin: Origin, now: Timestamp) -> TargetRecord {
    let source_digest = shown.is_rewritten.then(|| shown.source.clone());
    let platforms = shown.platforms.map(texts);
    let new = new(action, &shown.manifest.digest, origin, State::Pending, now);
    TargetRecord { source_digest, platforms, ..new }
}

fn texts(platforms: &Platforms) -> Vec<String> {
    platforms.iter().map(ToString::to_string).collect()
}

/// Whether what is recorded of a name is an index that was rewritten.
pub(crate) fn is_rewritten(records: &Records, action: &Action) -> bool {
    let reference = action.destination.to_string();
    let record = records.get(&action.image, action.tag.as_ref().map(Tag::as_str));
    let mut entries = record.into_iter().flat_map(|record| &record.targets);
    let this = |entry: &&TargetRecord| entry.name == action.target && entry.reference == reference;
    entries.find(this).is_some_and(|entry| entry.source_digest.is_some())
}

fn new(action: &Action, digest: &Digest, origin: Origin, state: State, now: Timestamp) -> TargetRecord {
    let reference = action.destination.to_string();
    TargetRecord::new(&action.target, reference, digest.clone(), (origin, state), now)
}

/// Changes what is recorded of an action's destination. A name that has an action is wanted.
fn change(
    records: &mut Records,
    action: &Action,
    now: Timestamp,
    change: impl FnOnce(Option<TargetRecord>) -> Option<TargetRecord>,
) {
    let tag = action.tag.as_ref().map(Tag::as_str);
    let mut record = records.get_or_empty(&action.image, tag);
    if let Some(digest) = &action.digest {
        let source = Some(action.source.repository.to_string());
        if record.source_digest.as_ref() != Some(digest) || record.source != source {
            let candidates = record.candidates.iter();
            let known = candidates.clone().find(|candidate| candidate.digest == *digest);
            record.first_seen = known.map(|candidate| candidate.first_seen);
        }
        record.first_seen.get_or_insert(now);
        record.source_digest = Some(digest.clone());
        record.source = source;
    }
    let reference = action.destination.to_string();
    replace(&mut record, &action.target, &reference, now, |entry| {
        change(entry).map(|entry| TargetRecord { unwanted_since: None, wanted_elsewhere: false, ..entry })
    });
    records.keep(record);
}

/// Replaces the entry of one name. The time of its last change moves only with a change, or every run would rewrite every
/// record.
fn replace(
    record: &mut Record,
    target: &str,
    reference: &str,
    now: Timestamp,
    change: impl FnOnce(Option<TargetRecord>) -> Option<TargetRecord>,
) {
    let this = |entry: &TargetRecord| entry.name == target && entry.reference == reference;
    let place = record.targets.iter().position(this);
    let before = place.map(|place| record.targets.remove(place));
    let Some(mut after) = change(before.clone()) else { return };
    after.last_change = before.as_ref().map_or(now, |before| before.last_change);
    if before.as_ref() != Some(&after) {
        after.last_change = now;
    }
    record.targets.insert(place.unwrap_or(record.targets.len()), after);
}

#[cfg(test)]
mod tests;
