//! How far a blob was hashed: a reading that goes on in the middle need not begin anew to check the whole.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::manifest::Blob;
use crate::digest::Hasher;

/// Bytes from one mark to the next.
const EVERY: u64 = 1 << 20;
/// Marks that are kept: a registry that lost more than so many MiB of an upload makes the blob be read from its beginning.
const MOST: usize = 256;

/// The hash of a blob's beginning, at some places of it.
#[derive(Default)]
pub(super) struct Checked(Mutex<Marks>);

#[derive(Default)]
struct Marks {
    known: VecDeque<(u64, Hasher)>,
    /// How often what was read turned out to be wrong.
    generation: u64,
}

impl Checked {
    /// All bytes before `position` are in `hasher`.
    pub(super) fn note(&self, position: u64, hasher: &Hasher) {
        let mut marks = self.marks();
        let marks = &mut marks.known;
        let last = marks.back().map_or(0, |(position, _)| *position);
        if position < last + EVERY {
            return;
        }
        if marks.len() == MOST {
            marks.pop_front();
        }
        marks.push_back((position, hasher.clone()));
    }

    /// The bytes were wrong, nobody knows where: neither are those that others took of the same reading.
    pub(super) fn forget(&self) {
        let mut marks = self.marks();
        marks.known.clear();
        marks.generation += 1;
    }

    /// Another one means that what was taken before may be wrong.
    pub(super) fn generation(&self) -> u64 {
        self.marks().generation
    }

    /// The last place at or before `position` that is known, and the hash of all before it.
    pub(super) fn before(&self, position: u64, blob: &Blob) -> (u64, Hasher) {
        let marks = self.marks();
        let known = marks.known.iter().rev().find(|(at, _)| *at <= position);
        known.cloned().unwrap_or_else(|| (0, blob.digest.hasher()))
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        // No change under the lock can stop half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn blob(bytes: &[u8]) -> Blob {
        Blob { digest: Digest::sha256(bytes), size: bytes.len() as u64 }
    }

    #[test]
    fn the_hash_goes_on_from_the_last_mark_before_a_place() {
        let bytes = vec![7; 3 * 1024 * 1024];
        let (blob, checked) = (blob(&bytes), Checked::default());
        let mut hasher = blob.digest.hasher();
        for (n, chunk) in bytes.chunks(100_000).enumerate() {
            hasher.update(chunk);
            checked.note(((n + 1) * 100_000).min(bytes.len()) as u64, &hasher);
        }
        let (at, mut hasher) = checked.before(2_500_000, &blob);
        assert_eq!(at, 2_200_000);
        hasher.update(&bytes[2_200_000..]);
        assert!(hasher.matches());
        assert_eq!(checked.before(1_000_000, &blob).0, 0);
    }

    #[test]
    fn marks_are_bounded_and_the_oldest_go() {
        let (blob, checked) = (blob(b""), Checked::default());
        let hasher = blob.digest.hasher();
        (1..1_000).for_each(|n| checked.note(n * EVERY, &hasher));
        assert_eq!(checked.marks().known.len(), MOST);
        assert_eq!(checked.before(100 * EVERY, &blob).0, 0);
        assert_eq!(checked.before(u64::MAX, &blob).0, 999 * EVERY);
    }
}
