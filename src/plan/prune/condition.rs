//! The conditions that all have to hold before a name is deleted, one function each: what it says is why the name stays.

use hashbrown::HashSet;
use jiff::{SignedDuration, Timestamp};

use super::{
    Surroundings,
    kept::{Kept, Look},
};
use crate::{
    api::{Origin, PruneMode, Record, TargetRecord},
    digest::Digest,
    plan::{
        Observed, Seen,
        collision::{Place, parts, place},
        could::Could,
        target::Target,
    },
    reference::Reference,
};

/// All that a verdict rests on.
pub(super) struct Input<'a> {
    pub(super) around: &'a Surroundings<'a>,
    pub(super) record: &'a Record,
    pub(super) entry: &'a TargetRecord,
    pub(super) reference: &'a Reference,
    /// The target, if it is in the spec.
    pub(super) target: Option<&'a Target>,
    /// The names that this plan gives, and the digests that it publishes without one.
    pub(super) given: &'a HashSet<Place<'a>>,
    /// The names that it would give to tags which the source does not list, with their images.
    pub(super) unlisted: &'a Could<String>,
    /// Whether it is among the highest versions of its image on the target.
    pub(super) is_among_the_last: bool,
    pub(super) observed: &'a Observed,
}

pub(super) type Condition = fn(&Input<'_>) -> Option<Kept>;

/// What has to hold in a run. What needs no look at a registry comes first, and the look at the target last.
pub(super) const IN_A_RUN: [Condition; 11] = [
    has_no_tag,
    was_not_written_by_us,
    is_wanted_here,
    is_wanted_by_another,
    may_be_wanted_by_what_cannot_be_read,
    target_is_elsewhere,
    is_in_use,
    is_among_the_last,
    was_not_unwanted_for_long,
    is_still_at_the_source,
    does_not_show_it,
];

/// What has to hold when the whole object is deleted: neither grace nor the last versions, since a person said so; and the source
/// has no say.
pub(super) const ON_DELETION: [Condition; 8] = [
    has_no_tag,
    was_not_written_by_us,
    is_wanted_by_another,
    may_be_wanted_by_what_cannot_be_read,
    target_is_elsewhere,
    is_only_tried,
    is_in_use,
    does_not_show_it,
];

fn has_no_tag(input: &Input<'_>) -> Option<Kept> {
    let tag = input.reference.tag.as_ref();
    // A digest is what other tags may show; and what belongs to a digest goes with that.
    tag.is_none_or(|tag| input.reference.digest.is_some() || tag.belongs_to_digest()).then_some(Kept::NoTag)
}

fn was_not_written_by_us(input: &Input<'_>) -> Option<Kept> {
    match input.entry.origin {
        Origin::Written | Origin::Deleting => None,
        origin @ (Origin::Found | Origin::Intended) => Some(Kept::NotWritten(origin)),
    }
}

fn is_wanted_here(input: &Input<'_>) -> Option<Kept> {
    let (registry, path) = place(&input.reference.repository);
    let is_given = input.given.contains(&parts(input.reference))
        || input.given.contains(&(registry, path, input.digest().as_str()));
    is_given.then_some(Kept::WantedHere)
}

fn is_wanted_by_another(input: &Input<'_>) -> Option<Kept> {
    let (wants, me) = (input.around.wants, &**input.around.wanted.claimant());
    let repository = &input.reference.repository;
    // Some registries collect what no tag shows.
    let untagged = repository.at_digest(input.digest().clone());
    let by = wants.by(input.reference, me).or_else(|| wants.by(&untagged, me))?;
    Some(Kept::Wanted { by: by.towards(me) })
}

fn may_be_wanted_by_what_cannot_be_read(input: &Input<'_>) -> Option<Kept> {
    let which = input.around.wants.unreadable()?.to_owned();
    Some(Kept::Unreadable { which })
}

/// A target that leaves the spec is abandoned; so is a place that it keeps nothing in any more. The old place may be the
/// new one under another name of the same registry.
fn target_is_elsewhere(input: &Input<'_>) -> Option<Kept> {
    let is_here = input
        .target
        .is_some_and(|target| target.could_keep(&input.record.image, &input.reference.repository));
    (!is_here).then_some(Kept::Abandoned)
}

fn is_only_tried(input: &Input<'_>) -> Option<Kept> {
    (input.target?.prune.mode == PruneMode::DryRun).then_some(Kept::DryRun)
}

fn is_in_use(input: &Input<'_>) -> Option<Kept> {
    let in_use =
        input.around.in_use.filter(|_| input.target.is_none_or(|target| target.prune.protect_in_use))?;
    in_use.has(input.reference, input.digest()).then_some(Kept::InUse)
}

fn is_among_the_last(input: &Input<'_>) -> Option<Kept> {
    // What somebody else deleted or changed is no version that is kept.
    let keep = input.target?.prune.keep_last;
    input.is_among_the_last.then(|| does_not_show_it(input).unwrap_or(Kept::Last { keep }))
}

/// Unwanted now, and in an earlier run that is long enough ago.
fn was_not_unwanted_for_long(input: &Input<'_>) -> Option<Kept> {
    let (now, grace) = (input.around.now, input.target?.prune.grace);
    let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
    let after = |since: Timestamp| since.checked_add(grace).unwrap_or(Timestamp::MAX);
    let since = input.entry.unwanted_since.filter(|_| !input.entry.wanted_elsewhere);
    let Some(since) = since else { return Some(Kept::First { until: after(now) }) };
    if now < since {
        return Some(Kept::Clock { since });
    }
    (now < after(since)).then(|| Kept::Grace { until: after(since) })
}

/// A listing that lacks what is there is no listing to rest a deletion on.
fn is_still_at_the_source(input: &Input<'_>) -> Option<Kept> {
    let mut images = input.unlisted.whose(input.reference);
    let dropped = input.around.selection?.dropped(input.record, &input.entry.name);
    let Some(source) = dropped.filter(|_| images.clone().all(|image| *image == input.record.image)) else {
        // Which tag it would be is not known, and so nobody can be asked.
        return images.next().map(|image| Kept::Unlisted { image: image.clone() });
    };
    match input.observed.sources.get(&source) {
        None => Some(Kept::NotLooked(Look::Source(source))),
        Some(Seen::Absent) => None,
        Some(Seen::Digest(_)) => Some(Kept::AtSource),
        Some(Seen::Failed { message, until, .. }) => {
            Some(Kept::Unknown { message: message.clone(), until: *until })
        }
    }
}

/// The last condition: the tag shows what we wrote.
pub(super) fn does_not_show_it(input: &Input<'_>) -> Option<Kept> {
    let Input { entry, reference, .. } = input;
    match input.observed.target(&entry.name, reference) {
        None => Some(Kept::NotLooked(Look::Target(entry.name.clone(), (*reference).clone()))),
        Some(Seen::Digest(found)) if entry.wrote(found) => None,
        Some(Seen::Digest(found)) => Some(Kept::Changed { found: found.clone() }),
        Some(Seen::Absent) => Some(Kept::Gone),
        Some(Seen::Failed { message, until, .. }) => {
            Some(Kept::Unknown { message: message.clone(), until: *until })
        }
    }
}

impl Input<'_> {
    /// What was written there, and is to be deleted: not a dummy that stands in its place.
    pub(super) fn digest(&self) -> &Digest {
        self.entry
            .previous_digest
            .as_ref()
            .filter(|_| self.entry.dummy().is_some())
            .unwrap_or(&self.entry.digest)
    }
}
