//! Which blobs are known to be where, and which are on their way: one table for the whole process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, futures::OwnedNotified};

use crate::{
    digest::Digest,
    registry::{Account, Remote},
};

/// What is known of the blobs in each registry, as one credential sees it.
///
/// # Guarantees
///
/// At most one [`Ticket`] exists for a blob and an account: the same blob is never on its way twice towards one
/// registry, whoever asked for it.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<Mutex<HashMap<Key, Entry>>>);

type Key = (Account, Digest);

#[derive(Default)]
struct Entry {
    places: Vec<Remote>,
    busy: bool,
    changed: Arc<Notify>,
}

/// Places that one blob is remembered in at most: one is enough to mount from, the others save asking again there.
const MAX_PLACES: usize = 32;

/// What a copy that wants a blob in a repository has to do.
pub(crate) enum Claim {
    /// Nothing: it was seen or put there.
    Here,
    /// Mount it from this repository of the same registry.
    Elsewhere(Remote),
    /// Bring it: nobody else does.
    Yours(Ticket),
    /// Wait until whoever brings it to that registry is done, and ask again.
    Busy(OwnedNotified),
}

impl Known {
    /// What to do about a blob that each of `targets` wants, answered for all of them at one instant, so that one
    /// reading can serve all that are free.
    pub(crate) fn claim_all(&self, digest: &Digest, targets: &[Remote]) -> Vec<Claim> {
        let mut entries = self.entries();
        targets.iter().map(|target| self.claim_one(&mut entries, digest, target)).collect()
    }

    /// What to do about a blob that one repository wants.
    pub(crate) fn claim(&self, digest: &Digest, target: &Remote) -> Claim {
        self.claim_one(&mut self.entries(), digest, target)
    }

    fn claim_one(&self, entries: &mut HashMap<Key, Entry>, digest: &Digest, target: &Remote) -> Claim {
        let key = (target.account().clone(), digest.clone());
        let entry = entries.entry(key.clone()).or_default();
        if entry.places.iter().any(|place| place.repository() == target.repository()) {
            return Claim::Here;
        }
        if let Some(place) = entry.places.first() {
            return Claim::Elsewhere(place.clone());
        }
        self.take(entry, key)
    }

    /// The right to bring a blob although it is known elsewhere: a mount from there did not work.
    pub(crate) fn claim_upload(&self, digest: &Digest, target: &Remote) -> Claim {
        let key = (target.account().clone(), digest.clone());
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default();
        self.take(entry, key)
    }

    fn take(&self, entry: &mut Entry, key: Key) -> Claim {
        if entry.busy {
            return Claim::Busy(Arc::clone(&entry.changed).notified_owned());
        }
        entry.busy = true;
        Claim::Yours(Ticket { known: self.clone(), key })
    }

    /// Remembers that a blob is in a repository.
    pub(crate) fn add(&self, digest: &Digest, place: &Remote) {
        let mut entries = self.entries();
        let entry = entries.entry((place.account().clone(), digest.clone())).or_default();
        let known = entry.places.iter().any(|other| other.repository() == place.repository());
        if !known && entry.places.len() < MAX_PLACES {
            entry.places.push(place.clone());
        }
    }

    /// Forgets all that was believed of these blobs for an account: the registry says that it does not have them.
    pub(crate) fn forget<'a>(&self, account: &Account, digests: impl IntoIterator<Item = &'a Digest>) {
        let mut entries = self.entries();
        for digest in digests {
            if let Some(entry) = entries.get_mut(&(account.clone(), digest.clone())) {
                entry.places.clear();
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        // Each change under the lock is a single step, so a panic elsewhere cannot leave an entry half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to bring one blob to one registry; it ends when this is dropped, and whoever waits goes on.
pub(crate) struct Ticket {
    known: Known,
    key: Key,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(entry) = self.known.entries().get_mut(&self.key) {
            entry.busy = false;
            entry.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
