//! Some platforms of an index: which of its children are kept, which are left out and why, and the index as it is written
//! for a registry that takes none whose children are not all there.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Manifest, ManifestError, object::Object, parse::object};
use crate::{
    digest::Digest,
    platform::{Platform, Platforms},
};

/// By which `BuildKit` marks a child that speaks of another one: its SBOM and provenance.
const ATTESTATION: &str = "attestation-manifest";

/// What becomes of the children of an index of which some platforms are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    children: Vec<Child>,
}

/// One child, in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its digest.
    pub digest: Digest,
    /// The platform that the index says it is for, if it says one.
    pub platform: Option<Platform>,
    /// Whether it is kept, and why.
    pub verdict: Verdict,
}

/// Whether a child is kept, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its platform is wanted.
    Wanted,
    /// It is an attestation of a child that is kept.
    Attests,
    /// It is for no platform: it may belong to all of them.
    NoPlatform,
    /// Its platform is not wanted: it is left out.
    Unwanted,
    /// It is an attestation of a child that is left out, or of nothing in this index: it is left out.
    AttestsUnwanted,
}

impl Verdict {
    /// Whether the child is kept.
    #[must_use]
    pub const fn is_kept(self) -> bool {
        matches!(self, Self::Wanted | Self::Attests | Self::NoPlatform)
    }
}

impl Subset {
    /// Every child, in the order of the index.
    #[must_use]
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.children.iter().all(|child| child.verdict.is_kept())
    }

    /// Whether there is no child for any wanted platform, and something is left out.
    #[must_use]
    pub fn is_void(&self) -> bool {
        !self.is_whole() && self.children.iter().all(|child| child.verdict != Verdict::Wanted)
    }

    /// The digests of what is kept.
    #[must_use]
    pub fn kept(&self) -> BTreeSet<Digest> {
        self.digests(true).cloned().collect()
    }

    /// The digests of what is left out. One that is kept for another platform too is not among them.
    #[must_use]
    pub fn left_out(&self) -> BTreeSet<Digest> {
        let kept: BTreeSet<&Digest> = self.digests(true).collect();
        self.digests(false).filter(|digest| !kept.contains(digest)).cloned().collect()
    }

    /// The platforms that the index has, whether wanted or not.
    #[must_use]
    pub fn platforms(&self) -> BTreeSet<&Platform> {
        self.children.iter().filter_map(|child| child.platform.as_ref()).collect()
    }

    fn digests(&self, kept: bool) -> impl Iterator<Item = &Digest> {
        let children = self.children.iter().filter(move |child| child.verdict.is_kept() == kept);
        children.map(|child| &child.digest)
    }
}

impl Manifest {
    /// Decides which children of an index are kept if these platforms are wanted. Indexes among them are kept or left out as a
    /// whole.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Malformed`] for what is no index. What an index says of platforms is never an error.
    pub fn subset(&self, platforms: &Platforms) -> Result<Subset, ManifestError> {
        let entries: Vec<Object<Entry<'_>>> = read(&self.bytes)?;
        let mut verdicts: HashMap<Digest, bool> = HashMap::new();
        let mut children: Vec<(Child, Option<String>)> = Vec::with_capacity(entries.len());
        for Object(entry) in entries {
            let digest: Digest = entry.digest.parse()?;
            let platform = entry.platform();
            let verdict = match &platform {
                Some(platform) if platforms.matches(platform) => Verdict::Wanted,
                Some(_) => Verdict::Unwanted,
                None => Verdict::NoPlatform,
            };
            let attested = entry.attested();
            if attested.is_none() {
                *verdicts.entry(digest.clone()).or_default() |= verdict.is_kept();
            }
            children.push((Child { digest, platform, verdict }, attested));
        }
        let judged = children.into_iter().map(|(child, attested)| {
            let Some(attested) = attested else { return child };
            let subject = attested.parse::<Digest>().ok();
            let is_kept = subject.and_then(|subject| verdicts.get(&subject).copied()).unwrap_or_default();
            let verdict = if is_kept { Verdict::Attests } else { Verdict::AttestsUnwanted };
            Child { verdict, ..child }
        });
        Ok(Subset { children: judged.collect() })
    }

    /// This index without what is left out: another manifest, with another digest.
    ///
    /// # Guarantees
    ///
    /// All bytes but those of the left-out entries are as they were, so the same index and the same platforms give the same
    /// bytes, and fields that nobody here knows stay.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] where this is no index.
    pub fn rewritten(&self, subset: &Subset) -> Result<Self, ManifestError> {
        let is_kept = |place: usize| subset.children.get(place).is_some_and(|child| child.verdict.is_kept());
        let bytes = Bytes::from(without(&self.bytes, is_kept)?);
        let digest = Digest::sha256(&bytes);
        Self::parse(bytes, Some(&self.media_type), digest)
    }
}

/// The index without the entries whose places are not kept.
fn without(bytes: &[u8], is_kept: impl Fn(usize) -> bool) -> Result<Vec<u8>, ManifestError> {
    let entries: Vec<&RawValue> = read(bytes)?;
    let start = bytes.as_ptr() as usize;
    let spans: Vec<(usize, usize)> = entries
        .iter()
        .map(|entry| {
            let from = (entry.get().as_ptr() as usize).saturating_sub(start);
            (from, from + entry.get().len())
        })
        .collect();
    let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Ok(bytes.to_vec()) };
    // What stands between two entries: a comma, with the white space of whoever wrote it.
    let between = spans.get(1).map_or(&b","[..], |second| part(first.1, second.0));
    let kept: Vec<&[u8]> = spans
        .iter()
        .enumerate()
        .filter(|(place, _)| is_kept(*place))
        .map(|(_, &(from, to))| part(from, to))
        .collect();
    Ok([part(0, first.0), &kept.join(between), part(last.1, bytes.len())].concat())
}

/// The entries of an index.
fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<Vec<T>, ManifestError> {
    #[derive(Deserialize)]
    #[serde(bound = "T: Deserialize<'de>")]
    struct Index<T> {
        #[serde(default)]
        manifests: Option<Vec<T>>,
    }
    let index: Index<T> = object(bytes)?;
    Ok(index.manifests.unwrap_or_default())
}

/// What an index says of a child, as far as it matters here.
#[derive(Deserialize)]
struct Entry<'a> {
    digest: String,
    // What has not the form that it should have says nothing, so it is looked at apart.
    #[serde(default, borrow)]
    platform: Option<&'a RawValue>,
    #[serde(default, borrow)]
    annotations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "vnd.docker.reference.type")]
    kind: String,
    #[serde(rename = "vnd.docker.reference.digest", default)]
    of: String,
}

impl Entry<'_> {
    fn platform(&self) -> Option<Platform> {
        let Object(platform): Object<RawPlatform> = serde_json::from_str(self.platform?.get()).ok()?;
        let RawPlatform { os, architecture, variant } = platform;
        Platform::found(&os, &architecture, variant.as_deref())
    }

    /// What this is an attestation of, if it is one.
    fn attested(&self) -> Option<String> {
        let Object(annotations): Object<Annotations> = serde_json::from_str(self.annotations?.get()).ok()?;
        (annotations.kind == ATTESTATION).then_some(annotations.of)
    }
}

#[cfg(test)]
mod tests;
