//! Why records cannot be read or written.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::class::Class;

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
    /// The directory that was opened is not there any more, and another process may hold what is there now.
    #[error(
        "the state directory {0} was deleted or replaced while this process used it, so nothing more is recorded or \
         published; run imagesync again"
    )]
    Gone(PathBuf),
    /// A slice that would be refused when it is read again.
    #[error(
        "the state file {path} would have {size} bytes, which is more than is read again; this is a defect"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large it would be.
        size: usize,
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
            Self::Corrupt { .. }
            | Self::Gone(_)
            | Self::TooLarge { .. }
            | Self::Io { .. }
            | Self::Name(_) => Class::Internal,
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}
