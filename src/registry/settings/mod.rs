//! The registries file: what an administrator says about each registry. Nobody else can loosen it.

mod error;
mod schema;

use std::{collections::HashMap, num::NonZeroU32, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

pub use self::error::SettingsError;
use super::transport::Timing;
use crate::{
    api::check::{FieldPath, Violation},
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
    /// Where in the file the entry is.
    #[serde(skip)]
    path: FieldPath,
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

impl Settings {
    /// Reads what a registries file says.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each with the path of its field and what to write instead.
    pub fn read(mut file: Value) -> Result<Self, Vec<Violation>> {
        let mut violations = schema::check(&mut file);
        if !violations.is_empty() {
            return Err(violations);
        }
        let file: File = serde_json::from_value(file).map_err(|error| {
            // A defect: the schema lets nothing pass that does not fit.
            vec![Violation { path: FieldPath::default(), message: error.to_string() }]
        })?;
        let mut hosts = HashMap::new();
        for (index, mut entry) in file.registries.into_iter().enumerate() {
            entry.path = FieldPath::default().key("registries").index(index);
            entry.host = canonical(&entry.host);
            violations.extend(entry.problems());
            let path = entry.path.key("host");
            if let Some(earlier) = hosts.insert(entry.host.clone(), entry) {
                let message = format!("{} has it already: write one entry for each registry", earlier.path);
                violations.push(Violation { path, message });
            }
        }
        if violations.is_empty() { Ok(Self { hosts, timing: Timing::default() }) } else { Err(violations) }
    }

    /// The same of a text; `path` stands in front of what is wrong.
    #[cfg(test)]
    pub(crate) fn parse(text: &str, path: &std::path::Path) -> Result<Self, String> {
        let file = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        Self::read(file).map_err(|violations| {
            let lines: Vec<_> = violations.iter().map(|v| format!("{}: {v}", path.display())).collect();
            lines.join("\n")
        })
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

    /// Where in the file a field of this entry is.
    pub(super) fn field(&self, name: &str) -> FieldPath {
        self.path.key(name)
    }

    fn problems(&self) -> Vec<Violation> {
        let mut problems = Vec::new();
        let mut wrong = |path: FieldPath, message: &str| {
            problems.push(Violation { path, message: message.to_owned() });
        };
        let is_host = |host: &str| {
            let registry = canonical(host.split('/').next().unwrap_or_default());
            // A name without a dot or a port would be read as a path on Docker Hub.
            format!("{host}/x")
                .parse::<Repository>()
                .is_ok_and(|repository| repository.registry() == registry)
        };
        if !is_host(&self.host) || self.host.contains('/') {
            wrong(
                self.field("host"),
                "not a registry: write a host name, with :port where it is not the usual one, and no scheme or path, such \
                 as registry.corp.example",
            );
        }
        for (index, mirror) in self.mirrors.iter().enumerate() {
            if !is_host(mirror) {
                wrong(
                    self.field("mirrors").index(index),
                    "not a mirror: write host[:port][/prefix] without a scheme, such as mirror.corp.example",
                );
            }
        }
        for (one, other, is_alone) in [
            ("clientCert", "clientKey", self.client_cert.is_some() && self.client_key.is_none()),
            ("clientKey", "clientCert", self.client_key.is_some() && self.client_cert.is_none()),
        ] {
            if is_alone {
                let message = format!("of no use without {other}: write both, or none of them");
                wrong(self.field(one), &message);
            }
        }
        let tls = self.ca_file.is_some() || self.client_cert.is_some() || self.insecure_skip_verify;
        if self.plain_http && tls {
            wrong(
                self.field("plainHttp"),
                "without TLS, caFile, clientCert and insecureSkipVerify mean nothing: write plainHttp alone, or leave it out",
            );
        }
        let helper = self.credential_helper.as_ref();
        if helper.is_some_and(|helper| !super::keychain::is_helper_name(&helper.name)) {
            wrong(
                self.field("credentialHelper").key("name"),
                "not the name of a helper: write letters, digits, -, _ and ., such as ecr-login for docker-credential-ecr-login",
            );
        }
        problems
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
