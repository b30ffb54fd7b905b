//! Names that a spec could give, where it cannot be told which it does: what a source cannot be asked for now, or is not
//! asked for.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::{
    Selection, Wanted,
    collision::place,
    destination::{Name, destinations},
    select::Artifact,
    target::Target,
    wanted::Image,
};
use crate::{
    records::Records,
    reference::{Reference, Tag, Template, Values, Word},
};

/// Names that could be given, by the repository that they are in.
#[derive(Debug)]
pub(super) struct Could<T>(HashMap<(String, String), Vec<(One, T)>>);

/// One template, for one image.
#[derive(Debug)]
struct One {
    template: Template,
    image: Arc<Image>,
    tags: Tags,
}

/// Of which tags of the image names are meant.
#[derive(Clone, Debug)]
enum Tags {
    /// All that the spec would choose.
    All,
    /// Those of them that the source does not list: a listing may lack what is there.
    But(Arc<HashSet<Tag>>),
    /// This one.
    One(Tag),
}

impl<T> Default for Could<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Clone> Could<T> {
    /// All names that the spec could give to tags of this image.
    pub(super) fn add(&mut self, targets: &[Arc<Target>], image: &Arc<Image>, whose: &T) {
        self.add_some(targets, image, &Tags::All, whose, |_| true);
    }

    /// The same of tags that are not in this listing.
    pub(super) fn add_unlisted(
        &mut self,
        targets: &[Arc<Target>],
        image: &Arc<Image>,
        listed: &Arc<HashSet<Tag>>,
        whose: &T,
    ) {
        self.add_some(targets, image, &Tags::But(Arc::clone(listed)), whose, |_| true);
    }

    /// The names with the digest in them that this tag could get.
    pub(super) fn add_with_digest(
        &mut self,
        targets: &[Arc<Target>],
        image: &Arc<Image>,
        tag: Option<&Tag>,
        whose: &T,
    ) {
        let tags = tag.map_or(Tags::All, |tag| Tags::One(tag.clone()));
        self.add_some(targets, image, &tags, whose, |template| template.uses(Word::ShortDigest));
    }

    fn add_some(
        &mut self,
        targets: &[Arc<Target>],
        image: &Arc<Image>,
        tags: &Tags,
        whose: &T,
        which: impl Fn(&Template) -> bool,
    ) {
        for target in targets {
            let Some(repository) = target.repository(image) else { continue };
            let (registry, path) = place(repository);
            for template in target.tags.iter().chain(&target.aliases).filter(|template| which(template)) {
                let one = One { template: template.clone(), image: Arc::clone(image), tags: tags.clone() };
                let here = self.0.entry((registry.to_owned(), path.to_owned())).or_default();
                here.push((one, whose.clone()));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what `other` has, whose it is said to be.
    pub(super) fn extend<U>(&mut self, other: Could<U>, whose: &T) {
        for (place, ones) in other.0 {
            self.0.entry(place).or_default().extend(ones.into_iter().map(|(one, _)| (one, whose.clone())));
        }
    }

    /// Whose names of this kind `reference` could be.
    pub(super) fn whose<'a>(&'a self, reference: &'a Reference) -> impl Iterator<Item = &'a T> + Clone {
        let (registry, path) = place(&reference.repository);
        let here = self.0.get(&(registry.to_owned(), path.to_owned()));
        let tag = reference.tag.as_ref();
        here.into_iter()
            .flatten()
            .zip(tag.into_iter().cycle())
            .filter_map(|((one, whose), tag)| one.could_be(tag).then_some(whose))
    }
}

impl One {
    fn could_be(&self, name: &Tag) -> bool {
        let Self { template, image, tags } = self;
        let values = Values { name: &image.name, source: &image.source, tag: None, digest: None };
        template.could_be(name.as_str(), &|word, text| match word {
            Word::Tag => match tags {
                Tags::One(tag) => tag.as_str() == text,
                Tags::All => text.parse().is_ok_and(|tag| image.reads(&tag)),
                Tags::But(listed) => {
                    text.parse().is_ok_and(|tag| !listed.contains(&tag) && image.reads(&tag))
                }
            },
            Word::ShortDigest => text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit()),
            word => word.value(&values).is_some_and(|value| value == text),
        })
    }
}

impl Selection {
    /// The names that listed images would give to tags which the source does not list, with the name of the image.
    pub(super) fn unlisted_names(&self, wanted: &Wanted) -> Could<String> {
        let mut could = Could::default();
        for (image, listed) in &self.listed {
            could.add_unlisted(&wanted.targets, image, listed, &image.name);
        }
        could
    }

    /// The names that this selection gives, as far as they can be told, and those that it could give.
    pub(super) fn names(&self, wanted: &Wanted, records: &Records) -> (Vec<Reference>, Could<()>) {
        let (mut names, mut could) = (Vec::new(), Could::default());
        for unlisted in &self.unlisted {
            could.add(&wanted.targets, &unlisted.image, &());
        }
        for (image, listed) in &self.listed {
            could.add_unlisted(&wanted.targets, image, listed, &());
        }
        for artifact in &self.artifacts {
            let Artifact { image, tag, .. } = artifact;
            let last = || records.get(&image.name, tag.as_ref().map(Tag::as_str))?.source_digest.as_ref();
            let pinned = artifact.pinned();
            let given = destinations(&self.targets, artifact, pinned.or_else(last));
            if pinned.is_none() {
                // What the digest is now shows only when the source is looked at.
                could.add_with_digest(&self.targets, image, tag.as_ref(), &());
            }
            names.extend(given.into_iter().filter_map(|given| match given.name {
                Name::Known(reference) => Some(reference),
                Name::NeedsDigest(_) | Name::Refused { .. } => None,
            }));
        }
        (names, could)
    }
}
