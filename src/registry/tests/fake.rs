//! A registry that does what a test tells it to, lies and torn connections included.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, Vec<String>>,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn query(&self, name: &str) -> &str {
        self.query.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }

    /// `GET /v2/app/manifests/1`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    length: Option<u64>,
    delay: Duration,
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Stay,
    Close,
    Silence,
    Endless,
    Drip,
    NoAnswer,
    Mute,
}

pub(crate) fn reply(status: u16) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: Vec::new(),
        length: None,
        delay: Duration::ZERO,
        then: Then::Stay,
    }
}

/// The error body of the distribution-spec.
pub(crate) fn refuse(status: u16, code: &str) -> Reply {
    let body = serde_json::json!({"errors": [{"code": code, "message": format!("{code} it is")}]});
    reply(status).header("content-type", "application/json").body(body.to_string())
}

impl Reply {
    pub(crate) fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Announces a length other than the body's.
    pub(crate) fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Comes later.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Closes the connection after the body.
    pub(crate) fn torn(mut self) -> Self {
        self.then = Then::Close;
        self
    }

    /// Sends nothing more after the body, and leaves the connection open.
    pub(crate) fn silent(mut self) -> Self {
        self.then = Then::Silence;
        self
    }

    /// Sends the body again and again, without a length.
    pub(crate) fn endless(mut self) -> Self {
        self.then = Then::Endless;
        self
    }

    /// Goes on with a byte every few milliseconds.
    pub(crate) fn dripping(mut self) -> Self {
        self.then = Then::Drip;
        self
    }
}

/// Closes the connection instead of an answer.
pub(crate) fn hang_up() -> Reply {
    Reply { then: Then::NoAnswer, ..reply(200) }
}

/// Says nothing, and leaves the connection open.
pub(crate) fn mute() -> Reply {
    Reply { then: Then::Mute, ..reply(200) }
}

/// The running registry; it ends with the test's runtime.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// `answer` is given each request, and how many came before it.
    pub(crate) async fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, answer)
    }

    /// With what is known only once the address is: `answer` gets `http://address` too.
    pub(crate) async fn start_at(
        answer: impl Fn(&str, &Asked, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(listener, move |asked, before| answer(&url, asked, before))
    }

    fn serve(listener: TcpListener, answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                tokio::spawn(async move { converse(stream, &log, answer.as_ref()).await });
            }
        });
        Self { address, asked }
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Their first lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

async fn converse(
    stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked, usize) -> Reply + Send + Sync),
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let asked = read(&mut stream).await?;
        let before = {
            let mut log = log.lock().unwrap();
            log.push(asked.clone());
            log.len() - 1
        };
        let reply = answer(&asked, before);
        tokio::time::sleep(reply.delay).await;
        match reply.then {
            Then::NoAnswer => return None,
            Then::Mute => std::future::pending().await,
            _ => {}
        }
        let mut head = format!("HTTP/1.1 {} It\r\n", reply.status);
        for (name, value) in &reply.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if reply.then == Then::Endless {
            head.push_str("connection: close\r\n");
        } else if reply.status != 204 {
            write!(head, "content-length: {}\r\n", reply.length.unwrap_or(reply.body.len() as u64)).unwrap();
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        if asked.method != "HEAD" {
            stream.write_all(&reply.body).await.ok()?;
        }
        stream.flush().await.ok()?;
        match reply.then {
            Then::Close => return None,
            Then::Silence => std::future::pending().await,
            Then::Endless => loop {
                stream.write_all(&reply.body).await.ok()?;
            },
            Then::Drip => loop {
                stream.write_all(b"x").await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            },
            Then::Stay | Then::NoAnswer | Then::Mute => {}
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let (method, rest) = line.split_once(' ')?;
    let target = rest.split(' ').next()?;
    // A proxy is asked with whole URLs.
    let url = if target.starts_with('/') { format!("http://fake{target}") } else { target.to_owned() };
    let url = url::Url::parse(&url).ok()?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut query: HashMap<String, Vec<String>> = HashMap::new();
    for (name, value) in url.query_pairs() {
        query.entry(name.into()).or_default().push(value.into());
    }
    let length = headers.get("content-length").and_then(|length: &String| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { method: method.to_owned(), path: url.path().to_owned(), query, headers, body })
}
