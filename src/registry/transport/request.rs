//! A request, before it is known how often and where it will be sent.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_LENGTH, HeaderName},
};
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
}

/// What a request carries.
pub(crate) enum Body {
    /// Bytes that can be sent again; none are an empty body.
    Bytes(Bytes),
    /// Bytes that come by once.
    Stream(Option<Once>),
}

/// A stream that is not begun.
pub(crate) struct Once {
    stream: BoxStream<'static, io::Result<Bytes>>,
    sent: Sent,
}

/// Tells when the last byte of a stream was handed over.
#[derive(Clone, Default)]
pub(crate) struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(crate) fn is_all(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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

    /// A body of `length` bytes that comes by once.
    pub(crate) fn stream<S>(mut self, length: u64, stream: S) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let sent = Sent::default();
        let end = sent.clone();
        let mark = futures::stream::poll_fn(move |_| {
            end.0.store(true, Ordering::Relaxed);
            std::task::Poll::Ready(None)
        });
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        self.body = Body::Stream(Some(Once { stream: stream.chain(mark).boxed(), sent }));
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
            Self::Bytes(bytes) => (bytes.clone().into(), None),
            Self::Stream(once) => match once.take() {
                Some(Once { stream, sent }) => (reqwest::Body::wrap_stream(stream), Some(sent)),
                None => (Bytes::new().into(), None),
            },
        }
    }
}
