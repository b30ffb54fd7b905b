//! Descriptors: what a manifest says of the content that it names.

use serde::Deserialize;

use super::ManifestError;
use crate::{digest::Digest, text::excerpt};

/// Names content by digest, size and media type (image-spec, descriptor.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The digest.
    pub digest: Digest,
    /// The size, in bytes.
    pub size: u64,
    /// The media type; empty if nobody said.
    pub media_type: String,
}

/// A blob: content that a manifest names and that is not itself a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Blob {
    /// The digest.
    pub digest: Digest,
    /// The size, in bytes.
    pub size: u64,
}

/// A descriptor as it stands in JSON, before it is believed.
#[derive(Deserialize)]
pub(super) struct Raw {
    #[serde(rename = "mediaType", default)]
    media_type: Option<String>,
    digest: String,
    size: serde_json::Number,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

impl Raw {
    /// Whether the content is not in the registry but where its `urls` say, such as Windows base layers. A layer that may
    /// not be distributed, and has no such place, is in the registry.
    pub(super) fn is_foreign(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }

    pub(super) fn check(self) -> Result<Descriptor, ManifestError> {
        let Some(size) = self.size.as_u64().filter(|&size| i64::try_from(size).is_ok()) else {
            let size = excerpt(&self.size.to_string());
            return Err(ManifestError::Size { digest: excerpt(&self.digest), size });
        };
        Ok(Descriptor { digest: self.digest.parse()?, size, media_type: self.media_type.unwrap_or_default() })
    }
}
