//! The body of an upload, watched: who is being waited for, and why it ended.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use tokio::time::Instant;

use super::error::Error;

/// The bytes of a blob, as an upload sends them.
pub(crate) type Body = BoxStream<'static, io::Result<Bytes>>;

/// What is known of a body on its way.
#[derive(Clone)]
pub(crate) struct Pace(Arc<State>);

#[derive(Default)]
struct State {
    /// How many bytes the body has.
    length: u64,
    /// Others take the same bytes, and wait for this registry to begin.
    is_shared: bool,
    /// How many times the registry asked for more.
    asked: AtomicU64,
    /// The registry waits for the source, and not the other way round.
    at_source: AtomicBool,
    /// How many bytes were handed over.
    handed_over: AtomicU64,
    error: Mutex<Option<Error>>,
    /// What is being sent. A connection that is stuck keeps the body, for minutes: so it keeps this in its place, which can
    /// be emptied.
    bytes: Mutex<Option<BoxStream<'static, Result<Bytes, Error>>>>,
}

impl Pace {
    /// For a body of `length` bytes.
    pub(crate) fn new(length: u64) -> Self {
        Self(Arc::new(State { length, ..State::default() }))
    }

    /// For a body of `length` bytes that others take at the same time.
    pub(crate) fn fed_with_others(length: u64) -> Self {
        Self(Arc::new(State { length, is_shared: true, ..State::default() }))
    }

    /// Whether the registry began to take the body.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed) > 0
    }

    /// Watches the body. `taken` is told of every chunk that was handed over.
    pub(crate) fn watch<S>(&self, body: S, taken: impl Fn(&Bytes) + Send + 'static) -> Body
    where
        S: Stream<Item = Result<Bytes, Error>> + Send + 'static,
    {
        let this = self.clone();
        *this.bytes() = Some(body.boxed());
        futures::stream::poll_fn(move |context| {
            let state = &this.0;
            state.asked.fetch_add(1, Ordering::Relaxed);
            let polled = match this.bytes().as_mut() {
                Some(bytes) => bytes.poll_next_unpin(context),
                None => return Poll::Ready(Some(Err(io::Error::other("the upload was given up")))),
            };
            state.at_source.store(polled.is_pending(), Ordering::Relaxed);
            polled.map(|item| {
                item.map(|chunk| match chunk {
                    Ok(chunk) => {
                        state.handed_over.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                        taken(&chunk);
                        Ok(chunk)
                    }
                    Err(error) => {
                        let text = error.to_string();
                        *state.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        Err(io::Error::other(text))
                    }
                })
            })
        })
        .boxed()
    }

    /// Lets go of what is being sent: nothing is read for it any more, whatever the connection does.
    pub(crate) fn give_up(&self) {
        // Dropped outside the lock: what is read may have a lot to clean up.
        let bytes = self.bytes().take();
        drop(bytes);
    }

    fn bytes(&self) -> MutexGuard<'_, Option<BoxStream<'static, Result<Bytes, Error>>>> {
        self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the body ended before its end, if the side that it was read from is to blame.
    pub(crate) fn source_error(&self) -> Option<Error> {
        self.0.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns when the registry has taken nothing for `patience`, although there was something to take.
    ///
    /// Before it asks for the first bytes, the request may still wait for its turn among our own: that counts only
    /// where others are held up by it.
    ///
    /// How long it may think over a blob that it has whole is the request's own limit: here that is no stall. The end
    /// is told by the bytes, since a client does not ask for more than the length that it announced.
    pub(crate) async fn stalled(&self, patience: Duration) {
        let state = &self.0;
        let mut last = (state.asked.load(Ordering::Relaxed), Instant::now());
        loop {
            tokio::time::sleep(patience / 4).await;
            let asked = state.asked.load(Ordering::Relaxed);
            let is_whole = state.handed_over.load(Ordering::Relaxed) >= state.length;
            let is_queued = asked == 0 && !state.is_shared;
            if asked != last.0 || is_queued || is_whole || state.at_source.load(Ordering::Relaxed) {
                last = (asked, Instant::now());
            } else if last.1.elapsed() >= patience {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);
    const LONG: Duration = Duration::from_mins(5);

    fn chunks() -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        stream::iter([Ok(Bytes::from_static(b"12345")), Ok(Bytes::from_static(b"67890"))])
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_asks_for_nothing_while_there_is_something_stalls() {
        let pace = Pace::new(10);
        let mut body = pace.watch(chunks(), |_| {});
        body.next().await;
        assert!(tokio::time::timeout(LONG, pace.stalled(PATIENCE)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_has_all_bytes_may_think_although_nobody_asked_for_the_end() {
        let pace = Pace::new(10);
        let mut body = pace.watch(chunks(), |_| {});
        body.next().await;
        body.next().await;
        assert!(tokio::time::timeout(LONG, pace.stalled(PATIENCE)).await.is_err());
    }

    #[tokio::test]
    async fn what_was_given_up_is_read_no_more_although_the_connection_keeps_the_body() {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, Error>>(1);
        let chunks = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let pace = Pace::new(10);
        let mut body = pace.watch(chunks, |_| {});
        pace.give_up();
        assert!(sender.is_closed());
        assert!(body.next().await.unwrap().is_err(), "it must not look whole");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_for_its_turn_stalls_only_where_it_holds_others_up() {
        let alone = Pace::new(10);
        assert!(tokio::time::timeout(LONG, alone.stalled(PATIENCE)).await.is_err());
        let shared = Pace::fed_with_others(10);
        assert!(tokio::time::timeout(LONG, shared.stalled(PATIENCE)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_waits_for_the_source_does_not_stall() {
        let pace = Pace::new(10);
        let mut body = pace.watch(stream::pending(), |_| {});
        assert!(tokio::time::timeout(PATIENCE, body.next()).await.is_err());
        assert!(tokio::time::timeout(LONG, pace.stalled(PATIENCE)).await.is_err());
    }
}
