//! Mounts: a blob that another layout has, without a byte on the way where the file system can do that.

use std::{fs::File, io, os::unix::fs::MetadataExt as _};

use futures::{StreamExt as _, TryStreamExt as _};
use rustix::fs::{FlockOperation, flock};

use super::{Layout, Upload, blobs_to_write, error::Error, part::free_name};
use crate::{digest::Digest, registry::Blob};

/// What comes of a mount.
#[derive(Debug)]
pub enum Mount {
    /// The blob is there.
    Mounted,
    /// It is not, and this is open to write it.
    Upload(Upload),
}

impl Layout {
    /// Takes a blob from another layout, or finds it in this one.
    ///
    /// # Guarantees
    ///
    /// What is taken, or found, has the digest: it is read to the end unless this process wrote it. It shares the file with
    /// the other layout only if the file is our own and nobody else may change it; otherwise it is a copy.
    ///
    /// # Errors
    ///
    /// What will also keep an upload from working.
    pub async fn mount(&self, digest: &Digest, from: &Self) -> Result<Mount, Error> {
        let upload = || async { Ok(Mount::Upload(self.start_upload().await?)) };
        // Whatever is wrong there, the blob may come from elsewhere.
        let Ok(Some(size)) = from.head_blob(digest).await else { return upload().await };
        let blob = Blob { digest: digest.clone(), size };
        if from.verify(&blob).await.is_err() {
            return upload().await;
        }
        if from.path() == self.path() {
            return Ok(Mount::Mounted);
        }
        let (source, linked) = (from.clone(), blob.clone());
        if self.blocking(move |this| this.link(&linked, &source)).await? {
            return Ok(Mount::Mounted);
        }
        let bytes = from.reading(&blob).from(0);
        let mut copy = self.start_upload().await?;
        match copy.put(&blob, 0, bytes.map_err(io::Error::other).boxed()).await {
            Ok(()) => Ok(Mount::Mounted),
            Err(Error::Body(_)) => upload().await,
            Err(error) => Err(error),
        }
    }

    /// Reads a blob to its end, unless this process knows the very file.
    async fn verify(&self, blob: &Blob) -> Result<(), Error> {
        let of = blob.clone();
        let is_known = move |this: &Self| {
            let file = this.open_blob(&of)?;
            Ok(file.metadata().is_ok_and(|metadata| this.0.verified.has(&metadata)))
        };
        if self.blocking(is_known).await? {
            return Ok(());
        }
        // The state that it has before it is read: if it is written meanwhile, it has another one afterwards.
        let reading = self.reading(blob);
        let this = reading.clone();
        let state = self.blocking(move |_| Ok(this.file()?.metadata().ok())).await?;
        reading.from(0).try_for_each(|_| std::future::ready(Ok(()))).await?;
        if let Some(state) = state {
            self.0.verified.note(&state);
        }
        Ok(())
    }

    /// Gives the very file that was verified a name here. `false` if that cannot be, or should not.
    fn link(&self, blob: &Blob, from: &Self) -> Result<bool, Error> {
        let file = from.open_blob(blob)?;
        let metadata = |file: &File| file.metadata().map_err(Error::io("look at", self.path()));
        let verified = metadata(&file)?;
        let is_ours = verified.uid() == rustix::process::geteuid().as_raw() && verified.mode() & 0o022 == 0;
        if !is_ours || !self.0.verified.has(&verified) {
            return Ok(false);
        }
        // Held, so that nobody takes the new name for what a crash left.
        if flock(&file, FlockOperation::NonBlockingLockShared).is_err() {
            return Ok(false);
        }
        let root = self.write_root()?;
        let dir = blobs_to_write(&root, &blob.digest)?;
        let Some(there) = from.blobs(&blob.digest)? else { return Ok(false) };
        let name = free_name();
        if there.link(blob.digest.hex(), &root, &name).is_err() {
            return Ok(false);
        }
        // The name may have been given to something else since it was opened.
        let is_same = matches!(root.file(&name), Ok(Some(linked))
            if metadata(&linked).is_ok_and(|linked| (linked.dev(), linked.ino()) == (verified.dev(), verified.ino())));
        let placed = if is_same { root.rename(&name, &dir, blob.digest.hex()) } else { Ok(()) };
        // Where the file had its name already, the system leaves both.
        root.remove(&name)?;
        placed.map(|()| is_same)
    }
}
