//! Lists: of tags and of referrers.

use axum::{
    http::{HeaderName, Uri, header},
    response::Response,
};
use serde_json::json;

use super::{
    answer::{Refusal, insert, json, whole},
    route::field,
};
use crate::{digest::Digest, layout::Layout, registry::OCI_INDEX};

/// Where a registry says by what it chose.
const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// The tags after `last`, at most `n` of them, in their order as bytes.
pub(super) async fn tags(layout: &Layout, uri: &Uri) -> Result<Response, Refusal> {
    let most = field(uri, "n").map(|n| n.parse::<usize>().map_err(|_| Refusal::Number)).transpose()?;
    let last = field(uri, "last");
    let mut tags = layout.tags().await?;
    if let Some(last) = &last {
        tags.retain(|tag| tag.as_str() > last.as_str());
    }
    let has_more = most.is_some_and(|most| most > 0 && tags.len() > most);
    tags.truncate(most.unwrap_or(usize::MAX));
    let name = layout.repository().path();
    let mut response = json(json!({"name": name, "tags": tags}).to_string());
    if let Some((most, last)) = most.zip(tags.last()).filter(|_| has_more) {
        // Nothing that a tag may have means anything in a query.
        let next = format!("</v2/{name}/tags/list?n={most}&last={last}>; rel=\"next\"");
        insert(&mut response, header::LINK, &next);
    }
    Ok(response)
}

/// The manifests that refer to one, as an index; of one kind only where that is asked for.
pub(super) async fn referrers(layout: &Layout, subject: &Digest, uri: &Uri) -> Result<Response, Refusal> {
    let kind = field(uri, "artifactType").filter(|kind| !kind.is_empty());
    let mut found = layout.referrers(subject).await?;
    if let Some(kind) = &kind {
        found.retain(|referrer| referrer.artifact_type() == Some(kind.as_str()));
    }
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found});
    let mut response = whole(index.to_string().into(), OCI_INDEX);
    if kind.is_some() {
        insert(&mut response, FILTERS, "artifactType");
    }
    Ok(response)
}
