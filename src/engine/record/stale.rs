//! What the records say of names that their artifacts are not given any more.

use jiff::Timestamp;

use super::replace;
use crate::{
    api::TargetRecord,
    plan::{Fate, Stale},
    records::Records,
};

/// Records what becomes of a name.
pub(super) fn record(records: &mut Records, stale: &Stale, now: Timestamp) {
    let Some(mut record) = records.get(&stale.image, stale.tag.as_deref()).cloned() else { return };
    let mut taken = None;
    replace(&mut record, &stale.target, &stale.reference, now, |entry| match stale.fate {
        Fate::Unwanted => {
            entry.map(|entry| TargetRecord {
                unwanted_since: entry.unwanted_since.or(Some(now)),
                // Nobody knows of somebody who wanted it until this run; so the first run that judges it begins its grace.
                wanted_elsewhere: entry.wanted_elsewhere || !stale.is_judged,
                ..entry
            })
        }
        Fate::Forgotten => None,
        Fate::Moved { .. } => {
            taken = entry;
            None
        }
    });
    records.keep(record);
    if let (Fate::Moved { image, tag }, Some(entry)) = (&stale.fate, taken) {
        give(records, image, tag.as_deref(), entry, now);
    }
}

/// Gives a name to the artifact that has it now, with all that is known of it. What that one knows itself counts more.
fn give(records: &mut Records, image: &str, tag: Option<&str>, entry: TargetRecord, now: Timestamp) {
    let mut record = records.get_or_empty(image, tag);
    let (target, reference) = (entry.name.clone(), entry.reference.clone());
    replace(&mut record, &target, &reference, now, |own| {
        own.or(Some(TargetRecord { unwanted_since: None, wanted_elsewhere: false, ..entry }))
    });
    records.keep(record);
}
