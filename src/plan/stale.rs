//! Stale names: those that the records have and that their artifacts are not given any more.

use hashbrown::{HashMap, HashSet};
use jiff::Timestamp;

use super::{
    Selection, Wanted,
    collision::{Place, parts, parts_of},
    destination::Name,
    resolve::Resolved,
    select::Artifact,
    target::Target,
};
use crate::{
    api::{Origin, Record, TargetRecord},
    records::Records,
    reference::{Reference, Tag},
};

/// Names of one artifact that are remembered while nothing wants them. The digest in a name makes a new one at each move,
/// and a record has to fit into an object of Kubernetes.
pub(super) const MOST_OF_ARTIFACT: usize = 100;
/// Names of one ImageSync that are remembered while nothing wants them.
pub(super) const MOST: usize = 10_000;

/// A name that the records have and that its artifact is not given any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The image of the artifact whose record has it.
    pub image: String,
    /// The artifact's tag.
    pub tag: Option<String>,
    /// The target.
    pub target: String,
    /// The name there.
    pub reference: String,
    /// What becomes of it.
    pub fate: Fate,
    /// Whether this run looks for others who want it. On a target that is not pruned it does not.
    pub is_judged: bool,
}

/// What becomes of a stale name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Another artifact has it now: an alias moves from version to version.
    Moved {
        /// That artifact's image.
        image: String,
        /// That artifact's tag.
        tag: Option<String>,
    },
    /// Nothing wants it. It stays in the records, since this ImageSync wrote it and may have to delete it one day.
    Unwanted,
    /// Nothing wants it, and nothing will ever have to be done about it.
    Forgotten,
}

/// Finds the stale names. What cannot be told now, since a source cannot be read, is left as it is.
pub(super) fn find(
    wanted: &Wanted,
    selection: &Selection,
    resolved: &[Resolved<'_>],
    records: &Records,
    now: Timestamp,
) -> Vec<Stale> {
    // Two spellings of one place are one name.
    let mut names: HashMap<Place<'_>, Vec<(&str, &Artifact, &Reference)>> = HashMap::new();
    let mut untold: HashSet<(&str, Option<&str>, &str)> = HashSet::new();
    for this in resolved {
        let artifact = this.artifact;
        for destination in &this.destinations {
            let target = destination.target.name.as_str();
            match &destination.name {
                Name::Known(reference) => {
                    names.entry(parts(reference)).or_default().push((target, artifact, reference));
                }
                Name::NeedsDigest(_) | Name::Refused { .. } => {
                    untold.insert((&artifact.image.name, artifact.tag.as_ref().map(Tag::as_str), target));
                }
            }
        }
    }
    let left = selection.left(wanted, resolved);
    let mut stale = Vec::new();
    for record in records.iter() {
        for entry in &record.targets {
            let given = names.get(&parts_of(&entry.reference)).into_iter().flatten();
            let mut given = given.filter(|(target, ..)| *target == entry.name);
            let fate = match given.clone().next() {
                // One that is written otherwise now is wanted too, and gets no action that would say so.
                Some(_) if given.clone().any(|(_, artifact, _)| artifact.has(record)) => {
                    let is_said = |(.., given): &(_, _, &Reference)| given.to_string() == entry.reference;
                    if entry.unwanted_since.is_none() || given.any(is_said) {
                        continue;
                    }
                    Fate::Moved { image: record.image.clone(), tag: record.tag.clone() }
                }
                Some((_, artifact, _)) => Fate::Moved {
                    image: artifact.image.name.clone(),
                    tag: artifact.tag.as_ref().map(ToString::to_string),
                },
                _ if left.has(record, entry)
                    || untold.contains(&(
                        record.image.as_str(),
                        record.tag.as_deref(),
                        entry.name.as_str(),
                    )) =>
                {
                    continue;
                }
                // What is held at a dummy has to be ended first.
                _ if entry.dummy().is_some() => Fate::Unwanted,
                // A target that leaves the spec is abandoned; and what was only found was never ours to delete.
                _ if entry.origin == Origin::Found || !wanted.has_target(&entry.name) => Fate::Forgotten,
                _ => Fate::Unwanted,
            };
            // What is held at a dummy is not forgotten, however many there are.
            let since =
                if entry.dummy().is_some() { Timestamp::MAX } else { entry.unwanted_since.unwrap_or(now) };
            let is_judged = entry.dummy().is_some() || wanted.target(&entry.name).is_some_and(Target::prunes);
            stale.push((since, of(record, entry, fate, is_judged)));
        }
    }
    bound(&mut stale);
    stale.into_iter().map(|(_, stale)| stale).collect()
}

fn of(record: &Record, entry: &TargetRecord, fate: Fate, is_judged: bool) -> Stale {
    Stale {
        image: record.image.clone(),
        tag: record.tag.clone(),
        target: entry.name.clone(),
        reference: entry.reference.clone(),
        fate,
        is_judged,
    }
}

/// Of too many that nothing wants, those are forgotten that have been so for longest.
fn bound(stale: &mut [(Timestamp, Stale)]) {
    let mut unwanted: Vec<_> = stale.iter_mut().filter(|(_, stale)| stale.fate == Fate::Unwanted).collect();
    unwanted.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
    let mut of_artifact: HashMap<(String, Option<String>), usize> = HashMap::new();
    for (rank, (_, stale)) in unwanted.into_iter().enumerate() {
        let count = of_artifact.entry((stale.image.clone(), stale.tag.clone())).or_default();
        *count += 1;
        if rank >= MOST || *count > MOST_OF_ARTIFACT {
            stale.fate = Fate::Forgotten;
        }
    }
}
