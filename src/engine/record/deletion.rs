//! What the records say of a name that is deleted, before and after.

use jiff::Timestamp;

use super::replace;
use crate::{
    api::{Origin, TargetRecord},
    digest::Digest,
    plan::Judged,
    records::Records,
};

/// What is recorded of a name.
pub(crate) fn entry(records: &Records, name: &Judged) -> Option<TargetRecord> {
    let record = records.get(&name.image, name.tag.as_deref())?;
    let reference = name.reference.to_string();
    let this = |entry: &&TargetRecord| entry.name == name.target && entry.reference == reference;
    record.targets.iter().find(this).cloned()
}

/// A name is going to be deleted: itself, or in its place this dummy. It reaches the disk before anything is sent.
pub(crate) fn deleting(records: &mut Records, name: &Judged, dummy: Option<&Digest>, now: Timestamp) {
    let (digest, previous_digest) = match dummy {
        Some(dummy) => (dummy.clone(), Some(name.digest.clone())),
        None => (name.digest.clone(), None),
    };
    change(records, name, now, |entry| TargetRecord {
        digest,
        previous_digest,
        origin: Origin::Deleting,
        ..entry
    });
}

/// It was not deleted: it shows what we wrote, as before.
pub(crate) fn undeleted(records: &mut Records, name: &Judged, now: Timestamp) {
    let digest = name.digest.clone();
    change(records, name, now, |entry| TargetRecord {
        digest,
        previous_digest: None,
        origin: Origin::Written,
        ..entry
    });
}

/// What the plan found out: whether somebody wants the name. Once nobody does any more it is unwanted from now on.
pub(crate) fn judged(records: &mut Records, name: &Judged, now: Timestamp) {
    let Some(known) = entry(records, name) else { return };
    if known.unwanted_since.is_none() || known.wanted_elsewhere == name.is_wanted {
        return;
    }
    change(records, name, now, |entry| TargetRecord {
        wanted_elsewhere: name.is_wanted,
        unwanted_since: if name.is_wanted { entry.unwanted_since } else { Some(now) },
        ..entry
    });
}

/// Nothing of ours is there any more.
pub(crate) fn forgotten(records: &mut Records, name: &Judged, now: Timestamp) {
    let Some(mut record) = records.get(&name.image, name.tag.as_deref()).cloned() else { return };
    replace(&mut record, &name.target, &name.reference.to_string(), now, |_| None);
    records.keep(record);
}

fn change(
    records: &mut Records,
    name: &Judged,
    now: Timestamp,
    change: impl FnOnce(TargetRecord) -> TargetRecord,
) {
    let Some(mut record) = records.get(&name.image, name.tag.as_deref()).cloned() else { return };
    replace(&mut record, &name.target, &name.reference.to_string(), now, |entry| entry.map(change));
    records.keep(record);
}
