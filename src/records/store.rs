//! The `--state` directory: records as files, for runs without a cluster.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::slices::Records;
use crate::{
    api::{self, Record},
    class::Class,
};

/// What the layout of the directory is called; another content of the file `format` is another program's, or a
/// newer version's.
const FORMAT: &str = "imagesync-state/v1\n";
/// A slice is at most 256 KiB; what is much larger was not written by us.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// More slices than this were not written by us either: an ImageSync of that size has ten million tags.
const MAX_SLICES: usize = 100_000;

/// The directory of records, held by this process alone.
///
/// Layout: `format`, `lock`, and `NAMESPACE/NAME/NUMBER.json`, each an ImageSyncSlice.
///
/// # Guarantees
///
/// - Another process that opens the same directory is refused as long as this value lives.
/// - A file is replaced by a rename after its content reached the disk: a crash leaves the old one or the new one.
/// - A file that cannot be read is never overwritten.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Held as long as this lives; none where nothing is going to be written.
    _lock: Option<File>,
}

/// Why the records cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds the directory.
    #[error(
        "the state directory {0} is used by another imagesync process; wait for it to end, or give this one \
         another --state"
    )]
    InUse(PathBuf),
    /// The directory was written by a version that this one does not know.
    #[error(
        "the state directory {dir} says it is `{found}`, and this version reads `imagesync-state/v1`; use the \
         version that wrote it, or another --state"
    )]
    Version {
        /// The directory.
        dir: PathBuf,
        /// What its file `format` says.
        found: String,
    },
    /// A file holds something else than records.
    #[error(
        "the state file {path} cannot be read as records ({problem}); restore it from a backup, or move it away: \
         then what is already on the targets counts as found there, not as written by imagesync"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file system refused.
    #[error("cannot {doing} {path}; nothing was published that is not recorded")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A namespace or a name that is no path component; a manifest that was checked has none such.
    #[error("`{0}` cannot name a state directory")]
    Name(String),
}

impl Error {
    /// The class that decides what happens next.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::InUse(_) => Class::Conflict,
            Self::Version { .. } => Class::Unsupported,
            Self::Corrupt { .. } | Self::Io { .. } | Self::Name(_) => Class::Internal,
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

impl Store {
    /// Opens the directory, making it if it is not there, and takes its lock.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if another process has it, [`Error::Version`] if another version wrote it, [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(Error::io("make the state directory", dir))?;
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
        let store = Self { dir: dir.to_owned(), _lock: Some(lock) };
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
        let store = Self { dir: dir.to_owned(), _lock: None };
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

    /// Writes one slice of an ImageSync.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and then the old file is as it was.
    pub fn write(&self, namespace: &str, name: &str, index: usize, slice: &[u8]) -> Result<(), Error> {
        let dir = self.object_dir(namespace, name)?;
        fs::create_dir_all(&dir).map_err(Error::io("make the state directory", &dir))?;
        replace(&dir.join(file_name(index)), slice)
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
        Ok(self.dir.join(namespace).join(name))
    }
}

fn file_name(index: usize) -> String {
    format!("{index}.json")
}

/// The numbers of the slices in a directory, in order; none if it is not there.
fn slice_numbers(dir: &Path) -> Result<Vec<usize>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", dir)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::parse::<usize>);
        match number {
            Some(Ok(number)) if number < MAX_SLICES => numbers.push(number),
            Some(_) => {
                let problem = format!("a slice is named by a number below {MAX_SLICES}");
                return Err(Error::Corrupt { path: dir.join(name), problem });
            }
            // What a crash left of a file that was being written.
            None => {}
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn read_slice(path: &Path) -> Result<Vec<Record>, Error> {
    let corrupt = |problem: String| Error::Corrupt { path: path.to_owned(), problem };
    let size = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if size > MAX_FILE_BYTES {
        return Err(corrupt(format!("it has {size} bytes, and a slice has at most 256 KiB")));
    }
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let slice: api::ImageSyncSlice =
        serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
    Ok(slice.spec.records)
}

/// Replaces a file so that a crash at any instant leaves the old content or the new.
fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let part = path.with_extension("part");
    let write = || -> io::Result<()> {
        let mut file = File::create(&part)?;
        file.write_all(content)?;
        file.sync_data()?;
        fs::rename(&part, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(Error::io("write", path))
}
