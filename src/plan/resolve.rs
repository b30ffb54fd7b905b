//! Resolution: what is known of each artifact: its digest, its names on targets, what was seen, what is remembered.

use std::{borrow::Cow, collections::HashMap};

use super::{
    Observed, Seen, Selection,
    collision::one_name,
    destination::{Destination, destinations},
    select::Artifact,
    subset,
};
use crate::{
    api::{Record, State, TargetRecord},
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
    /// It never moves, and all its names on targets are recorded as done: nothing has to be asked.
    pub(super) settled: bool,
    pub(super) destinations: Vec<Destination>,
}

/// What is remembered of the names on targets, whichever artifact had them.
///
/// A name may have been another artifact's before: an alias moves from version to version. The record that changed last
/// tells what is there.
pub(super) struct Memory<'a> {
    records: &'a Records,
    names: HashMap<Cow<'a, str>, Remembered<'a>>,
}

/// What is remembered of one name.
#[derive(Clone, Copy)]
pub(super) struct Remembered<'a> {
    /// The artifact that had it.
    pub(super) of: &'a Record,
    pub(super) target: &'a TargetRecord,
}

impl<'a> Memory<'a> {
    pub(super) fn of(records: &'a Records) -> Self {
        let mut names: HashMap<Cow<'_, str>, Remembered<'_>> = HashMap::new();
        for of in records.iter() {
            for target in &of.targets {
                let this = Remembered { of, target };
                let last = names.entry(one_name(&target.reference)).or_insert(this);
                if last.target.last_change < target.last_change {
                    *last = this;
                }
            }
        }
        Self { records, names }
    }

    /// What is remembered of a name.
    pub(super) fn name(&self, reference: &Reference) -> Option<Remembered<'a>> {
        self.names.get(&one_name(&reference.to_string())).copied()
    }

    fn artifact(&self, artifact: &Artifact) -> Option<&'a Record> {
        self.records.get(&artifact.image.name, artifact.tag.as_ref().map(Tag::as_str))
    }

    /// The digest and the names of an artifact that never moves and was brought to all its names.
    fn settled(&self, selection: &Selection, artifact: &Artifact) -> Option<(&'a Digest, Vec<Destination>)> {
        let record = self.artifact(artifact).filter(|_| artifact.immutable)?;
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
        if let Some((digest, destinations)) = memory.settled(selection, artifact) {
            let digest = Some(digest);
            return Resolved {
                artifact,
                source,
                at_source: None,
                digest,
                record,
                settled: true,
                destinations,
            };
        }
        let at_source = observed.sources.get(&source);
        let digest = artifact.pinned().or(match at_source {
            Some(Seen::Digest(digest)) => Some(digest),
            Some(Seen::Absent | Seen::Failed { .. }) | None => None,
        });
        let destinations = destinations(&selection.targets, artifact, digest);
        Resolved { artifact, source, at_source, digest, record, settled: false, destinations }
    })
}
