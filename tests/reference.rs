//! References, read side by side with crane and skopeo: what each of them asks a registry for.
//!
//! The programs are run with a proxy on loopback that plays every registry, so nothing leaves the machine, and the
//! path of the request tells how the reference was read.

use std::{
    env,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use imagesync::reference::Reference;
use tokio::process::Command;

use crate::testbed::{self, serve::Server};

/// What a program makes of a text.
#[derive(Clone, Copy)]
enum Reading {
    /// What we make of it.
    Same,
    /// It asks for this.
    Asks(&'static str),
    /// It takes it for no reference.
    Refuses,
}

use Reading::{Asks, Refuses, Same};

/// A text, what we make of it (`None`: it is refused), what crane and skopeo do, and why that differs.
type Row = (&'static str, Option<&'static str>, Reading, Reading, &'static str);

const ROWS: &[Row] = &[
    ("alpine", Some("docker.io/library/alpine:latest"), Same, Same, ""),
    ("alpine:3.20", Some("docker.io/library/alpine:3.20"), Same, Same, ""),
    ("team/app:1", Some("docker.io/team/app:1"), Same, Same, ""),
    ("docker.io/alpine", Some("docker.io/library/alpine:latest"), Same, Same, ""),
    ("index.docker.io/alpine:1", Some("docker.io/library/alpine:1"), Same, Same, ""),
    (
        "registry-1.docker.io/alpine:1",
        Some("docker.io/library/alpine:1"),
        Asks("docker.io/alpine:1"),
        Asks("docker.io/alpine:1"),
        "we know this name of Docker Hub, and that official images are in library there; they do not",
    ),
    ("r.example/alpine", Some("r.example/alpine:latest"), Same, Same, ""),
    ("r.example/a/b/c:V1.2-x_y", Some("r.example/a/b/c:V1.2-x_y"), Same, Same, ""),
    ("r.example:8443/alpine:1", Some("r.example:8443/alpine:1"), Same, Same, ""),
    (
        "R.Example/alpine:1",
        Some("r.example/alpine:1"),
        Asks("R.Example/alpine:1"),
        Asks("R.Example/alpine:1"),
        "host names have no case, and collisions are found only if there is one spelling",
    ),
    ("r.example/a__b/c---d/e.f:1", Some("r.example/a__b/c---d/e.f:1"), Same, Same, ""),
    ("r.example/alpine:_x", Some("r.example/alpine:_x"), Same, Same, ""),
    (
        "registry.example",
        Some("docker.io/library/registry.example:latest"),
        Same,
        Same,
        "without a slash it is a path, by Docker's rule",
    ),
    ("registry.example:5000", Some("docker.io/library/registry.example:5000"), Same, Same, "the same rule"),
    (
        "alpine@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        Some(
            "docker.io/library/alpine@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        Same,
        Same,
        "",
    ),
    (
        "r.example/alpine:1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        Some("r.example/alpine@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        Same,
        Refuses,
        "skopeo has a rule against giving both; we read the digest, and mirror it under the tag",
    ),
    ("", None, Same, Same, ""),
    (":1", None, Same, Same, ""),
    ("Alpine", None, Same, Same, ""),
    ("Team/app", None, Same, Same, ""),
    ("r.example/Team/app", None, Same, Same, ""),
    (
        "r.example/a//b",
        None,
        Asks("r.example/a//b:latest"),
        Same,
        "crane leaves the grammar of paths to the registry",
    ),
    (
        "r.example/-a",
        None,
        Asks("r.example/-a:latest"),
        Same,
        "crane leaves the grammar of paths to the registry",
    ),
    (
        "r.example/a..b",
        None,
        Asks("r.example/a..b:latest"),
        Same,
        "crane leaves the grammar of paths to the registry",
    ),
    (
        "r.example/a___b",
        None,
        Asks("r.example/a___b:latest"),
        Same,
        "crane leaves the grammar of paths to the registry",
    ),
    (
        "r.example/a._b",
        None,
        Asks("r.example/a._b:latest"),
        Same,
        "crane leaves the grammar of paths to the registry",
    ),
    ("r.example/", None, Same, Same, ""),
    (
        "a_b.example/alpine",
        None,
        Asks("a_b.example/alpine:latest"),
        Same,
        "crane takes for a host what a URL can have as one",
    ),
    (
        "r.example:0/alpine",
        None,
        Asks("r.example:0/alpine:latest"),
        Asks("r.example:0/alpine:latest"),
        "no server has this port; they fail when they connect",
    ),
    (
        "r.example:65536/alpine",
        None,
        Asks("r.example:65536/alpine:latest"),
        Asks("r.example:65536/alpine:latest"),
        "no server has this port; they fail when they connect",
    ),
    ("r.example:x/alpine", None, Same, Same, ""),
    ("alpine:", None, Same, Same, ""),
    (
        "alpine:.x",
        None,
        Asks("docker.io/library/alpine:.x"),
        Same,
        "crane allows every character of tags at their beginning",
    ),
    ("alpine:a+b", None, Same, Same, ""),
    ("alpine@sha256:abc", None, Same, Same, ""),
    ("alpine@md5:d41d8cd98f00b204e9800998ecf8427e", None, Same, Same, ""),
    ("https://r.example/alpine", None, Same, Same, ""),
    (" alpine", None, Same, Same, ""),
    ("älpine", None, Same, Same, ""),
    (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        None,
        Asks("docker.io/library/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855:latest"),
        Same,
        "to Docker this is an image's ID, as it is to the container runtimes",
    ),
];

#[tokio::test]
async fn crane_reads_references_as_we_do_but_for_what_the_table_says() {
    let Some(crane) = find("crane") else { return };
    compare(&crane, |text| vec!["digest".into(), "--insecure".into(), text.into()], |row| row.2).await;
}

#[tokio::test]
async fn skopeo_reads_references_as_we_do_but_for_what_the_table_says() {
    let Some(skopeo) = find("skopeo") else { return };
    let arguments = |text: &str| {
        ["inspect", "--raw", "--tls-verify=false"]
            .map(Into::into)
            .into_iter()
            .chain([format!("docker://{text}")])
            .collect()
    };
    compare(&skopeo, arguments, |row| row.3).await;
}

/// A program that the testbed installs, or that the machine has.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [testbed::cache().join("bin")].into_iter().chain(env::split_paths(&path));
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: {program} is not installed; `make tools` does that");
    }
    found
}

async fn compare(program: &Path, arguments: impl Fn(&str) -> Vec<String>, column: impl Fn(&Row) -> Reading) {
    let registries = Registries::start().await;
    let mut differences = Vec::new();
    for row in ROWS {
        let &(text, ours, ..) = row;
        let read = text.parse().ok().map(|reference| reads(&reference));
        assert_eq!(read.as_deref(), ours, "{text}");
        assert!(matches!(column(row), Same) || !row.4.is_empty(), "{text}: why does it differ?");
        let expected = match column(row) {
            Same => ours,
            Asks(what) => Some(what),
            Refuses => None,
        };
        let asked = registries.asked_by(program, &arguments(text)).await;
        if asked.as_deref() != expected {
            differences.push(format!("`{text}`: {asked:?}, and not {expected:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What is asked of a registry: the digest, if there is one, and else the tag.
fn reads(reference: &Reference) -> String {
    let tag = reference.tag.clone().filter(|_| reference.digest.is_none());
    Reference { tag, ..reference.clone() }.to_string()
}

/// A proxy that plays all registries. They are empty, and do not speak TLS.
struct Registries {
    server: Server,
    asked: Arc<Mutex<Option<String>>>,
}

impl Registries {
    async fn start() -> Self {
        let asked = Arc::<Mutex<Option<String>>>::default();
        let seen = Arc::clone(&asked);
        let server = Server::start(move |request: Request<Incoming>| {
            let status = if request.uri().path() == "/v2/" { StatusCode::OK } else { StatusCode::NOT_FOUND };
            let status = if request.method() == Method::CONNECT { StatusCode::BAD_GATEWAY } else { status };
            if let Some(reference) = manifest(&request) {
                *seen.lock().unwrap() = Some(reference);
            }
            let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
            *response.status_mut() = status;
            async move { Ok(response) }
        });
        Self { server: server.await, asked }
    }

    /// The reference that a run of the program asks for.
    async fn asked_by(&self, program: &Path, arguments: &[String]) -> Option<String> {
        *self.asked.lock().unwrap() = None;
        let proxy = format!("http://{}", self.server.address());
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs([("HTTP_PROXY", &proxy), ("HTTPS_PROXY", &proxy)])
            .env_remove("NO_PROXY");
        let output = command.output().await.unwrap();
        assert!(!output.status.success(), "there are no images");
        self.asked.lock().unwrap().take()
    }
}

/// The reference whose manifest a request is for; Docker Hub goes by several names.
fn manifest(request: &Request<Incoming>) -> Option<String> {
    let registry = request.uri().authority()?.as_str();
    let (path, version) = request.uri().path().strip_prefix("/v2/")?.rsplit_once("/manifests/")?;
    let registry = match registry {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    };
    let separator = if version.contains(':') { '@' } else { ':' };
    Some(format!("{registry}/{path}{separator}{version}"))
}
