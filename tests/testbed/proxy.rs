//! A wire to a registry that counts what goes over it, and fails where a test says so.

use std::{
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Body, Frame, Incoming, SizeHint},
    http::request::Parts,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    registry::{Registry, store_manifest},
    serve::{Failure, Server},
};

type Rule = Box<dyn Fn(&Parts) -> Verdict + Send + Sync>;
type AnyBody = BoxBody<Bytes, Failure>;

/// What becomes of one request.
#[derive(Clone)]
pub enum Verdict {
    /// The registry answers it.
    Pass,
    /// The registry never sees it: this is the answer.
    Answer(StatusCode, Vec<(&'static str, String)>, Bytes),
    /// The registry's answer breaks off after so many bytes of its body.
    TearResponse(u64),
    /// The request breaks off after so many bytes of its body, for the registry and for the client.
    TearRequest(u64),
    /// It waits here until the test adds a permit, then passes.
    Hold(Arc<Semaphore>),
}

/// One request that came by.
#[derive(Clone)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    headers: HeaderMap,
    status: Arc<AtomicU16>,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Seen {
    /// A header of the request.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header is text"))
    }

    /// The status of the answer, 0 as long as there is none.
    pub fn status(&self) -> u16 {
        self.status.load(Relaxed)
    }

    /// Bytes of the request's body that went to the registry.
    pub fn up(&self) -> u64 {
        self.up.load(Relaxed)
    }

    /// Bytes of the answer's body that came from the registry.
    pub fn down(&self) -> u64 {
        self.down.load(Relaxed)
    }
}

/// A reverse proxy in front of one plain HTTP registry. It keeps the `Host` header, so that the addresses in the
/// registry's answers lead back here.
pub struct Proxy {
    server: Server,
    wire: Arc<Wire>,
}

impl Proxy {
    /// Passes everything on to `upstream`, a `host:port`.
    pub async fn start(upstream: &str) -> Self {
        Self::with(upstream, |_| Verdict::Pass).await
    }

    /// Asks `rule` about each request.
    pub async fn with(upstream: &str, rule: impl Fn(&Parts) -> Verdict + Send + Sync + 'static) -> Self {
        Self::build(Wire::new(upstream, Box::new(rule))).await
    }

    /// The same in front of a distribution v3 with [sparse indexes](super::registry::Options::sparse_indexes), which
    /// here takes manifests whose blobs are not there too: in which order things come is then the client's to see to.
    pub async fn credulous(
        registry: &Registry,
        rule: impl Fn(&Parts) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let storage = Some(registry.storage());
        Self::build(Wire { storage, ..Wire::new(&registry.host(), Box::new(rule)) }).await
    }

    /// Sends no more than so many bytes a second to the clients, over all connections together.
    pub async fn paced(upstream: &str, bytes_per_second: u64) -> Self {
        let pace = Pace { bytes_per_second, free: Mutex::new(Instant::now()) };
        let pace = Some(Arc::new(pace));
        Self::build(Wire { pace, ..Wire::new(upstream, Box::new(|_| Verdict::Pass)) }).await
    }

    async fn build(wire: Wire) -> Self {
        let wire = Arc::new(wire);
        let carrier = Arc::clone(&wire);
        let server = Server::start(move |request| {
            let wire = Arc::clone(&carrier);
            async move { wire.carry(request).await }
        })
        .await;
        Self { server, wire }
    }

    /// `127.0.0.1:port`, to be used in the registry's place.
    pub fn host(&self) -> String {
        self.address().to_string()
    }

    /// The same as an address.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Seen> {
        self.wire.seen.lock().expect("nothing panics while it holds this").clone()
    }

    /// How many requests so far had this method and this text in their path.
    pub fn count(&self, method: &Method, path: &str) -> usize {
        self.requests().iter().filter(|seen| seen.method == *method && seen.path.contains(path)).count()
    }

    /// Bytes of bodies that went to the registry so far.
    pub fn up(&self) -> u64 {
        self.requests().iter().map(Seen::up).sum()
    }

    /// Bytes of bodies that came from the registry so far.
    pub fn down(&self) -> u64 {
        self.requests().iter().map(Seen::down).sum()
    }

    /// Forgets what it has seen.
    pub fn reset(&self) {
        self.wire.seen.lock().expect("nothing panics while it holds this").clear();
    }

    /// How many manifests a [credulous](Self::credulous) wire stored that the registry had refused.
    pub fn believed(&self) -> u64 {
        self.wire.believed.load(Relaxed)
    }
}

struct Wire {
    upstream: String,
    client: Client<HttpConnector, AnyBody>,
    rule: Rule,
    pace: Option<Arc<Pace>>,
    seen: Mutex<Vec<Seen>>,
    /// Where the registry stores things, if it is made to take manifests that it refuses.
    storage: Option<PathBuf>,
    believed: AtomicU64,
}

impl Wire {
    fn new(upstream: &str, rule: Rule) -> Self {
        Self {
            upstream: upstream.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            rule,
            pace: None,
            seen: Mutex::default(),
            storage: None,
            believed: AtomicU64::new(0),
        }
    }

    async fn carry(&self, request: Request<Incoming>) -> Result<Response<AnyBody>, Failure> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let seen = Seen {
            method: parts.method.clone(),
            path: path.clone(),
            headers: parts.headers.clone(),
            status: Arc::default(),
            up: Arc::default(),
            down: Arc::default(),
        };
        self.seen.lock().expect("nothing panics while it holds this").push(seen.clone());

        let (mut tear_up, mut tear_down) = (None, None);
        match (self.rule)(&parts) {
            Verdict::Pass => {}
            Verdict::Answer(status, headers, body) => {
                seen.status.store(status.as_u16(), Relaxed);
                return Ok(answer(status, headers, body));
            }
            Verdict::TearResponse(after) => tear_down = Some(after),
            Verdict::TearRequest(after) => tear_up = Some(after),
            // The semaphore is never closed.
            Verdict::Hold(gate) => gate.acquire().await.expect("the gate stays").forget(),
        }

        parts.uri = format!("http://{}{path}", self.upstream).parse::<Uri>().expect("it came as a URI");
        let up = Metered { body, count: Arc::clone(&seen.up), tear: tear_up, pace: None, wait: None };
        if let Some(storage) = &self.storage
            && parts.method == Method::PUT
            && let Some((name, reference)) = manifest_of(&path)
        {
            let whole = up.collect().await?.to_bytes();
            let body = Full::new(whole.clone()).map_err(|never| match never {}).boxed();
            let response = self.client.request(Request::from_parts(parts, body)).await?;
            seen.status.store(response.status().as_u16(), Relaxed);
            let response = response.map(|body| body.map_err(Into::into).boxed());
            if !response.status().is_client_error() {
                return Ok(response);
            }
            store_manifest(storage, name, reference, &whole);
            self.believed.fetch_add(1, Relaxed);
            seen.status.store(StatusCode::CREATED.as_u16(), Relaxed);
            return Ok(answer(StatusCode::CREATED, Vec::new(), Bytes::new()));
        }
        let response = self.client.request(Request::from_parts(parts, up.boxed())).await?;
        seen.status.store(response.status().as_u16(), Relaxed);
        let (count, pace) = (Arc::clone(&seen.down), self.pace.clone());
        Ok(response.map(|body| Metered { body, count, tear: tear_down, pace, wait: None }.boxed()))
    }
}

/// The repository and the tag or digest that a manifest's path names.
fn manifest_of(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/v2/")?.split_once("/manifests/")
}

fn answer(status: StatusCode, headers: Vec<(&'static str, String)>, body: Bytes) -> Response<AnyBody> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response
        .body(Full::new(body).map_err(|never| match never {}).boxed())
        .expect("the rule's headers are valid")
}

/// A body that counts what passes, and breaks off where it was told to.
struct Metered {
    body: Incoming,
    count: Arc<AtomicU64>,
    tear: Option<u64>,
    pace: Option<Arc<Pace>>,
    wait: Option<Pin<Box<Sleep>>>,
}

/// When the wire is free for the next bytes.
struct Pace {
    bytes_per_second: u64,
    free: Mutex<Instant>,
}

impl Pace {
    /// Takes the wire for so many bytes, and says until when.
    fn take(&self, bytes: usize) -> Instant {
        let takes = Duration::from_nanos(1_000_000_000 * bytes as u64 / self.bytes_per_second);
        let mut free = self.free.lock().expect("nothing panics while it holds this");
        *free = Instant::now().max(*free) + takes;
        *free
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let gone = self.count.load(Relaxed);
        if self.tear.is_some_and(|after| gone >= after) {
            return Poll::Ready(Some(Err("torn on purpose".into())));
        }
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => {
                    if let Some(after) = self.tear {
                        data.truncate(usize::try_from(after - gone).unwrap_or(usize::MAX));
                    }
                    self.count.fetch_add(data.len() as u64, Relaxed);
                    self.wait = self.pace.as_ref().map(|pace| Box::pin(sleep_until(pace.take(data.len()))));
                    Some(Ok(Frame::data(data)))
                }
                Err(other) => Some(Ok(other)),
            },
            Some(Err(error)) => Some(Err(error.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        // What is torn ends with an error, not with its last byte.
        self.tear.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
