//! What the records say of an action before, while and after it is carried out.

use jiff::Timestamp;

use super::error::Error;
use crate::{
    api::{Origin, Record, State, TargetRecord},
    class::Class,
    digest::Digest,
    plan::{Action, Kind},
    records::Records,
};

/// A tag is going to be written. This reaches the disk before the tag reaches the registry, so that a tag with that
/// digest is known as ours, whatever happens in between.
pub(crate) fn intended(records: &mut Records, action: &Action, now: Timestamp) {
    set(records, action, now, |target, digest| {
        target.digest = digest.clone();
        target.origin = Origin::Written;
        target.state = State::Pending;
    });
}

/// A tag was written, and all that belongs to it is there.
pub(crate) fn written(records: &mut Records, action: &Action, now: Timestamp) {
    set(records, action, now, |target, digest| {
        target.digest = digest.clone();
        target.origin = Origin::Written;
        target.state = State::InSync;
    });
}

/// A tag was there with the right digest.
pub(crate) fn seen(records: &mut Records, action: &Action, now: Timestamp) {
    let Kind::InSync { origin } = &action.kind else { return };
    let origin = *origin;
    set(records, action, now, |target, digest| {
        target.digest = digest.clone();
        target.origin = origin;
        target.state = State::InSync;
    });
}

/// An action failed. Where nothing was ever written there is nothing to record: the status tells of it.
pub(crate) fn failed(records: &mut Records, action: &Action, error: &Error, now: Timestamp) {
    let state = if error.class() == Class::RateLimited { State::Deferred } else { State::Failed };
    let Some(mut record) = record_of(records, action) else { return };
    let Some(target) = target_of(&mut record, action) else { return };
    let before = target.clone();
    target.state = state;
    target.class = Some(error.class());
    target.message = Some(error.message());
    keep_time(&before, target, now);
    records.put(record);
}

fn record_of(records: &Records, action: &Action) -> Option<Record> {
    records.get(&action.image, action.tag.as_ref().map(crate::reference::Tag::as_str)).cloned()
}

fn target_of<'a>(record: &'a mut Record, action: &Action) -> Option<&'a mut TargetRecord> {
    let reference = action.destination.to_string();
    record.targets.iter_mut().find(|target| target.name == action.target && target.reference == reference)
}

/// Changes the record of an action's destination, making it if it is not there.
fn set(
    records: &mut Records,
    action: &Action,
    now: Timestamp,
    change: impl FnOnce(&mut TargetRecord, &Digest),
) {
    let Some(digest) = &action.digest else { return };
    let mut record = record_of(records, action).unwrap_or_else(|| Record {
        image: action.image.clone(),
        tag: action.tag.as_ref().map(ToString::to_string),
        source_digest: None,
        targets: Vec::new(),
    });
    record.source_digest = Some(digest.clone());
    if target_of(&mut record, action).is_none() {
        record.targets.push(TargetRecord {
            name: action.target.clone(),
            reference: action.destination.to_string(),
            digest: digest.clone(),
            origin: Origin::Written,
            state: State::Pending,
            class: None,
            message: None,
            last_change: now,
        });
    }
    if let Some(target) = target_of(&mut record, action) {
        let before = target.clone();
        change(target, digest);
        target.class = None;
        target.message = None;
        keep_time(&before, target, now);
    }
    records.put(record);
}

/// The time of the last change moves only with a change, or every run would rewrite every record.
fn keep_time(before: &TargetRecord, target: &mut TargetRecord, now: Timestamp) {
    if *before != *target {
        target.last_change = now;
    }
}
