//! The records of one ImageSync, divided into slices so that one change rewrites one slice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::api::Record;

/// Records that a slice holds at most.
pub const MAX_SLICE_RECORDS: usize = 100;
/// Bytes that a slice's records have at most, as JSON; an object in etcd may have 1.5 MiB.
pub const MAX_SLICE_BYTES: usize = 256 * 1024;

type Key = (String, Option<String>);

/// The records of one ImageSync, one an artifact, and which slices hold them.
///
/// A record stays in the slice it came to, so that what is written is only what changed. Which slices changed
/// since [`Records::take_changed`] was last asked is known.
#[derive(Clone, Debug, Default)]
pub struct Records {
    slices: Vec<BTreeMap<Key, Record>>,
    place: HashMap<Key, usize>,
    changed: BTreeSet<usize>,
}

impl Records {
    /// The records as the slices hold them. Of two records of one artifact, which a crash while a slice was split leaves,
    /// the later slice's stays, and the slice that had the other one counts as changed; nothing else does.
    #[must_use]
    pub fn from_slices(slices: Vec<Vec<Record>>) -> Self {
        let mut records = Self::default();
        for (index, slice) in slices.into_iter().enumerate() {
            let slice: BTreeMap<Key, Record> = slice
                .into_iter()
                .map(|record| ((record.image.clone(), record.tag.clone()), record))
                .collect();
            for key in slice.keys() {
                if let Some(earlier) = records.place.insert(key.clone(), index)
                    && let Some(slice) = records.slices.get_mut(earlier)
                {
                    slice.remove(key);
                    records.changed.insert(earlier);
                }
            }
            records.slices.push(slice);
        }
        records
    }

    /// The record of an image's tag; `None` for an image that is pinned by digest and has no tag.
    #[must_use]
    pub fn get(&self, image: &str, tag: Option<&str>) -> Option<&Record> {
        let key = (image.to_owned(), tag.map(ToOwned::to_owned));
        self.slices.get(*self.place.get(&key)?)?.get(&key)
    }

    /// The same, or a record that remembers nothing yet.
    #[must_use]
    pub fn get_or_empty(&self, image: &str, tag: Option<&str>) -> Record {
        self.get(image, tag).cloned().unwrap_or_else(|| Record::new(image, tag.map(ToOwned::to_owned)))
    }

    /// All records, slice by slice.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.slices.iter().flat_map(BTreeMap::values)
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.place.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.place.is_empty()
    }

    /// How many slices there are; they are numbered from 0.
    #[must_use]
    pub fn slice_count(&self) -> usize {
        self.slices.len()
    }

    /// The records of one slice, in order of image and tag.
    pub fn slice(&self, index: usize) -> impl Iterator<Item = &Record> {
        self.slices.get(index).into_iter().flat_map(BTreeMap::values)
    }

    /// Sets the record of an artifact. The same record again is no change.
    pub fn put(&mut self, record: Record) {
        let key = (record.image.clone(), record.tag.clone());
        if let Some(&index) = self.place.get(&key) {
            let Some(slice) = self.slices.get_mut(index) else { return };
            if slice.get(&key) != Some(&record) {
                slice.insert(key, record);
                self.changed.insert(index);
            }
            return;
        }
        let free = self.slices.iter().position(|slice| slice.len() < MAX_SLICE_RECORDS);
        let index = free.unwrap_or(self.slices.len());
        if free.is_none() {
            self.slices.push(BTreeMap::new());
        }
        if let Some(slice) = self.slices.get_mut(index) {
            slice.insert(key.clone(), record);
            self.place.insert(key, index);
            self.changed.insert(index);
        }
    }

    /// Sets the record of an artifact; one that remembers neither a name nor what a tag showed is forgotten.
    pub fn keep(&mut self, record: Record) {
        if record.targets.is_empty() && record.candidates.is_empty() {
            self.remove(&record.image, record.tag.as_deref());
        } else {
            self.put(record);
        }
    }

    /// Forgets the record of an artifact.
    pub fn remove(&mut self, image: &str, tag: Option<&str>) {
        let key = (image.to_owned(), tag.map(ToOwned::to_owned));
        let Some(index) = self.place.remove(&key) else { return };
        if let Some(slice) = self.slices.get_mut(index) {
            slice.remove(&key);
            self.changed.insert(index);
        }
    }

    /// The numbers of the slices that changed.
    #[must_use]
    pub const fn changed(&self) -> &BTreeSet<usize> {
        &self.changed
    }

    /// The numbers of the slices that changed, which from now on count as unchanged.
    pub fn take_changed(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.changed)
    }

    /// Counts slices as changed again, when writing them failed.
    pub fn mark_changed(&mut self, slices: impl IntoIterator<Item = usize>) {
        self.changed.extend(slices);
    }

    /// Moves the second half of a slice's records to a new slice, whose number is returned; both count as changed. A slice
    /// of one record stays.
    pub fn split(&mut self, index: usize) -> Option<usize> {
        let new = self.slices.len();
        let slice = self.slices.get_mut(index)?;
        let middle = slice.keys().nth(slice.len() / 2).filter(|_| slice.len() > 1).cloned()?;
        let moved = slice.split_off(&middle);
        self.place.extend(moved.keys().map(|key| (key.clone(), new)));
        self.slices.push(moved);
        self.changed.extend([index, new]);
        Some(new)
    }
}
