//! Collisions: two artifacts under one name, and images that would be written over a source.

use std::{borrow::Cow, collections::BTreeMap};

use hashbrown::HashMap;

use super::{Wanted, destination::Destination, loops, resolve::Resolved};
use crate::{
    digest::Digest,
    reference::{Reference, Repository, Tag},
};

/// A destination: the artifact's place among the resolved, and its own place in that.
pub(super) type At = (usize, usize);

/// The port that goes without saying.
const PORT: &str = ":443";

/// A name on a registry, however that is written.
pub(super) type Place<'a> = (&'a str, &'a str, &'a str);

/// What collides, each with a sentence that says with what.
///
/// Two artifacts that show the same digest today collide all the same: a tag may move tomorrow, and then the name would
/// go back and forth. Only what is pinned to the same digest, on the same target, is the same for ever.
pub(super) fn find(wanted: &Wanted, resolved: &[Resolved<'_>]) -> BTreeMap<At, String> {
    let mut first: HashMap<Place<'_>, (At, &Resolved<'_>, &Destination)> = HashMap::new();
    let mut found = BTreeMap::new();
    for (artifact, this) in resolved.iter().enumerate() {
        for (index, destination) in this.destinations.iter().enumerate() {
            let Some(reference) = destination.name.reference() else { continue };
            // What is written by digest is what it is, whoever writes it.
            let Some(tag) = &reference.tag else { continue };
            let (registry, path) = place(&reference.repository);
            let at = (artifact, index);
            let (other_at, other, there) =
                *first.entry((registry, path, tag.as_str())).or_insert((at, this, destination));
            if other_at == at || are_same_for_ever((this, destination), (other, there)) {
                continue;
            }
            found.insert(at, clash(reference, (this, destination), (other, there)));
            found.entry(other_at).or_insert_with(|| clash(reference, (other, there), (this, destination)));
        }
    }
    for (at, sentence) in loops::find(wanted, resolved) {
        found.entry(at).or_insert(sentence);
    }
    found
}

/// Registry and path, with a port that goes without saying left out.
pub(super) fn place(repository: &Repository) -> (&str, &str) {
    let registry = repository.registry();
    (registry.strip_suffix(PORT).unwrap_or(registry), repository.path())
}

/// A name by which something is written: by its tag, or else by its digest.
pub(super) fn parts(Reference { repository, tag, digest }: &Reference) -> Place<'_> {
    let (registry, path) = place(repository);
    let tag = tag.as_ref().map(Tag::as_str);
    (registry, path, tag.or_else(|| digest.as_ref().map(Digest::as_str)).unwrap_or_default())
}

/// The same of a printed reference.
pub(super) fn parts_of(reference: &str) -> Place<'_> {
    let (registry, rest) = match reference.strip_prefix("oci:") {
        Some(path) => ("oci", path),
        None => reference.split_once('/').unwrap_or((reference, "")),
    };
    let registry = registry.strip_suffix(PORT).unwrap_or(registry);
    // Behind its last slash a path has neither of them.
    let version = |(_, version): &(&str, &str)| !version.contains('/');
    let (rest, digest) = rest.rsplit_once('@').filter(version).unwrap_or((rest, ""));
    let (path, tag) = rest.rsplit_once(':').filter(version).unwrap_or((rest, digest));
    (registry, path, tag)
}

/// A printed reference, with a port that goes without saying left out: the same for all ways to write one name.
pub(super) fn one_name(reference: &str) -> Cow<'_, str> {
    match reference.split_once('/') {
        // A path of a layout has no port, whatever it looks like.
        Some((registry, rest)) if !registry.starts_with("oci:") => match registry.strip_suffix(PORT) {
            Some(registry) => format!("{registry}/{rest}").into(),
            None => reference.into(),
        },
        _ => reference.into(),
    }
}

/// The same for a reference that is no text yet.
pub(super) fn name_of(Reference { repository, tag, digest }: &Reference) -> String {
    let (registry, path) = place(repository);
    let between = if repository.layout().is_some() { ":" } else { "/" };
    let [colon, tag] = tag.as_ref().map_or(["", ""], |tag| [":", tag.as_str()]);
    let [at, digest] = digest.as_ref().map_or(["", ""], |digest| ["@", digest.as_str()]);
    [registry, between, path, colon, tag, at, digest].concat()
}

type Entry<'a> = (&'a Resolved<'a>, &'a Destination);

fn are_same_for_ever((a, at_a): Entry<'_>, (b, at_b): Entry<'_>) -> bool {
    let pinned = a.artifact.pinned();
    // Of other platforms, one and the same index may have to be written in another way.
    let platforms = |this: &Resolved<'_>| this.artifact.image.content.platforms.clone();
    let same_content = platforms(a) == platforms(b);
    pinned.is_some()
        && pinned == b.artifact.pinned()
        && at_a.target.index == at_b.target.index
        && same_content
}

fn clash(name: &Reference, (this, here): Entry<'_>, (other, there): Entry<'_>) -> String {
    let (a, b) = (&this.artifact.image.name, &other.artifact.image.name);
    let (tag, other_tag) = (this.artifact.tag.as_ref(), other.artifact.tag.as_ref());
    let name = name.familiar();
    if here.target.index != there.target.index {
        let (this, other) = (&here.target.name, &there.target.name);
        return format!(
            "{name} is a name on the target {other} as well as on {this}: write another repository or tag"
        );
    }
    match (tag, other_tag) {
        (Some(tag), Some(other)) if a == b => {
            format!(
                "{name} would be both {tag} and {other} of the image {a}: write {{tag}} into the target's tags"
            )
        }
        _ => format!(
            "{name} would be both the image {a} and the image {b}: write {{path}} or {{name}} into the target's repository"
        ),
    }
}
