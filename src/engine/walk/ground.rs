//! What a repository has of the images that are looked for in it.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt as _, stream};

use super::{PARALLEL, blob_name, manifest_name};
use crate::{
    digest::Digest,
    engine::Trouble,
    plan::{Walk, Walked},
    platform::Platforms,
    registry::{At, Blob, Descriptor, Manifest},
    store::{self, Store},
};

/// Indexes within indexes that are gone into, as when an image is copied.
const MAX_DEPTH: usize = 5;

/// What was found in one repository.
pub(super) struct Ground {
    manifests: HashMap<Digest, Found<Node>>,
    blobs: HashMap<Digest, Found<()>>,
}

/// What a manifest names.
struct Node {
    /// An index, of which not all need be wanted.
    index: Option<Manifest>,
    children: Vec<Descriptor>,
    blobs: Vec<Blob>,
}

enum Found<T> {
    There(T),
    Gone,
    Unseen(Trouble),
}

impl Ground {
    /// Reads all that the images need, each manifest and each blob once for all of them.
    pub(super) async fn survey(store: &Store, walks: &[Walk]) -> Self {
        let mut ground = Self { manifests: HashMap::new(), blobs: HashMap::new() };
        for _ in 0..MAX_DEPTH {
            let next = ground.unread(walks);
            if next.is_empty() {
                break;
            }
            let read = next.into_iter().map(|digest| async move {
                let found = store.get_own_manifest(&At::Digest(digest.clone())).await;
                (digest, found_of(found.map(Node::of)))
            });
            let read: Vec<_> = stream::iter(read).buffer_unordered(PARALLEL).collect().await;
            ground.manifests.extend(read);
        }
        let mut seen = BTreeSet::new();
        let mut blobs = Vec::new();
        for walk in walks {
            ground.visit(walk, |_, node| {
                let Some(Found::There(node)) = node else { return };
                blobs.extend(node.blobs.iter().filter(|blob| seen.insert(blob.digest.clone())).cloned());
            });
        }
        let read = blobs.into_iter().map(|blob| async move {
            let found = match store.can_read_blob(&blob).await {
                Ok(true) => Found::There(()),
                Ok(false) => Found::Gone,
                Err(error) => Found::Unseen(Trouble::from(&error)),
            };
            (blob.digest, found)
        });
        ground.blobs = stream::iter(read).buffer_unordered(PARALLEL).collect().await;
        ground
    }

    /// What came of one image.
    pub(super) fn walk(&self, walk: &Walk) -> Walked {
        let (mut missing, mut trouble) = (Vec::new(), None);
        let mut told = BTreeSet::new();
        self.visit(walk, |digest, node| match node {
            Some(Found::There(node)) => {
                for blob in node.blobs.iter().filter(|blob| told.insert(blob.digest.clone())) {
                    match self.blobs.get(&blob.digest) {
                        Some(Found::Unseen(unseen)) => trouble = trouble.or(Some(unseen)),
                        Some(Found::There(())) => {}
                        Some(Found::Gone) | None => missing.push(blob_name(blob)),
                    }
                }
            }
            Some(Found::Unseen(unseen)) => trouble = trouble.or(Some(unseen)),
            Some(Found::Gone) | None => missing.push(manifest_name(digest)),
        });
        let count = missing.len();
        missing.truncate(Walked::NAMED);
        match trouble {
            // What is known to be missing is repaired, whatever else there may be.
            _ if count > 0 => Walked::Broken { missing, count },
            Some(Trouble { class, message, until }) => {
                Walked::Failed { class: *class, message: message.clone(), until: *until }
            }
            None => Walked::Whole,
        }
    }

    /// The manifests of one image, as far as they are known.
    pub(super) fn manifests(&self, walk: &Walk) -> Vec<Digest> {
        let mut manifests = Vec::new();
        self.visit(walk, |digest, _| manifests.push(digest.clone()));
        manifests
    }

    /// What is to be read next.
    fn unread(&self, walks: &[Walk]) -> BTreeSet<Digest> {
        let mut unread = BTreeSet::new();
        for walk in walks {
            self.visit(walk, |digest, node| {
                if node.is_none() {
                    unread.insert(digest.clone());
                }
            });
        }
        unread
    }

    /// Shows each manifest that an image needs, as far as they are known.
    fn visit<'a>(&'a self, walk: &'a Walk, mut each: impl FnMut(&'a Digest, Option<&'a Found<Node>>)) {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Digest> = vec![&walk.digest];
        while let Some(digest) = next.pop() {
            if !seen.insert(digest) {
                continue;
            }
            let node = self.manifests.get(digest);
            each(digest, node);
            if let Some(Found::There(node)) = node {
                let kept = node.kept(walk.platforms.as_ref().filter(|_| *digest == walk.digest));
                let is_kept = |digest: &Digest| kept.as_ref().is_none_or(|kept| kept.contains(digest));
                next.extend(node.children.iter().map(|child| &child.digest).filter(|child| is_kept(child)));
            }
        }
    }
}

impl Node {
    fn of(manifest: Manifest) -> Self {
        let (children, blobs) = (manifest.children().to_vec(), manifest.blobs());
        Self { index: Some(manifest).filter(Manifest::is_index), children, blobs }
    }

    /// The children that are wanted, where that is not all.
    fn kept(&self, platforms: Option<&Platforms>) -> Option<BTreeSet<Digest>> {
        // An index that cannot be divided was brought as a whole.
        Some(self.index.as_ref()?.subset(platforms?).ok()?.kept())
    }
}

fn found_of<T>(result: Result<T, store::Error>) -> Found<T> {
    match result {
        Ok(found) => Found::There(found),
        Err(error) if error.is_gone() => Found::Gone,
        Err(error) => Found::Unseen(Trouble::from(&error)),
    }
}
