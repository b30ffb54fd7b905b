//! Manifests in a layout: looked at, read, written, and taken out of the index.

use std::{fs::File, io::Read as _, os::unix::fs::MetadataExt as _};

use bytes::Bytes;

use super::{
    Layout, blobs_to_write,
    commit::INDEX,
    dir::Dir,
    error::Error,
    index::{Change, Tagged},
    part::Part,
    referrers,
};
use crate::{
    digest::Digest,
    reference::Tag,
    registry::{At, Descriptor, Manifest, Referrer},
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
            At::Digest(_) if referrers::subject(&manifest.bytes).is_some() => None,
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

    /// Takes a tag, or all that has the digest, out of the index. Blobs stay, and so does a manifest that lost its tag.
    ///
    /// # Errors
    ///
    /// [`Error::NoManifest`], and all that keeps it from being done.
    pub async fn delete_manifest(&self, at: &At) -> Result<(), Error> {
        let this = at.clone();
        let found = self.blocking(move |layout| layout.find(&this).map(|_| ())).await;
        // A tag that is there twice, or shows what is damaged, can go.
        if let Err(error @ (Error::NoManifest { .. } | Error::NoLayout(_))) = found {
            return Err(error);
        }
        match at {
            At::Tag(tag) => self.commit(Change::Untag(tag.clone())).await,
            At::Digest(digest) => {
                self.commit(Change::Remove(digest.clone())).await?;
                let digest = digest.clone();
                self.blocking(move |this| match this.blobs(&digest)? {
                    Some(dir) => dir.remove(digest.hex()),
                    None => Ok(()),
                })
                .await
            }
        }
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
        let Some(index) = self.index()? else { return Ok(None) };
        let digest = match (at, self.find(at)) {
            (At::Tag(_), Ok(found)) => {
                let size = match self.blobs(&found.digest)? {
                    Some(dir) => dir.size(found.digest.hex())?,
                    None => None,
                };
                return Ok(Some(found).filter(|found| size == Some(found.size)));
            }
            (_, Err(Error::NoManifest { .. })) => return Ok(None),
            (_, Err(error)) => return Err(error),
            (At::Digest(digest), Ok(_)) => digest,
        };
        match self.read_manifest(digest) {
            Ok(bytes) => {
                let said = index.descriptor(digest).map(|said| said.media_type.as_str());
                Ok(Some(Manifest::parse(bytes, said, digest.clone())?.descriptor()))
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
        let bytes = read(file, &dir, digest.hex())?;
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
                let size = match this.blobs(&blob.digest)? {
                    Some(dir) => dir.size(blob.digest.hex())?,
                    None => None,
                };
                if size != Some(blob.size) {
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
                && read(file, &dir, name)? == manifest.bytes
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
    let is_referrer = referrers::subject(&manifest.bytes).is_some();
    let artifact_type = Referrer::of(manifest).artifact_type().filter(|_| is_referrer).map(str::to_owned);
    Change::Put { tag, descriptor: manifest.descriptor(), artifact_type }
}

fn read(file: File, dir: &Dir, name: &str) -> Result<Vec<u8>, Error> {
    let path = dir.path().join(name);
    let size = file.metadata().map_err(Error::io("look at", &path))?.size();
    let mut bytes = Vec::new();
    if size <= LARGEST {
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
    }
    if size > LARGEST || bytes.len() as u64 > LARGEST {
        return Err(Error::TooLarge { path, limit: LARGEST });
    }
    Ok(bytes)
}
