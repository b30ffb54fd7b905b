//! Some platforms of an image: what the records say was brought of it to a target, and what is wanted besides.

use std::collections::BTreeSet;

use super::{Content, Wanted, resolve::Remembered, select::Artifact};
use crate::{
    api::{Record, TargetRecord},
    digest::Digest,
    platform::{Platform, Platforms, list},
    records::Records,
    reference::{Reference, Repository},
};

/// Platforms that are wanted, and that were not brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// These.
    Some(Platforms),
    /// All that the source has, of which only some were brought.
    All,
}

/// Whether a destination that shows `found` shows the image: as it is, or rewritten for some platforms, as the records say.
pub(super) fn shows(found: &Digest, digest: &Digest, remembered: Option<Remembered<'_>>) -> bool {
    found == digest
        || remembered.is_some_and(|name| name.target.digest == *found && name.target.stands_for() == digest)
}

/// What is missing under a name that shows the image of this digest. A digest is one name of all artifacts that are pinned to
/// it, so of an artifact's own record more is believed than of the one that changed last.
pub(super) fn missing(
    artifact: &Artifact,
    record: Option<&Record>,
    digest: &Digest,
    remembered: Option<Remembered<'_>>,
) -> Option<Missing> {
    let last = remembered.map(|name| name.target).filter(|entry| entry.platforms.is_some())?;
    let is_same = |own: &&TargetRecord| own.name == last.name && own.reference == last.reference;
    let own = record.and_then(|record| record.targets.iter().find(is_same));
    Missing::of(&artifact.image.content, digest, own.unwrap_or(last))
}

impl Missing {
    /// Of what an entry says was brought of an image, what is missing. An entry that speaks of another image says nothing of
    /// this one.
    fn of(content: &Content, digest: &Digest, entry: &TargetRecord) -> Option<Self> {
        let there = entry.platforms.as_ref().filter(|_| entry.stands_for() == digest)?;
        let there = Platforms::new(there.iter().filter_map(|text| text.parse::<Platform>().ok()));
        let Some(wanted) = &content.platforms else { return Some(Self::All) };
        let beyond = match &there {
            Some(there) => Platforms::new(wanted.beyond(there).into_iter().cloned()),
            None => Some(wanted.clone()),
        };
        beyond.map(Self::Some)
    }

    /// Why something is to be done about it.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Some(platforms) => {
                let verb = if platforms.iter().nth(1).is_some() { "are" } else { "is" };
                format!("{platforms} {verb} wanted now")
            }
            Self::All => "all platforms are wanted now".to_owned(),
        }
    }
}

/// Where an index of some platforms was rewritten before: by the target's name, the repository.
pub(super) fn rewriting(records: &Records) -> BTreeSet<(String, Repository)> {
    let entries = records.iter().flat_map(|record| &record.targets);
    let rewritten = entries.filter(|entry| entry.source_digest.is_some());
    let places = rewritten.filter_map(|entry| {
        Some((entry.name.clone(), entry.reference.parse::<Reference>().ok()?.repository))
    });
    places.collect()
}

impl Wanted {
    /// What a person should know of an image of which some platforms are wanted.
    pub(super) fn platform_notes(
        &self,
        image: &str,
        rewriting: &BTreeSet<(String, Repository)>,
    ) -> Vec<String> {
        let image = self.images.iter().find(|other| other.name == image);
        let wanted = image.and_then(|image| Some((image, image.content.platforms.as_ref()?)));
        let Some((image, platforms)) = wanted else { return Vec::new() };
        let rewrites = self.targets.iter().filter(|target| {
            let repository = target.repository(image);
            repository
                .is_some_and(|repository| rewriting.contains(&(target.name.clone(), repository.clone())))
        });
        let rewrites = list(rewrites.map(|target| &target.name));
        let mut notes = vec![format!("of its platforms only {platforms}")];
        if !rewrites.is_empty() {
            notes.push(format!(
                "for {rewrites} the index is rewritten to name these platforms only: it has another digest there, and what \
                 signs the index itself stays behind"
            ));
        }
        notes
    }
}
