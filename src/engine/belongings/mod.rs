//! What belongs to an image besides its own manifests and blobs: referrers (signatures, SBOMs, attestations), those of its
//! children, those of referrers, and what cosign keeps under tags that are made from a digest.
//!
//! ```text
//! attached   the tags of a source that belong to digests: one listing a repository and run
//! look       what there is, as a hash: cheap enough for every run
//! gather     all of it, read from the source
//! list       all of it, as it is listed
//! publish    to a target, before the tag; and a look afterwards whether it is there
//! ```

mod attached;
mod gather;
mod list;
mod look;
mod publish;

pub(crate) use self::{
    attached::{Attached, Listings},
    gather::gather,
    list::list,
    look::look,
    publish::{Named, check, publish},
};

use super::tree::Tree;
use crate::{
    digest::Digest,
    reference::Tag,
    registry::{Blob, Manifest},
};

/// What belongs to an image, in an order in which a registry can take it: nothing comes before what it refers to.
#[derive(Debug, Default)]
pub(crate) struct Belongings {
    /// Those that refer to manifests of the image, those that refer to these, and so on.
    pub(crate) levels: Vec<Vec<Belonging>>,
}

/// A referrer, or what is under a tag that is made from a digest.
#[derive(Debug)]
pub(crate) struct Belonging {
    /// The manifest of the image that it belongs to, be it through others.
    pub(crate) of: Digest,
    /// The manifest that it refers to.
    pub(crate) subject: Digest,
    /// The tag it is under; a referrer has none.
    pub(crate) tag: Option<Tag>,
    /// Its manifests.
    pub(crate) tree: Tree,
}

impl Belongings {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Belonging> {
        self.levels.iter().flatten()
    }

    /// The blobs of all of them.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.iter().flat_map(|one| &one.tree.blobs)
    }

    /// The manifests of all of them.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.iter().flat_map(|one| one.tree.manifests())
    }
}

#[cfg(test)]
mod tests;
