//! Manifests in a layout: looked at, read, written, and taken out of the index.

use bytes::Bytes;

use super::{
    Layout, blobs_to_write,
    commit::INDEX,
    dir::read,
    error::Error,
    index::{Change, Tagged},
    part::Part,
    size_in,
};
use crate::{
    digest::Digest,
    reference::Tag,
    registry::{At, Descriptor, Gone, Manifest, Referrer},
};

/// The largest manifest that is read, in bytes, as of registries.
pub(super) const LARGEST: u64 = 4 << 20;

impl Layout {
    /// Looks which manifest is there. `None` is what is not there as its index says: see
    /// [`prove_absent`](Self::prove_absent).
    ///
    /// # Errors
    ///
    /// A directory that is no layout, and all that keeps it from being read.
    pub async fn head_manifest(&self, at: &At) -> Result<Option<Descriptor>, Error> {
        let at = at.clone();
        self.blocking(move |this| this.head(&at)).await
    }

    /// Whether it is certain that there is no such manifest, or no layout at all.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] where the index names it and it is not there; and all that keeps it from being read.
    pub async fn prove_absent(&self, at: &At) -> Result<bool, Error> {
        match self.get_manifest(at).await {
            Err(Error::NoManifest { .. } | Error::NoLayout(_)) => Ok(true),
            // It is there, whatever else is wrong with it.
            Ok(_) | Err(Error::Manifest(_)) => Ok(false),
            Err(Error::TooLarge { path, .. }) if !path.ends_with(INDEX) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads a manifest.
    ///
    /// # Guarantees
    ///
    /// The bytes have the digest that they were asked by, or that the index gives to the tag.
    ///
    /// # Errors
    ///
    /// [`Error::NoManifest`], [`Error::NoLayout`], [`Error::Ambiguous`], [`Error::TooLarge`] above 4 MiB, [`Error::Digest`]
    /// for wrong bytes, [`Error::Manifest`] for what is not supported; and all that keeps it from being read.
    pub async fn get_manifest(&self, at: &At) -> Result<Manifest, Error> {
        let at = at.clone();
        self.blocking(move |this| this.get(&at)).await
    }

    /// Writes a manifest, as its bytes are. By digest it is in the index only if it refers to another one: everything else
    /// is named by what is written after it. See [`list`](Self::list).
    ///
    /// A refusal ([`Error::is_refusal`]) means that the tag is as it was. Children of an index need not be there, since a
    /// layout may have a part of an image; blobs must be.
    ///
    /// # Errors
    ///
    /// [`Error::MissingContent`] for a blob that is not there; and all that keeps it from being written.
    pub async fn put_manifest(&self, at: &At, manifest: &Manifest) -> Result<(), Error> {
        self.store(manifest).await?;
        let tag = match at {
            At::Tag(tag) => Some(tag.clone()),
            At::Digest(_) if manifest.subject().is_some() => None,
            At::Digest(_) => return Ok(()),
        };
        self.commit(put(tag, manifest)).await
    }

    /// Writes a manifest that is to be found although it has no tag and nothing names it: it is in the index.
    ///
    /// # Errors
    ///
    /// As of [`put_manifest`](Self::put_manifest).
    pub async fn list(&self, manifest: &Manifest) -> Result<(), Error> {
        self.store(manifest).await?;
        self.commit(put(None, manifest)).await
    }

    /// Takes a tag out of the index, if the index gives it this digest when that is changed. Blobs and the manifest stay.
    ///
    /// # Errors
    ///
    /// [`Error::Ambiguous`], a tag whose entry is damaged, and all that keeps it from being done.
    pub async fn delete_tag(&self, tag: &Tag, digest: &Digest) -> Result<Gone, Error> {
        match self.named(tag).await? {
            None => return Ok(Gone::Absent),
            Some(found) if found != *digest => return Ok(Gone::Changed(found)),
            Some(_) => {}
        }
        self.commit(Change::Untag { tag: tag.clone(), digest: digest.clone() }).await?;
        // Somebody may have written it since.
        Ok(self.named(tag).await?.map_or(Gone::Deleted, Gone::Changed))
    }

    /// The digest that the index gives to a tag, whether or not that is there.
    ///
    /// # Errors
    ///
    /// As of [`delete_tag`](Self::delete_tag).
    pub async fn named(&self, tag: &Tag) -> Result<Option<Digest>, Error> {
        let at = At::Tag(tag.clone());
        self.blocking(move |this| match this.find(&at) {
            Ok(found) => Ok(Some(found.digest)),
            Err(Error::NoManifest { .. } | Error::NoLayout(_)) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// All tags of the layout, sorted.
    ///
    /// # Errors
    ///
    /// [`Error::NoLayout`], and all that keeps the index from being read.
    pub async fn tags(&self) -> Result<Vec<Tag>, Error> {
        self.blocking(|this| Ok(this.index()?.ok_or_else(|| Error::NoLayout(this.path()))?.tags())).await
    }

    fn head(&self, at: &At) -> Result<Option<Descriptor>, Error> {
        let found = match self.find(at) {
            Ok(found) => found,
            Err(Error::NoManifest { .. } | Error::NoLayout(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if matches!(at, At::Tag(_)) {
            let size = self.blob_size(&found.digest)?;
            return Ok(Some(found).filter(|found| size == Some(found.size)));
        }
        match self.read_manifest(&found.digest) {
            Ok(bytes) => {
                Ok(Some(Manifest::parse(bytes, Some(&found.media_type), found.digest)?.descriptor()))
            }
            // What is damaged is written again by whoever can.
            Err(Error::NoManifest { .. } | Error::Digest { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn get(&self, at: &At) -> Result<Manifest, Error> {
        let found = self.find(at)?;
        let bytes = self.read_manifest(&found.digest).map_err(|error| match (at, error) {
            (At::Tag(_), Error::NoManifest { .. }) => self.damaged(&found, "it is not there"),
            (_, error) => error,
        })?;
        if matches!(at, At::Tag(_)) && bytes.len() as u64 != found.size {
            return Err(self.damaged(&found, &format!("it has {}", bytes.len())));
        }
        Ok(Manifest::parse(bytes, Some(&found.media_type), found.digest)?)
    }

    /// What the index says of a tag, or of a digest, which need not be in it.
    fn find(&self, at: &At) -> Result<Descriptor, Error> {
        let index = self.index()?.ok_or_else(|| Error::NoLayout(self.path()))?;
        let repository = || self.repository().clone();
        match at {
            At::Digest(digest) => Ok(index.descriptor(digest).cloned().unwrap_or_else(|| Descriptor {
                digest: digest.clone(),
                size: 0,
                media_type: String::new(),
            })),
            At::Tag(tag) => match index.tagged(tag) {
                Tagged::One(found) => Ok(found.clone()),
                Tagged::Nothing => Err(Error::NoManifest { repository: repository(), at: at.to_string() }),
                Tagged::Several => Err(Error::Ambiguous { repository: repository(), tag: tag.to_string() }),
                Tagged::Damaged(problem) => Err(Error::NotALayout {
                    path: self.path(),
                    problem: format!("what its index has under {tag} is damaged ({problem})"),
                }),
            },
        }
    }

    /// The bytes of a manifest, which have the digest.
    pub(super) fn read_manifest(&self, digest: &Digest) -> Result<Bytes, Error> {
        let none = || Error::NoManifest { repository: self.repository().clone(), at: format!("@{digest}") };
        let dir = self.blobs(digest)?.ok_or_else(none)?;
        let file = dir.file(digest.hex())?.ok_or_else(none)?;
        let bytes = read(file, dir.path().join(digest.hex()), LARGEST)?;
        if digest.matches(&bytes) {
            return Ok(bytes.into());
        }
        Err(Error::Digest { repository: self.repository().clone(), digest: digest.clone() })
    }

    /// Writes the bytes of a manifest, after a look whether its blobs are there.
    async fn store(&self, manifest: &Manifest) -> Result<(), Error> {
        let manifest = manifest.clone();
        self.blocking(move |this| {
            let root = this.write_root()?;
            for blob in manifest.blobs() {
                if size_in(&root, &blob.digest)? != Some(blob.size) {
                    let repository = this.repository().clone();
                    return Err(Error::MissingContent { repository, digest: blob.digest });
                }
            }
            let dir = blobs_to_write(&root, &manifest.digest)?;
            let name = manifest.digest.hex();
            let there = match dir.size(name)? {
                Some(size) if size == manifest.bytes.len() as u64 => dir.file(name)?,
                _ => None,
            };
            if let Some(file) = there
                && read(file, dir.path().join(name), LARGEST)? == manifest.bytes
            {
                return Ok(());
            }
            let mut part = Part::new(&root)?;
            part.write(&manifest.bytes)?;
            part.place(&dir, name)?;
            Ok(())
        })
        .await
    }

    fn damaged(&self, found: &Descriptor, problem: &str) -> Error {
        Error::Damaged {
            repository: self.repository().clone(),
            digest: found.digest.clone(),
            said: found.size,
            found: problem.to_owned(),
        }
    }
}

fn put(tag: Option<Tag>, manifest: &Manifest) -> Change {
    let referrer = manifest.subject().map(|_| Referrer::of(manifest));
    let artifact_type = referrer.and_then(|referrer| referrer.artifact_type().map(str::to_owned));
    Change::Put { tag, descriptor: manifest.descriptor(), artifact_type }
}
