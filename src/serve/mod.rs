//! Serves the layouts below a directory as a registry that is only read (distribution-spec: pull, listing tags and
//! referrers).
//!
//! ```text
//! route      what a request asks for
//! answer     what a registry says, and how it refuses
//! content    manifests and blobs
//! lists      tags and referrers
//! ```
//!
//! The name of a repository is the path of its layout below the directory. It has to keep to the grammar of names, in which
//! nothing climbs or is hidden, and no link is followed on the way.

mod answer;
mod content;
mod lists;
mod range;
mod route;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use self::{answer::Refusal, route::Route};
use crate::layout::Layouts;

/// Connections that are served at the same time; others wait until one ends.
const MOST_CONNECTIONS: usize = 512;
/// How long a client may take to ask, and to let its connection lie idle.
const HEADERS: Duration = Duration::from_secs(30);
/// How long answers may go on after it was asked to stop.
const LAST: Duration = Duration::from_secs(10);

/// A registry over the layouts below one directory.
pub struct Server {
    listener: TcpListener,
    router: Router,
}

/// What all requests share.
struct Shelf {
    base: PathBuf,
    layouts: Layouts,
}

impl Server {
    /// Listens. Nothing is answered yet.
    ///
    /// # Errors
    ///
    /// What keeps the address from being listened at: mostly that another program does.
    pub async fn bind(address: SocketAddr, base: PathBuf) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let shelf = Arc::new(Shelf { base, layouts: Layouts::default() });
        Ok(Self { listener, router: Router::new().fallback(respond).with_state(shelf) })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` is cancelled; what is being answered then has some seconds to end.
    pub async fn run(self, stop: &CancellationToken) {
        let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
        loop {
            let accepted = async {
                // The semaphore is never closed, so the answer is always a permit.
                let permit = Arc::clone(&connections).acquire_owned().await;
                (permit, self.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accepted => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    // Mostly too many files are open: others end meanwhile.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let service = TowerToHyperService::new(self.router.clone());
            let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection broke");
                }
                drop(permit);
            });
        }
        drop(self.listener);
        if tokio::time::timeout(LAST, graceful.shutdown()).await.is_err() {
            tracing::warn!("answers that were not taken in {} s are cut off", LAST.as_secs());
        }
    }
}

/// Answers one request.
async fn respond(State(shelf): State<Arc<Shelf>>, request: Request) -> Response {
    // Whatever is sent with it is not read.
    let (asked, _) = request.into_parts();
    let answer = match Route::of(&asked.method, &asked.uri) {
        Ok(route) => shelf.answer(route, &asked.uri, &asked.headers).await,
        Err(refusal) => Err(refusal),
    };
    let response = answer.unwrap_or_else(Refusal::into_response);
    tracing::debug!(method = %asked.method, uri = %asked.uri, status = %response.status(), "answered");
    // A client that only looks is told the length of what it does not get.
    if asked.method == Method::HEAD { answer::without_body(response) } else { response }
}

impl Shelf {
    async fn answer(&self, route: Route, uri: &Uri, headers: &HeaderMap) -> Result<Response, Refusal> {
        let open = |name| self.layouts.open_below(&self.base, &name);
        match route {
            Route::Base => Ok(answer::json(b"{}".as_slice())),
            Route::Manifest(name, at) => content::manifest(&open(name), &at, headers).await,
            Route::Blob(name, digest) => content::blob(&open(name), &digest, headers).await,
            Route::Tags(name) => lists::tags(&open(name), uri).await,
            Route::Referrers(name, subject) => lists::referrers(&open(name), &subject, uri).await,
        }
    }
}
