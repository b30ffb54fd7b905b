//! Referrers: manifests in the index that have another one as their `subject`, and those that tools keep under a fallback tag.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;
use serde_json::Value;

use super::{Layout, error::Error, index::Tagged};
use crate::{
    digest::Digest,
    reference::Tag,
    registry::{At, Descriptor, Manifest},
};

/// Referrers of one manifest that are listed; no real one has so many.
const MOST: usize = 10_000;
/// Manifests of which is remembered what they refer to.
const MOST_REMEMBERED: usize = 50_000;

/// A manifest that refers to another one, as registries list it (distribution-spec, "Listing Referrers").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The manifest.
    pub descriptor: Descriptor,
    /// What it is: its `artifactType`, or the media type of its config.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What is read of a manifest beside what has to be copied with it.
#[derive(Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    pub(super) subject: Option<Subject>,
    #[serde(rename = "artifactType", default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Config>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
pub(super) struct Subject {
    digest: String,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "mediaType", default)]
    media_type: Option<String>,
}

/// Which manifests refer to which: their bytes never change, so they are read once.
#[derive(Default)]
pub(super) struct Subjects(Mutex<HashMap<Digest, Option<Arc<(Digest, Referrer)>>>>);

impl Fields {
    /// What is not as it should be is as if it was not there: who copies a manifest does not judge it.
    pub(super) fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    pub(super) fn artifact_type(&self) -> Option<String> {
        let config = || self.config.as_ref()?.media_type.clone();
        self.artifact_type.clone().filter(|kind| !kind.is_empty()).or_else(config)
    }
}

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
        // `sha256-<hex>`, cut as the specification says (distribution-spec, "Referrers Tag Schema").
        let hex = subject.hex().get(..64).unwrap_or_default();
        let fallback: Option<Tag> = format!("{}-{hex}", super::algorithm(subject)).parse().ok();
        if let Some(tag) = fallback
            && index.tagged(&tag) != Tagged::Nothing
        {
            let there = self.get(&At::Tag(tag))?;
            digests.extend(there.children().iter().map(|child| child.digest.clone()));
        }
        let mut found: Vec<Referrer> = Vec::new();
        for digest in digests {
            let is_new = |found: &[Referrer]| found.iter().all(|known| known.descriptor.digest != digest);
            if let Some(edge) = self.edge(&digest)?
                && edge.0 == *subject
                && is_new(&found)
                && found.len() < MOST
            {
                found.push(edge.1.clone());
            }
        }
        Ok(found)
    }

    /// What a manifest refers to. One that is not there, or damaged, refers to nothing: it could not be read either.
    fn edge(&self, digest: &Digest) -> Result<Option<Arc<(Digest, Referrer)>>, Error> {
        let subjects = &self.0.subjects.0;
        if let Some(known) = subjects.lock().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(known.clone());
        }
        let bytes = match self.read_manifest(digest) {
            Ok(bytes) => bytes,
            Err(Error::NoManifest { .. } | Error::Digest { .. } | Error::TooLarge { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let fields = Fields::read(&bytes);
        let subject = fields.subject.as_ref().and_then(|subject| subject.digest.parse().ok());
        let edge = match (subject, Manifest::parse(bytes, None, digest.clone())) {
            (Some(subject), Ok(manifest)) => {
                let artifact_type = fields.artifact_type();
                let annotations = fields.annotations.unwrap_or_default().into_iter();
                let text = |(name, value)| Some((name, Value::as_str(&value)?.to_owned()));
                let annotations = annotations.filter_map(text).collect();
                let descriptor = manifest.descriptor();
                Some(Arc::new((subject, Referrer { descriptor, artifact_type, annotations })))
            }
            _ => None,
        };
        let mut known = subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(digest.clone(), edge.clone());
        Ok(edge)
    }
}
