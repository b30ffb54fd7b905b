//! Which blobs are known to be where, and which are on their way: one table for the whole process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, futures::OwnedNotified};

use crate::{digest::Digest, registry::Account, store::Store};

/// What is known of the blobs in each registry, as one credential sees it.
///
/// # Guarantees
///
/// At most one [`Ticket`] exists for a blob and an account: the same blob is never on its way twice towards one
/// registry with one credential, whoever asked for it.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    blobs: HashMap<Key, Entry>,
    mounts: HashMap<Account, Mounts>,
}

type Key = (Account, Digest);

#[derive(Default)]
struct Entry {
    places: Vec<Place>,
    busy: bool,
    changed: Arc<Notify>,
}

/// A repository that has the blob.
struct Place {
    remote: Store,
    /// It was sent there by us, and the registry did not merely say that it is there.
    is_sent: bool,
}

/// What came of mounting blobs that are known to be there.
#[derive(Default)]
struct Mounts {
    refused: u32,
    is_done: bool,
}

/// Places that one blob is remembered in at most: one is enough to mount from, the others save asking again there.
const MAX_PLACES: usize = 32;
/// A registry that refused so many mounts, and never did one, does not mount.
const MAX_REFUSED: u32 = 3;

/// Whether what the registry says about its blobs is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A HEAD or a mount tells what is there.
    Answers,
    /// The registry said that it has a blob, and then that it has not: its cache may be wrong, so only what was
    /// sent since then is there.
    Nothing,
}

/// What a copy that wants a blob in a repository has to do.
pub(crate) enum Claim {
    /// Nothing: it was seen or put there.
    Here,
    /// Mount it from this repository of the same registry.
    Elsewhere(Store),
    /// Bring it: nobody else does.
    Yours(Ticket),
    /// Wait until whoever brings it to that registry is done, and ask again.
    Busy(OwnedNotified),
}

impl Known {
    /// What to do about a blob that each of `targets` wants, answered for all of them at one instant, so that one
    /// reading can serve all that are free.
    pub(crate) fn claim_all<'a>(
        &self,
        digest: &Digest,
        targets: impl Iterator<Item = &'a Store>,
        trust: Trust,
    ) -> Vec<Claim> {
        let mut table = self.table();
        targets.map(|target| self.claim_one(&mut table, digest, target, trust, true)).collect()
    }

    /// What to do about a blob that one repository wants; `mounts` says whether mounting it is worth a try.
    pub(crate) fn claim(&self, digest: &Digest, target: &Store, trust: Trust, mounts: bool) -> Claim {
        self.claim_one(&mut self.table(), digest, target, trust, mounts)
    }

    fn claim_one(
        &self,
        table: &mut Table,
        digest: &Digest,
        target: &Store,
        trust: Trust,
        mounts: bool,
    ) -> Claim {
        let may_mount = mounts && trust == Trust::Answers && table.may_mount(target);
        let key = (target.account().clone(), digest.clone());
        let entry = table.blobs.entry(key.clone()).or_default();
        let is_believed = |place: &&Place| trust == Trust::Answers || place.is_sent;
        let mut places = entry.places.iter().filter(is_believed);
        if places.any(|place| place.remote.repository() == target.repository()) {
            return Claim::Here;
        }
        if let Some(place) = entry.places.first().filter(|_| may_mount) {
            return Claim::Elsewhere(place.remote.clone());
        }
        if entry.busy {
            return Claim::Busy(Arc::clone(&entry.changed).notified_owned());
        }
        entry.busy = true;
        Claim::Yours(Ticket { known: self.clone(), key })
    }

    /// The registry says that the repository has the blob.
    pub(crate) fn seen(&self, digest: &Digest, target: &Store) {
        self.table().add(digest, target, false);
    }

    /// The registry took the blob, and checked it.
    pub(crate) fn sent(&self, digest: &Digest, target: &Store) {
        self.table().add(digest, target, true);
    }

    /// The registry mounted the blob.
    pub(crate) fn mounted(&self, digest: &Digest, target: &Store) {
        let mut table = self.table();
        table.mounts.entry(target.account().clone()).or_default().is_done = true;
        table.add(digest, target, false);
    }

    /// The registry did not mount a blob from where it is.
    pub(crate) fn not_mounted(&self, target: &Store) {
        self.table().mounts.entry(target.account().clone()).or_default().refused += 1;
    }

    /// Whether it is not known that the registry does not mount.
    pub(crate) fn may_mount(&self, target: &Store) -> bool {
        self.table().may_mount(target)
    }

    /// Forgets all that was believed of these blobs for an account: the registry says that it does not have them.
    pub(crate) fn forget<'a>(&self, account: &Account, digests: impl IntoIterator<Item = &'a Digest>) {
        let mut table = self.table();
        for digest in digests {
            if let Some(entry) = table.blobs.get_mut(&(account.clone(), digest.clone())) {
                entry.places.clear();
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Each change under the lock is a single step, so a panic elsewhere cannot leave an entry half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn may_mount(&self, target: &Store) -> bool {
        let mounts = self.mounts.get(target.account());
        mounts.is_none_or(|mounts| mounts.is_done || mounts.refused < MAX_REFUSED)
    }

    fn add(&mut self, digest: &Digest, target: &Store, is_sent: bool) {
        let entry = self.blobs.entry((target.account().clone(), digest.clone())).or_default();
        let same = |place: &&mut Place| place.remote.repository() == target.repository();
        if let Some(place) = entry.places.iter_mut().find(same) {
            place.is_sent |= is_sent;
        } else if entry.places.len() < MAX_PLACES {
            entry.places.push(Place { remote: target.clone(), is_sent });
        }
    }
}

/// The right to bring one blob to one registry; it ends when this is dropped, and whoever waits goes on.
pub(crate) struct Ticket {
    known: Known,
    key: Key,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(entry) = self.known.table().blobs.get_mut(&self.key) {
            entry.busy = false;
            entry.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
