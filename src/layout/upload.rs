//! Uploads: a file in which a blob is written, hashed on its way, and which gets its name when it is right.

use std::{fmt, io};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};

use super::{Layout, blobs_to_write, error::Error, part::Part};
use crate::{
    digest::Hasher,
    registry::{self, Blob, SMALL},
};

/// A blob that is being written. If it is dropped, what was written is gone.
pub struct Upload {
    layout: Layout,
    written: Option<Box<Written>>,
}

/// What was written so far.
struct Written {
    part: Part,
    hasher: Hasher,
    length: u64,
}

impl Layout {
    /// Begins to write a blob. What keeps a file from being written here shows at once.
    ///
    /// # Errors
    ///
    /// A directory that is no layout and cannot become one; and all that the system says.
    pub async fn start_upload(&self) -> Result<Upload, Error> {
        self.blocking(|this| this.write_root().map(|_| ())).await?;
        Ok(Upload { layout: self.clone(), written: None })
    }
}

impl Upload {
    /// Writes the bytes of `blob` from `offset` on, which is where this stands. `body` has exactly those bytes.
    ///
    /// # Guarantees
    ///
    /// `Ok` means that the whole blob is there, and has its digest; the bytes are on disk. Until then nothing is there under
    /// its name. `body` is read only as fast as it is written.
    ///
    /// # Errors
    ///
    /// After [`Error::Body`] and [`Error::Length`], [`offset`](Self::offset) tells where to go on; after all others, what was
    /// written is gone.
    pub async fn put<S>(&mut self, blob: &Blob, offset: u64, body: S) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
    {
        let stands = self.stands();
        if stands != offset {
            return Err(Error::Offset { stands, offset });
        }
        let body = body.boxed();
        if offset == 0 && blob.size <= SMALL {
            // Little is one piece of work, from the first byte to the last.
            let bytes = registry::collect(body).await.map_err(|error| Error::Body(error.into()))?;
            let blob = blob.clone();
            return self
                .layout
                .blocking(move |layout| {
                    let mut written = Written::new(layout, &blob)?;
                    written.take(&bytes)?;
                    written.finish(layout, &blob)
                })
                .await;
        }
        self.stream(blob, body).await?;
        let Some(written) = self.written.take_if(|written| written.length == blob.size) else {
            return Err(length(&self.layout, blob, self.stands()));
        };
        let blob = blob.clone();
        self.layout.blocking(move |layout| written.finish(layout, &blob)).await
    }

    /// How many bytes were written; `None` if there are none, and then it begins anew.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        Some(self.stands()).filter(|&stands| stands > 0)
    }

    fn stands(&self) -> u64 {
        self.written.as_ref().map_or(0, |written| written.length)
    }

    /// Writes chunk by chunk: what comes meanwhile waits in the kernel, so that a blob costs the memory of one.
    async fn stream<S>(&mut self, blob: &Blob, mut body: S) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, io::Error>> + Unpin,
    {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| Error::Body(error.into()))?;
            let (before, of) = (self.written.take(), blob.clone());
            let write = move |layout: &Layout| {
                let mut written = match before {
                    Some(written) => written,
                    None => Box::new(Written::new(layout, &of)?),
                };
                written.take(&chunk)?;
                if written.length > of.size { Err(length(layout, &of, written.length)) } else { Ok(written) }
            };
            self.written = Some(self.layout.blocking(write).await?);
        }
        Ok(())
    }
}

impl Written {
    fn new(layout: &Layout, blob: &Blob) -> Result<Self, Error> {
        let part = Part::new(&layout.write_root()?)?;
        Ok(Self { part, hasher: blob.digest.hasher(), length: 0 })
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hasher.update(bytes);
        self.part.write(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Gives what was written its name, if it is what has it.
    fn finish(self, layout: &Layout, blob: &Blob) -> Result<(), Error> {
        if self.length != blob.size {
            return Err(length(layout, blob, self.length));
        }
        if !self.hasher.matches() {
            let (repository, digest) = (layout.repository().clone(), blob.digest.clone());
            return Err(Error::Wrong { repository, digest });
        }
        let dir = blobs_to_write(&layout.write_root()?, &blob.digest)?;
        let file = self.part.place(&dir, blob.digest.hex())?;
        if let Ok(metadata) = file.metadata() {
            layout.0.verified.note(&metadata);
        }
        Ok(())
    }
}

/// The error of a blob of which `found` bytes came.
fn length(layout: &Layout, Blob { digest, size }: &Blob, found: u64) -> Error {
    let (repository, digest) = (layout.repository().clone(), digest.clone());
    Error::Length { repository, digest, expected: *size, found }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({})", self.layout.repository())
    }
}
