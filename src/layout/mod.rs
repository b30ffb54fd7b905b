//! OCI image layouts: directories that hold what a repository holds (image-spec, image-layout.md).
//!
//! ```text
//! PATH/oci-layout        which version of the format it is
//! PATH/index.json        the manifests, and their tags (`org.opencontainers.image.ref.name`)
//! PATH/blobs/ALG/HEX     manifests and blobs, by their digests
//! ```
//!
//! One layout is one repository. It is written as a registry is: blobs, then the manifests that name them, and the
//! tag last, in the index, which is replaced in one step. So each tag in it is complete at every instant.
//!
//! Nothing in a layout is trusted: it may come from a stick that was found on the street. No link in it is followed, sizes
//! are looked at before anything is read, and bytes count only with the digest that they were asked by.

mod commit;
mod dir;
mod error;
mod find;
mod index;
mod layouts;
mod manifests;
mod mount;
mod part;
mod read;
mod referrers;
#[cfg(test)]
mod tests;
mod upload;

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Semaphore;

use self::{
    commit::{Cached, Queue},
    dir::Dir,
    layouts::Verified,
    referrers::Subjects,
};
pub use self::{
    error::Error,
    find::{find, is_one},
    layouts::Layouts,
    mount::Mount,
    read::Reading,
    upload::Upload,
};
use crate::{digest::Digest, reference::Repository};

/// One layout. A clone costs a counter.
#[derive(Clone)]
pub struct Layout(Arc<Inner>);

struct Inner {
    repository: Repository,
    /// The directory that a person named.
    base: PathBuf,
    /// What leads from there to the layout, and has no links in it.
    below: Vec<String>,
    /// What the index said when it was read last.
    index: Mutex<Option<Cached>>,
    queue: Queue,
    subjects: Subjects,
    verified: Verified,
    works: Arc<Semaphore>,
    /// What crashes left was removed.
    is_clean: AtomicBool,
}

/// The folder of manifests and blobs.
const BLOBS: &str = "blobs";

impl Layout {
    /// The repository that it is.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.0.repository
    }

    /// The size of a blob, in bytes, as the file has it; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Irregular`] for what is no file, and all that keeps it from being looked at.
    pub async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let digest = digest.clone();
        self.blocking(move |this| this.blob_size(&digest)).await
    }

    /// Does something with files, where it may wait for them.
    async fn blocking<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    {
        let this = self.clone();
        // The semaphore is never closed, so the answer is always a permit.
        let permit = Arc::clone(&self.0.works).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&this)
        });
        let done = done.await;
        done.unwrap_or(Err(Error::Internal("work on a layout's files did not end")))
    }

    fn path(&self) -> PathBuf {
        self.0.below.iter().fold(self.0.base.clone(), |path, part| path.join(part))
    }

    /// Opens the directory, if a layout is there.
    fn root(&self) -> Result<Option<Dir>, Error> {
        let mut root = Dir::named(&self.0.base)?;
        for part in &self.0.below {
            root = match root {
                Some(dir) => dir.dir(part)?,
                None => return Ok(None),
            };
        }
        let Some(root) = root else { return Ok(None) };
        Ok(if layouts::is_layout(&root)? { Some(root) } else { None })
    }

    /// Opens the directory to write; it is made if it is not there.
    fn write_root(&self) -> Result<Dir, Error> {
        let root = match self.root()? {
            Some(root) => root,
            None if self.0.below.is_empty() => layouts::make(&self.path())?,
            // What is served is only read.
            None => return Err(Error::NoLayout(self.path())),
        };
        if !self.0.is_clean.swap(true, Ordering::Relaxed) {
            part::clean_up(&root)?;
        }
        Ok(root)
    }

    /// The folder that has the blobs whose digests are of this kind, if it is there.
    fn blobs(&self, digest: &Digest) -> Result<Option<Dir>, Error> {
        self.root()?.map_or(Ok(None), |root| blobs_in(&root, digest))
    }

    fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        self.root()?.map_or(Ok(None), |root| size_in(&root, digest))
    }
}

/// The folder that has the blobs whose digests are of this kind, if it is there.
fn blobs_in(root: &Dir, digest: &Digest) -> Result<Option<Dir>, Error> {
    root.dir(BLOBS)?.map_or(Ok(None), |blobs| blobs.dir(algorithm(digest)))
}

/// The size of a blob's file, in bytes, if it is there.
fn size_in(root: &Dir, digest: &Digest) -> Result<Option<u64>, Error> {
    blobs_in(root, digest)?.map_or(Ok(None), |dir| dir.size(digest.hex()))
}

/// The folder of blobs in which one is to be written.
fn blobs_to_write(root: &Dir, digest: &Digest) -> Result<Dir, Error> {
    root.make_dir(BLOBS)?.make_dir(algorithm(digest))
}

fn algorithm(digest: &Digest) -> &str {
    digest.as_str().split_once(':').map_or("", |(algorithm, _)| algorithm)
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layout({})", self.repository())
    }
}
