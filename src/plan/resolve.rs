//! Resolution: what is known of each artifact: its digest, its names on targets, what was seen, what is remembered.

use super::{
    Observed, Seen, Selection,
    destination::{Destination, destinations},
    select::Artifact,
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

pub(super) fn resolve<'a>(
    selection: &'a Selection,
    records: &'a Records,
    observed: &'a Observed,
) -> impl Iterator<Item = Resolved<'a>> {
    selection.artifacts.iter().map(move |artifact| {
        let record = records.get(&artifact.image.name, artifact.tag.as_ref().map(Tag::as_str));
        let source = artifact.source();
        if let Some((digest, destinations)) = record.and_then(|record| settled(selection, artifact, record)) {
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
            _ => None,
        });
        let destinations = destinations(&selection.targets, artifact, digest);
        Resolved { artifact, source, at_source, digest, record, settled: false, destinations }
    })
}

/// The digest and the names of an artifact that never moves and was brought to all its names.
fn settled<'a>(
    selection: &Selection,
    artifact: &Artifact,
    record: &'a Record,
) -> Option<(&'a Digest, Vec<Destination>)> {
    let digest = record.source_digest.as_ref().filter(|_| artifact.immutable)?;
    // A person may have pinned the tag to another digest since.
    if artifact.pinned().is_some_and(|pinned| pinned != digest) {
        return None;
    }
    let destinations = destinations(&selection.targets, artifact, Some(digest));
    let done = |destination: &Destination| {
        let target = target_record(record, destination);
        target.is_some_and(|target| target.state == State::InSync && target.digest == *digest)
    };
    destinations.iter().all(done).then_some((digest, destinations))
}

/// What is remembered of one name of an artifact.
pub(super) fn target_record<'a>(record: &'a Record, destination: &Destination) -> Option<&'a TargetRecord> {
    let reference = destination.name.reference()?.to_string();
    let is_this =
        |target: &&TargetRecord| target.name == destination.target.name && target.reference == reference;
    record.targets.iter().find(is_this)
}
