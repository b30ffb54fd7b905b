//! A small HTTP server inside the test's own process.

use std::{error::Error, net::SocketAddr};

use bytes::Bytes;
use hyper::{Request, Response, body::Body, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::AbortHandle};

/// What ends a connection without an answer.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A server that stops listening when it is dropped.
pub struct Server {
    address: SocketAddr,
    task: AbortHandle,
}

impl Server {
    /// Answers each request with what `handler` makes of it.
    pub async fn start<H, F, B>(handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Response<B>, Failure>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Failure>,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service_fn(handler.clone());
                // Small answers must not wait for the client's acknowledgement of the last one.
                let _ = stream.set_nodelay(true);
                // A connection that ends in an error is the client's to notice.
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, task: task.abort_handle() }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
