//! Reads a blob: exactly its bytes, and never a wrong one to its end.

use std::{
    fs::File,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures::{Stream, stream};

use super::{Layout, error::Error};
use crate::{digest::Hasher, registry::Blob};

/// What is read at a time, in bytes.
const CHUNK: usize = 128 * 1024;

/// A blob in a layout. A clone is the same reading, of which somebody else takes the bytes from here on.
#[derive(Clone)]
pub struct Reading {
    layout: Layout,
    blob: Blob,
    shared: Arc<Shared>,
}

/// What all streams of a reading share.
#[derive(Default)]
struct Shared {
    /// It is opened once, so that all bytes are of one file, whatever takes its name.
    file: Mutex<Option<Arc<File>>>,
    /// What was read once was not right.
    is_spoilt: AtomicBool,
}

impl Layout {
    /// A blob to be read, perhaps more than once.
    #[must_use]
    pub fn reading(&self, blob: &Blob) -> Reading {
        Reading { layout: self.clone(), blob: blob.clone(), shared: Arc::default() }
    }
}

impl Reading {
    /// The bytes from `from` on.
    ///
    /// # Guarantees
    ///
    /// - The stream has exactly `blob.size - from` bytes, or it ends with an error.
    /// - The last bytes come only after all of the blob is known to have the digest, what comes before `from` included.
    /// - Nothing is opened before the stream is polled, and nothing is read ahead of who polls it.
    ///
    /// # Errors
    ///
    /// [`Error::NoBlob`], [`Error::Length`] and [`Error::Digest`] for wrong bytes, and all that keeps them from being read.
    pub fn from(&self, from: u64) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static + use<> {
        let reader = Reader {
            reading: self.clone(),
            hasher: Some(self.blob.digest.hasher()),
            from,
            position: 0,
            is_done: false,
        };
        stream::try_unfold(reader, |reader| async move {
            if reader.is_done {
                return Ok(None);
            }
            let layout = reader.reading.layout.clone();
            let (chunk, reader) = layout.blocking(move |_| reader.next()).await?;
            Ok(chunk.map(|chunk| (chunk, reader)))
        })
    }

    /// The file, with its size checked.
    pub(super) fn file(&self) -> Result<Arc<File>, Error> {
        let mut open = self.shared.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.as_ref() {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.layout.open_blob(&self.blob)?);
        *open = Some(Arc::clone(&file));
        Ok(file)
    }
}

impl Layout {
    /// Opens the file of a blob, which has the blob's size.
    pub(super) fn open_blob(&self, blob: &Blob) -> Result<File, Error> {
        let Blob { digest, size } = blob;
        let none = || Error::NoBlob { repository: self.repository().clone(), digest: digest.clone() };
        let dir = self.blobs(digest)?.ok_or_else(none)?;
        let file = dir.file(digest.hex())?.ok_or_else(none)?;
        let found = file.metadata().map_err(Error::io("look at", dir.path().join(digest.hex())))?.size();
        if found == *size {
            return Ok(file);
        }
        let (repository, digest) = (self.repository().clone(), digest.clone());
        Err(Error::Length { repository, digest, expected: *size, found })
    }

    /// The bytes of a blob from one place on, as they are: whoever takes a part of a blob checks it when he has all.
    ///
    /// # Errors
    ///
    /// As of [`Reading::from`], but for [`Error::Digest`].
    pub fn part(
        &self,
        blob: &Blob,
        from: u64,
        length: u64,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static + use<> {
        let reading = self.reading(blob);
        stream::try_unfold((reading, from, length), |(reading, at, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let layout = reading.layout.clone();
            let work = move |_: &Self| {
                let bytes = read_at(&reading, at, left)?;
                Ok((bytes, reading))
            };
            let (bytes, reading) = layout.blocking(work).await?;
            let length = bytes.len() as u64;
            Ok(Some((bytes, (reading, at + length, left - length))))
        })
    }
}

struct Reader {
    reading: Reading,
    hasher: Option<Hasher>,
    /// Where what is given out begins; what comes before it is only checked.
    from: u64,
    position: u64,
    is_done: bool,
}

impl Reader {
    /// The next bytes to be given out.
    fn next(mut self) -> Result<(Option<Bytes>, Self), Error> {
        let Blob { digest, size } = self.reading.blob.clone();
        if self.reading.shared.is_spoilt.load(Ordering::Relaxed) {
            return Err(self.wrong());
        }
        loop {
            if self.position >= size {
                // An empty blob, or one of which all was taken before.
                self.reading.file()?;
                self.verify()?;
                return Ok((None, self));
            }
            let mut bytes = read_at(&self.reading, self.position, size - self.position)?;
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&bytes);
            }
            let begins = self.position;
            self.position += bytes.len() as u64;
            if self.position >= size {
                self.verify()?;
                tracing::trace!(%digest, "read to its end");
            }
            let before = usize::try_from(self.from.saturating_sub(begins)).unwrap_or(usize::MAX);
            let given = bytes.split_off(before.min(bytes.len()));
            if !given.is_empty() {
                return Ok((Some(given), self));
            }
        }
    }

    fn verify(&mut self) -> Result<(), Error> {
        self.is_done = true;
        if self.hasher.take().is_none_or(Hasher::matches) {
            return Ok(());
        }
        self.reading.shared.is_spoilt.store(true, Ordering::Relaxed);
        Err(self.wrong())
    }

    fn wrong(&self) -> Error {
        let repository = self.reading.layout.repository().clone();
        Error::Digest { repository, digest: self.reading.blob.digest.clone() }
    }
}

fn read_at(reading: &Reading, at: u64, left: u64) -> Result<Bytes, Error> {
    let file = reading.file()?;
    let mut bytes = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
    match file.read_at(&mut bytes, at) {
        Ok(0) => {
            let (repository, Blob { digest, size }) =
                (reading.layout.repository().clone(), reading.blob.clone());
            Err(Error::Length { repository, digest, expected: size, found: at })
        }
        Ok(length) => {
            bytes.truncate(length);
            Ok(bytes.into())
        }
        Err(error) => {
            let digest = &reading.blob.digest;
            let blobs = reading.layout.path().join(super::BLOBS).join(super::algorithm(digest));
            Err(Error::io("read", blobs.join(digest.hex()))(error))
        }
    }
}
