//! What a list of referrers says of one of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::manifest::{Descriptor, Manifest};
use crate::digest::Digest;

/// A referrer as a list of referrers describes it: by what its manifest says, and not by what another list says of it, since
/// some clients leave out the half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

// What is not as it has to be says nothing: the manifest is copied all the same.
#[derive(Default, Deserialize)]
struct Body {
    #[serde(rename = "artifactType", default)]
    artifact_type: serde_json::Value,
    #[serde(default)]
    config: serde_json::Value,
    #[serde(default)]
    annotations: serde_json::Value,
}

impl Referrer {
    /// Describes a manifest (distribution-spec, "Listing Referrers"): the type of the artifact is its own, or else that of its
    /// config.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let body: Body = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
        let text =
            |value: &serde_json::Value| value.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        let of_config = || body.config.get("mediaType").and_then(text).filter(|_| !manifest.is_index());
        let annotations = body.annotations.as_object().into_iter().flatten();
        let annotations =
            annotations.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let Descriptor { digest, size, media_type } = manifest.descriptor();
        Self {
            media_type,
            digest,
            size,
            artifact_type: text(&body.artifact_type).or_else(of_config),
            annotations: annotations.collect(),
        }
    }

    /// Names its manifest.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        let Self { media_type, digest, size, .. } = self;
        Descriptor { digest: digest.clone(), size: *size, media_type: media_type.clone() }
    }

    /// The digest of its manifest.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What kind of artifact it is, where it says so.
    #[must_use]
    pub fn artifact_type(&self) -> Option<&str> {
        self.artifact_type.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;

    fn described(manifest: &Value) -> Value {
        let bytes = Bytes::from(manifest.to_string());
        let digest = Digest::sha256(&bytes);
        let manifest = Manifest::parse(bytes, None, digest).unwrap();
        serde_json::to_value(Referrer::of(&manifest)).unwrap()
    }

    fn image(rest: &Value) -> Value {
        let digest = Digest::sha256(b"{}");
        let mut image = json!({
            "schemaVersion": 2, "layers": [],
            "config": {"mediaType": "application/x-config", "digest": digest, "size": 2},
        });
        image.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        image
    }

    #[test]
    fn the_type_is_the_manifests_own_or_else_its_configs_and_annotations_are_copied() {
        let own = described(&image(&json!({"artifactType": "application/x", "annotations": {"a": "1"}})));
        assert_eq!(
            (&own["artifactType"], &own["annotations"]),
            (&json!("application/x"), &json!({"a": "1"}))
        );
        assert_eq!(described(&image(&json!({})))["artifactType"], "application/x-config");
        assert_eq!(described(&image(&json!({"artifactType": ""})))["artifactType"], "application/x-config");
        let index = json!({"schemaVersion": 2, "mediaType": super::super::super::OCI_INDEX, "manifests": []});
        assert_eq!(described(&index)["artifactType"], Value::Null, "an index has no config");
    }

    #[test]
    fn what_is_not_as_it_has_to_be_says_nothing() {
        let odd = described(&image(&json!({"artifactType": 7, "annotations": {"a": 1, "b": "2"}})));
        assert_eq!(odd["artifactType"], "application/x-config");
        assert_eq!(odd["annotations"], json!({"b": "2"}));
        assert_eq!(described(&image(&json!({"annotations": []}))).get("annotations"), None);
    }
}
