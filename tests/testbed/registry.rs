//! Real registries: distribution v3, Debian's docker-registry 2.8 and olareg.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
};

use imagesync::digest::Digest;
use tempfile::TempDir;

use super::{
    folder,
    http::{Credential, Http},
    process::Process,
    program,
    tls::{Authority, Certificate},
    tokens::{ISSUER, SERVICE, TokenServer},
};

/// A running registry. It derefs to [`Http`], to put images there and to read them back.
pub struct Registry {
    options: Options,
    folder: TempDir,
    port: u16,
    process: Option<Process>,
    http: Http,
}

/// A registry that is not running yet.
#[allow(clippy::struct_excessive_bools, reason = "each stands for a switch of the registries")]
pub struct Options {
    program: Program,
    users: Vec<(String, String)>,
    tokens: Option<String>,
    credential: Credential,
    tls: Option<Tls>,
    storage: Option<PathBuf>,
    delete: bool,
    sparse: bool,
    cache: bool,
    access_log: bool,
    rate_limit: Option<u32>,
    client: reqwest::ClientBuilder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    V3,
    V2,
    Olareg,
}

struct Tls {
    server: Certificate,
    client_authority: Option<PathBuf>,
}

impl Registry {
    /// Distribution v3.
    pub fn v3() -> Options {
        Options::new(Program::V3)
    }

    /// Debian's docker-registry 2.8: older manners.
    pub fn v2_8() -> Options {
        Options::new(Program::V2)
    }

    /// olareg: the referrers API, tag deletion, rate limits. No authentication.
    pub fn olareg() -> Options {
        Options::new(Program::Olareg)
    }

    /// `127.0.0.1:port`, as it stands in a reference.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The folder that holds what it stores, for tests that take something away behind its back.
    pub fn storage(&self) -> PathBuf {
        self.options.storage.clone().unwrap_or_else(|| self.folder.path().join("storage"))
    }

    /// Ends it as a crash does. What it stored stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// If another process has taken the port meanwhile.
    pub async fn start_again(&mut self) {
        self.stop();
        let command = self.options.command(self.port, self.folder.path());
        let ready = async |_| self.http.answers().await;
        let process = Process::serve_on(self.port, &self.folder.path().join("log"), command, ready).await;
        self.process = Some(process.unwrap_or_else(|problem| panic!("{problem}")));
    }
}

impl Deref for Registry {
    type Target = Http;

    fn deref(&self) -> &Http {
        &self.http
    }
}

impl Options {
    fn new(program: Program) -> Self {
        Self {
            program,
            users: Vec::new(),
            tokens: None,
            credential: Credential::Anonymous,
            tls: None,
            storage: None,
            delete: true,
            sparse: false,
            cache: false,
            access_log: false,
            rate_limit: None,
            client: reqwest::Client::builder().no_proxy(),
        }
    }

    /// Asks for a name and a password. The first user given is the one the testbed itself uses.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        if self.users.is_empty() {
            self.credential = Credential::Basic(name.to_owned(), password.to_owned());
        }
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// Asks for a token of this server (v3 only).
    #[must_use]
    pub fn tokens(mut self, server: &TokenServer) -> Self {
        self.tokens = Some(server.realm());
        self.credential = Credential::Tokens(server.tokens());
        self
    }

    /// Speaks TLS with a certificate of this authority.
    #[must_use]
    pub fn tls(mut self, authority: &Authority) -> Self {
        let pem = fs::read(authority.file()).expect("the authority's folder is there");
        let root = reqwest::Certificate::from_pem(&pem).expect("it is a certificate");
        self.client = self.client.tls_certs_only([root]);
        self.tls = Some(Tls { server: authority.server(), client_authority: None });
        self
    }

    /// Asks clients for a certificate of this authority too (not olareg).
    #[must_use]
    pub fn client_certificates(mut self, authority: &Authority) -> Self {
        let own = authority.client("the-testbed");
        let mut pem = fs::read(own.cert).expect("it has just been written");
        pem.extend(fs::read(own.key).expect("it has just been written"));
        self.client =
            self.client.identity(reqwest::Identity::from_pem(&pem).expect("it is a certificate and a key"));
        self.tls.as_mut().expect("tls() comes before client_certificates()").client_authority =
            Some(authority.file());
        self
    }

    /// Keeps what it stores in this folder, so that another run finds it there.
    #[must_use]
    pub fn storage(mut self, folder: &Path) -> Self {
        self.storage = Some(folder.to_owned());
        self
    }

    /// Refuses to delete.
    #[must_use]
    pub fn without_deletion(mut self) -> Self {
        self.delete = false;
        self
    }

    /// Takes an index whose children are not all there (v3 only).
    #[must_use]
    pub fn sparse_indexes(mut self) -> Self {
        self.sparse = true;
        self
    }

    /// Remembers in memory which blobs there are, and so answers wrongly once something else deletes them.
    #[must_use]
    pub fn cached(mut self) -> Self {
        self.cache = true;
        self
    }

    /// Writes a line for each request to its log, and nothing else below a warning (not olareg).
    #[must_use]
    pub fn access_log(mut self) -> Self {
        self.access_log = true;
        self
    }

    /// Answers 429 beyond so many requests a second (olareg only).
    #[must_use]
    pub fn rate_limit(mut self, per_second: u32) -> Self {
        self.rate_limit = Some(per_second);
        self
    }

    /// Starts it, and returns when it answers.
    pub async fn start(mut self) -> Registry {
        let folder = folder();
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let client = std::mem::take(&mut self.client).build().expect("these certificates are valid");
        let credential = std::mem::replace(&mut self.credential, Credential::Anonymous);
        let at = |port| Http {
            base: format!("{scheme}://127.0.0.1:{port}"),
            client: client.clone(),
            credential: credential.clone(),
        };
        if let Credential::Tokens(tokens) = &credential {
            fs::write(folder.path().join("jwks.json"), tokens.jwks()).expect("the folder takes a file");
        }
        let ready = async |port| at(port).answers().await;
        let command = |port| self.command(port, folder.path());
        let (process, port) = Process::serve(&folder.path().join("log"), command, ready).await;
        Registry { http: at(port), options: self, folder, port, process: Some(process) }
    }

    fn command(&self, port: u16, folder: &Path) -> Command {
        let storage = self.storage.clone().unwrap_or_else(|| folder.join("storage"));
        fs::create_dir_all(&storage).expect("the folder takes a folder");
        match self.program {
            Program::V3 => self.distribution(program("registry"), port, folder, &storage),
            Program::V2 => self.distribution("docker-registry".into(), port, folder, &storage),
            Program::Olareg => self.olareg(port, &storage),
        }
    }

    fn distribution(&self, program: PathBuf, port: u16, folder: &Path, storage: &Path) -> Command {
        let config = folder.join("config.yml");
        fs::write(&config, self.config(port, folder, storage)).expect("the folder takes a file");
        let mut command = Command::new(program);
        command.arg("serve").arg(config).env("OTEL_TRACES_EXPORTER", "none");
        command
    }

    fn config(&self, port: u16, folder: &Path, storage: &Path) -> String {
        let (level, quiet) = if self.access_log { ("warn", false) } else { ("info", true) };
        let mut config = format!(
            "version: 0.1\n\
             log: {{level: {level}, accesslog: {{disabled: {quiet}}}}}\n\
             storage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: {}}}\n",
            storage.display(),
            self.delete,
        );
        let mut line = |text: String| config.push_str(&text);
        if self.cache {
            line("  cache: {blobdescriptor: inmemory}\n".into());
        }
        if self.sparse {
            line("validation: {manifests: {indexes: {platforms: none}}}\n".into());
        }
        if !self.users.is_empty() {
            let file = folder.join("htpasswd");
            fs::write(&file, self.users.iter().map(htpasswd).collect::<String>())
                .expect("the folder takes a file");
            line(format!("auth: {{htpasswd: {{realm: testbed, path: {}}}}}\n", file.display()));
        }
        if let Some(realm) = &self.tokens {
            let keys = folder.join("jwks.json");
            line(format!(
                "auth: {{token: {{realm: \"{realm}\", service: {SERVICE}, issuer: {ISSUER}, jwks: {}, \
                 signingalgorithms: [ES256]}}}}\n",
                keys.display(),
            ));
        }
        // The secret lets an upload go on after a restart.
        line(format!("http:\n  addr: 127.0.0.1:{port}\n  secret: testbed\n"));
        if let Some(tls) = &self.tls {
            let (cert, key) = (tls.server.cert.display(), tls.server.key.display());
            line(format!("  tls:\n    certificate: {cert}\n    key: {key}\n"));
            if let Some(file) = &tls.client_authority {
                line(format!("    clientcas: [{}]\n", file.display()));
            }
        }
        config
    }

    fn olareg(&self, port: u16, storage: &Path) -> Command {
        assert!(self.users.is_empty() && self.tokens.is_none(), "olareg has no authentication");
        let mut command = Command::new(program("olareg"));
        command.args(["serve", "--addr", "127.0.0.1", "--port", &port.to_string()]).arg("--dir").arg(storage);
        command
            .arg(format!("--api-delete={0}", self.delete))
            .arg(format!("--api-blob-delete={0}", self.delete));
        if let Some(per_second) = self.rate_limit {
            command.arg("--rate-limit").arg(per_second.to_string());
        }
        if let Some(tls) = &self.tls {
            command.arg("--tls-cert").arg(&tls.server.cert).arg("--tls-key").arg(&tls.server.key);
        }
        command
    }
}

/// Puts a manifest into the storage of a distribution v3 as the registry itself does, without any of its checks.
pub fn store_manifest(storage: &Path, name: &str, reference: &str, bytes: &[u8]) {
    let digest = Digest::sha256(bytes);
    let hex = digest.hex();
    let root = storage.join("docker/registry/v2");
    let put = |folder: PathBuf, file: &str, content: &[u8]| {
        fs::create_dir_all(&folder).expect("the storage takes a folder");
        fs::write(folder.join(file), content).expect("the storage takes a file");
    };
    let link = |folder: PathBuf| put(folder, "link", digest.as_str().as_bytes());
    put(root.join("blobs/sha256").join(&hex[..2]).join(hex), "data", bytes);
    let manifests = root.join("repositories").join(name).join("_manifests");
    link(manifests.join("revisions/sha256").join(hex));
    if !reference.contains(':') {
        let tag = manifests.join("tags").join(reference);
        link(tag.join("index/sha256").join(hex));
        link(tag.join("current"));
    }
}

/// A line of an htpasswd file, with the cheapest hash that the registries take.
fn htpasswd((name, password): &(String, String)) -> String {
    let output = Command::new("htpasswd").args(["-Bbn", "-C", "4", name, password]).output();
    let output = output.expect("htpasswd is installed: `make tools` does it");
    String::from_utf8(output.stdout).expect("a hash is text").trim().to_owned() + "\n"
}
