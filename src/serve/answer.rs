//! What a registry says, and how it refuses.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;

use crate::layout;

/// Where a registry says the digest of what it sends.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// What clients of old look for.
const VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Why a request is not answered with what it asks for.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The path is not one of a registry.
    NoRegistry,
    /// Something would be changed.
    ReadOnly,
    /// There is nothing of this kind here.
    Unsupported,
    /// The name cannot be one, so nothing has it.
    Name,
    NoManifest,
    NoBlob,
    Digest(String),
    /// `n` is no number.
    Number,
    /// The range is beyond the end of what has so many bytes.
    Range(u64),
    /// What is there cannot be served. What is wrong with it is for the log.
    Damaged,
}

impl Refusal {
    pub(super) fn into_response(self) -> Response {
        let (status, code, message) = match &self {
            Self::NoRegistry => (StatusCode::NOT_FOUND, "UNSUPPORTED", "a registry is at /v2/".to_owned()),
            Self::ReadOnly => (
                StatusCode::METHOD_NOT_ALLOWED,
                "UNSUPPORTED",
                "this registry is only read: it serves directories that imagesync sync wrote".to_owned(),
            ),
            Self::Unsupported => {
                (StatusCode::NOT_FOUND, "UNSUPPORTED", "this registry does not have that".to_owned())
            }
            Self::Name => (StatusCode::NOT_FOUND, "NAME_UNKNOWN", "no repository has this name".to_owned()),
            Self::NoManifest => {
                (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "the manifest is not there".to_owned())
            }
            Self::NoBlob => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "the blob is not there".to_owned()),
            Self::Digest(problem) => (StatusCode::BAD_REQUEST, "DIGEST_INVALID", problem.clone()),
            Self::Number => (
                StatusCode::BAD_REQUEST,
                "PAGINATION_NUMBER_INVALID",
                "n is how many tags are wanted: a number".to_owned(),
            ),
            Self::Range(_) => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                "RANGE_INVALID",
                "the range is beyond the end of the blob".to_owned(),
            ),
            Self::Damaged => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "UNKNOWN",
                "what is there is damaged; the log of imagesync serve says how".to_owned(),
            ),
        };
        let body = json!({"errors": [{"code": code, "message": message}]}).to_string();
        let mut response = json(body);
        *response.status_mut() = status;
        match self {
            Self::ReadOnly => insert(&mut response, header::ALLOW, "GET, HEAD"),
            Self::Range(size) => insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}")),
            _ => {}
        }
        response
    }
}

impl From<layout::Error> for Refusal {
    fn from(error: layout::Error) -> Self {
        match error {
            layout::Error::NoLayout(_) => return Self::Name,
            layout::Error::NoManifest { .. } => return Self::NoManifest,
            layout::Error::NoBlob { .. } => return Self::NoBlob,
            _ => {}
        }
        tracing::warn!(error = crate::registry::message(&error), "a request is refused");
        match error {
            // What links lead to is none of the layouts here.
            layout::Error::Irregular { .. } => Self::Name,
            // A layer, say, that is asked for as a manifest.
            layout::Error::Manifest(_) | layout::Error::TooLarge { .. } => Self::NoManifest,
            _ => Self::Damaged,
        }
    }
}

/// An answer in JSON.
pub(super) fn json(body: impl Into<Bytes>) -> Response {
    whole(body.into(), "application/json")
}

/// An answer that is there as a whole.
pub(super) fn whole(body: Bytes, media_type: &str) -> Response {
    let length = body.len() as u64;
    stream(Body::from(body), length, media_type)
}

/// An answer of `length` bytes.
pub(super) fn stream(body: Body, length: u64, media_type: &str) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(VERSION, HeaderValue::from_static("registry/2.0"));
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    // A browser shall not take a layer for a page.
    insert(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    insert(&mut response, header::CONTENT_TYPE, media_type);
    response
}

/// Sets a header; what cannot be one is left out.
pub(super) fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}

/// The same without its body.
pub(super) fn without_body(response: Response) -> Response {
    response.map(|_| Body::empty())
}

/// Whether the client has what has this tag (RFC 9110, "If-None-Match").
pub(super) fn has_already(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// The answer to a client that has it.
pub(super) fn not_modified(tag: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    insert(&mut response, header::ETAG, tag);
    response
}
