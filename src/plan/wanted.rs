//! What an ImageSync wants: its spec, parsed and checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Content,
    filter::{Filter, NO_IMAGE},
    invalid::{Check, Invalid},
    ownership::Claimant,
    pattern::Patterns,
    schedule::Schedule,
    spec_collision,
    target::Target,
};
use crate::{
    api::{self, ImageSync, Interval, Record, Referrers, Select},
    digest::Digest,
    platform::{Platform, Platforms},
    reference::{Named, Repository, Tag},
};

/// The spec of an ImageSync, parsed and checked.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) claimant: Arc<Claimant>,
    pub(super) images: Vec<Arc<Image>>,
    pub(super) targets: Vec<Arc<Target>>,
    /// How often all that is on targets is walked.
    pub(super) deep_interval: Interval,
    schedule: Schedule,
}

/// One image of the spec.
#[derive(Debug)]
pub(super) struct Image {
    /// Its place in the spec.
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) source: Repository,
    pub(super) tags: Tags,
    /// What of it is to be on targets.
    pub(super) content: Arc<Content>,
    immutable: Option<Arc<Patterns>>,
}

/// Which of the source's tags.
#[derive(Debug)]
pub(super) enum Tags {
    /// The one that the source names. At least one of the two is there; with both, the digest decides what is read.
    One { tag: Option<Tag>, digest: Option<Digest> },
    /// Those that are selected.
    Some(Arc<Filter>),
}

/// What images have that do not say it themselves.
#[derive(Default)]
struct Defaults {
    select: Option<Arc<Filter>>,
    immutable: Option<Arc<Patterns>>,
    platforms: Option<Platforms>,
    referrers: Option<Referrers>,
}

impl Wanted {
    /// Parses and checks a spec.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each with the path of its field.
    pub fn from_object(object: &ImageSync) -> Result<Self, Vec<Invalid>> {
        let mut check = Check::default();
        let spec = &object.spec;
        let defaults = Defaults::read(spec.defaults.as_ref(), &mut check);
        unique("images", spec.images.iter().map(|image| &image.name), &mut check);
        unique("targets", spec.targets.iter().map(|target| &target.name), &mut check);
        let images: Vec<Arc<Image>> = spec
            .images
            .iter()
            .enumerate()
            .filter_map(|(index, image)| Image::read(index, image, &defaults, &mut check))
            .map(Arc::new)
            .collect();
        if spec.targets.is_empty() {
            check.wrong("spec.targets", "nothing says where the images shall be: write at least one target");
        }
        let names: BTreeSet<&str> = spec.images.iter().map(|image| image.name.as_str()).collect();
        let targets = spec.targets.iter().enumerate();
        let targets = targets
            .map(|(index, target)| Target::read(index, target, &images, &names, &mut check))
            .map(Arc::new)
            .collect();
        let schedule = Schedule::read(spec, &mut check);
        let deep_interval = spec.deep_interval.unwrap_or(Interval::DAY);
        let wanted =
            Self { claimant: Arc::new(Claimant::of(object)), images, targets, deep_interval, schedule };
        // What collides is known only where all names are.
        if check.is_clean() {
            spec_collision::check(&wanted, &mut check);
        }
        check.pass(wanted)
    }

    /// The repositories whose tags have to be listed before [`select`](super::select) can choose from them.
    #[must_use]
    pub fn listings(&self) -> BTreeSet<Repository> {
        self.images.iter().filter(|image| image.is_listed()).map(|image| image.source.clone()).collect()
    }

    /// Whose wants these are.
    #[must_use]
    pub const fn claimant(&self) -> &Arc<Claimant> {
        &self.claimant
    }

    /// When the sources are looked at.
    #[must_use]
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Whether the spec has this target.
    pub(super) fn has_target(&self, name: &str) -> bool {
        self.target(name).is_some()
    }

    /// The target of this name, if the spec has it.
    pub(super) fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().map(AsRef::as_ref).find(|target| target.name == name)
    }

    /// Whether names are deleted on any target, or it is said which would be.
    #[must_use]
    pub fn prunes(&self) -> bool {
        self.targets.iter().any(|target| target.prunes())
    }

    /// Whether the spec wants the artifact of a record on a target, as far as that can be told without a look at the
    /// source.
    pub(super) fn wants(&self, record: &Record, target: &str) -> bool {
        let Some(image) = self.images.iter().find(|image| image.name == record.image) else { return false };
        let reads = match &record.tag {
            Some(tag) => tag.parse().is_ok_and(|tag| image.reads(&tag)),
            None => matches!(image.tags, Tags::One { tag: None, .. }),
        };
        let here = |place: &&Arc<Target>| place.name == target && place.repository(image).is_some();
        reads && self.targets.iter().any(|place| here(&place))
    }

    /// How many images the spec has.
    #[must_use]
    pub fn image_count(&self) -> usize {
        self.images.len()
    }
}

impl Image {
    fn read(index: usize, image: &api::Image, defaults: &Defaults, check: &mut Check) -> Option<Self> {
        let path = format!("spec.images[{index}]");
        let select = image.select.as_ref();
        let select = select.map(|select| Arc::new(Filter::read(select, &format!("{path}.select"), check)));
        let immutable = image.immutable_tags.as_ref();
        let immutable = immutable.and_then(|list| patterns(list, &format!("{path}.immutableTags"), check));
        let Named { repository, tag, digest } =
            check.ok(format_args!("{path}.source"), image.source.parse())?;
        let names_one = tag.is_some() || digest.is_some();
        if names_one && select.is_some() {
            let short = repository.familiar();
            let message =
                format!("the source names a tag or a digest already: write {short}, or leave select out");
            check.wrong(format_args!("{path}.source"), message);
        }
        if tag.as_ref().is_some_and(Tag::belongs_to_digest) {
            check.wrong(format_args!("{path}.source"), NO_IMAGE);
        }
        let tags = match select.or_else(|| defaults.select.clone()) {
            Some(filter) if !names_one => Tags::Some(filter),
            _ if names_one => Tags::One { tag, digest },
            _ => Tags::One { tag: Some(Tag::latest()), digest: None },
        };
        let immutable = immutable.or_else(|| defaults.immutable.clone());
        let own_platforms = image.platforms.as_ref();
        let own_platforms =
            own_platforms.and_then(|list| platforms(list, &format!("{path}.platforms"), check));
        let content = Content {
            platforms: own_platforms.or_else(|| defaults.platforms.clone()),
            referrers: image.referrers.or(defaults.referrers).unwrap_or_default(),
        };
        let (name, content) = (image.name.clone(), Arc::new(content));
        Some(Self { index, name, source: repository, tags, content, immutable })
    }

    /// Whether there may be several tags.
    pub(super) const fn is_selected(&self) -> bool {
        matches!(self.tags, Tags::Some(_))
    }

    pub(super) fn is_listed(&self) -> bool {
        matches!(&self.tags, Tags::Some(filter) if filter.lists())
    }

    /// Whether a person said of this tag that it never moves. A digest never does, and needs no saying.
    pub(super) fn is_immutable(&self, tag: Option<&Tag>) -> bool {
        self.immutable.as_ref().zip(tag).is_some_and(|(immutable, tag)| immutable.matches(tag))
    }

    /// Whether what this record says of its source is said of this image's source.
    pub(super) fn is_read_as(&self, record: &Record) -> bool {
        record.source.as_deref() == Some(self.source.to_string().as_str())
    }

    /// Whether this tag of the source is one that is mirrored, or would be if it turned up. One that is pinned to a
    /// digest counts: it is no less the source for that.
    pub(super) fn reads(&self, tag: &Tag) -> bool {
        match &self.tags {
            Tags::One { tag: one, .. } => one.as_ref() == Some(tag),
            Tags::Some(filter) => filter.would_choose(tag),
        }
    }
}

impl Defaults {
    fn read(defaults: Option<&api::Defaults>, check: &mut Check) -> Self {
        let Some(defaults) = defaults else { return Self::default() };
        let select = |select: &Select| Arc::new(Filter::read(select, "spec.defaults.select", check));
        let select = defaults.select.as_ref().map(select);
        let immutable = defaults.immutable_tags.as_ref();
        let immutable = immutable.and_then(|list| patterns(list, "spec.defaults.immutableTags", check));
        let wanted = defaults.platforms.as_ref();
        let platforms = wanted.and_then(|list| platforms(list, "spec.defaults.platforms", check));
        Self { select, immutable, platforms, referrers: defaults.referrers }
    }
}

fn patterns(list: &[String], path: &str, check: &mut Check) -> Option<Arc<Patterns>> {
    let parsed = Patterns::parse(list).map(Arc::new);
    parsed.map_err(|(index, error)| check.wrong(format_args!("{path}[{index}]"), error)).ok()
}

fn platforms(list: &[String], path: &str, check: &mut Check) -> Option<Platforms> {
    let each = list.iter().enumerate();
    let each =
        each.filter_map(|(index, text)| check.ok(format_args!("{path}[{index}]"), text.parse::<Platform>()));
    Platforms::new(each.collect::<Vec<_>>())
}

/// Entries are told apart by their names, here, in records and in statuses.
fn unique<'a>(list: &str, names: impl Iterator<Item = &'a String>, check: &mut Check) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, name) in names.enumerate() {
        if let Some(first) = first.insert(name, index) {
            let message = format!("spec.{list}[{first}] is named {name} too: give each a name of its own");
            check.wrong(format_args!("spec.{list}[{index}].name"), message);
        }
    }
}
