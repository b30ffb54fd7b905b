//! The body of an upload, watched: who is being waited for, and why it ended.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use tokio::time::Instant;

use super::error::Error;

/// The bytes of a blob, as an upload sends them.
pub(crate) type Body = BoxStream<'static, io::Result<Bytes>>;

/// A registry may take long over a blob that it has whole: it moves it to where it stays, and some hash it first.
const COMMIT: Duration = Duration::from_mins(10);

/// What is known of a body on its way.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<State>);

#[derive(Default)]
struct State {
    /// How many times the registry asked for more.
    asked: AtomicU64,
    /// The registry waits for the source, and not the other way round.
    at_source: AtomicBool,
    /// The last byte was handed over.
    ended: AtomicBool,
    error: Mutex<Option<Error>>,
}

impl Pace {
    /// Watches a body. `taken` is told of every chunk that was handed over.
    pub(crate) fn watch<S>(&self, body: S, taken: impl Fn(&Bytes) + Send + 'static) -> Body
    where
        S: Stream<Item = Result<Bytes, Error>> + Send + 'static,
    {
        let this = self.clone();
        let mut body = Box::pin(body);
        futures::stream::poll_fn(move |context| {
            let state = &this.0;
            state.asked.fetch_add(1, Ordering::Relaxed);
            let polled = body.poll_next_unpin(context);
            state.at_source.store(polled.is_pending(), Ordering::Relaxed);
            polled.map(|item| match item {
                Some(Ok(chunk)) => {
                    taken(&chunk);
                    Some(Ok(chunk))
                }
                Some(Err(error)) => {
                    let text = error.to_string();
                    *state.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Some(Err(io::Error::other(text)))
                }
                None => {
                    state.ended.store(true, Ordering::Relaxed);
                    None
                }
            })
        })
        .boxed()
    }

    /// Why the body ended before its end, if the side that it was read from is to blame.
    pub(crate) fn source_error(&self) -> Option<Error> {
        self.0.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns when the registry has taken nothing for `patience`, although there was something to take.
    pub(crate) async fn stalled(&self, patience: Duration) {
        let state = &self.0;
        let mut last = (state.asked.load(Ordering::Relaxed), Instant::now());
        loop {
            tokio::time::sleep(patience / 4).await;
            let asked = state.asked.load(Ordering::Relaxed);
            let limit = if state.ended.load(Ordering::Relaxed) { COMMIT } else { patience };
            if asked != last.0 || state.at_source.load(Ordering::Relaxed) {
                last = (asked, Instant::now());
            } else if last.1.elapsed() >= limit {
                return;
            }
        }
    }
}
