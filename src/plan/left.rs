//! Names that are left as they are, since it cannot be told now whether they are wanted.

use std::collections::HashSet;

use super::{Selection, Wanted};
use crate::{
    api::{Record, TargetRecord},
    reference::Values,
};

/// Names that are left as they are.
pub(super) struct Left<'a> {
    /// Images whose tags could not be listed.
    images: HashSet<&'a str>,
    /// Aliases of images whose newest version is not known, by target and name.
    aliases: HashSet<(&'a str, String)>,
}

impl Selection {
    /// The names that are left as they are.
    pub(super) fn left<'a>(&'a self, wanted: &'a Wanted) -> Left<'a> {
        let images = self.unlisted.iter().map(|unlisted| unlisted.image.name.as_str()).collect();
        let newest = self.artifacts.iter().filter(|artifact| artifact.newest);
        let newest: HashSet<usize> = newest.map(|artifact| artifact.image.index).collect();
        let mut aliases = HashSet::new();
        for image in wanted.images.iter().filter(|image| !newest.contains(&image.index)) {
            for target in &wanted.targets {
                let Some(repository) = target.repository(image) else { continue };
                let values = Values { name: &image.name, source: &image.source, tag: None, digest: None };
                let tags = target.aliases.iter().filter_map(|alias| alias.expand(&values).ok()?.parse().ok());
                aliases.extend(tags.map(|tag| (target.name.as_str(), repository.at_tag(tag).to_string())));
            }
        }
        Left { images, aliases }
    }
}

impl Left<'_> {
    /// Whether this is one of them.
    pub(super) fn has(&self, record: &Record, entry: &TargetRecord) -> bool {
        self.images.contains(record.image.as_str())
            || self.aliases.contains(&(entry.name.as_str(), entry.reference.clone()))
    }
}
