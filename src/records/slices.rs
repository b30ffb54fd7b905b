//! The records of one ImageSync, divided into slices so that one change rewrites one slice.

use std::collections::BTreeSet;

use hashbrown::{Equivalent, HashMap};

use crate::api::Record;

/// Records that a slice holds at most.
pub const MAX_SLICE_RECORDS: usize = 100;
/// Bytes that a slice's records have at most, as JSON; an object in etcd may have 1.5 MiB.
pub const MAX_SLICE_BYTES: usize = 256 * 1024;

/// The image and the tag that a record is of.
type Key = (String, Option<String>);

/// The same, as it is looked up.
#[derive(Clone, Copy, Hash, PartialEq, Eq, PartialOrd, Ord)]
struct Of<'a>(&'a str, Option<&'a str>);

impl Of<'_> {
    fn key(self) -> Key {
        (self.0.to_owned(), self.1.map(ToOwned::to_owned))
    }
}

impl<'a> From<&'a Record> for Of<'a> {
    fn from(record: &'a Record) -> Self {
        Self(&record.image, record.tag.as_deref())
    }
}

impl Equivalent<Key> for Of<'_> {
    fn equivalent(&self, (image, tag): &Key) -> bool {
        *self == Of(image, tag.as_deref())
    }
}

/// The records of one ImageSync, one an artifact, and which slices hold them.
///
/// A record stays in the slice it came to, so that what is written is only what changed. Which slices changed
/// since [`Records::take_changed`] was last asked is known.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Each in order of image and tag.
    slices: Vec<Vec<Record>>,
    place: HashMap<Key, usize>,
    changed: BTreeSet<usize>,
}

impl Records {
    /// The records as the slices hold them. Of two records of one artifact, which a crash while a slice was split leaves,
    /// the later slice's stays, and the slice that had the other one counts as changed; nothing else does.
    #[must_use]
    pub fn from_slices(slices: Vec<Vec<Record>>) -> Self {
        let mut records = Self::default();
        for (index, mut slice) in slices.into_iter().enumerate() {
            slice.sort_by(|a, b| Of::from(a).cmp(&b.into()));
            slice.dedup_by(|later, earlier| {
                let is_same = Of::from(&*later) == (&*earlier).into();
                if is_same {
                    std::mem::swap(later, earlier);
                }
                is_same
            });
            for record in &slice {
                if let Some(earlier) = records.place.insert(Of::from(record).key(), index) {
                    records.take(earlier, record.into());
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
        let of = Of(image, tag);
        let slice = self.slices.get(*self.place.get(&of)?)?;
        slice.get(find(slice, of).ok()?)
    }

    /// The same, or a record that remembers nothing yet.
    #[must_use]
    pub fn get_or_empty(&self, image: &str, tag: Option<&str>) -> Record {
        self.get(image, tag).cloned().unwrap_or_else(|| Record::new(image, tag.map(ToOwned::to_owned)))
    }

    /// All records, slice by slice.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.slices.iter().flatten()
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
        self.slices.get(index).into_iter().flatten()
    }

    /// Sets the record of an artifact. The same record again is no change.
    pub fn put(&mut self, record: Record) {
        let of = Of::from(&record);
        let known = self.place.get(&of).copied();
        let free = || self.slices.iter().position(|slice| slice.len() < MAX_SLICE_RECORDS);
        let index = known.or_else(free).unwrap_or(self.slices.len());
        if index == self.slices.len() {
            self.slices.push(Vec::new());
        }
        let Some(slice) = self.slices.get_mut(index) else { return };
        match find(slice, of) {
            Ok(at) => match slice.get_mut(at) {
                Some(before) if *before != record => *before = record,
                _ => return,
            },
            Err(at) => {
                self.place.insert(of.key(), index);
                slice.insert(at, record);
            }
        }
        self.changed.insert(index);
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
        let of = Of(image, tag);
        let Some(index) = self.place.remove(&of) else { return };
        self.take(index, of);
        self.changed.insert(index);
    }

    fn take(&mut self, index: usize, of: Of<'_>) {
        if let Some(slice) = self.slices.get_mut(index)
            && let Ok(at) = find(slice, of)
        {
            slice.remove(at);
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
        let slice = self.slices.get_mut(index).filter(|slice| slice.len() > 1)?;
        let moved = slice.split_off(slice.len() / 2);
        self.place.extend(moved.iter().map(|record| (Of::from(record).key(), new)));
        self.slices.push(moved);
        self.changed.extend([index, new]);
        Some(new)
    }
}

/// Where a record is in a slice, or would be.
fn find(slice: &[Record], of: Of<'_>) -> Result<usize, usize> {
    slice.binary_search_by(|record| Of::from(record).cmp(&of))
}
