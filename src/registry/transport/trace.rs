//! The outermost layer: what was asked, what came, how long it took, and how much.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::time::Instant;

use super::{Request, Response, Transport, throttle};
use crate::registry::{error::Cause, redact};

/// What went to and came from a registry.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    requests: AtomicU64,
    received: AtomicU64,
}

/// `Traffic` at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were sent, those that were sent again included.
    pub requests: u64,
    /// Bytes of bodies that were received.
    pub received: u64,
}

impl Traffic {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters { requests: read(&self.requests), received: read(&self.received) }
    }
}

pub(super) async fn send(transport: &Transport, mut request: Request) -> Result<Response, Cause> {
    let began = Instant::now();
    let result = throttle::send(transport, &mut request).await;
    let (method, url) = (&request.method, redact::url(&request.url));
    let ms = began.elapsed().as_millis();
    match &result {
        Ok(response) => tracing::debug!(%method, %url, status = response.status().as_u16(), ms, "answered"),
        Err(error) => tracing::debug!(%method, %url, %error, ms, "failed"),
    }
    result.map(|mut response| {
        response.traffic = Some(Arc::clone(&transport.ledger.traffic));
        response
    })
}
