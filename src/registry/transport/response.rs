//! An answer, whose body is read with limits of size and patience.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header::HeaderName};
use tokio::time::timeout;
use url::Url;

use super::{throttle::Permit, timing::EXPLANATION, trace::Traffic};
use crate::registry::{answer::Answer, error::Cause, redact};

/// An answer.
pub(crate) struct Response {
    inner: reqwest::Response,
    /// Whether a host other than the one that was asked gave it.
    pub(crate) is_foreign: bool,
    /// Whether the same request was sent before without an answer that says what came of it.
    pub(crate) is_repeat: bool,
    /// Whether a proxy stands in between, so that nobody knows where the answer came from.
    pub(super) is_proxied: bool,
    idle: Duration,
    pub(super) traffic: Option<Arc<Traffic>>,
    /// The share of the budget, which is free again when the body was read.
    pub(super) permit: Option<Permit>,
}

impl Response {
    pub(super) const fn new(inner: reqwest::Response, is_foreign: bool, idle: Duration) -> Self {
        Self { inner, is_foreign, is_repeat: false, is_proxied: false, idle, traffic: None, permit: None }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.inner.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// A header that the `http` crate has no constant for; `name` is lower case.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Where the answer came from.
    pub(crate) fn url(&self) -> &Url {
        self.inner.url()
    }

    /// The address that the answer came from.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.inner.remote_addr().filter(|_| !self.is_proxied)
    }

    pub(crate) fn host(&self) -> String {
        redact::host(self.url())
    }

    /// How long the body is going to be, or would be if this had not been a HEAD.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header(&http::header::CONTENT_LENGTH)?.trim().parse().ok()
    }

    pub(crate) fn is_web_page(&self) -> bool {
        let content_type = self.header(&http::header::CONTENT_TYPE).unwrap_or_default();
        content_type.trim_start().to_ascii_lowercase().starts_with("text/html")
    }

    /// The next bytes of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Cause> {
        match timeout(self.idle, self.inner.chunk()).await {
            Ok(Ok(chunk)) => {
                if let (Some(traffic), Some(chunk)) = (&self.traffic, &chunk) {
                    traffic.received(chunk.len() as u64);
                }
                Ok(chunk)
            }
            Ok(Err(error)) => Err(Cause::Torn { host: self.host(), reason: redact::reason(&error) }),
            Err(_) => Err(Cause::Silent { host: self.host(), awaited: "bytes", after: self.idle }),
        }
    }

    /// The whole body, if it has no more than `limit` bytes.
    pub(crate) async fn bytes(mut self, what: &'static str, limit: u64) -> Result<Bytes, Cause> {
        let too_large = || Cause::TooLarge { what, limit };
        if self.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if (whole.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// What the registry says: as much of the body as explains an error.
    pub(crate) async fn answer(mut self) -> Answer {
        let status = self.status();
        let mut whole = BytesMut::new();
        // What cannot be read explains nothing, and the status stands without it.
        while let Ok(Some(chunk)) = self.chunk().await {
            whole.extend_from_slice(&chunk);
            if whole.len() as u64 > EXPLANATION {
                return Answer::bare(status);
            }
        }
        Answer::parse(status, &whole)
    }

    /// Reads what is left of a short body, so that the connection can be used again.
    pub(crate) async fn finish(self) {
        if self.content_length().is_none_or(|length| length <= EXPLANATION) {
            self.answer().await;
        }
    }
}
