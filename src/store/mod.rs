//! Where images are read and written: one port, whatever is behind it.
//!
//! ```text
//! Stores     opens a repository, with the credential that a keychain has for it
//! Store      one repository: manifests, tags and blobs
//!   Reading  a blob, read from it
//!   Upload   a blob, written to it
//! ```

mod delete;
mod error;
mod transfer;

pub use self::{
    delete::DeleteError,
    error::Error,
    transfer::{Mount, Reading, Upload},
};
use crate::{
    digest::Digest,
    layout::{self, Layout, Layouts},
    reference::{Repository, Tag},
    registry::{Account, At, Blob, Descriptor, Keychain, Listing, Manifest, Referrer, Registries, Remote},
};

/// Opens repositories. A clone costs a counter.
#[derive(Clone)]
pub struct Stores {
    registries: Registries,
    layouts: Layouts,
}

/// One repository. A clone costs a counter.
#[derive(Clone, Debug)]
pub enum Store {
    /// In a registry.
    Registry(Remote),
    /// In a directory, as an OCI image layout.
    Layout(Layout),
}

impl Stores {
    /// Opens repositories in these registries, and layouts.
    #[must_use]
    pub fn new(registries: Registries) -> Self {
        Self { registries, layouts: Layouts::default() }
    }

    /// Opens a repository with the credential that the keychain has for it. Nothing is asked or read yet.
    #[must_use]
    pub fn open(&self, repository: &Repository, keychain: &Keychain) -> Store {
        match repository.layout() {
            None => Store::Registry(self.registries.open(repository, keychain)),
            Some(_) => Store::Layout(self.layouts.open(repository)),
        }
    }
}

impl Store {
    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        match self {
            Self::Registry(remote) => remote.repository(),
            Self::Layout(layout) => layout.repository(),
        }
    }

    /// What budgets and mounts are counted by: a registry, with the credential that is used there; all layouts are one.
    #[must_use]
    pub fn account(&self) -> &Account {
        match self {
            Self::Registry(remote) => remote.account(),
            Self::Layout(_) => Account::of_layouts(),
        }
    }

    /// Looks which manifest is there, without reading it. `None` is what may be absent; see [`prove_absent`](Self::prove_absent).
    ///
    /// # Errors
    ///
    /// All that tells neither that it is there nor that it is not.
    pub async fn head_manifest(&self, at: &At) -> Result<Option<Descriptor>, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.head_manifest(at).await?),
            Self::Layout(layout) => Ok(layout.head_manifest(at).await?),
        }
    }

    /// Whether it is certain that there is no such manifest, or no such repository.
    ///
    /// # Errors
    ///
    /// All that proves neither.
    pub async fn prove_absent(&self, at: &At) -> Result<bool, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.prove_absent(at).await?),
            Self::Layout(layout) => Ok(layout.prove_absent(at).await?),
        }
    }

    /// Reads a manifest, whose bytes have the digest that they were asked by.
    ///
    /// # Errors
    ///
    /// One that is not there, too large, or none; and all that is no answer.
    pub async fn get_manifest(&self, at: &At) -> Result<Manifest, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.get_manifest(at).await?),
            Self::Layout(layout) => Ok(layout.get_manifest(at).await?),
        }
    }

    /// Reads a manifest from where it is to be, and from nowhere else: that it is there.
    ///
    /// # Errors
    ///
    /// [`Error::is_gone`] where it is not; and all that is no answer.
    pub async fn get_own_manifest(&self, at: &At) -> Result<Manifest, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.get_own_manifest(at).await?),
            Self::Layout(layout) => Ok(layout.get_manifest(at).await?),
        }
    }

    /// Whether a blob can be read from where it is to be.
    ///
    /// # Errors
    ///
    /// All that tells neither that it can nor that it cannot.
    pub async fn can_read_blob(&self, blob: &Blob) -> Result<bool, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.can_read_blob(blob).await?),
            Self::Layout(layout) => Ok(layout.head_blob(&blob.digest).await? == Some(blob.size)),
        }
    }

    /// Writes a manifest, as its bytes are. A refusal ([`Error::is_refusal`]) means that the tag is as it was.
    ///
    /// # Errors
    ///
    /// [`Error::is_missing_content`] where what it names is not there; and all that keeps it from being written.
    pub async fn put_manifest(&self, at: &At, manifest: &Manifest) -> Result<(), Error> {
        match self {
            Self::Registry(remote) => Ok(remote.put_manifest(at, manifest).await?),
            Self::Layout(layout) => Ok(layout.put_manifest(at, manifest).await?),
        }
    }

    /// Writes the manifest of an image that is wanted, after all that belongs to it: as [`put_manifest`](Self::put_manifest), and
    /// by digest too it can be found afterwards.
    ///
    /// # Errors
    ///
    /// As of [`put_manifest`](Self::put_manifest).
    pub async fn publish(&self, at: &At, manifest: &Manifest) -> Result<(), Error> {
        match (self, at) {
            (Self::Layout(layout), At::Digest(_)) => Ok(layout.list(manifest).await?),
            _ => self.put_manifest(at, manifest).await,
        }
    }

    /// Writes a referrer by its digest, and says whether it is listed among the [`referrers`](Self::referrers) of its subject by
    /// that. Where it is not, [`name_referrers`](Self::name_referrers) has to name it.
    ///
    /// # Errors
    ///
    /// Those of [`put_manifest`](Self::put_manifest).
    pub async fn put_referrer(&self, manifest: &Manifest) -> Result<bool, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.put_referrer(manifest).await?),
            Self::Layout(layout) => {
                layout.list(manifest).await?;
                Ok(true)
            }
        }
    }

    /// The referrers of a manifest that the repository has, where it can list them.
    ///
    /// # Errors
    ///
    /// All that is no answer: what could not be listed is not "none".
    pub async fn referrers(&self, subject: &Digest) -> Result<Listing, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.referrers(subject).await?),
            Self::Layout(layout) => {
                let found = layout.referrers(subject).await?;
                Ok(Listing::Referrers(found.iter().map(Referrer::descriptor).collect()))
            }
        }
    }

    /// The referrers that are named under the fallback tag of a manifest.
    ///
    /// # Errors
    ///
    /// A tag that holds something else; and all that is no answer.
    pub async fn fallback_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.fallback_referrers(subject).await?),
            // They are among the others.
            Self::Layout(_) => Ok(Vec::new()),
        }
    }

    /// Sees to it that referrers are named under the fallback tag of a manifest, beside those that others named there, and returns
    /// the digest of what the tag holds.
    ///
    /// # Errors
    ///
    /// A tag that holds something else, or has no more room; and all that keeps it from being written.
    pub async fn name_referrers(&self, subject: &Digest, ours: &[Referrer]) -> Result<Digest, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.name_referrers(subject, ours).await?),
            Self::Layout(_) => Err(layout::Error::Internal("a layout lists referrers without a tag").into()),
        }
    }

    /// All tags of the repository, sorted: a list is whole or an error.
    ///
    /// # Errors
    ///
    /// A repository that is not there; and all that is no answer.
    pub async fn tags(&self) -> Result<Vec<Tag>, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.tags().await?),
            Self::Layout(layout) => Ok(layout.tags().await?),
        }
    }

    /// The size of a blob, in bytes, if it is there.
    ///
    /// # Errors
    ///
    /// All that tells neither that it is there nor that it is not.
    pub async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.head_blob(digest).await?),
            Self::Layout(layout) => Ok(layout.head_blob(digest).await?),
        }
    }

    /// A blob to be read, perhaps more than once.
    #[must_use]
    pub fn reading(&self, blob: &Blob) -> Reading {
        match self {
            Self::Registry(remote) => Reading::Registry(remote.reading(blob)),
            Self::Layout(layout) => Reading::Layout(layout.reading(blob)),
        }
    }

    /// Asks for a blob to be taken from another repository of the same registry, or from another layout.
    ///
    /// # Errors
    ///
    /// Only what will also keep an upload from working.
    pub async fn mount(&self, digest: &Digest, from: &Self) -> Result<Mount, Error> {
        match (self, from) {
            (Self::Registry(remote), Self::Registry(from)) => Ok(remote.mount(digest, from).await?.into()),
            (Self::Layout(layout), Self::Layout(from)) => Ok(layout.mount(digest, from).await?.into()),
            (Self::Registry(_), Self::Layout(_)) | (Self::Layout(_), Self::Registry(_)) => Ok(Mount::Refused),
        }
    }

    /// Opens a session for one blob.
    ///
    /// # Errors
    ///
    /// Missing rights show here, before anything is sent; and all that is no answer.
    pub async fn start_upload(&self) -> Result<Upload, Error> {
        match self {
            Self::Registry(remote) => Ok(Upload::Registry(remote.start_upload().await?)),
            Self::Layout(layout) => Ok(Upload::Layout(layout.start_upload().await?)),
        }
    }
}

impl From<Layout> for Store {
    fn from(layout: Layout) -> Self {
        Self::Layout(layout)
    }
}

impl From<Remote> for Store {
    fn from(remote: Remote) -> Self {
        Self::Registry(remote)
    }
}
