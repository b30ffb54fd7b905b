//! Lanes: how many requests of a kind are on their way at the same time. Small ones never wait for blobs.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Which share of the budget a request is taken from.
///
/// Reading and writing blobs are apart: a copy within one account holds one of each, and must not wait for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Manifests, tags, HEADs, small blobs.
    Small,
    /// The body of a blob that comes.
    Read,
    /// The body of a blob that goes.
    Write,
}

/// Blobs get one in so many of the requests: each holds its place, and a buffer, for long.
const BLOB_SHARE: usize = 4;

pub(super) struct Lanes {
    small: Limit,
    read: Limit,
    write: Limit,
}

impl Lanes {
    pub(super) fn new(concurrency: u32) -> Self {
        let all = usize::try_from(concurrency).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        let blobs = all.div_ceil(BLOB_SHARE);
        Self { small: Limit::new(all), read: Limit::new(blobs), write: Limit::new(blobs) }
    }

    pub(super) async fn acquire(&self, lane: Lane) -> Permit {
        let limit = self.limit(lane);
        let permit = Arc::clone(&limit.0.semaphore).acquire_owned().await;
        // The semaphore is never closed, so there always is a permit.
        Permit { permit: permit.ok(), limit: limit.clone() }
    }

    /// Things go well: one more at a time for each time that all were used.
    pub(super) fn more(&self, lane: Lane) {
        self.limit(lane).more();
    }

    /// The registry was asked for too much at `began`: half as many at a time.
    pub(super) fn less(&self, lane: Lane, began: Instant) {
        self.limit(lane).less(began);
    }

    const fn limit(&self, lane: Lane) -> &Limit {
        match lane {
            Lane::Small => &self.small,
            Lane::Read => &self.read,
            Lane::Write => &self.write,
        }
    }
}

/// A limit that moves: additive increase, multiplicative decrease, as TCP does it.
#[derive(Clone)]
struct Limit(Arc<Shared>);

struct Shared {
    semaphore: Arc<Semaphore>,
    cap: usize,
    state: Mutex<State>,
}

struct State {
    limit: usize,
    /// Good answers since the limit last grew.
    good: usize,
    /// Permits that are out, and that are not given out again when they come back.
    owed: usize,
    decreased: Option<Instant>,
}

impl Limit {
    fn new(cap: usize) -> Self {
        let state = Mutex::new(State { limit: cap, good: 0, owed: 0, decreased: None });
        Self(Arc::new(Shared { semaphore: Arc::new(Semaphore::new(cap)), cap, state }))
    }

    fn more(&self) {
        self.change(|state| {
            if state.limit == self.0.cap {
                return;
            }
            state.good += 1;
            if state.good >= state.limit {
                state.good = 0;
                state.limit += 1;
                if state.owed > 0 {
                    state.owed -= 1;
                } else {
                    self.0.semaphore.add_permits(1);
                }
            }
        });
    }

    fn less(&self, began: Instant) {
        self.change(|state| {
            // What was on its way when the limit was last lowered says nothing about the new one.
            if state.decreased.is_some_and(|decreased| began <= decreased) {
                return;
            }
            let lower = (state.limit / 2).max(1);
            let forget = state.limit - lower;
            state.owed += forget - self.0.semaphore.forget_permits(forget);
            state.limit = lower;
            state.good = 0;
            state.decreased = Some(Instant::now());
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A place in a lane, free again when this is dropped.
pub(crate) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    limit: Limit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let is_owed = self.limit.change(|state| {
            let is_owed = state.owed > 0;
            state.owed -= usize::from(is_owed);
            is_owed
        });
        if is_owed && let Some(permit) = self.permit.take() {
            permit.forget();
        }
    }
}
