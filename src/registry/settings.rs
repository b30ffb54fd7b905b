//! The registries file: what an administrator says about each registry. Nobody else can loosen it.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use url::{Host, Url};

use super::transport::Timing;
use crate::{
    class::Class,
    reference::{DOCKER_HUB, Repository, is_docker_hub},
};

/// Requests to one registry at the same time, if nothing is said.
const CONCURRENCY: u32 = 32;

/// What is known of registries before any is called.
///
/// # Guarantees
///
/// A registry that is not listed is spoken to over TLS, verified with the system's roots; `localhost`, `127.0.0.0/8`
/// and `[::1]` alone speak plain HTTP, as Docker has it, unless they are listed.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    hosts: HashMap<String, HostSettings>,
    pub(super) timing: Timing,
}

/// One entry of the registries file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostSettings {
    /// The registry, as references name it.
    host: String,
    /// Registries, `host[:port][/prefix]`, that are tried first for what is read by digest.
    #[serde(default)]
    pub(super) mirrors: Vec<String>,
    /// Requests at the same time; what is used adapts below it. The bodies of large blobs come on top, a quarter as many
    /// that come and a quarter as many that go, so that they hold up no small request.
    #[serde(default)]
    concurrency: Option<NonZeroU32>,
    /// Requests in a second, at most.
    #[serde(default)]
    pub(super) requests_per_second: Option<NonZeroU32>,
    /// Certificates (PEM) that are trusted besides the system's.
    #[serde(default)]
    pub(super) ca_file: Option<PathBuf>,
    /// The certificate (PEM) that this client shows.
    #[serde(default)]
    pub(super) client_cert: Option<PathBuf>,
    /// The key (PEM) of that certificate.
    #[serde(default)]
    pub(super) client_key: Option<PathBuf>,
    /// HTTP without TLS.
    #[serde(default)]
    pub(super) plain_http: bool,
    /// TLS, and whoever answers is believed.
    #[serde(default)]
    pub(super) insecure_skip_verify: bool,
    /// Who gives the credential.
    #[serde(default)]
    pub(super) credential_helper: Option<CredentialHelper>,
}

/// A Docker credential helper.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialHelper {
    /// The program's name without `docker-credential-`.
    pub name: String,
    /// Namespaces whose objects may use it. The command line does not look at it: there the same person writes the
    /// manifests and may run the helper, so a namespace separates nobody.
    #[serde(default)]
    pub namespaces: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    registries: Vec<HostSettings>,
}

/// What is wrong with the registries file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It is not the YAML that it should be.
    #[error("{path}: {detail}", path = .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, and what.
        detail: String,
    },
    /// A value that cannot be carried out.
    #[error("{path}: registry `{host}`: {problem}", path = .path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The entry.
        host: String,
        /// What is wrong, and what to write instead.
        problem: &'static str,
    },
    /// A file that is named there cannot be read.
    #[error("cannot read {path}, the {what} of registry `{host}`", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// The entry that names it.
        host: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Certificates or a key that are none.
    #[error("{what} of registry `{host}` is of no use: PEM is wanted")]
    Tls {
        /// What.
        what: &'static str,
        /// The entry that names it.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up TLS")]
    Client(#[source] reqwest::Error),
}

impl SettingsError {
    /// The class: a person has to change the file.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::InvalidSpec
    }
}

impl Settings {
    /// Reads the text of a registries file; `path` is for messages.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] says the line, or the registry, and what is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let file: File = if text.trim().is_empty() {
            File { registries: Vec::new() }
        } else {
            serde_saphyr::from_str(text)
                .map_err(|error| SettingsError::Syntax { path: path.to_owned(), detail: error.to_string() })?
        };
        let mut hosts = HashMap::new();
        for mut entry in file.registries {
            entry.host = canonical(&entry.host);
            if let Some(problem) = entry.problem() {
                return Err(SettingsError::Value { path: path.to_owned(), host: entry.host, problem });
            }
            let host = entry.host.clone();
            if hosts.insert(host.clone(), entry).is_some() {
                return Err(SettingsError::Value {
                    path: path.to_owned(),
                    host,
                    problem: "it is listed twice",
                });
            }
        }
        Ok(Self { hosts, timing: Timing::default() })
    }

    pub(super) fn listed(&self) -> impl Iterator<Item = &HostSettings> {
        self.hosts.values()
    }

    /// Whether a registry speaks HTTP without TLS.
    pub(super) fn is_plain(&self, registry: &str) -> bool {
        self.host(registry).map_or_else(|| is_this_machine(registry), |host| host.plain_http)
    }

    /// What is said about a registry, if anything.
    pub(super) fn host(&self, registry: &str) -> Option<&HostSettings> {
        self.hosts.get(&canonical(registry))
    }
}

impl HostSettings {
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn concurrency(settings: Option<&Self>) -> u32 {
        settings.and_then(|host| host.concurrency).map_or(CONCURRENCY, NonZeroU32::get)
    }

    fn problem(&self) -> Option<&'static str> {
        let is_host = |host: &str| {
            let registry = canonical(host.split('/').next().unwrap_or_default());
            // A name without a dot or a port would be read as a path on Docker Hub.
            format!("{host}/x")
                .parse::<Repository>()
                .is_ok_and(|repository| repository.registry() == registry)
        };
        if !is_host(&self.host) || self.host.contains('/') {
            return Some(
                "`host` is a host name, with `:port` where it is not the usual one, and no scheme or path",
            );
        }
        if !self.mirrors.iter().all(|mirror| is_host(mirror)) {
            return Some("each of `mirrors` is host[:port][/prefix], without a scheme");
        }
        if self.client_cert.is_some() != self.client_key.is_some() {
            return Some("`clientCert` and `clientKey` need each other");
        }
        let tls = self.ca_file.is_some() || self.client_cert.is_some() || self.insecure_skip_verify;
        if self.plain_http && tls {
            return Some(
                "`plainHttp` has no TLS, so `caFile`, `clientCert` and `insecureSkipVerify` mean nothing",
            );
        }
        let helper = self.credential_helper.as_ref();
        if helper.is_some_and(|helper| !super::keychain::is_helper_name(&helper.name)) {
            return Some("the name of `credentialHelper` is letters, digits, `-`, `_` and `.`");
        }
        None
    }
}

/// Docker's rule: these speak plain HTTP unless somebody says otherwise.
pub(super) fn is_this_machine(registry: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{registry}/")) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// One name for the names of Docker Hub, and lower case.
pub(super) fn canonical(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    if is_docker_hub(&host) { DOCKER_HUB.to_owned() } else { host }
}
