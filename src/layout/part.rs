//! Files on their way: written under a name of their own, and given their real one when they are whole.
//!
//! Whoever writes one holds its lock, so a file that a crash left is told from one that is being written. They lie in the
//! layout's directory itself, where few names are, and not among its blobs.

use std::{
    fs::File,
    io::{self, Write as _},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{dir::Dir, error::Error};

/// How their names begin and end.
const BEGIN: &str = ".imagesync-";
const END: &str = ".part";
/// Names that are looked through for what a crash left.
const MOST_NAMES: usize = 10_000;

/// A file that is not whole yet. If it is dropped before, it is gone.
#[derive(Debug)]
pub(super) struct Part {
    root: Dir,
    name: String,
    file: File,
    is_placed: bool,
}

impl Part {
    /// Makes one.
    pub(super) fn new(root: &Dir) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::io("write in", root.path())(error);
        loop {
            let name = free_name();
            let file = match root.create(&name) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed(error)),
            };
            let this = Self { root: root.again()?, name, file, is_placed: false };
            // Whoever cleans up may have met it before it was locked, and have taken it for a leftover.
            match flock(&this.file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if this.is_there()? => return Ok(this),
                Ok(()) | Err(Errno::WOULDBLOCK) => {}
                Err(error) => return Err(failed(error.into())),
            }
        }
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(Error::io("write in", self.root.path()))
    }

    /// Gives it its name in `dir`, in the place of what is there. The bytes are on disk when this returns; that they have this
    /// name is so only when `dir` is synced.
    pub(super) fn place(mut self, dir: &Dir, name: &str) -> Result<File, Error> {
        self.file.sync_data().map_err(Error::io("write", dir.path().join(name)))?;
        self.root.rename(&self.name, dir, name)?;
        self.is_placed = true;
        self.file.try_clone().map_err(Error::io("open", dir.path().join(name)))
    }

    fn is_there(&self) -> Result<bool, Error> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = self.file.metadata().map_err(Error::io("look at", self.root.path()))?;
        Ok(metadata.nlink() > 0)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_placed
            && let Err(error) = self.root.remove(&self.name)
        {
            tracing::debug!(%error, "a file that is not whole stays until somebody writes here again");
        }
    }
}

/// A name that nobody has.
pub(super) fn free_name() -> String {
    format!("{BEGIN}{:016x}{END}", fastrand::u64(..))
}

/// Removes what crashes left in a layout's directory. What somebody writes is left alone.
pub(super) fn clean_up(root: &Dir) -> Result<(), Error> {
    for name in root.names(MOST_NAMES)? {
        if !(name.starts_with(BEGIN) && name.ends_with(END)) {
            continue;
        }
        let Ok(Some(file)) = root.file(&name) else { continue };
        // The lock ends with `file`.
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            tracing::debug!(layout = %root.path().display(), name, "removing what a crash left");
            root.remove(&name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(root: &Dir) -> usize {
        root.names(100).unwrap().iter().filter(|name| name.ends_with(END)).count()
    }

    #[test]
    fn a_file_that_is_not_whole_is_removed_by_its_writer_and_by_others_once_nobody_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = Dir::named(folder.path()).unwrap().unwrap();
        let mut part = Part::new(&root).unwrap();
        part.write(b"1234").unwrap();
        clean_up(&root).unwrap();
        assert_eq!(parts(&root), 1, "somebody writes it");
        drop(part);
        assert_eq!(parts(&root), 0);
        // What a crash leaves: a name, and nobody who holds the lock.
        std::fs::write(folder.path().join(free_name()), b"12").unwrap();
        std::fs::write(folder.path().join(".imagesync-other"), b"12").unwrap();
        clean_up(&root).unwrap();
        assert_eq!(parts(&root), 0);
        assert!(folder.path().join(".imagesync-other").exists());
    }

    #[test]
    fn a_file_gets_its_name_with_all_its_bytes_and_takes_the_place_of_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = Dir::named(folder.path()).unwrap().unwrap();
        std::fs::write(folder.path().join("a"), b"old").unwrap();
        let mut part = Part::new(&root).unwrap();
        part.write(b"new").unwrap();
        part.place(&root, "a").unwrap();
        assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"new");
        assert_eq!(parts(&root), 0);
    }
}
