//! The `--state` directory: records as files, for runs without a cluster.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{
    error::Error,
    files::{MAX_FILE_BYTES, file_name, make_dir, read_slice, replace, slice_numbers},
    slices::Records,
};

/// What the layout of the directory is called; another content of the file `format` is another program's, or a
/// newer version's.
const FORMAT: &str = "imagesync-state/v1\n";
/// The folder of the objects' records: no name of an object can then be that of a file of ours.
const RECORDS: &str = "records";
/// The directory of records, held by this process alone.
///
/// Layout: `format`, `lock`, and `records/NAMESPACE/NAME/NUMBER.json`, each an ImageSyncSlice.
///
/// # Guarantees
///
/// - Another process that opens the same directory is refused as long as this value lives.
/// - A file is replaced by a rename after its content reached the disk: a crash leaves the old one or the new one.
/// - A file that cannot be read is never overwritten, and one that could not be read is never written.
/// - Once the directory was deleted or replaced, which took the lock along, nothing is written any more.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Held as long as this lives; none where nothing is going to be written.
    lock: Option<File>,
}

impl Store {
    /// Opens the directory, making it if it is not there, and takes its lock.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if another process has it, [`Error::Version`] if another version wrote it, [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        make_dir(dir).map_err(Error::io("make the state directory", dir))?;
        let path = dir.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io("open the lock", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
        let store = Self { dir: dir.to_owned(), lock: Some(lock) };
        if !store.has_format()? {
            replace(&store.dir.join("format"), FORMAT.as_bytes())?;
        }
        Ok(store)
    }

    /// Opens the directory to look at it only: it need not be there, is not made, and is not locked.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] if another version wrote it, [`Error::Io`].
    pub fn look(dir: &Path) -> Result<Self, Error> {
        let store = Self { dir: dir.to_owned(), lock: None };
        store.has_format()?;
        Ok(store)
    }

    /// Whether the directory says that it is ours; a new one says nothing yet.
    fn has_format(&self) -> Result<bool, Error> {
        let path = self.dir.join("format");
        match fs::read(&path) {
            Ok(found) if found == FORMAT.as_bytes() => Ok(true),
            Ok(found) => Err(Error::Version {
                dir: self.dir.clone(),
                found: String::from_utf8_lossy(&found).trim().chars().take(80).collect(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// The records of an ImageSync; none if it was never synced.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] names the file that is not what it should be.
    pub fn load(&self, namespace: &str, name: &str) -> Result<Records, Error> {
        let dir = self.object_dir(namespace, name)?;
        let mut slices = Vec::new();
        for index in slice_numbers(&dir)? {
            // A crash may have left out a number; that slice is then empty.
            slices.resize_with(index, Vec::new);
            slices.push(read_slice(&dir.join(file_name(index)))?);
        }
        Ok(Records::from_slices(slices))
    }

    /// The ImageSyncs that have records here: namespace and name, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn objects(&self) -> Result<Vec<(String, String)>, Error> {
        let mut objects = Vec::new();
        let records = self.dir.join(RECORDS);
        for namespace in folders(&records)? {
            objects.extend(
                folders(&records.join(&namespace))?.into_iter().map(|name| (namespace.clone(), name)),
            );
        }
        Ok(objects)
    }

    /// Removes what is recorded of an ImageSync, all of it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Gone`].
    pub fn remove(&self, namespace: &str, name: &str) -> Result<(), Error> {
        let dir = self.object_dir(namespace, name)?;
        if !self.is_ours() {
            return Err(Error::Gone(self.dir.clone()));
        }
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove what is recorded in", &dir)(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes one slice of an ImageSync.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::TooLarge`], and then the old file is as it was; [`Error::Gone`].
    pub fn write(&self, namespace: &str, name: &str, index: usize, slice: &[u8]) -> Result<(), Error> {
        let dir = self.object_dir(namespace, name)?;
        let path = dir.join(file_name(index));
        if slice.len() > MAX_FILE_BYTES {
            return Err(Error::TooLarge { path, size: slice.len() });
        }
        if !self.is_ours() {
            return Err(Error::Gone(self.dir.clone()));
        }
        make_dir(&dir).map_err(Error::io("make the state directory", &dir))?;
        replace(&path, slice)
    }

    /// Whether the lock that is held is that of the directory as it is now.
    fn is_ours(&self) -> bool {
        let held = self.lock.as_ref().and_then(|lock| lock.metadata().ok());
        let there = fs::metadata(self.dir.join("lock")).ok();
        held.zip(there).is_some_and(|(held, there)| (held.dev(), held.ino()) == (there.dev(), there.ino()))
    }

    /// Whether the files of an ImageSync are where they were written; somebody may have deleted them.
    #[must_use]
    pub fn holds(&self, namespace: &str, name: &str, index: usize) -> bool {
        self.object_dir(namespace, name).is_ok_and(|dir| dir.join(file_name(index)).exists())
    }

    fn object_dir(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        for part in [namespace, name] {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            if part.is_empty() || part.starts_with('.') || !part.chars().all(plain) {
                return Err(Error::Name(part.to_owned()));
            }
        }
        Ok(self.dir.join(RECORDS).join(namespace).join(name))
    }
}

/// The names of the folders in a directory, in order; none if it is not there.
fn folders(dir: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", dir)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", dir))?;
        if entry.file_type().map_err(Error::io("list", dir))?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
