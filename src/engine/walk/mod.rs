//! Deep checks: looks for all of an image on a target, by reading.
//!
//! What a registry says that it has need not be there: its cache answers for blobs that are gone. So each manifest is read,
//! and of each blob one byte, from each repository once.

mod ground;
mod referring;

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use hashbrown::HashMap;

use self::ground::Ground;
use super::{Access, Engine, belongings::Listings, error::Error, progress::Event, tree::Tree};
use crate::{
    digest::Digest,
    plan::{Walk, Walked},
    reference::Repository,
    registry::{At, Blob, Manifest},
    store::Store,
};

/// Repositories that are walked at the same time; what each registry gets of it is its budget's to say.
const AT_ONCE: usize = 256;
/// Requests about one repository at the same time, likewise.
const PARALLEL: usize = 64;

impl Engine {
    /// Looks for all of these images.
    pub(super) async fn walk(&self, walks: Vec<Walk>, access: &Access) -> HashMap<Walk, Walked> {
        let mut places: BTreeMap<(String, Repository), Vec<Walk>> = BTreeMap::new();
        for walk in walks {
            places.entry((walk.target.clone(), walk.repository.clone())).or_default().push(walk);
        }
        let sources = &Listings::default();
        let places = places.into_iter().map(|((target, repository), walks)| async move {
            let store = self.stores.open(&repository, access.target(&target));
            let ground = Ground::survey(&store, &walks).await;
            let signed = self.referring(&store, &ground, &walks, sources, access).await;
            let walked = walks.into_iter().zip(signed).map(|(walk, signed)| {
                let walked = ground.walk(&walk).and(signed);
                self.progress.tell(&Event::Walked { walk: &walk, walked: &walked });
                (walk, walked)
            });
            walked.collect::<Vec<_>>()
        });
        let walked = stream::iter(places).buffer_unordered(AT_ONCE).map(stream::iter).flatten();
        walked.collect().await
    }
}

/// Whether a manifest can be read from where it is to be.
///
/// # Errors
///
/// All that tells neither that it can nor that it cannot.
pub(crate) async fn can_read(store: &Store, at: &At, digest: &Digest) -> Result<bool, Error> {
    match store.get_own_manifest(at).await {
        Ok(manifest) => Ok(manifest.digest == *digest),
        Err(error) if error.is_gone() => Ok(false),
        Err(error) => Err(Error::unchecked(error)),
    }
}

/// Looks whether an image that was sent again can be read now: `root`, and all below it.
///
/// # Errors
///
/// [`Error::StillBroken`] names what cannot be; [`Error::Unchecked`] says why something could not be seen.
pub(crate) async fn read_back(tree: &Tree, root: &Manifest, store: &Store) -> Result<(), Error> {
    let manifests = tree.images.iter().chain(&tree.indexes).chain([root]);
    let manifests = manifests.map(|manifest| async move {
        let is_there = can_read(store, &At::Digest(manifest.digest.clone()), &manifest.digest).await?;
        Ok::<_, Error>((!is_there).then(|| manifest_name(&manifest.digest)))
    });
    let blobs = tree.blobs.iter().map(|blob| async move {
        let is_there = store.can_read_blob(blob).await.map_err(Error::unchecked)?;
        Ok::<_, Error>((!is_there).then(|| blob_name(blob)))
    });
    let manifests = stream::iter(manifests).buffer_unordered(PARALLEL);
    let mut missing: Vec<String> = manifests.try_filter_map(async |name| Ok(name)).try_collect().await?;
    let blobs = stream::iter(blobs).buffer_unordered(PARALLEL);
    missing.extend(blobs.try_filter_map(async |name| Ok(name)).try_collect::<Vec<_>>().await?);
    match missing.first() {
        None => Ok(()),
        Some(first) => Err(Error::StillBroken {
            repository: store.repository().clone(),
            first: first.clone(),
            count: missing.len(),
        }),
    }
}

fn manifest_name(digest: &Digest) -> String {
    format!("manifest {}", name(digest))
}

fn blob_name(blob: &Blob) -> String {
    format!("blob {}", name(&blob.digest))
}

/// Enough of a digest to find it.
fn name(digest: &Digest) -> String {
    let algorithm = digest.as_str().split(':').next().unwrap_or_default();
    format!("{algorithm}:{}", digest.short())
}
