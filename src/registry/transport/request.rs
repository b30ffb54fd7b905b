//! A request, before it is known how often and where it will be sent.

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_LENGTH, HeaderName},
};
use tokio::time::Instant;
use url::Url;

use super::{auth::Scopes, guard::Named, throttle::Lane};

/// What is to be sent.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Who named the URL, where it is not one that we made.
    pub(crate) named: Option<Named>,
    /// What the token must allow.
    pub(crate) scopes: Scopes,
    /// Which share of the budget it is taken from.
    pub(crate) lane: Lane,
    /// Bytes that the registry has to put away before it can answer.
    pub(crate) weight: u64,
}

/// What a request carries.
pub(crate) enum Body {
    /// Bytes that can be sent again; none are an empty body.
    Bytes(Bytes),
    /// The same, for the host that they are for and no other.
    Secret(Bytes),
    /// Bytes that come by once.
    Stream(Option<Once>),
}

/// A stream that is not begun.
pub(crate) struct Once {
    stream: BoxStream<'static, io::Result<Bytes>>,
    sent: Sent,
}

/// Tells how far a stream is.
#[derive(Clone)]
pub(crate) struct Sent(Arc<State>);

struct State {
    length: u64,
    handed_over: AtomicU64,
    ended: OnceLock<Instant>,
    error: Mutex<Option<io::Error>>,
}

impl Sent {
    fn new(length: u64) -> Self {
        Self(Arc::new(State {
            length,
            handed_over: AtomicU64::new(0),
            ended: OnceLock::new(),
            error: Mutex::default(),
        }))
    }

    /// When the last byte was handed over, once it was.
    pub(crate) fn ended(&self) -> Option<Instant> {
        self.0.ended.get().copied()
    }

    /// Why the bytes did not come, if they did not.
    pub(crate) fn error(&self) -> Option<io::Error> {
        self.0.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The client wraps an error until nobody finds it, so it is kept here, and the client gets its kind.
    fn note(&self, chunk: io::Result<Bytes>) -> io::Result<Bytes> {
        chunk
            .inspect(|bytes| {
                let length = bytes.len() as u64;
                if self.0.handed_over.fetch_add(length, Ordering::Relaxed) + length >= self.0.length {
                    self.0.ended.get_or_init(Instant::now);
                }
            })
            .map_err(|error| {
                let kind = error.kind();
                *self.0.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                kind.into()
            })
    }
}

impl Request {
    pub(crate) fn new(method: Method, url: Url, scopes: Scopes) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Bytes(Bytes::new()),
            named: None,
            scopes,
            lane: Lane::Small,
            weight: 0,
        }
    }

    /// A request to an address that a registry named.
    pub(crate) fn to(method: Method, named: Named, scopes: Scopes) -> Self {
        let mut request = Self::new(method, named.url.clone(), scopes);
        request.named = Some(named);
        request
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn text_header(self, name: HeaderName, value: &str) -> Self {
        // What cannot be a header is nothing that a registry could have meant.
        match HeaderValue::from_str(value) {
            Ok(value) => self.header(name, value),
            Err(_) => self,
        }
    }

    pub(crate) fn bytes(mut self, bytes: Bytes) -> Self {
        self.body = Body::Bytes(bytes);
        self
    }

    /// Bytes that no redirect takes to another host.
    pub(crate) fn secret(mut self, bytes: Bytes) -> Self {
        self.body = Body::Secret(bytes);
        self
    }

    /// A body of `length` bytes that comes by once.
    pub(crate) fn stream<S>(mut self, length: u64, stream: S) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let sent = Sent::new(length);
        let watch = sent.clone();
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        self.weight = self.weight.max(length);
        let stream = stream.map(move |chunk| watch.note(chunk)).boxed();
        self.body = Body::Stream(Some(Once { stream, sent }));
        self
    }

    pub(crate) const fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }
}

impl Body {
    /// Whether there is something to send, as long as nothing of a stream was taken.
    pub(crate) const fn is_replayable(&self) -> bool {
        !matches!(self, Self::Stream(None))
    }

    /// What is sent now; a stream is used up by it.
    pub(crate) fn take(&mut self) -> (reqwest::Body, Option<Sent>) {
        match self {
            Self::Bytes(bytes) | Self::Secret(bytes) => (bytes.clone().into(), None),
            Self::Stream(once) => match once.take() {
                Some(Once { stream, sent }) => (reqwest::Body::wrap_stream(stream), Some(sent)),
                None => (Bytes::new().into(), None),
            },
        }
    }
}
