//! What goes wrong with a layout, in words that say what a person can do about it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{class::Class, digest::Digest, reference::Repository, registry::ManifestError};

/// What went wrong with a layout. One trouble can fail many images, so a clone is cheap.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The directory is not there, or nothing in it is of a layout.
    #[error("there is no OCI image layout at {}; check the path", .0.display())]
    NoLayout(PathBuf),
    /// There is something, and it is no layout of a version that is known.
    #[error("{} is not an OCI image layout that can be used: {problem}", .path.display())]
    NotALayout {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No manifest has this tag or digest.
    #[error("{repository}{at} is not there; check the name")]
    NoManifest {
        /// The layout.
        repository: Repository,
        /// `:tag` or `@digest`.
        at: String,
    },
    /// No blob has this digest.
    #[error("{repository} does not have the blob {digest}")]
    NoBlob {
        /// The layout.
        repository: Repository,
        /// The blob.
        digest: Digest,
    },
    /// A link, a device, a directory or anything else stands where a layout has a file or a folder of its own.
    #[error("{} is not {wanted}, and links in a layout are not followed: put there what belongs there, or write the layout anew", .path.display())]
    Irregular {
        /// What is.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// Larger than anything honest.
    #[error("{} has more than {limit} bytes, which is more than is accepted: write the layout anew", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Several manifests in the index have one tag.
    #[error(
        "the index of {repository} has several manifests with the tag {tag}: which one is meant cannot be told; take the others out"
    )]
    Ambiguous {
        /// The layout.
        repository: Repository,
        /// The tag.
        tag: String,
    },
    /// The index names something that is not there as it says.
    #[error(
        "{repository} is damaged: its index says that {digest} has {said} bytes, and {found}; write it anew from where it came"
    )]
    Damaged {
        /// The layout.
        repository: Repository,
        /// What is wrong.
        digest: Digest,
        /// The size that the index says, in bytes.
        said: u64,
        /// What there is, in words.
        found: String,
    },
    /// The bytes are not those that the digest names.
    #[error(
        "the bytes of {digest} in {repository} do not have that digest: they were damaged or changed; write it anew from where it came"
    )]
    Digest {
        /// The layout.
        repository: Repository,
        /// What they should have.
        digest: Digest,
    },
    /// More bytes or fewer than promised.
    #[error(
        "{digest} of {repository} has {expected} bytes, and {found} came; if the next run says so too, write it anew from where it came"
    )]
    Length {
        /// The layout.
        repository: Repository,
        /// The blob.
        digest: Digest,
        /// How many should come.
        expected: u64,
        /// How many came, or are there.
        found: u64,
    },
    /// The bytes that came to be written do not have their digest.
    #[error(
        "the bytes that came for {repository} do not have the digest {digest}: they were damaged on the way; the next run tries again"
    )]
    Wrong {
        /// The layout.
        repository: Repository,
        /// What they should have.
        digest: Digest,
    },
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(Arc<ManifestError>),
    /// A manifest names a blob that is not there.
    #[error("{repository} does not have {digest}, which this manifest names; the next run brings it")]
    MissingContent {
        /// The layout.
        repository: Repository,
        /// What is missing.
        digest: Digest,
    },
    /// The bytes that should be written did not come.
    #[error("the bytes to be written did not come; the next run tries again")]
    Body(#[source] Arc<io::Error>),
    /// An upload is to go on at a place where it does not stand.
    #[error("the upload stands at {stands} and not at {offset}")]
    Offset {
        /// Where it stands.
        stands: u64,
        /// Where it should go on.
        offset: u64,
    },
    /// The file system is full, or has no more for this user.
    #[error("no room to write {}, on the disk or within a limit of this user; make some, and the next run goes on", .path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: Arc<io::Error>,
    },
    /// The system does not permit it.
    #[error("cannot {doing} {}; check who may, and whether it can be written at all", .path.display())]
    Denied {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: Arc<io::Error>,
    },
    /// Another process writes the index, and does not end.
    #[error("another process holds {} for more than {seconds} s; end it if it hangs, or wait", .path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
        /// How long it was waited.
        seconds: u64,
    },
    /// Anything else that the system says.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: Arc<io::Error>,
    },
    /// A defect in this program.
    #[error("an error of ImageSync itself: {0}")]
    Internal(&'static str),
}

impl Error {
    /// The error of doing something with a path.
    pub(super) fn io(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let (path, kind, source) = (path.as_ref().to_owned(), source.kind(), Arc::new(source));
            match kind {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    Self::Full { path, source }
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Self::Denied { doing, path, source }
                }
                _ => Self::Io { doing, path, source },
            }
        }
    }

    /// The class that decides what happens next. A full disk is [`Class::Unavailable`]: nobody has to change a manifest
    /// for it, and the next run goes on by itself once there is room.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::NoLayout(_) | Self::NoManifest { .. } | Self::NoBlob { .. } => Class::NotFound,
            Self::NotALayout { .. } | Self::Ambiguous { .. } => Class::Unsupported,
            Self::Irregular { .. } | Self::Denied { .. } => Class::Forbidden,
            Self::TooLarge { .. } => Class::TooLarge,
            Self::Damaged { .. } | Self::Digest { .. } | Self::Length { .. } | Self::Wrong { .. } => {
                Class::DigestMismatch
            }
            Self::Manifest(error) => error.class(),
            Self::MissingContent { .. }
            | Self::Body(_)
            | Self::Offset { .. }
            | Self::Full { .. }
            | Self::Io { .. } => Class::Unavailable,
            Self::Busy { .. } => Class::Timeout,
            Self::Internal(_) => Class::Internal,
        }
    }

    /// It is certain that the tag is as it was. Of what failed while the index was being replaced, it is not.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::Internal(_))
    }

    /// If a manifest was refused because of what is not there: which digest that is.
    #[must_use]
    pub const fn refused_over(&self) -> Option<&[Digest]> {
        match self {
            Self::MissingContent { digest, .. } => Some(std::slice::from_ref(digest)),
            _ => None,
        }
    }

    /// A manifest was refused because the layout lacks a blob that it names.
    #[must_use]
    pub const fn is_missing_content(&self) -> bool {
        matches!(self, Self::MissingContent { .. })
    }
}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(Arc::new(error))
    }
}
