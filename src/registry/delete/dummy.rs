//! Dummies: manifests that stand in a tag's place for the moment in which their digest is deleted.

use bytes::Bytes;
use futures::stream;
use serde_json::json;

use super::super::{
    error::{Cause, Error},
    manifest::{Blob, Manifest, OCI_MANIFEST},
    remote::{At, Remote},
};
use crate::digest::Digest;

/// What the artifact is said to be, for whoever meets one.
const TYPE: &str = "application/vnd.imagesync.deleted.v1";
/// The image-spec's type for a blob that says nothing.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// That blob.
const NOTHING: &[u8] = b"{}";

/// A manifest that nobody else has, since what is deleted by its digest must be under one name only. `what` says what it stands
/// for.
pub(super) fn dummy(what: &str) -> Result<Manifest, Cause> {
    let empty = json!({"mediaType": EMPTY, "digest": Digest::sha256(NOTHING), "size": NOTHING.len()});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": TYPE,
        "config": empty,
        "layers": [empty],
        "annotations": {
            "org.opencontainers.image.description": "ImageSync is deleting this tag",
            "dev.imagesync.deletes": what,
            "dev.imagesync.nonce": format!("{:032x}", fastrand::u128(..)),
        },
    });
    let bytes = Bytes::from(manifest.to_string());
    let digest = Digest::sha256(&bytes);
    Ok(Manifest::parse(bytes, Some(OCI_MANIFEST), digest)?)
}

impl Remote {
    /// Has the blob there that dummies name.
    pub(super) async fn put_nothing(&self) -> Result<(), Error> {
        let blob = Blob { digest: Digest::sha256(NOTHING), size: NOTHING.len() as u64 };
        if self.head_blob(&blob.digest).await? == Some(blob.size) {
            return Ok(());
        }
        let bytes = stream::iter([Ok(Bytes::from_static(NOTHING))]);
        self.start_upload().await?.put(&blob, 0, bytes).await
    }

    /// A new dummy.
    pub(super) fn dummy(&self, what: &At) -> Result<Manifest, Error> {
        dummy(&format!("{}{what}", self.repository())).map_err(|cause| self.error("delete", what, cause))
    }
}
