//! Names that are left as they are, since it cannot be told now whether they are wanted.

use hashbrown::HashSet;

use super::{Selection, Wanted, could::Could, destination::Name, resolve::Resolved};
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
    /// Names that images could have whose tags could not be listed, or whose digests are not known, whichever image had them.
    could: Could<()>,
}

impl Selection {
    /// The names that are left as they are.
    pub(super) fn left<'a>(&'a self, wanted: &'a Wanted, resolved: &[Resolved<'_>]) -> Left<'a> {
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
        let mut could = Could::default();
        for unlisted in &self.unlisted {
            could.add(&wanted.targets, &unlisted.image, &());
        }
        for this in resolved {
            let artifact = this.artifact;
            if this.destinations.iter().any(|given| matches!(given.name, Name::NeedsDigest(_))) {
                could.add_with_digest(&wanted.targets, &artifact.image, artifact.tag.as_ref(), &());
            }
        }
        Left { images, aliases, could }
    }
}

impl Left<'_> {
    /// Whether this is one of them.
    pub(super) fn has(&self, record: &Record, entry: &TargetRecord) -> bool {
        self.images.contains(record.image.as_str())
            || !self.aliases.is_empty()
                && self.aliases.contains(&(entry.name.as_str(), entry.reference.clone()))
            || !self.could.is_empty()
                && entry.reference.parse().is_ok_and(|name| self.could.whose(&name).next().is_some())
    }
}
