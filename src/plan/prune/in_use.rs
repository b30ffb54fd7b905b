//! In use: what pods and pod templates reference.

use hashbrown::HashSet;

use crate::{digest::Digest, plan::collision::name_of, reference::Reference};

/// The images that pods and pod templates reference, by tag or by digest.
#[derive(Clone, Debug, Default)]
pub struct InUse(HashSet<String>);

impl InUse {
    /// The images as they are written in pods. What is no reference is used by nobody: no node can pull it.
    pub fn of<'a>(images: impl IntoIterator<Item = &'a str>) -> Self {
        let mut used = HashSet::new();
        for reference in images.into_iter().filter_map(|image| image.parse::<Reference>().ok()) {
            let Reference { repository, tag, digest } = reference;
            used.extend(tag.map(|tag| name_of(&repository.at_tag(tag))));
            used.extend(digest.map(|digest| name_of(&repository.at_digest(digest))));
        }
        Self(used)
    }

    /// Whether something uses this name, or what it shows by its digest.
    pub(super) fn has(&self, reference: &Reference, digest: &Digest) -> bool {
        let untagged = reference.repository.at_digest(digest.clone());
        self.0.contains(&name_of(reference)) || self.0.contains(&name_of(&untagged))
    }
}
