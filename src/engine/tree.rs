//! An image as its source has it: the manifest, those below it, and every blob they name.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{belongings::Belongings, error::Error, sparse::Cut};
use crate::{
    digest::Digest,
    platform::Platforms,
    registry::{At, Blob, Descriptor, Manifest},
    store::Store,
};

/// Indexes within indexes: real ones have one level, two at most.
pub(crate) const MAX_DEPTH: usize = 4;
/// Manifests of one image; the largest public images have a few dozen.
pub(crate) const MAX_MANIFESTS: usize = 2_000;
/// Bytes of all manifests of one image: many images are held at the same time, and most have a few KiB.
pub(crate) const MAX_BYTES: u64 = 32 << 20;
/// Manifests of one image that are read at the same time.
const PARALLEL: usize = 8;

/// All that a tag needs on a target to be complete.
#[derive(Debug)]
pub(crate) struct Tree {
    /// What the tag points at.
    pub(crate) root: Manifest,
    /// What of the root is left out, if anything is.
    pub(crate) cut: Option<Cut>,
    /// The images below the root; they depend on blobs only.
    pub(crate) images: Vec<Manifest>,
    /// The indexes below the root, each after the indexes that it names.
    pub(crate) indexes: Vec<Manifest>,
    /// Every blob that one of the manifests names, once, those of what belongs to the image too.
    pub(crate) blobs: Vec<Blob>,
    /// What refers to it.
    pub(crate) belongings: Belongings,
}

impl Tree {
    /// Reads the manifests of an image by their digests, below a root that was read: of an index, what is there for these
    /// platforms, or all.
    ///
    /// # Errors
    ///
    /// Those of the registry; [`Error::NoPlatform`]; [`Error::TooDeep`], [`Error::TooMany`] and [`Error::TooLarge`] for an image that is built to
    /// exhaust us.
    pub(crate) async fn of(
        source: &Store,
        root: Manifest,
        platforms: Option<&Platforms>,
    ) -> Result<Self, Error> {
        let digest = &root.digest.clone();
        let cut = match platforms {
            Some(platforms) => Cut::of(&root, platforms, source.repository())?,
            None => None,
        };
        let mut below: HashMap<Digest, Manifest> = HashMap::new();
        let mut seen = BTreeSet::from([digest.clone()]);
        let mut next = unseen(&mut seen, [&root]);
        if let Some(cut) = &cut {
            next.retain(|child| !cut.left_out.contains(&child.digest));
            // What is left out here may be within an index that is not.
            seen.retain(|digest| !cut.left_out.contains(digest));
        }
        let mut bytes = root.bytes.len() as u64;
        for depth in 0.. {
            if next.is_empty() {
                break;
            }
            if depth == MAX_DEPTH {
                return Err(Error::TooDeep { image: source.repository().clone(), digest: digest.clone() });
            }
            if seen.len() > MAX_MANIFESTS {
                return Err(Error::TooMany { image: source.repository().clone(), digest: digest.clone() });
            }
            let read = stream::iter(next).map(|child| async move {
                let manifest =
                    source.get_manifest(&At::Digest(child.digest.clone())).await.map_err(Error::source)?;
                let found = manifest.bytes.len() as u64;
                if found == child.size {
                    return Ok(manifest);
                }
                let image = source.repository().clone();
                Err(Error::OtherSize { image, digest: child.digest, said: child.size, found })
            });
            let mut read = read.buffered(PARALLEL);
            let mut level: Vec<Manifest> = Vec::new();
            while let Some(manifest) = read.try_next().await? {
                bytes += manifest.bytes.len() as u64;
                if bytes > MAX_BYTES {
                    let image = source.repository().clone();
                    return Err(Error::TooLarge { image, digest: digest.clone(), limit: MAX_BYTES });
                }
                level.push(manifest);
            }
            drop(read);
            next = unseen(&mut seen, &level);
            below.extend(level.into_iter().map(|manifest| (manifest.digest.clone(), manifest)));
        }
        let blobs = unique_blobs(below.values().chain([&root]));
        let mut indexes = Vec::new();
        take_indexes(&root, &mut below, &mut indexes);
        let (images, belongings) = (below.into_values().collect(), Belongings::default());
        Ok(Self { root, cut, images, indexes, blobs, belongings })
    }

    /// The same tree with what belongs to it.
    pub(crate) fn with(mut self, belongings: Belongings) -> Self {
        let mut seen: BTreeSet<Digest> = self.blobs.iter().map(|blob| blob.digest.clone()).collect();
        self.blobs.extend(belongings.blobs().filter(|blob| seen.insert(blob.digest.clone())).cloned());
        self.belongings = belongings;
        self
    }

    /// The digests of the manifests below the root, of those that belong to it, and of all blobs.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &Digest> {
        let manifests = self.below().chain(self.belongings.manifests());
        manifests.map(|manifest| &manifest.digest).chain(self.blobs.iter().map(|blob| &blob.digest))
    }

    /// The manifests below the root.
    pub(crate) fn below(&self) -> impl Iterator<Item = &Manifest> {
        self.images.iter().chain(&self.indexes)
    }

    /// The root and the manifests below it.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.below().chain([&self.root])
    }
}

/// Moves the indexes below `index` out of `below`, in the order in which they can be pushed. [`MAX_DEPTH`] bounds
/// the recursion.
fn take_indexes(index: &Manifest, below: &mut HashMap<Digest, Manifest>, taken: &mut Vec<Manifest>) {
    for child in index.children() {
        if below.get(&child.digest).is_some_and(Manifest::is_index)
            && let Some(child) = below.remove(&child.digest)
        {
            take_indexes(&child, below, taken);
            taken.push(child);
        }
    }
}

/// The children of `manifests` that were not met before.
fn unseen<'a>(
    seen: &mut BTreeSet<Digest>,
    manifests: impl IntoIterator<Item = &'a Manifest>,
) -> Vec<Descriptor> {
    let children = manifests.into_iter().flat_map(Manifest::children);
    children.filter(|child| seen.insert(child.digest.clone())).cloned().collect()
}

fn unique_blobs<'a>(manifests: impl Iterator<Item = &'a Manifest>) -> Vec<Blob> {
    let mut seen = BTreeSet::new();
    manifests.flat_map(Manifest::blobs).filter(|blob| seen.insert(blob.digest.clone())).collect()
}
