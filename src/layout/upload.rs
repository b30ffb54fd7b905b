//! Uploads: a file in which a blob is written, hashed on its way, and which gets its name when it is right.

use std::{fmt, io};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;

use super::{Layout, blobs_to_write, error::Error, part::Part};
use crate::{
    digest::Hasher,
    registry::{self, Blob, SMALL},
};

/// Chunks that wait to be written; each may have some hundred KiB, and there are others on their way before and behind it.
const DEPTH: usize = 1;

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
        let Some(written) = self.written.take() else { return Err(Error::Internal("nothing was written")) };
        if written.length != blob.size {
            let error = written.length_of(&self.layout, blob);
            self.written = Some(written);
            return Err(error);
        }
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

    /// Writes while what is next is on its way.
    async fn stream<S>(&mut self, blob: &Blob, mut body: S) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, io::Error>> + Unpin,
    {
        let (chunks, mut taken) = mpsc::channel::<Bytes>(DEPTH);
        let (before, layout, of) = (self.written.take(), self.layout.clone(), blob.clone());
        let writing = tokio::task::spawn_blocking(move || -> Result<Box<Written>, Error> {
            let mut written = match before {
                Some(written) => written,
                None => Box::new(Written::new(&layout, &of)?),
            };
            while let Some(chunk) = taken.blocking_recv() {
                written.take(&chunk)?;
                if written.length > of.size {
                    return Err(written.length_of(&layout, &of));
                }
            }
            Ok(written)
        });
        let mut fed = Ok(());
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => {
                    // The writer ended: it says why.
                    if chunks.send(chunk).await.is_err() {
                        break;
                    }
                }
                Err(error) => {
                    fed = Err(Error::Body(error.into()));
                    break;
                }
            }
        }
        drop(chunks);
        self.written = Some(writing.await.unwrap_or(Err(Error::Internal("a file's writer did not end")))?);
        fed
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

    fn length_of(&self, layout: &Layout, Blob { digest, size }: &Blob) -> Error {
        let (repository, digest) = (layout.repository().clone(), digest.clone());
        Error::Length { repository, digest, expected: *size, found: self.length }
    }

    /// Gives what was written its name, if it is what has it.
    fn finish(self, layout: &Layout, blob: &Blob) -> Result<(), Error> {
        if self.length != blob.size {
            return Err(self.length_of(layout, blob));
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

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({})", self.layout.repository())
    }
}
