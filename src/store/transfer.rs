//! Blobs on their way: read from a store, and written to one.

use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};

use super::Error;
use crate::{
    layout,
    registry::{self, Blob},
};

/// A blob at its source. A clone is the same reading, of which somebody else takes the bytes from here on.
#[derive(Clone)]
pub enum Reading {
    /// It is in a registry.
    Registry(registry::Reading),
    /// It is in a layout.
    Layout(layout::Reading),
}

/// An open session in which one blob is written.
#[derive(Debug)]
pub enum Upload {
    /// In a registry.
    Registry(registry::Upload),
    /// In a layout.
    Layout(layout::Upload),
}

/// What came of a mount.
#[derive(Debug)]
pub enum Mount {
    /// The blob is there.
    Mounted,
    /// It is not, and this session is open to write it.
    Upload(Upload),
    /// It is not done here: not with this credential, or never. Write it.
    Refused,
}

impl Reading {
    /// The bytes from `from` on, as [`registry::Reading::from`] gives them: exactly so many, and the last ones only after
    /// all of the blob is known to have the digest.
    ///
    /// # Errors
    ///
    /// Wrong bytes, and all that keeps them from coming.
    #[must_use]
    pub fn from(&self, from: u64) -> BoxStream<'static, Result<Bytes, Error>> {
        match self {
            Self::Registry(reading) => reading.from(from).map_err(Error::from).boxed(),
            Self::Layout(reading) => reading.from(from).map_err(Error::from).boxed(),
        }
    }
}

impl Upload {
    /// Writes the bytes of `blob` from `offset` on, which is where the session stands, and closes the session.
    ///
    /// # Guarantees
    ///
    /// `Ok` means that the whole blob is there, and has its digest.
    ///
    /// # Errors
    ///
    /// A transient class means that [`offset`](Self::offset) tells where to go on.
    pub async fn put<S>(&mut self, blob: &Blob, offset: u64, body: S) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
    {
        match self {
            Self::Registry(upload) => Ok(upload.put(blob, offset, body).await?),
            Self::Layout(upload) => Ok(upload.put(blob, offset, body).await?),
        }
    }

    /// How many bytes this session has; `None` if a new one is needed.
    ///
    /// # Errors
    ///
    /// All that is no answer.
    pub async fn offset(&mut self) -> Result<Option<u64>, Error> {
        match self {
            Self::Registry(upload) => Ok(upload.offset().await?),
            Self::Layout(upload) => Ok(upload.offset()),
        }
    }

    /// Nothing more will come.
    pub async fn cancel(self) {
        match self {
            Self::Registry(upload) => upload.cancel().await,
            // What was written goes with it.
            Self::Layout(upload) => drop(upload),
        }
    }
}

impl From<layout::Mount> for Mount {
    fn from(mount: layout::Mount) -> Self {
        match mount {
            layout::Mount::Mounted => Self::Mounted,
            layout::Mount::Upload(upload) => Self::Upload(Upload::Layout(upload)),
        }
    }
}

impl From<registry::Mount> for Mount {
    fn from(mount: registry::Mount) -> Self {
        match mount {
            registry::Mount::Mounted => Self::Mounted,
            registry::Mount::Upload(upload) => Self::Upload(Upload::Registry(upload)),
            registry::Mount::Refused => Self::Refused,
        }
    }
}
