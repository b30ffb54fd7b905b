//! Collisions that the spec alone shows, whatever the sources hold.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Listings, Observed, Wanted,
    collision::{self, place},
    invalid::Check,
    resolve::{Memory, resolve},
    select,
    target::Target,
    version::version,
    wanted::{Image, Tags},
};
use crate::{
    records::Records,
    reference::{Template, Values, Word},
};

/// Notes every collision that the spec shows.
pub(super) fn check(wanted: &Wanted, check: &mut Check) {
    what_is_named(wanted, check);
    what_is_listed(wanted, check);
}

/// Collisions between artifacts that the spec names: what a run would find if nothing was listed.
fn what_is_named(wanted: &Wanted, check: &mut Check) {
    let (records, observed) = (Records::default(), Observed::default());
    let named = select(wanted, &Listings::new(), &records, Timestamp::UNIX_EPOCH);
    let resolved: Vec<_> = resolve(&named, &Memory::of(&records), &observed).collect();
    let mut told = BTreeSet::new();
    for ((artifact, index), sentence) in collision::find(wanted, &resolved) {
        let destination = resolved.get(artifact).and_then(|this| this.destinations.get(index));
        let Some(destination) = destination else { continue };
        // Both sides of a collision are found, and one tells it all.
        if told.insert(destination.name.to_reference()) {
            check.wrong(format_args!("spec.targets[{}]", destination.target.index), sentence);
        }
    }
}

/// Collisions of images whose tags are chosen from a listing: their names are known but for the tag.
fn what_is_listed(wanted: &Wanted, check: &mut Check) {
    let mut first: BTreeMap<Key<'_>, (&Image, &Target)> = BTreeMap::new();
    for target in &wanted.targets {
        for image in &wanted.images {
            for name in names(target, image) {
                let (image_name, target_name) = (&image.name, &target.name);
                if image.is_listed()
                    && name.text == Word::Tag.to_string()
                    && name.place == place(&image.source)
                {
                    let message = format!(
                        "the image {image_name} would be written over its own source: write another repository or other tags"
                    );
                    check.wrong(&name.path, message);
                }
                let &mut (other, there) = first.entry(name.key(image)).or_insert((image, target));
                let differ = (other.index, there.index) != (image.index, target.index);
                if differ && (image.is_listed() || other.is_listed()) {
                    let message = format!(
                        "the image {image_name} on the target {target_name} would have the same name as the image {} on \
                         the target {}: write another repository, or tags that differ",
                        other.name, there.name
                    );
                    check.wrong(&name.path, message);
                }
            }
        }
    }
}

/// A name that an image gets on a target; words that only the tag or the digest can replace are still in it.
struct Name<'a> {
    place: (&'a str, &'a str),
    text: String,
    path: String,
}

/// Names with the same key are one name. With words left in it, that is so only for the same image's: it gets all
/// its tags there. Those of two images are one only if their tags are.
type Key<'a> = ((&'a str, &'a str), String, Option<usize>);

impl<'a> Name<'a> {
    fn key(&self, image: &Image) -> Key<'a> {
        let of_image = self.text.contains('{').then_some(image.index);
        (self.place, self.text.clone(), of_image)
    }
}

fn names<'a>(target: &'a Target, image: &'a Image) -> Vec<Name<'a>> {
    let Some(repository) = target.repository(image) else { return Vec::new() };
    let (tag, is_version) = match &image.tags {
        Tags::One { tag, .. } => {
            (tag.as_ref(), tag.as_ref().is_some_and(|tag| version(tag.as_str()).is_some()))
        }
        Tags::Some(_) => (None, true),
    };
    let has_tag = image.is_selected() || tag.is_some();
    let values = Values { name: &image.name, source: &image.source, tag, digest: None };
    let used = |template: &&(String, &Template, bool)| {
        let &&(_, template, is_alias) = template;
        (has_tag || !template.uses(Word::Tag)) && (is_version || !is_alias)
    };
    let templates: Vec<_> = target.templates().collect();
    let name = |(path, template, _): &(String, &Template, bool)| Name {
        place: place(repository),
        text: template.expand_known(&values),
        path: path.clone(),
    };
    templates.iter().filter(used).map(name).collect()
}
