//! What roots of images name, as far as it was read: an index that is looked at is not read again to be copied.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    digest::Digest,
    reference::Repository,
    registry::{Account, At, DOCKER_MANIFEST, Descriptor, Manifest, OCI_MANIFEST},
    store::{self, Store},
};

/// Bytes of indexes that are kept; then all are forgotten.
const MOST_BYTES: usize = 16 << 20;
/// Roots of which anything is kept; then all are forgotten.
const MOST: usize = 100_000;

/// Roots that were seen. A clone is the same memory.
#[derive(Clone, Default)]
pub(crate) struct Roots(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    roots: HashMap<Key, Root>,
    bytes: usize,
}

/// What one credential may read says nothing of what another one may.
type Key = (Account, Repository, Digest);

enum Root {
    /// The image of one platform: it has no children.
    Image,
    Index(Manifest),
}

impl Roots {
    /// Takes note of what a HEAD said.
    pub(crate) fn seen(&self, store: &Store, found: &Descriptor) {
        let kind = found.media_type.split(';').next().unwrap_or_default().trim();
        if matches!(kind, OCI_MANIFEST | DOCKER_MANIFEST) {
            self.keep(key(store, &found.digest), Root::Image);
        }
    }

    /// The root of an image, if it is an index. If it has to be read it is read from `near`, where that has it.
    ///
    /// # Errors
    ///
    /// Those of reading the root from the source.
    pub(crate) async fn index(
        &self,
        source: &Store,
        near: Option<&Store>,
        root: &Digest,
    ) -> Result<Option<Manifest>, store::Error> {
        for store in [Some(source), near].into_iter().flatten() {
            match self.lock().roots.get(&key(store, root)) {
                Some(Root::Image) => return Ok(None),
                Some(Root::Index(index)) => return Ok(Some(index.clone())),
                None => {}
            }
        }
        if let Some(near) = near
            && let Ok(manifest) = self.read(near, root).await
        {
            return Ok(Some(manifest).filter(Manifest::is_index));
        }
        Ok(Some(self.read(source, root).await?).filter(Manifest::is_index))
    }

    /// The root of an image.
    ///
    /// # Errors
    ///
    /// Those of reading it.
    pub(crate) async fn read(&self, store: &Store, root: &Digest) -> Result<Manifest, store::Error> {
        let key = key(store, root);
        if let Some(Root::Index(index)) = self.lock().roots.get(&key) {
            return Ok(index.clone());
        }
        let manifest = store.get_manifest(&At::Digest(root.clone())).await?;
        let root = if manifest.is_index() { Root::Index(manifest.clone()) } else { Root::Image };
        self.keep(key, root);
        Ok(manifest)
    }

    fn keep(&self, key: Key, root: Root) {
        let mut seen = self.lock();
        let bytes = if let Root::Index(index) = &root { index.bytes.len() } else { 0 };
        if seen.bytes + bytes > MOST_BYTES || seen.roots.len() >= MOST {
            *seen = Seen::default();
        }
        if seen.roots.insert(key, root).is_none() {
            seen.bytes += bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // What is in it is only kept to save requests.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(store: &Store, root: &Digest) -> Key {
    (store.account().clone(), store.repository().clone(), root.clone())
}
