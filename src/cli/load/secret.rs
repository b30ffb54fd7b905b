//! Secrets beside the manifests: credentials for registries.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    DEFAULT_NAMESPACE,
    node::{Content, Node},
};
use crate::{
    api::check::{FieldPath, Violation},
    registry::{Keychain, KeychainError},
};

const TYPE: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";
const MAKE: &str = "make it with `kubectl create secret docker-registry NAME … --dry-run=client -o yaml`";

/// A Secret that was read. It does not show what it holds. Two are equal if they hold the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) content: Holds,
}

/// What a [`Secret`] holds.
#[derive(Clone)]
pub(super) enum Holds {
    /// A Docker config in JSON.
    DockerConfig(SecretString),
    /// Something of another type, which is nothing to us.
    Other(String),
}

impl Secret {
    /// The Docker config, in JSON; `None` where the Secret is of another type.
    #[must_use]
    pub const fn docker_config(&self) -> Option<&SecretString> {
        match &self.content {
            Holds::DockerConfig(config) => Some(config),
            Holds::Other(_) => None,
        }
    }
}

impl PartialEq for Holds {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::DockerConfig(config), Self::DockerConfig(other)) => {
                config.expose_secret() == other.expose_secret()
            }
            (Self::Other(of), Self::Other(other)) => of == other,
            _ => false,
        }
    }
}

impl Eq for Holds {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}/{})", self.namespace, self.name)
    }
}

/// Why a Secret cannot be named as one by an ImageSync.
pub(super) fn wrong_type(name: &str, of: &str) -> String {
    format!("the Secret {name} is of type {of}, and one of type {TYPE} is needed: {MAKE}")
}

/// Reads a Secret.
pub(super) fn read(document: &Node) -> Result<Secret, Violation> {
    let (namespace, name) = identity(document)?;
    let content = match document.get("type").map(|_| document.word("type")) {
        Some(Some(TYPE)) => Holds::DockerConfig(docker_config(document)?),
        Some(of) => Holds::Other(of.unwrap_or("another kind").to_owned()),
        None => Holds::Other("Opaque".to_owned()),
    };
    Ok(Secret { namespace, name, content })
}

fn identity(document: &Node) -> Result<(String, String), Violation> {
    let metadata = document.get("metadata");
    let word = |key| metadata.and_then(|metadata| metadata.word(key)).map(str::to_owned);
    let Some(name) = word("name") else {
        return Err(fault(
            "metadata",
            "the Secret has no name, or none that is one: write metadata: {name: hub}, say",
        ));
    };
    let namespace = match metadata.and_then(|metadata| metadata.get("namespace")).map(|node| &node.content) {
        None | Some(Content::Null) => Some(DEFAULT_NAMESPACE.to_owned()),
        Some(_) => word("namespace"),
    };
    match namespace {
        Some(namespace) => Ok((namespace, name)),
        None => Err(fault("metadata", "the Secret's namespace is none: write a name, or leave it out")),
    }
}

/// As the API server has it, `stringData` comes before `data`.
fn docker_config(document: &Node) -> Result<SecretString, Violation> {
    let content = |field| document.get(field).and_then(|data| data.get(KEY)).map(|node| &node.content);
    let (field, json) = match (content("stringData"), content("data")) {
        (Some(Content::Text(json)), _) => ("stringData", json.clone()),
        (Some(_), _) => return Err(fault("stringData", format!("`{KEY}` is not text: {MAKE}"))),
        (None, Some(Content::Text(encoded))) => {
            let whole: String = encoded.split_ascii_whitespace().collect();
            match STANDARD.decode(whole).map(String::from_utf8) {
                Ok(Ok(json)) => ("data", json),
                _ => return Err(fault("data", format!("`{KEY}` is not text in base64: {MAKE}"))),
            }
        }
        (None, Some(_)) => return Err(fault("data", format!("`{KEY}` is not text: {MAKE}"))),
        (None, None) => return Err(fault("data", format!("`{KEY}` is missing: {MAKE}"))),
    };
    let json = SecretString::from(json);
    // What is wrong is said without a word of what stands there: even a name may be a password in the wrong place.
    match Keychain::from_secret(json.expose_secret().as_bytes()) {
        Ok(_) if has_auths(&json) => Ok(json),
        Err(KeychainError::Auth(_)) => {
            Err(fault(field, format!("an `auth` in `{KEY}` is not user:password in base64: {MAKE}")))
        }
        _ => Err(fault(field, format!("`{KEY}` is not a Docker config, JSON with auths in it: {MAKE}"))),
    }
}

fn fault(field: &str, message: impl Into<String>) -> Violation {
    Violation { path: FieldPath::default().key(field), message: message.into() }
}

/// A config without auths is one too, and no help.
fn has_auths(json: &SecretString) -> bool {
    #[derive(Deserialize)]
    struct Config {
        auths: IgnoredAny,
    }
    serde_json::from_str(json.expose_secret()).is_ok_and(|Config { auths: IgnoredAny }| true)
}
