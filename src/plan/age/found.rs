//! What a look at the tags says of ages: what is to be remembered, and what waits.

use hashbrown::HashSet;

use super::{Aged, Candidates, least};
use crate::{
    api::Record,
    plan::{ImageSummary, Selection, Waiting, resolve::Resolved, select::Artifact},
    records::Records,
    reference::Tag,
};

/// Said where nothing can be old enough, whatever its age really is.
const NOTHING_REMEMBERED: &str = "nothing is remembered of what its tags showed before: ages count from this sync on, as long \
                                  as --state is kept; a plan remembers nothing";

/// The digests that are to be remembered.
pub(in crate::plan) fn remembered(
    selection: &Selection,
    resolved: &[Resolved<'_>],
    records: &Records,
) -> Vec<Aged> {
    let seen = resolved.iter().filter_map(seen);
    seen.chain(forgotten(selection, records)).collect()
}

/// The images of the selection, each with what waits until it is old enough.
pub(in crate::plan) fn summaries(
    selection: &Selection,
    resolved: &[Resolved<'_>],
    records: &Records,
) -> Vec<ImageSummary> {
    let known = records.iter().filter(|record| !Candidates::of(record).is_empty());
    let known: HashSet<&str> = known.map(|record| record.image.as_str()).collect();
    let summary = |(image, waiting): (&ImageSummary, Option<Waiting>)| {
        let mut image = ImageSummary { waiting, ..image.clone() };
        if waiting.is_some() && !known.contains(image.image.as_str()) {
            image.notes.push(NOTHING_REMEMBERED.to_owned());
        }
        image
    };
    selection.images.iter().zip(waiting(selection, resolved)).map(summary).collect()
}

fn waiting(selection: &Selection, resolved: &[Resolved<'_>]) -> Vec<Option<Waiting>> {
    let mut waiting: Vec<Option<Waiting>> = vec![None; selection.images.len()];
    for this in resolved {
        let (Some(age), Some(min_age)) = (&this.age, this.artifact.min_age) else { continue };
        let Some(until) = age.candidates.next(least(min_age), selection.now) else { continue };
        // Summaries are in the spec's order, as images are numbered.
        let Some(waiting) = waiting.get_mut(this.artifact.image.index) else { continue };
        let all = waiting.get_or_insert(Waiting { count: 0, min_age, until });
        all.count += 1;
        all.until = all.until.min(until);
    }
    waiting
}

fn seen(this: &Resolved<'_>) -> Option<Aged> {
    let Artifact { image, tag, .. } = this.artifact;
    Some(Aged {
        image: image.name.clone(),
        tag: tag.as_ref().map(ToString::to_string),
        source: image.source.to_string(),
        candidates: this.age.as_ref()?.candidates.clone().into_inner(),
    })
}

/// Candidates of what is no longer selected with a minimum age. What could not be listed may still be.
fn forgotten<'a>(selection: &'a Selection, records: &'a Records) -> impl Iterator<Item = Aged> + 'a {
    let aged = selection.artifacts.iter().filter(|artifact| artifact.min_age.is_some());
    let aged: HashSet<(&str, Option<&str>)> =
        aged.map(|artifact| (artifact.image.name.as_str(), artifact.tag.as_ref().map(Tag::as_str))).collect();
    let unlisted: HashSet<&str> =
        selection.unlisted.iter().map(|unlisted| unlisted.image.name.as_str()).collect();
    let is_kept = move |record: &&Record| {
        record.candidates.is_empty()
            || aged.contains(&(record.image.as_str(), record.tag.as_deref()))
            || unlisted.contains(record.image.as_str())
    };
    let forgotten = records.iter().filter(move |record| !is_kept(record));
    forgotten.map(|record| Aged {
        image: record.image.clone(),
        tag: record.tag.clone(),
        source: record.source.clone().unwrap_or_default(),
        candidates: Vec::new(),
    })
}
