//! Manifests to a target: children first, the tag last, and a look afterwards whether all is there.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{error::Error, tree::Tree};
use crate::{
    registry::{At, Manifest},
    store::Store,
};

/// Manifests of one image that are sent, or looked at, at the same time.
const PARALLEL: usize = 8;

/// Sends everything below the root, by digest; no tag shows any of it yet.
///
/// # Errors
///
/// The target's. One that [lacks content](Error::is_missing_content) lacks a blob that was believed to be there.
pub(crate) async fn publish_children(tree: &Tree, target: &Store) -> Result<(), Error> {
    let images = tree.images.iter().map(|image| put_by_digest(target, image));
    stream::iter(images).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    for index in &tree.indexes {
        put_by_digest(target, index).await?;
    }
    Ok(())
}

async fn put_by_digest(target: &Store, manifest: &Manifest) -> Result<(), Error> {
    target.put_manifest(&At::Digest(manifest.digest.clone()), manifest).await.map_err(Error::target)
}

/// Looks whether the target still has every child of the root after the tag points at it: a garbage collection that
/// ran at the same time may have taken some, and a registry that accepts an index need not check.
///
/// # Errors
///
/// [`Error::Incomplete`] names the first child that is not there; [`Error::Unchecked`] says why one could not be seen.
pub(crate) async fn check_children(tree: &Tree, target: &Store) -> Result<(), Error> {
    let children = tree.images.iter().chain(&tree.indexes);
    let looks = children.map(|child| async move {
        let at = At::Digest(child.digest.clone());
        match target.head_manifest(&at).await.map_err(Error::unchecked)? {
            Some(_) => Ok(()),
            None => Err(Error::Incomplete {
                repository: target.repository().clone(),
                digest: child.digest.clone(),
            }),
        }
    });
    stream::iter(looks).buffer_unordered(PARALLEL).try_collect().await
}
