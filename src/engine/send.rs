//! Reads a blob once and sends it to those that need it.

use std::sync::Arc;

use bytes::Bytes;
use futures::{TryStreamExt as _, future::join_all, stream};
use tokio::sync::Semaphore;

use super::{
    error::Error,
    fanout::{Fed, fan_out},
    known::Ticket,
    pace::{Body, Pace},
    progress::Progress,
    upload::{Start, upload},
};
use crate::registry::{self, Blob, Remote, SMALL, Upload};

/// Larger blobs on their way at the same time: with a few hundred KiB each, this bounds the memory.
const LARGE_AT_ONCE: usize = 4;

/// A repository that a blob has to be sent to.
pub(crate) struct Need {
    pub(crate) target: Remote,
    start: Start,
    /// Held until the blob is there: others that want it wait for it.
    _ticket: Ticket,
}

impl Need {
    pub(crate) fn new(target: &Remote, start: Start, ticket: Ticket) -> Self {
        Self { target: target.clone(), start, _ticket: ticket }
    }

    /// The session that is open, which from now on is somebody else's to use.
    fn take_session(&mut self) -> Option<Upload> {
        match std::mem::replace(&mut self.start, Start::Fresh(None)) {
            Start::Fresh(session) => session,
            Start::Torn(upload) => Some(upload),
        }
    }
}

type Sent = Vec<(Need, Result<(), Error>)>;

#[derive(Clone)]
pub(crate) struct Sender {
    large: Arc<Semaphore>,
    progress: Progress,
}

impl Sender {
    pub(crate) fn new(progress: Progress) -> Self {
        Self { large: Arc::new(Semaphore::new(LARGE_AT_ONCE)), progress }
    }

    /// Sends `blob` to all of `needs`, and gives them back with what became of each, in their order.
    pub(crate) async fn send(&self, blob: &Blob, source: &Remote, needs: Vec<Need>) -> Sent {
        if needs.is_empty() {
            return Vec::new();
        }
        if blob.size <= SMALL {
            return self.small(blob, source, needs).await;
        }
        // The semaphore is never closed, so the answer is always a permit.
        let _permit = self.large.acquire().await;
        self.large(blob, source, needs).await
    }

    async fn small(&self, blob: &Blob, source: &Remote, needs: Vec<Need>) -> Sent {
        // Read whole, so that sending it again costs no second reading.
        let bytes = match registry::collect(source.read_blob(blob, 0)).await {
            Ok(bytes) => bytes,
            Err(error) => return all_failed(needs, &Error::source(error)),
        };
        self.progress.reading(blob, 0).read(blob.size);
        let open = |offset: u64| {
            let rest = usize::try_from(offset)
                .map_or_else(|_| Bytes::new(), |from| bytes.slice(from.min(bytes.len())..));
            let pace = Pace::new(rest.len() as u64);
            (pace.watch(stream::iter([Ok(rest)]), |_| {}), pace)
        };
        let sends = needs.into_iter().map(|mut need| async move {
            let start = Start::Fresh(need.take_session());
            let result = upload(&need.target, blob, start, open).await;
            (need, result)
        });
        join_all(sends).await
    }

    async fn large(&self, blob: &Blob, source: &Remote, mut needs: Vec<Need>) -> Sent {
        if needs.len() == 1 {
            let alone = needs.into_iter().map(|need| self.alone(blob, source, need));
            return join_all(alone).await;
        }
        let targets = needs.iter_mut().map(|need| (need.target.clone(), need.take_session())).collect();
        let bytes = source.read_blob(blob, 0).map_err(Error::source);
        let reading = self.progress.reading(blob, 0);
        let bytes = bytes.inspect_ok(move |chunk| reading.read(chunk.len() as u64));
        let fed = match fan_out(bytes, blob, targets).await {
            Ok(fed) => fed,
            Err(error) => return all_failed(needs, &error),
        };
        let ends = needs.into_iter().zip(fed).map(|(mut need, fed)| async move {
            match fed {
                Fed::Done => (need, Ok(())),
                Fed::LetGo(start) => {
                    need.start = start;
                    self.alone(blob, source, need).await
                }
            }
        });
        join_all(ends).await
    }

    async fn alone(&self, blob: &Blob, source: &Remote, mut need: Need) -> (Need, Result<(), Error>) {
        let start = std::mem::replace(&mut need.start, Start::Fresh(None));
        let result = upload(&need.target, blob, start, |offset| self.open(blob, source, offset)).await;
        (need, result)
    }

    fn open(&self, blob: &Blob, source: &Remote, offset: u64) -> (Body, Pace) {
        let pace = Pace::new(blob.size.saturating_sub(offset));
        let bytes = source.read_blob(blob, offset).map_err(Error::source);
        let reading = self.progress.reading(blob, offset);
        (pace.watch(bytes, move |chunk| reading.read(chunk.len() as u64)), pace)
    }
}

fn all_failed(needs: Vec<Need>, error: &Error) -> Sent {
    needs.into_iter().map(|need| (need, Err(error.clone()))).collect()
}
