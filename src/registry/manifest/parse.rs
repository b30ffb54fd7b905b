//! Reads the parts of a manifest that decide what has to be copied with it.

use serde::Deserialize;

use super::{
    Blob, DOCKER_LIST, DOCKER_MANIFEST, Descriptor, ManifestError, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST,
    descriptor::Raw, object::Object,
};
use crate::{digest::Digest, text::excerpt};

/// Manifests that an index may name, or that refer to one. A registry takes manifests of 4 MiB, so real ones have far fewer.
pub(crate) const MOST_CHILDREN: usize = 2_000;
/// Blobs that an image may name. Runtimes stop at about 127 layers; artifacts have more, but not so many.
const MOST_BLOBS: usize = 4_000;

pub(super) struct Parts {
    pub(super) media_type: String,
    pub(super) children: Vec<Descriptor>,
    pub(super) blobs: Vec<Blob>,
    pub(super) subject: Option<Digest>,
    pub(super) is_index: bool,
}

// `Option` of a vector, because tools write `null` for an empty one.
#[derive(Deserialize)]
struct Body {
    #[serde(rename = "schemaVersion", default)]
    schema_version: Option<serde_json::Number>,
    #[serde(rename = "mediaType", default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<Vec<Object<Raw>>>,
    #[serde(default)]
    config: Option<Object<Raw>>,
    #[serde(default)]
    layers: Option<Vec<Object<Raw>>>,
    #[serde(default)]
    blobs: Option<Vec<Object<Raw>>>,
    #[serde(rename = "fsLayers", default)]
    fs_layers: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    subject: serde_json::Value,
}

pub(super) fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Parts, ManifestError> {
    let body: Body = object(bytes)?;
    let said = content_type.map(essence).unwrap_or_default();
    let is_first_schema = body.schema_version.as_ref().and_then(serde_json::Number::as_u64) == Some(1);
    if is_first_schema || body.fs_layers.is_some() {
        return Err(ManifestError::Schema1);
    }
    let media_type = body.media_type.clone().filter(|t| !t.is_empty());
    // The bytes' own word counts more than a header, which proxies change.
    let declared = media_type.clone().unwrap_or_else(|| said.clone());
    let looks_like_image = body.config.is_some() || body.layers.is_some();
    let looks_like_artifact = body.blobs.is_some() && !looks_like_image;
    let is_index = match declared.as_str() {
        OCI_INDEX | DOCKER_LIST => true,
        OCI_MANIFEST | DOCKER_MANIFEST | OCI_ARTIFACT => false,
        _ => body.manifests.is_some(),
    };
    if (body.manifests.is_some() && (looks_like_image || body.blobs.is_some()))
        || (is_index && looks_like_image)
        || (!is_index && body.manifests.is_some())
    {
        return Err(ManifestError::Ambiguous);
    }
    if !is_index && !looks_like_image && !looks_like_artifact && declared != OCI_ARTIFACT {
        return Err(ManifestError::Unknown(excerpt(&declared)));
    }
    let media_type = media_type.unwrap_or_else(|| {
        let header_is_right = match said.as_str() {
            OCI_INDEX | DOCKER_LIST => is_index,
            OCI_MANIFEST | DOCKER_MANIFEST | OCI_ARTIFACT => !is_index,
            _ => false,
        };
        let guess = if is_index { OCI_INDEX } else { OCI_MANIFEST };
        if header_is_right { said } else { guess.to_owned() }
    });
    let children = children(body.manifests.unwrap_or_default())?;
    let blobs = body.config.into_iter().chain(body.layers.unwrap_or_default());
    let blobs = unique_blobs(blobs.chain(body.blobs.unwrap_or_default()).collect())?;
    // What is no digest points at nothing. Whether such a manifest is taken is for the target to say.
    let subject = body.subject.get("digest").and_then(|digest| digest.as_str()?.parse().ok());
    Ok(Parts { media_type, children, blobs, subject, is_index })
}

/// Reads a JSON object.
pub(super) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ManifestError> {
    let read = serde_json::from_slice::<Object<T>>(bytes);
    read.map(|Object(read)| read).map_err(|error| ManifestError::Malformed(excerpt(&error.to_string())))
}

/// A media type without its parameters, lower case.
pub(crate) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A list of descriptors in the form of an index, of which only that form is certain.
pub(crate) struct Descriptors {
    pub(crate) media_type: Option<String>,
    pub(crate) descriptors: Vec<Descriptor>,
}

impl Descriptors {
    /// Reads a list; nothing in the bytes makes this panic.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct List {
            #[serde(rename = "mediaType", default)]
            media_type: Option<String>,
            #[serde(default)]
            manifests: Option<Vec<Object<Raw>>>,
        }
        let List { media_type, manifests } = object(bytes)?;
        Ok(Self { media_type, descriptors: children(manifests.unwrap_or_default())? })
    }
}

fn children(raw: Vec<Object<Raw>>) -> Result<Vec<Descriptor>, ManifestError> {
    if raw.len() > MOST_CHILDREN {
        return Err(ManifestError::TooMany { found: raw.len(), what: "manifests", most: MOST_CHILDREN });
    }
    raw.into_iter().map(|Object(raw)| raw.check()).collect()
}

fn unique_blobs(raw: Vec<Object<Raw>>) -> Result<Vec<Blob>, ManifestError> {
    if raw.len() > MOST_BLOBS {
        return Err(ManifestError::TooMany { found: raw.len(), what: "blobs", most: MOST_BLOBS });
    }
    let mut seen = std::collections::HashSet::new();
    let mut blobs = Vec::with_capacity(raw.len());
    for Object(raw) in raw.into_iter().filter(|Object(raw)| !raw.is_foreign()) {
        let Descriptor { digest, size, .. } = raw.check()?;
        if seen.insert(digest.clone()) {
            blobs.push(Blob { digest, size });
        }
    }
    Ok(blobs)
}
