//! Work that one does, and whose result all get who came while it was being done, failures included.

use std::sync::{Mutex, PoisonError};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};

/// A place at which the same thing is done once at a time.
///
/// # Guarantees
///
/// If nobody waits for it any more, the work is dropped: whoever comes next begins anew.
pub(crate) struct Flight<T>(Mutex<Option<WeakShared<BoxFuture<'static, T>>>>);

impl<T: Clone> Flight<T> {
    /// Takes part in what is being done, or begins it.
    pub(crate) async fn join(&self, begin: impl FnOnce() -> BoxFuture<'static, T>) -> T {
        let shared: Shared<_> = {
            let mut flight = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // What is over has a result that is not about those who come now.
            let under_way = flight.as_ref().and_then(WeakShared::upgrade).filter(|it| it.peek().is_none());
            under_way.unwrap_or_else(|| {
                let work = begin().shared();
                *flight = work.downgrade();
                work
            })
        };
        shared.await
    }
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        time::Duration,
    };

    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_meanwhile_gets_the_same_and_who_comes_later_does_not() {
        let (flight, runs) = (Flight::default(), Arc::new(AtomicU32::new(0)));
        let join = || {
            flight.join(|| {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                async move {
                    sleep(Duration::from_secs(1)).await;
                    run
                }
                .boxed()
            })
        };
        let late = async {
            sleep(Duration::from_millis(500)).await;
            join().await
        };
        assert_eq!(futures::join!(join(), join(), late), (0, 0, 0));
        assert_eq!(join().await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_any_more_is_dropped() {
        let flight = Flight::default();
        let work = |seconds| move || async move { sleep(Duration::from_secs(seconds)).await }.boxed();
        let patience = Duration::from_secs(1);
        assert!(timeout(patience, flight.join(work(1_000))).await.is_err());
        assert!(timeout(patience, flight.join(work(0))).await.is_ok());
    }
}
