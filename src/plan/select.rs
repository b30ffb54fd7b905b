//! Selection: the artifacts that an ImageSync is about, chosen from what its sources list.

use std::{collections::BTreeSet, sync::Arc};

use hashbrown::HashSet;
use jiff::Timestamp;

use super::{
    Listed, Listings, Wanted,
    action::{ImageSummary, LeftOutCount},
    age::{self, Candidates},
    deep::Depth,
    filter::{Age, Choice, Chosen, Filter, LeftOut},
    target::Target,
    version::version,
    wanted::{Image, Tags},
};
use crate::{
    api::{Interval, Record},
    class::Class,
    digest::Digest,
    records::Records,
    reference::{Reference, Tag},
};

/// What was selected, image by image in the spec's order; of an image, the newest version first.
#[derive(Clone, Debug)]
pub struct Selection {
    pub(super) targets: Vec<Arc<Target>>,
    pub(super) artifacts: Vec<Artifact>,
    pub(super) unlisted: Vec<Unlisted>,
    pub(super) images: Vec<ImageSummary>,
    /// What the sources list of those images that are chosen from a listing.
    pub(super) listed: Vec<(Arc<Image>, Arc<HashSet<Tag>>)>,
    /// When this was; ages are as of then.
    pub(super) now: Timestamp,
    /// What is looked at deeply.
    pub(super) depth: Depth,
}

/// One (image, tag) that was selected.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is said of it by somebody else")]
pub(super) struct Artifact {
    pub(super) image: Arc<Image>,
    /// The source's tag; none if the source is pinned by digest alone.
    pub(super) tag: Option<Tag>,
    /// The person named it, and it was not chosen from a listing.
    pub(super) named: bool,
    /// It is the highest version of its image.
    pub(super) newest: bool,
    /// A person said that this tag never moves.
    pub(super) immutable: bool,
    /// How long ago a digest must have been seen under this tag for the first time.
    pub(super) min_age: Option<Interval>,
    /// Nothing that it showed is old enough, and nothing of it was mirrored: it is looked at, and that is all.
    pub(super) too_young: bool,
}

/// An image whose tags could not be listed.
#[derive(Clone, Debug)]
pub(super) struct Unlisted {
    pub(super) image: Arc<Image>,
    pub(super) class: Class,
    pub(super) message: String,
    pub(super) until: Option<Timestamp>,
}

impl Artifact {
    fn new(image: &Arc<Image>, tag: Option<Tag>, named: bool) -> Self {
        let immutable = image.is_immutable(tag.as_ref());
        let min_age = if let Tags::Some(filter) = &image.tags { filter.min_age() } else { None };
        Self { image: Arc::clone(image), tag, named, newest: false, immutable, min_age, too_young: false }
    }

    /// The digest that the source is pinned to.
    pub(super) fn pinned(&self) -> Option<&Digest> {
        match &self.image.tags {
            Tags::One { digest, .. } => digest.as_ref(),
            Tags::Some(_) => None,
        }
    }

    /// Whether this is the record of this artifact.
    pub(super) fn has(&self, record: &Record) -> bool {
        record.image == self.image.name && record.tag.as_deref() == self.tag.as_ref().map(Tag::as_str)
    }

    /// Whether what this record says of its source is said of this artifact's source.
    pub(super) fn is_read_as(&self, record: &Record) -> bool {
        self.image.is_read_as(record)
    }

    /// Where it is read, as the person wrote it.
    pub(super) fn source(&self) -> Reference {
        Reference {
            repository: self.image.source.clone(),
            tag: self.tag.clone(),
            digest: self.pinned().cloned(),
        }
    }
}

/// Chooses the artifacts of every image.
///
/// # Guarantees
///
/// - The result depends on which tags a listing has, and not on their order. What could not be listed is in the result
///   as such; tags that the spec names are selected all the same.
/// - With a minimum age, the records tell what is old enough `now`: what is not is looked at, and does not count as one of the
///   newest.
#[must_use]
pub fn select(wanted: &Wanted, listings: &Listings, records: &Records, now: Timestamp) -> Selection {
    let mut selection = Selection {
        targets: wanted.targets.clone(),
        artifacts: Vec::new(),
        unlisted: Vec::new(),
        images: Vec::new(),
        listed: Vec::new(),
        now,
        depth: Depth::every(wanted.deep_interval),
    };
    for image in &wanted.images {
        match &image.tags {
            Tags::One { tag, .. } => {
                let version = tag.as_ref().and_then(|tag| version(tag.as_str()));
                let artifact = Artifact::new(image, tag.clone(), true);
                let newest = version.is_some().then_some(0);
                selection.add(image, vec![artifact], newest.ok_or(NO_VERSION));
            }
            Tags::Some(filter) => {
                let listing =
                    if image.is_listed() { selection.listing(image, listings) } else { Some([].as_slice()) };
                if let Some(listing) = listing.filter(|_| image.is_listed()) {
                    selection.listed.push((Arc::clone(image), Arc::new(listing.iter().cloned().collect())));
                }
                let age = |tag: &Tag| age(filter, image, records.get(&image.name, Some(tag.as_str())), now);
                let Choice { chosen, mut left_out } = filter.choose(listing.unwrap_or_default(), age);
                let too_young = chosen.iter().filter(|chosen| chosen.too_young).count();
                if too_young > 0 {
                    left_out.insert(LeftOut::TooYoung, too_young);
                }
                let newest = newest(&chosen, listing, image.is_listed());
                let artifact = |Chosen { tag, named, too_young, .. }| Artifact {
                    too_young,
                    ..Artifact::new(image, Some(tag), named)
                };
                selection.add(image, chosen.into_iter().map(artifact).collect(), newest);
                if let Some(summary) = selection.images.last_mut() {
                    let counts = left_out.into_iter().map(|(reason, count)| LeftOutCount { reason, count });
                    summary.left_out = counts.collect();
                }
            }
        }
    }
    selection
}

/// How old what a tag shows is, by its record. What was mirrored was old enough then, and stays selected.
fn age(filter: &Filter, image: &Image, record: Option<&Record>, now: Timestamp) -> Age {
    let (Some(least), Some(record)) = (filter.min_age(), record) else { return Age::Unknown };
    let is_mirrored = record.targets.iter().any(|entry| entry.unwanted_since.is_none());
    let known = if image.is_read_as(record) { Candidates::of(record) } else { Candidates::default() };
    if is_mirrored || known.old_enough(age::least(least), now).next().is_some() {
        Age::Enough
    } else if known.is_empty() {
        Age::Unknown
    } else {
        Age::Young
    }
}

/// Why no artifact of an image is its newest.
const NO_VERSION: &str = "no tag that is selected is a version";
const NOT_LISTED: &str = "the newest version is not known";

/// Which of the chosen, the newest version first, is the newest: the first of those that are there. What is there is known
/// only if the source was listed; a listing that fails shall not move an alias back. Where nothing is to be
/// listed, the tags that are named are all taken to be there.
fn newest(chosen: &[Chosen], listing: Option<&[Tag]>, is_listed: bool) -> Result<usize, &'static str> {
    let there: BTreeSet<&Tag> = listing.ok_or(NOT_LISTED)?.iter().collect();
    let is_there = |chosen: &Chosen| !chosen.too_young && (!is_listed || there.contains(&chosen.tag));
    chosen.iter().position(|chosen| is_there(chosen) && chosen.version.is_some()).ok_or(NO_VERSION)
}

impl Selection {
    /// Where the artifact of a record would be read, if the spec chose it, and it is not chosen because the source does not list it.
    pub(super) fn dropped(&self, record: &Record, target: &str) -> Option<Reference> {
        let tag: Tag = record.tag.as_deref()?.parse().ok()?;
        let target = self.targets.iter().find(|there| there.name == target)?;
        let (image, listed) = self.listed.iter().find(|(image, _)| image.name == record.image)?;
        target.repository(image)?;
        let is_dropped = image.reads(&tag) && !listed.contains(&tag);
        is_dropped.then(|| image.source.at_tag(tag))
    }

    /// The tags that the source lists. If it does not, that is noted.
    fn listing<'l>(&mut self, image: &Arc<Image>, listings: &'l Listings) -> Option<&'l [Tag]> {
        let (class, message, until) = match listings.get(&image.source) {
            Some(Listed::Tags(tags)) => return Some(tags),
            Some(Listed::Failed { class, message, until }) => (*class, message.clone(), *until),
            None => (Class::Internal, format!("the tags of {} were not listed", image.source), None),
        };
        self.unlisted.push(Unlisted { image: Arc::clone(image), class, message, until });
        None
    }

    /// Takes an image's artifacts, the newest version first, and which of them aliases name, or why none.
    fn add(&mut self, image: &Image, artifacts: Vec<Artifact>, newest: Result<usize, &str>) {
        let mut summary = ImageSummary {
            image: image.name.clone(),
            source: image.source.clone(),
            selected: artifacts.iter().filter(|artifact| !artifact.too_young).count(),
            left_out: Vec::new(),
            waiting: None,
            notes: Vec::new(),
        };
        if self.targets.iter().all(|target| target.repository(image).is_none()) {
            summary.notes.push("no target keeps it".to_owned());
        }
        let first = self.artifacts.len();
        self.artifacts.extend(artifacts);
        match newest.map(|newest| self.artifacts.get_mut(first + newest)) {
            Ok(Some(newest)) => newest.newest = true,
            Ok(None) => {}
            Err(why) => summary.notes.extend(self.aliases_without(image, why)),
        }
        self.images.push(summary);
    }

    fn aliases_without(&self, image: &Image, why: &str) -> Vec<String> {
        let here = self.targets.iter().filter(|target| target.repository(image).is_some());
        let aliases = here.flat_map(|target| target.aliases.iter().map(move |alias| (target, alias)));
        aliases
            .map(|(target, alias)| format!("the alias {alias} on {} is left as it is: {why}", target.name))
            .collect()
    }
}
