//! What a place waits for before its tags are published: an answer for each blob, each as soon as it is known.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    future::BoxFuture,
    stream::FuturesUnordered,
};
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use crate::store::Store;

/// A target that takes nothing for so long is let go, so that it does not hold the others up.
pub(crate) const PATIENCE: Duration =
    if cfg!(test) { Duration::from_millis(200) } else { Duration::from_secs(10) };
/// A target that wants the blobs of an image. All clones are the same target.
#[derive(Clone)]
pub(crate) struct Want<'a> {
    pub(crate) target: &'a Store,
    answers: UnboundedSender<BoxFuture<'a, Result<(), Error>>>,
    is_slow: Arc<AtomicBool>,
}

/// The answers to one target's wants.
pub(crate) struct Answers<'a>(UnboundedReceiver<BoxFuture<'a, Result<(), Error>>>);

impl<'a> Want<'a> {
    pub(crate) fn new(target: &'a Store) -> (Self, Answers<'a>) {
        let (answers, receiver) = unbounded();
        (Self { target, answers, is_slow: Arc::default() }, Answers(receiver))
    }

    /// Nobody waits for it any more: another blob failed.
    pub(crate) fn is_over(&self) -> bool {
        self.answers.is_closed()
    }

    /// It once held the others up, and is served apart from then on.
    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    /// One blob is there, or could not be brought.
    pub(crate) fn done(&self, result: Result<(), Error>) {
        self.apart(std::future::ready(result));
    }

    /// One blob needs work that the other targets shall not wait for: whoever waits for the answers does it.
    pub(crate) fn apart(&self, work: impl Future<Output = Result<(), Error>> + Send + 'a) {
        // An error means that nobody waits for the answer any more.
        let _ = self.answers.unbounded_send(work.boxed());
    }

    /// It takes too long.
    pub(crate) fn let_go(&self) {
        self.is_slow.store(true, Ordering::Relaxed);
    }
}

impl Answers<'_> {
    /// Waits until every blob is there, which is when nobody is left who could send an answer.
    ///
    /// # Errors
    ///
    /// The first one; the work on other blobs ends then.
    pub(crate) async fn all(self) -> Result<(), Error> {
        // All of it is polled: what waits here may hold what others wait for. How much of it really goes on is for the
        // budgets to say.
        self.0.buffer_unordered(usize::MAX).try_collect().await
    }
}

/// Work for a target, which the other targets wait for only for a while.
pub(crate) struct Shared<'a, T> {
    pub(crate) want: Want<'a>,
    pub(crate) work: BoxFuture<'a, T>,
}

impl<'a, T> Future for Shared<'a, T> {
    type Output = (Want<'a>, T);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let done = self.work.poll_unpin(context);
        done.map(|result| (self.want.clone(), result))
    }
}

/// Waits for all of the work for up to [`PATIENCE`]; gives what was done by then, and what is to go on apart.
pub(crate) async fn together<'a, T>(
    work: impl IntoIterator<Item = Shared<'a, T>>,
) -> (Vec<(Want<'a>, T)>, Vec<Shared<'a, T>>) {
    let mut work: FuturesUnordered<Shared<'a, T>> = work.into_iter().collect();
    let until = Instant::now() + PATIENCE;
    let mut done = Vec::new();
    while let Ok(next) = timeout_at(until, work.next()).await {
        match next {
            Some(one) => done.push(one),
            None => return (done, Vec::new()),
        }
    }
    let late: Vec<_> = work.into_iter().collect();
    for one in &late {
        one.want.let_go();
    }
    (done, late)
}
