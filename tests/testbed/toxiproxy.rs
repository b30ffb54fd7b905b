//! A slow or broken wire to a server: toxiproxy, which works on the bytes of a connection and knows nothing of HTTP.

use std::process::Command;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{process::Process, program};

/// The program, and the address it is told by what to do.
pub struct Toxiproxy {
    api: Api,
    _process: Process,
    _folder: TempDir,
}

/// A wire to one server. It is as good as none until something is made worse.
pub struct Wire {
    api: Api,
    name: String,
    host: String,
}

#[derive(Clone)]
struct Api {
    base: String,
    client: Client,
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Toxiproxy {
    /// Starts it.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        let client = Client::builder().no_proxy().build().expect("a client without options");
        let command = |port: u16| {
            let mut command = Command::new(program("toxiproxy-server"));
            command.args(["-host", "127.0.0.1", "-port", &port.to_string()]);
            command
        };
        let ready = async |port| client.get(format!("http://127.0.0.1:{port}/version")).send().await.is_ok();
        let (process, port) = Process::serve(&folder.path().join("log"), command, ready).await;
        let api = Api { base: format!("http://127.0.0.1:{port}"), client };
        Self { api, _process: process, _folder: folder }
    }

    /// A new wire to `upstream`, a `host:port`.
    pub async fn wire(&self, upstream: &str) -> Wire {
        let name = format!("to-{}", upstream.replace(':', "-"));
        let proxy = json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream});
        let made = self.api.call(Method::POST, "/proxies", &proxy).await;
        let host = made["listen"].as_str().expect("a proxy listens somewhere").to_owned();
        Wire { api: self.api.clone(), name, host }
    }
}

impl Wire {
    /// `127.0.0.1:port`, to be used in the server's place.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// So many milliseconds later each way.
    pub async fn latency(&self, milliseconds: u64) {
        for way in [Way::Up, Way::Down] {
            self.toxic(way, "latency", json!({"latency": milliseconds})).await;
        }
    }

    /// No more kB a second than this, for each connection.
    pub async fn bandwidth(&self, way: Way, kilobytes: u64) {
        self.toxic(way, "bandwidth", json!({"rate": kilobytes})).await;
    }

    /// Each connection ends after so many bytes.
    pub async fn limit(&self, way: Way, bytes: u64) {
        self.toxic(way, "limit_data", json!({"bytes": bytes})).await;
    }

    /// New connections are reset when the first byte comes.
    pub async fn reset(&self, way: Way) {
        self.toxic(way, "reset_peer", json!({"timeout": 0})).await;
    }

    /// That one side has closed a connection, the other learns so many milliseconds later.
    pub async fn slow_close(&self, way: Way, milliseconds: u64) {
        self.toxic(way, "slow_close", json!({"delay": milliseconds})).await;
    }

    /// Connections are refused, and those that are open are cut.
    pub async fn down(&self) {
        self.set(false).await;
    }

    /// As good as none again.
    pub async fn up(&self) {
        let path = format!("/proxies/{}/toxics", self.name);
        let toxics = self.api.call(Method::GET, &path, &Value::Null).await;
        for toxic in toxics.as_array().into_iter().flatten() {
            let name = toxic["name"].as_str().expect("a toxic has a name");
            self.api.call(Method::DELETE, &format!("{path}/{name}"), &Value::Null).await;
        }
        self.set(true).await;
    }

    async fn set(&self, enabled: bool) {
        self.api.call(Method::POST, &format!("/proxies/{}", self.name), &json!({"enabled": enabled})).await;
    }

    async fn toxic(&self, way: Way, kind: &str, attributes: Value) {
        let stream = if way == Way::Up { "upstream" } else { "downstream" };
        let toxic = json!({"type": kind, "stream": stream, "attributes": attributes});
        self.api.call(Method::POST, &format!("/proxies/{}/toxics", self.name), &toxic).await;
    }
}

impl Api {
    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.expect("toxiproxy answers");
        let status = response.status();
        let answer = response.bytes().await.expect("the answer comes whole");
        assert!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap_or_default()
    }
}
