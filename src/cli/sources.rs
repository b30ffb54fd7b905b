//! Where manifests are read, once or again and again.

use std::io::{self, Read};

use super::{
    args::FileArgs,
    load::{self, Manifests, Refused},
};
use crate::digest::Digest;

/// What `-f` names, with what the standard input gave: that can be read only once.
pub(super) struct Sources {
    files: FileArgs,
    stdin: Vec<u8>,
    seen: Digest,
}

impl Sources {
    /// Reads the manifests for the first time.
    ///
    /// # Errors
    ///
    /// All that is wrong with them.
    pub(super) fn open(files: &FileArgs, stdin: impl Read) -> Result<(Self, Manifests), Refused> {
        // Taken before anything is read: a change in between is then seen as one.
        let seen = load::fingerprint(&files.files, files.recursive);
        let mut stdin = Kept { from: stdin, bytes: Vec::new() };
        let manifests = load::load(&files.files, files.recursive, &mut stdin)?;
        tell(&manifests);
        Ok((Self { files: files.clone(), stdin: stdin.bytes, seen }, manifests))
    }

    /// Reads the manifests again, if a file changed since they were read.
    pub(super) fn changed(&mut self) -> Option<Result<Manifests, Refused>> {
        let now = load::fingerprint(&self.files.files, self.files.recursive);
        if now == self.seen {
            return None;
        }
        self.seen = now;
        let read = load::load(&self.files.files, self.files.recursive, &mut self.stdin.as_slice());
        Some(read.inspect(tell))
    }
}

/// Tells what the manifests leave out.
fn tell(manifests: &Manifests) {
    for note in manifests.notes.iter() {
        tracing::warn!("{note}");
    }
}

/// Keeps what is read.
struct Kept<R> {
    from: R,
    bytes: Vec<u8>,
}

impl<R: Read> Read for Kept<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(to)?;
        self.bytes.extend(to.iter().take(count));
        Ok(count)
    }
}
