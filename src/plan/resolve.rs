//! Resolution: what is known of each artifact: its digest, its names on targets, what was seen, what is remembered.

use hashbrown::HashMap;

use super::{
    Observed, Seen, Selection,
    age::{self, Candidates},
    collision::{Place, parts, parts_of},
    destination::{Destination, destinations},
    select::Artifact,
    subset,
};
use crate::{
    api::{Origin, Record, State, TargetRecord},
    digest::Digest,
    records::Records,
    reference::{Reference, Tag},
};

/// An artifact, with all that is known of it.
pub(super) struct Resolved<'a> {
    pub(super) artifact: &'a Artifact,
    /// Where it is looked at.
    pub(super) source: Reference,
    /// What was seen there.
    pub(super) at_source: Option<&'a Seen>,
    /// Its digest, if it is known.
    pub(super) digest: Option<&'a Digest>,
    pub(super) record: Option<&'a Record>,
    /// With a minimum age, once its tag was looked at.
    pub(super) age: Option<Age>,
    /// It never moves, and all its names on targets are recorded as done: nothing has to be asked.
    pub(super) settled: bool,
    pub(super) destinations: Vec<Destination>,
}

/// What came of the minimum age.
pub(super) struct Age {
    /// The digests that the tag had.
    pub(super) candidates: Candidates,
    /// Old enough and newer than the artifact's digest, and gone from the source. It is not copied, and stays where it is.
    pub(super) gone: Vec<Digest>,
    /// Nothing is old enough. What was mirrored stays where it is, and nothing is copied.
    pub(super) is_young: bool,
}

/// What is remembered of the names on targets, whichever artifact had them.
///
/// A name may have been another artifact's before: an alias moves from version to version. The record that changed last
/// tells what is there.
pub(super) struct Memory<'a> {
    records: &'a Records,
    names: HashMap<Place<'a>, Remembered<'a>>,
}

/// What is remembered of one name.
#[derive(Clone, Copy)]
pub(super) struct Remembered<'a> {
    /// The artifact that had it.
    pub(super) of: &'a Record,
    pub(super) target: &'a TargetRecord,
}

impl Resolved<'_> {
    /// The digest that is right for a destination at which this was seen: what is there stays, even if the source has it no
    /// longer.
    pub(super) fn digest_at(
        &self,
        seen: Option<&Seen>,
        remembered: Option<Remembered<'_>>,
    ) -> Option<&Digest> {
        let mut stays = self.age.iter().flat_map(|age| &age.gone);
        let shows = |digest: &&Digest| matches!(seen, Some(Seen::Digest(found)) if subset::shows(found, digest, remembered));
        let stays = stays.find(shows);
        stays.or(self.digest)
    }

    /// Whether nothing is old enough to be brought to a destination at which this was seen.
    pub(super) fn is_too_young_for(&self, seen: Option<&Seen>, remembered: Option<Remembered<'_>>) -> bool {
        let is_young = self.age.as_ref().is_some_and(|age| age.is_young);
        is_young
            && match seen {
                Some(Seen::Digest(found)) => {
                    !self.digest.is_some_and(|digest| subset::shows(found, digest, remembered))
                }
                Some(Seen::Absent) | None => true,
                Some(Seen::Failed { .. }) => false,
            }
    }
}

impl<'a> Memory<'a> {
    pub(super) fn of(records: &'a Records) -> Self {
        let mut names: HashMap<Place<'_>, Remembered<'_>> = HashMap::new();
        for of in records.iter() {
            for target in &of.targets {
                let this = Remembered { of, target };
                let last = names.entry(parts_of(&target.reference)).or_insert(this);
                if last.target.last_change < target.last_change {
                    *last = this;
                }
            }
        }
        Self { records, names }
    }

    /// What is remembered of a name.
    pub(super) fn name(&self, reference: &Reference) -> Option<Remembered<'a>> {
        self.names.get(&parts(reference)).copied()
    }

    fn artifact(&self, artifact: &Artifact) -> Option<&'a Record> {
        self.records.get(&artifact.image.name, artifact.tag.as_ref().map(Tag::as_str))
    }

    /// The digest and the names of an artifact that never moves and was brought to all its names.
    fn settled(
        &self,
        selection: &Selection,
        artifact: &Artifact,
        record: Option<&'a Record>,
    ) -> Option<(&'a Digest, Vec<Destination>)> {
        let record = record.filter(|_| artifact.immutable)?;
        let digest = record.source_digest.as_ref().filter(|_| artifact.is_read_as(record))?;
        // A person may have pinned the tag to another digest since.
        if artifact.pinned().is_some_and(|pinned| pinned != digest) {
            return None;
        }
        let destinations = destinations(&selection.targets, artifact, Some(digest));
        let is_done = |destination: &Destination| {
            // A layout costs nothing to look at, and may have been carried away, or be another one under this name.
            let reference = destination.name.reference().filter(|name| name.repository.layout().is_none());
            let remembered = reference.and_then(|reference| self.name(reference));
            remembered.is_some_and(|name| {
                name.target.state == State::InSync
                    && name.target.origin != Origin::Deleting
                    && name.target.stands_for() == digest
                    && subset::missing(artifact, Some(record), digest, Some(name)).is_none()
            })
        };
        destinations.iter().all(is_done).then_some((digest, destinations))
    }
}

pub(super) fn resolve<'a>(
    selection: &'a Selection,
    memory: &Memory<'a>,
    observed: &'a Observed,
) -> impl Iterator<Item = Resolved<'a>> {
    selection.artifacts.iter().map(move |artifact| {
        let record = memory.artifact(artifact);
        let source = artifact.source();
        if let Some((digest, destinations)) = memory.settled(selection, artifact, record) {
            if selection.is_any_due(memory, &destinations) {
                // Its tag is not looked at: it never moves, and may be gone from the source by now.
                let source = Reference { digest: Some(digest.clone()), ..source };
                let (at_source, digest) = (observed.sources.get(&source), Some(digest));
                let (age, settled) = (None, false);
                return Resolved { artifact, source, at_source, digest, record, age, settled, destinations };
            }
            let digest = Some(digest);
            return Resolved {
                artifact,
                source,
                at_source: None,
                digest,
                record,
                age: None,
                settled: true,
                destinations,
            };
        }
        if let Some(resolved) = aged(selection, artifact, record, observed) {
            return resolved;
        }
        let at_source = observed.sources.get(&source);
        let digest = artifact.pinned().or(match at_source {
            Some(Seen::Digest(digest)) => Some(digest),
            Some(Seen::Absent | Seen::Failed { .. }) | None => None,
        });
        let destinations = destinations(&selection.targets, artifact, digest);
        Resolved { artifact, source, at_source, digest, record, age: None, settled: false, destinations }
    })
}

/// The artifact of a tag with a minimum age, once it is known what the tag shows: what is mirrored is another digest that it
/// had, or none.
fn aged<'a>(
    selection: &'a Selection,
    artifact: &'a Artifact,
    record: Option<&'a Record>,
    observed: &'a Observed,
) -> Option<Resolved<'a>> {
    let (least, now) = (age::least(artifact.min_age?), selection.now);
    let tag = artifact.source();
    let Some(Seen::Digest(shown)) = observed.sources.get(&tag) else { return None };
    let record_of_source = record.filter(|record| artifact.is_read_as(record));
    let candidates = record_of_source.map(Candidates::of).unwrap_or_default().seen(shown, least, now);
    let at = |digest: &Digest| Reference { digest: Some(digest.clone()), ..tag.clone() };
    let is_gone =
        |digest: &Digest| digest != shown && observed.sources.get(&at(digest)) == Some(&Seen::Absent);
    let old = || candidates.old_enough(least, now).map(|candidate| &candidate.digest);
    let gone: Vec<Digest> = old().take_while(|digest| is_gone(digest)).cloned().collect();
    let found = old().find(|digest| !is_gone(digest)).cloned();
    let is_young = found.is_none();
    // What is not the tag's own digest was remembered, so it is in the record.
    let remembered = || {
        let record = record_of_source?;
        let candidates = record.candidates.iter().map(|candidate| &candidate.digest);
        candidates.chain(&record.source_digest).find(|digest| match &found {
            Some(found) => *digest == found,
            None => record
                .targets
                .iter()
                .any(|entry| entry.digest == **digest || entry.source_digest.as_ref() == Some(*digest)),
        })
    };
    let digest = if found.as_ref() == Some(shown) { Some(shown) } else { remembered() };
    let source = match digest {
        Some(digest) if digest != shown => at(digest),
        _ => tag,
    };
    let at_source = if is_young { None } else { observed.sources.get(&source) };
    let destinations = destinations(&selection.targets, artifact, digest);
    let age = Some(Age { candidates, gone, is_young });
    Some(Resolved { artifact, source, at_source, digest, record, age, settled: false, destinations })
}
