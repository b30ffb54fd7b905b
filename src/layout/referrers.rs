//! Referrers: manifests in the index that have another one as their `subject`, and those that tools keep under a fallback tag.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Layout, error::Error, index::Tagged};
use crate::{
    digest::Digest,
    registry::{At, Attachment, Manifest, Referrer},
};

/// Manifests of which is remembered what they refer to.
const MOST_REMEMBERED: usize = 50_000;

/// A manifest, and the one that it refers to.
type Edge = Option<Arc<(Digest, Referrer)>>;

/// Which manifests refer to which: their bytes never change, so they are read once.
#[derive(Default)]
pub(super) struct Subjects(Mutex<HashMap<Digest, Edge>>);

impl Layout {
    /// The manifests that refer to the one with this digest, each once, in the order of the index. It need not be there
    /// itself.
    ///
    /// # Errors
    ///
    /// [`Error::NoLayout`], and all that keeps the index, or a manifest that it names, from being read: a list is whole or an
    /// error.
    pub async fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, Error> {
        let subject = subject.clone();
        self.blocking(move |this| this.find_referrers(&subject)).await
    }

    fn find_referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, Error> {
        let index = self.index()?.ok_or_else(|| Error::NoLayout(self.path()))?;
        let listed = index.entries().iter().filter_map(|entry| entry.descriptor.as_ref().ok());
        let mut digests: Vec<Digest> = listed.map(|descriptor| descriptor.digest.clone()).collect();
        if let Some(tag) = Attachment::Fallback.tag(subject)
            && index.tagged(&tag) != Tagged::Nothing
        {
            let there = self.get(&At::Tag(tag))?;
            digests.extend(there.children().iter().map(|child| child.digest.clone()));
        }
        let mut seen = BTreeSet::new();
        digests.retain(|digest| seen.insert(digest.clone()));
        let mut found = Vec::new();
        for digest in digests {
            if let Some(edge) = self.edge(&digest)?
                && edge.0 == *subject
            {
                found.push(edge.1.clone());
            }
        }
        Ok(found)
    }

    /// What a manifest refers to. One that is not there, or damaged, refers to nothing: it could not be read either.
    fn edge(&self, digest: &Digest) -> Result<Edge, Error> {
        let subjects = &self.0.subjects.0;
        if let Some(known) = subjects.lock().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(known.clone());
        }
        let bytes = match self.read_manifest(digest) {
            Ok(bytes) => bytes,
            Err(Error::NoManifest { .. } | Error::Digest { .. } | Error::TooLarge { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest = Manifest::parse(bytes, None, digest.clone()).ok();
        let edge = manifest.and_then(|manifest| {
            let subject = manifest.subject()?.clone();
            Some(Arc::new((subject, Referrer::of(&manifest))))
        });
        let mut known = subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(digest.clone(), edge.clone());
        Ok(edge)
    }
}
