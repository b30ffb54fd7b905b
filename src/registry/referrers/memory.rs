//! What all that use one account share of referrers: where there is an API, and whose turn it is to write.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::Instant;

use crate::digest::Digest;

/// How long it is believed that a repository has no API: registries are upgraded.
const BELIEVED: Duration = Duration::from_hours(1);

/// What is known of the repositories of one account. A clone is the same memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    apis: Mutex<HashMap<String, Arc<Api>>>,
    turns: Mutex<HashMap<(String, Digest), Weak<Turn>>>,
}

/// The right to write; it has nothing in it.
pub(in super::super) type Turn = tokio::sync::Mutex<()>;

/// Whether a repository has the API.
#[derive(Default)]
pub(super) struct Api {
    known: Mutex<Option<(bool, Instant)>>,
    /// Held by who asks for the first time; all others wait for the answer.
    pub(super) asking: tokio::sync::Mutex<()>,
}

impl Memory {
    /// What is known of a repository.
    pub(super) fn api(&self, repository: &str) -> Arc<Api> {
        let mut apis = lock(&self.0.apis);
        Arc::clone(apis.entry(repository.to_owned()).or_default())
    }

    /// The right to write what a subject is referred by, once one holds its lock.
    pub(in super::super) fn turn(&self, repository: &str, subject: &Digest) -> Arc<Turn> {
        let mut turns = lock(&self.0.turns);
        let key = (repository.to_owned(), subject.clone());
        if let Some(turn) = turns.get(&key).and_then(Weak::upgrade) {
            return turn;
        }
        // Nobody waits for those any more.
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(key, Arc::downgrade(&turn));
        turn
    }
}

impl Api {
    /// Whether it is there, if that is known.
    pub(super) fn known(&self) -> Option<bool> {
        let known = lock(&self.known);
        known
            .filter(|(is_there, since)| *is_there || since.elapsed() < BELIEVED)
            .map(|(is_there, _)| is_there)
    }

    pub(super) fn learn(&self, is_there: bool) {
        *lock(&self.known) = Some((is_there, Instant::now()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change under the lock is a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn that_there_is_no_api_is_believed_for_an_hour() {
        let memory = Memory::default();
        memory.api("app").learn(false);
        memory.api("other").learn(true);
        assert_eq!((memory.api("app").known(), memory.api("other").known()), (Some(false), Some(true)));
        tokio::time::advance(BELIEVED).await;
        assert_eq!((memory.api("app").known(), memory.api("other").known()), (None, Some(true)));
    }

    #[test]
    fn a_turn_is_shared_while_somebody_holds_it_and_forgotten_afterwards() {
        let memory = Memory::default();
        let (a, b) = (Digest::sha256(b"a"), Digest::sha256(b"b"));
        let turn = memory.turn("app", &a);
        assert!(Arc::ptr_eq(&turn, &memory.turn("app", &a)));
        assert!(!Arc::ptr_eq(&turn, &memory.turn("app", &b)));
        assert!(!Arc::ptr_eq(&turn, &memory.turn("other", &a)));
        drop(turn);
        let _other = memory.turn("app", &b);
        assert_eq!(lock(&memory.0.turns).len(), 1);
    }
}
