//! Keychains: which credential goes with which repository.

mod config;
mod credential;
mod helper;
#[cfg(test)]
mod tests;

use std::{cmp::Reverse, path::Path, sync::Arc};

pub use self::config::KeychainError;
pub(crate) use self::{
    credential::Credential,
    helper::{ask, is_helper_name},
};
use super::settings::canonical;
use crate::reference::{DOCKER_HUB, Repository};

/// Credentials by registry and path.
///
/// For a repository, the entry counts that names its host most exactly, without a `*` before with one, as the kubelet has
/// it; among these the one with the longest path that is a prefix of the repository's, segment by segment; among equal
/// ones the first. Without an entry the registry is called anonymously. A clone costs a counter.
#[derive(Clone, Debug, Default)]
pub struct Keychain(Arc<Inner>);

#[derive(Clone, Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    /// The helper that is asked about every registry that has no entry (`credsStore`).
    store: Option<String>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The host, where a label may contain `*`, as the kubelet has it.
    host: String,
    path: Vec<String>,
    credential: Credential,
}

impl Keychain {
    /// Reads a Secret's `.dockerconfigjson`. Helpers that it names are not run: a Secret's author is not this
    /// machine's administrator.
    ///
    /// # Errors
    ///
    /// [`KeychainError`] if it is not what Docker writes.
    pub fn from_secret(bytes: &[u8]) -> Result<Self, KeychainError> {
        config::read(bytes, config::Helpers::Ignore).map(|inner| Self(Arc::new(inner)))
    }

    /// Reads this machine's Docker configuration, whose helpers are asked when a credential is needed: `path`, or
    /// `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`. There need not be any.
    ///
    /// # Errors
    ///
    /// [`KeychainError`] if the file is there and cannot be read.
    pub fn from_docker_config(path: Option<&Path>) -> Result<Self, KeychainError> {
        let Some(bytes) = config::find(path)? else { return Ok(Self::default()) };
        config::read(&bytes, config::Helpers::Run).map(|inner| Self(Arc::new(inner)))
    }

    /// One user's password for a registry, or for a path in it.
    #[must_use]
    pub fn password(registry: &str, username: &str, password: &str) -> Self {
        let credential = Credential::Password { username: username.into(), password: password.into() };
        Self(Arc::new(Inner { entries: Entry::new(registry, credential).into_iter().collect(), store: None }))
    }

    /// Both; where both have an entry for the same path, this one's counts.
    #[must_use]
    pub fn merge(self, other: &Self) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.entries.extend(other.0.entries.iter().cloned());
        inner.store = inner.store.or_else(|| other.0.store.clone());
        Self(Arc::new(inner))
    }

    /// The credential for a repository. `helper` is asked about a registry that has no entry, before the store that is
    /// asked about them all.
    pub(super) fn find(&self, repository: &Repository, helper: Option<&str>) -> Credential {
        let mut best: Option<&Entry> = None;
        for entry in self.0.entries.iter().filter(|entry| entry.covers(repository)) {
            if best.is_none_or(|best| entry.precision() > best.precision()) {
                best = Some(entry);
            }
        }
        match (best, helper.or(self.0.store.as_deref())) {
            (Some(entry), _) => entry.credential.clone(),
            (None, Some(name)) => {
                Credential::Helper { name: name.to_owned(), server: server(repository.registry()) }
            }
            (None, None) => Credential::Anonymous,
        }
    }
}

/// The name under which Docker's tools keep a registry's credential.
fn server(registry: &str) -> String {
    if registry == DOCKER_HUB { "https://index.docker.io/v1/".to_owned() } else { registry.to_owned() }
}

impl Entry {
    /// `None` if the key names no host.
    fn new(key: &str, credential: Credential) -> Option<Self> {
        let key = key.trim();
        let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
        let rest = rest.trim_end_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut path: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        // Docker's keys may have the API's version where others have a path.
        if matches!(path.first().map(String::as_str), Some("v1" | "v2")) {
            path.remove(0);
        }
        let host = canonical(host);
        (!host.is_empty()).then_some(Self { host, path, credential })
    }

    /// How exactly it says what it is for.
    fn precision(&self) -> (Reverse<usize>, usize) {
        (Reverse(self.host.matches('*').count()), self.path.len())
    }

    fn covers(&self, repository: &Repository) -> bool {
        let mut segments = repository.path().split('/');
        matches_host(&self.host, repository.registry())
            && self.path.iter().all(|part| segments.next() == Some(part.as_str()))
    }
}

/// Whether a host is meant by a pattern in which each label may have one `*`.
fn matches_host(pattern: &str, host: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == host;
    }
    let (labels, names) = (pattern.split('.'), host.split('.'));
    labels.clone().count() == names.clone().count()
        && labels.zip(names).all(|(label, name)| matches_label(label, name))
}

fn matches_label(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}
