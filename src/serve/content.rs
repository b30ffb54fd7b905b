//! Manifests and blobs, as they are in the layouts.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

use super::{
    answer::{CONTENT_DIGEST, Refusal, has_already, insert, not_modified, stream, whole},
    range::{Wanted, wanted},
};
use crate::{
    digest::Digest,
    layout::Layout,
    registry::{At, Blob},
};

/// What a blob is sent as: what it is, its manifest says.
const OCTETS: &str = "application/octet-stream";

/// A manifest, whose bytes have the digest that is said.
pub(super) async fn manifest(layout: &Layout, at: &At, headers: &HeaderMap) -> Result<Response, Refusal> {
    let manifest = layout.get_manifest(at).await?;
    let tag = format!("\"{}\"", manifest.digest);
    if has_already(headers, &tag) {
        return Ok(not_modified(&tag));
    }
    let mut response = whole(manifest.bytes, &manifest.media_type);
    insert(&mut response, CONTENT_DIGEST, manifest.digest.as_str());
    insert(&mut response, header::ETAG, &tag);
    Ok(response)
}

/// A blob, or a range of it. Of one that is damaged the end never comes.
pub(super) async fn blob(layout: &Layout, digest: &Digest, headers: &HeaderMap) -> Result<Response, Refusal> {
    let size = layout.head_blob(digest).await?.ok_or(Refusal::NoBlob)?;
    let tag = format!("\"{digest}\"");
    if has_already(headers, &tag) {
        return Ok(not_modified(&tag));
    }
    let blob = Blob { digest: digest.clone(), size };
    let mut response = match wanted(headers, size) {
        Wanted::All => stream(Body::from_stream(layout.reading(&blob).from(0)), size, OCTETS),
        Wanted::Part { first, last } => {
            let length = last - first + 1;
            let mut part = stream(Body::from_stream(layout.part(&blob, first, length)), length, OCTETS);
            *part.status_mut() = StatusCode::PARTIAL_CONTENT;
            insert(&mut part, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
            part
        }
        Wanted::Nothing => return Err(Refusal::Range(size)),
    };
    insert(&mut response, CONTENT_DIGEST, digest.as_str());
    insert(&mut response, header::ETAG, &tag);
    insert(&mut response, header::ACCEPT_RANGES, "bytes");
    Ok(response)
}
