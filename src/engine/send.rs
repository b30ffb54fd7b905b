//! Reads a blob once and sends it to those that need it.

use std::sync::Arc;

use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use tokio::sync::Semaphore;

use super::{
    error::Error,
    fanout::fan_out,
    known::{Known, Ticket},
    pace::{Body, Pace},
    progress::Progress,
    transfer::Errand,
    upload::{Start, Tried, try_once, upload},
    wants::{Shared, Want, together},
};
use crate::{
    class::Class,
    registry::{self, Blob, SMALL},
    store::{Reading, Upload},
};

/// Larger blobs that are sent to all who want them at the same time: with a few hundred KiB each, this bounds the
/// memory. As many again may be on their way to targets that are served apart.
const LARGE_AT_ONCE: usize = 4;

/// Small blobs, of which each is held whole, that are on their way to targets that are served apart.
const SMALL_AT_ONCE: usize = 64;

/// A target that a blob has to be sent to.
pub(crate) struct Need<'a> {
    want: Want<'a>,
    start: Start,
    /// Held until the blob is there: others that want it wait for it.
    _ticket: Ticket,
}

impl<'a> Need<'a> {
    pub(crate) fn new(want: Want<'a>, start: Start, ticket: Ticket) -> Self {
        Self { want, start, _ticket: ticket }
    }

    /// The session that is open, which from now on is somebody else's to use.
    fn take_session(&mut self) -> Option<Upload> {
        match std::mem::replace(&mut self.start, Start::Fresh(None)) {
            Start::Fresh(session) => session,
            Start::Torn(upload) => Some(upload),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Sender {
    together: Arc<Semaphore>,
    apart: Arc<Semaphore>,
    apart_small: Arc<Semaphore>,
    known: Known,
    progress: Progress,
}

impl Sender {
    pub(crate) fn new(known: Known, progress: Progress) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            together: semaphore(LARGE_AT_ONCE),
            apart: semaphore(LARGE_AT_ONCE),
            apart_small: semaphore(SMALL_AT_ONCE),
            known,
            progress,
        }
    }

    /// Reads the blob once for all of `needs`, and tells each what became of it. Who is too slow for the others
    /// gets the rest as work to be done apart.
    pub(crate) async fn send<'a>(&'a self, errand: Errand<'a>, needs: Vec<Need<'a>>) {
        if needs.is_empty() {
            return;
        }
        if errand.blob.size <= SMALL {
            self.small(errand, needs).await;
        } else {
            // The semaphore is never closed, so the answer is always a permit.
            let _permit = self.together.acquire().await;
            self.large(errand, needs).await;
        }
    }

    /// Sends the blob to one target that nobody shall wait for.
    pub(crate) async fn alone<'a>(&'a self, errand: Errand<'a>, mut need: Need<'a>) -> Result<(), Error> {
        if errand.blob.size <= SMALL {
            let _permit = self.apart_small.acquire().await;
            let bytes = self.whole(errand).await?;
            return self.small_one(errand, bytes, need).await;
        }
        let start = std::mem::replace(&mut need.start, Start::Fresh(None));
        self.rest(errand, need, start, errand.source.reading(errand.blob)).await
    }

    /// Read whole, so that sending it again costs no second reading.
    async fn whole(&self, errand: Errand<'_>) -> Result<Bytes, Error> {
        let read = || registry::collect(errand.source.reading(errand.blob).from(0));
        let bytes = match read().await {
            // They may come from a mirror, or have been damaged on the way.
            Err(error) if error.class() == Class::DigestMismatch => read().await,
            bytes => bytes,
        };
        let bytes = bytes.map_err(Error::source)?;
        self.progress.reading(errand.blob, 0).read(errand.blob.size);
        Ok(bytes)
    }

    async fn small<'a>(&'a self, errand: Errand<'a>, needs: Vec<Need<'a>>) {
        let bytes = match self.whole(errand).await {
            Ok(bytes) => bytes,
            Err(error) => return needs.iter().for_each(|need| need.want.done(Err(error.clone()))),
        };
        let sends = needs.into_iter().map(|need| {
            let want = need.want.clone();
            Shared { want, work: Box::pin(self.small_one(errand, bytes.clone(), need)) }
        });
        let (done, late) = together(sends).await;
        for (want, result) in done {
            want.done(result);
        }
        for Shared { want, work } in late {
            want.apart(work);
        }
    }

    async fn small_one<'a>(
        &'a self,
        errand: Errand<'a>,
        bytes: Bytes,
        mut need: Need<'a>,
    ) -> Result<(), Error> {
        let open = |offset: u64| {
            let rest = usize::try_from(offset)
                .map_or_else(|_| Bytes::new(), |from| bytes.slice(from.min(bytes.len())..));
            let pace = Pace::new(rest.len() as u64);
            (pace.watch(stream::iter([Ok(rest)]), |_| {}), pace)
        };
        let start = Start::Fresh(need.take_session());
        let result = upload(need.want.target, errand.blob, start, errand.trust, open).await;
        self.sent(errand.blob, &need, result)
    }

    async fn large<'a>(&'a self, errand: Errand<'a>, mut needs: Vec<Need<'a>>) {
        let reading = errand.source.reading(errand.blob);
        let sessions: Vec<_> = needs.iter_mut().map(Need::take_session).collect();
        let mut needs: Vec<Option<Need<'a>>> = needs.into_iter().map(Some).collect();
        let targets: Vec<_> = needs.iter().flatten().map(|need| need.want.target).zip(sessions).collect();
        let mut tell = |index: usize, tried: Tried| {
            let Some(need) = needs.get_mut(index).and_then(Option::take) else { return };
            let want = need.want.clone();
            match tried {
                Tried::Done => want.done(self.sent(errand.blob, &need, Ok(()))),
                Tried::Failed(error) => want.done(Err(error)),
                Tried::LetGo(start) => {
                    want.let_go();
                    want.apart(self.rest(errand, need, start, reading.clone()));
                }
            }
        };
        if let [(target, _)] = targets.as_slice() {
            let target = *target;
            let session = targets.into_iter().find_map(|(_, session)| session);
            let (body, pace) = self.open(errand.blob, &reading, 0);
            tell(0, try_once(target, errand.blob, session, body, &pace).await);
        } else {
            let bytes = reading.from(0).map_err(Error::source);
            let shown = self.progress.reading(errand.blob, 0);
            let bytes = bytes.inspect_ok(move |chunk| shown.read(chunk.len() as u64));
            fan_out(bytes, errand.blob, targets, tell).await;
        }
    }

    /// What is left of a blob, to one target.
    async fn rest<'a>(
        &'a self,
        errand: Errand<'a>,
        need: Need<'a>,
        start: Start,
        reading: Reading,
    ) -> Result<(), Error> {
        let _permit = self.apart.acquire().await;
        let open = |offset| self.open(errand.blob, &reading, offset);
        let result = upload(need.want.target, errand.blob, start, errand.trust, open).await;
        self.sent(errand.blob, &need, result)
    }

    /// What was sent is known before the ticket ends, so that who waited for it finds it.
    fn sent(&self, blob: &Blob, need: &Need<'_>, result: Result<(), Error>) -> Result<(), Error> {
        if result.is_ok() {
            self.known.sent(&blob.digest, need.want.target);
        }
        result
    }

    /// The bytes of a blob from an offset on, as they are sent.
    fn open(&self, blob: &Blob, reading: &Reading, offset: u64) -> (Body, Pace) {
        let pace = Pace::new(blob.size.saturating_sub(offset));
        let bytes = reading.from(offset).map_err(Error::source);
        let shown = self.progress.reading(blob, offset);
        (pace.watch(bytes, move |chunk| shown.read(chunk.len() as u64)), pace)
    }
}
