//! Loops: destinations that are sources in turn, so that what is mirrored would be mirrored again.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Wanted,
    collision::{At, place},
    resolve::Resolved,
    wanted::Image,
};
use crate::reference::Tag;

/// A destination that an image's source reads.
struct Feed<'a> {
    at: At,
    tag: &'a Tag,
    from: &'a Image,
    into: &'a Image,
}

/// The destinations by which an image comes, over one or more images, to its own source.
///
/// A chain that does not come back is none: one image may read what another one writes.
pub(super) fn find(wanted: &Wanted, resolved: &[Resolved<'_>]) -> BTreeMap<At, String> {
    let mut readers: BTreeMap<(&str, &str), Vec<&Image>> = BTreeMap::new();
    for image in &wanted.images {
        readers.entry(place(&image.source)).or_default().push(image);
    }
    let feeds = feeds(&readers, resolved);
    let mut next: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for feed in &feeds {
        next.entry(feed.from.index).or_default().insert(feed.into.index);
    }
    let reached: BTreeMap<usize, BTreeSet<usize>> =
        wanted.images.iter().map(|image| (image.index, reachable(&next, image.index))).collect();
    let comes_back = |feed: &&Feed<'_>| {
        feed.from.index == feed.into.index
            || reached.get(&feed.into.index).is_some_and(|reached| reached.contains(&feed.from.index))
    };
    feeds.iter().filter(comes_back).map(|feed| (feed.at, sentence(feed, resolved))).collect()
}

fn feeds<'a>(
    readers: &BTreeMap<(&str, &str), Vec<&'a Image>>,
    resolved: &'a [Resolved<'a>],
) -> Vec<Feed<'a>> {
    let mut feeds = Vec::new();
    for (artifact, this) in resolved.iter().enumerate() {
        for (index, destination) in this.destinations.iter().enumerate() {
            let Some(reference) = destination.name.reference() else { continue };
            let Some(tag) = &reference.tag else { continue };
            let readers = readers.get(&place(&reference.repository)).into_iter().flatten();
            for into in readers.filter(|image| image.reads(tag)) {
                feeds.push(Feed { at: (artifact, index), tag, from: &this.artifact.image, into });
            }
        }
    }
    feeds
}

/// All that can be reached from an image in one step or more.
fn reachable(next: &BTreeMap<usize, BTreeSet<usize>>, from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(image) = open.pop() {
        let new = next.get(&image).into_iter().flatten().filter(|image| reached.insert(**image));
        open.extend(new.copied().collect::<Vec<_>>());
    }
    reached
}

fn sentence(feed: &Feed<'_>, resolved: &[Resolved<'_>]) -> String {
    let Feed { at: (artifact, _), tag, from, into } = feed;
    let source = from.source.familiar();
    let own = resolved.get(*artifact).and_then(|this| this.artifact.tag.as_ref());
    if from.index == into.index && own == Some(tag) {
        return format!("{source}:{tag} would be written over itself: write another repository or tag");
    }
    if from.index == into.index {
        return format!(
            "{source}:{tag} is selected by the image {} itself, and would be mirrored in turn: exclude it, or write \
             another repository",
            from.name
        );
    }
    format!(
        "{}:{tag} is read by the image {}, which comes back to the image {}: write another repository or tag for one of \
         them",
        into.source.familiar(),
        into.name,
        from.name
    )
}
