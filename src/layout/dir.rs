//! Directories of a layout: what is in them is opened by its own name, and no link is followed.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags},
    io::Errno,
};

use super::error::Error;

/// What is written may be read by all whom the umask lets, and is changed by nobody: other layouts may share the file.
const FILE: Mode = Mode::from_raw_mode(0o644);
const FOLDER: Mode = Mode::from_raw_mode(0o777);

/// An open directory. What is done through it stays in this very directory, whatever becomes of its name.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// Opens a directory that a person named; links on the way to it are theirs, and followed. `None` if it is not there.
    pub(super) fn named(path: &Path) -> Result<Option<Self>, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: path.to_owned() })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR) => {
                let problem = "it is not a directory".to_owned();
                Err(Error::NotALayout { path: path.to_owned(), problem })
            }
            Err(error) => Err(Error::io("open", path)(error.into())),
        }
    }

    /// Where it was when it was opened, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory in this one.
    pub(super) fn dir(&self, name: &str) -> Result<Option<Self>, Error> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(Error::Irregular { path, wanted: "a directory" }),
            Err(error) => Err(Error::io("open", path)(error.into())),
        }
    }

    /// Opens a directory in this one, which is made if it is not there. It is there for good when this one is synced.
    pub(super) fn make_dir(&self, name: &str) -> Result<Self, Error> {
        if let Some(dir) = self.dir(name)? {
            return Ok(dir);
        }
        match fs::mkdirat(&self.fd, name, FOLDER) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::io("make", self.path.join(name))(error.into())),
        }
        let gone = || Error::io("open", self.path.join(name))(io::ErrorKind::NotFound.into());
        self.dir(name)?.ok_or_else(gone)
    }

    /// Opens a file to read.
    pub(super) fn file(&self, name: &str) -> Result<Option<File>, Error> {
        let path = self.path.join(name);
        // Without NONBLOCK, a pipe would keep us waiting for somebody who writes into it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Error::Irregular { path, wanted: "a file" }),
            Err(error) => return Err(Error::io("open", path)(error.into())),
        };
        if !file.metadata().map_err(Error::io("look at", &path))?.is_file() {
            return Err(Error::Irregular { path, wanted: "a file" });
        }
        Ok(Some(file))
    }

    /// The size of a file.
    pub(super) fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        let path = self.path.join(name);
        match fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                Err(Error::Irregular { path, wanted: "a file" })
            }
            Ok(stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or_default())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::io("look at", path)(error.into())),
        }
    }

    /// Makes a file that is not there; an error of [`io::ErrorKind::AlreadyExists`] if it is.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(&self.fd, name, flags, FILE)?))
    }

    /// Opens a file that is made if it is not there, to be locked.
    pub(super) fn lock_file(&self, name: &str) -> Result<File, Error> {
        let path = self.path.join(name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match fs::openat(&self.fd, name, flags, FILE) {
            Ok(fd) => Ok(File::from(fd)),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => Err(Error::Irregular { path, wanted: "a file" }),
            Err(error) => Err(Error::io("open", path)(error.into())),
        }
    }

    /// Gives a file of this directory another name, perhaps in another one, and takes the place of what is there.
    pub(super) fn rename(&self, name: &str, to: &Self, new_name: &str) -> Result<(), Error> {
        let path = || to.path.join(new_name);
        match fs::renameat(&self.fd, name, &to.fd, new_name) {
            Ok(()) => Ok(()),
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                Err(Error::Irregular { path: path(), wanted: "a file" })
            }
            Err(error) => Err(Error::io("write", path())(error.into())),
        }
    }

    /// Gives a file one more name, in another directory.
    pub(super) fn link(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
        Ok(fs::linkat(&self.fd, name, &to.fd, new_name, AtFlags::empty())?)
    }

    /// Removes a file; it is no error if it is not there.
    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        match fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::io("remove", self.path.join(name))(error.into())),
        }
    }

    /// What is in it was made, renamed or removed for good when this returns.
    pub(super) fn sync(&self) -> Result<(), Error> {
        fs::fsync(&self.fd).map_err(|error| Error::io("write", &self.path)(error.into()))
    }

    /// The names in it, but for those that are no text, up to `most` of them.
    pub(super) fn names(&self, most: usize) -> Result<Vec<String>, Error> {
        let failed = |error: Errno| Error::io("list", &self.path)(error.into());
        let entries = fs::Dir::read_from(&self.fd).map_err(failed)?;
        let mut names = Vec::new();
        for entry in entries.take(most) {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The same directory, for somebody else.
    pub(super) fn again(&self) -> Result<Self, Error> {
        let fd = self.fd.try_clone().map_err(Error::io("open", &self.path))?;
        Ok(Self { fd, path: self.path.clone() })
    }
}

/// Makes a directory that a person named, and its parents. Each that is new is on disk, in its parent, when this returns.
pub(super) fn make_named(path: &Path) -> Result<Dir, Error> {
    if let Some(dir) = Dir::named(path)? {
        return Ok(dir);
    }
    // The parent of a relative name of one part is the empty path.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = make_named(parent.unwrap_or_else(|| Path::new(".")))?;
    match fs::mkdir(path, FOLDER) {
        Ok(()) => parent.sync()?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(Error::io("make", path)(error.into())),
    }
    Dir::named(path)?.ok_or_else(|| Error::NoLayout(path.to_owned()))
}

/// All of a file that has at most so many bytes; more than that are never read.
pub(super) fn read(file: File, path: PathBuf, most: u64) -> Result<Vec<u8>, Error> {
    let size = file.metadata().map_err(Error::io("look at", &path))?.len();
    let mut bytes = Vec::new();
    if size <= most {
        bytes.reserve_exact(usize::try_from(size).unwrap_or_default());
        // It may grow while it is read.
        file.take(most + 1).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
    }
    if size > most || bytes.len() as u64 > most {
        return Err(Error::TooLarge { path, limit: most });
    }
    Ok(bytes)
}
