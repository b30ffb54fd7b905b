//! Keeps the records of one ImageSync in memory and on disk in step while many tasks change them.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    error::Error,
    slices::{MAX_SLICE_BYTES, Records},
    store::Store,
};
use crate::api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The records of one ImageSync during a run.
///
/// # Guarantees
///
/// When [`Journal::commit`] returns, the change is on disk. Changes that many tasks commit at the same time are
/// written together: a thousand tags cost a few writes, not a thousand.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    namespace: String,
    name: String,
    state: Mutex<State>,
    /// The number of the last change that is on disk. Holding it is the right to write.
    written: Arc<tokio::sync::Mutex<u64>>,
}

/// A slice's number, and its JSON.
type Written = (usize, Vec<u8>);

struct State {
    records: Records,
    changes: u64,
}

impl Journal {
    /// Reads the records of an ImageSync.
    ///
    /// # Errors
    ///
    /// Those of [`Store::load`].
    pub fn open(store: Arc<Store>, namespace: &str, name: &str) -> Result<Self, Error> {
        let records = store.load(namespace, name)?;
        Ok(Self(Arc::new(Inner {
            store,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            state: Mutex::new(State { records, changes: 0 }),
            written: Arc::default(),
        })))
    }

    /// The records as they are now.
    #[must_use]
    pub fn records(&self) -> Records {
        self.state().records.clone()
    }

    /// The directory that they are in.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// What `look` finds in the records as they are now, without a copy of all of them.
    pub fn read<T>(&self, look: impl FnOnce(&Records) -> T) -> T {
        look(&self.state().records)
    }

    /// The records as the slices that hold them.
    #[must_use]
    pub fn slices(&self) -> Vec<api::ImageSyncSlice> {
        let records = &self.state().records;
        (0..records.slice_count()).map(|index| self.slice(records, index)).collect()
    }

    /// Forgets all records, in memory and on disk. Nothing may be written at the same time.
    ///
    /// # Errors
    ///
    /// Those of [`Store::remove`].
    pub fn forget(&self) -> Result<(), Error> {
        let Inner { store, namespace, name, .. } = &*self.0;
        store.remove(namespace, name)?;
        self.state().records = Records::default();
        Ok(())
    }

    /// Changes the records in memory; the next commit writes the change with its own.
    pub fn note(&self, change: impl FnOnce(&mut Records)) {
        let mut state = self.state();
        change(&mut state.records);
        state.changes += 1;
    }

    /// Changes the records and returns when the change, and all noted before it, are on disk.
    ///
    /// # Errors
    ///
    /// The change stays in memory and is written with the next commit; it is not on disk.
    pub async fn commit(&self, change: impl FnOnce(&mut Records)) -> Result<(), Error> {
        self.note(change);
        self.flush().await
    }

    /// Returns when everything noted so far is on disk.
    ///
    /// # Errors
    ///
    /// Those of [`Store::write`]; another try writes what is still missing.
    pub async fn flush(&self) -> Result<(), Error> {
        let wanted = self.state().changes;
        let mut written = Arc::clone(&self.0.written).lock_owned().await;
        if *written >= wanted {
            return Ok(());
        }
        let this = self.clone();
        // The lock goes with the write: a caller that is cancelled does not let a second write overtake the first.
        let write = tokio::task::spawn_blocking(move || {
            *written = this.write_changed()?;
            Ok(())
        });
        write
            .await
            .unwrap_or_else(|join| Err(Error::io("write", Path::new("the records"))(io::Error::other(join))))
    }

    /// Writes the slices that changed and returns the number of the last change in them.
    fn write_changed(&self) -> Result<u64, Error> {
        let store = &self.0.store;
        let (changes, mut slices) = self.changed_slices()?;
        // A slice that was split off comes first: a crash in between then doubles records and loses none.
        while let Some((index, json)) = slices.pop() {
            if let Err(error) = store.write(&self.0.namespace, &self.0.name, index, &json) {
                self.state().records.mark_changed(slices.into_iter().map(|(index, _)| index).chain([index]));
                return Err(error);
            }
        }
        Ok(changes)
    }

    /// The slices to write as JSON, in order, and the number of the last change in them.
    fn changed_slices(&self) -> Result<(u64, Vec<Written>), Error> {
        let Inner { store, namespace, name, .. } = &*self.0;
        let mut state = self.state();
        let mut todo = state.records.changed().clone();
        // What somebody deleted of an object's files during the run is written anew.
        todo.extend((0..state.records.slice_count()).filter(|&index| !store.holds(namespace, name, index)));
        let mut slices = BTreeMap::new();
        while let Some(index) = todo.pop_first() {
            let json = self.to_json(&state.records, index)?;
            let new = if json.len() > MAX_SLICE_BYTES { state.records.split(index) } else { None };
            match new {
                Some(new) => todo.extend([index, new]),
                None => drop(slices.insert(index, json)),
            }
        }
        // Only now, when nothing can fail any more that would lose it.
        state.records.take_changed();
        Ok((state.changes, slices.into_iter().collect()))
    }

    fn slice(&self, records: &Records, index: usize) -> api::ImageSyncSlice {
        let Inner { namespace, name, .. } = &*self.0;
        api::ImageSyncSlice {
            metadata: ObjectMeta {
                name: Some(format!("{name}-{index}")),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: api::Records { records: records.slice(index).cloned().collect() },
        }
    }

    fn to_json(&self, records: &Records, index: usize) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(&self.slice(records, index))
            .map_err(|error| Error::io("write", Path::new("the records"))(error.into()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held leaves nothing half-changed: each change is one `put`.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
