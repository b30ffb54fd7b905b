//! Secrets beside the manifests: credentials for registries.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    DEFAULT_NAMESPACE,
    node::{Content, Node},
};
use crate::api::check::{FieldPath, Violation};

const TYPE: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";
const MAKE: &str = "make it with `kubectl create secret docker-registry NAME … --dry-run=client -o yaml`";

/// A Secret that was read. It does not show what it holds.
#[derive(Clone)]
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

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}/{})", self.namespace, self.name)
    }
}

/// Why a Secret cannot be named as one by an ImageSync.
pub(super) fn wrong_type(name: &str, of: &str) -> String {
    format!("the Secret {name} is of type {of}, and one of type {TYPE} is needed: {MAKE}")
}

/// Reads a Secret as the API server would: `stringData` before `data`.
pub(super) fn read(document: &Node) -> Result<Secret, Violation> {
    let refuse = |field: &str, message: String| Violation { path: FieldPath::default().key(field), message };
    let metadata = document.get("metadata");
    let Some(name) = metadata.and_then(|metadata| metadata.word("name")).map(str::to_owned) else {
        let message = "the Secret has no name, or none that is one: write metadata: {name: hub}, say";
        return Err(refuse("metadata", message.into()));
    };
    let namespace =
        match metadata.and_then(|metadata| Some((metadata.get("namespace")?, metadata.word("namespace")))) {
            Some((_, Some(namespace))) => namespace.to_owned(),
            None | Some((Node { content: Content::Null, .. }, None)) => DEFAULT_NAMESPACE.to_owned(),
            Some((_, None)) => {
                return Err(refuse(
                    "metadata",
                    "the Secret's namespace is none: write a name, or leave it out".into(),
                ));
            }
        };
    let of = if document.get("type").is_none() {
        "Opaque"
    } else {
        document.word("type").unwrap_or("another kind")
    };
    if of != TYPE {
        return Ok(Secret { namespace, name, content: Holds::Other(of.to_owned()) });
    }
    let plain = document.get("stringData").and_then(|data| data.get(KEY));
    let encoded = document.get("data").and_then(|data| data.get(KEY));
    let (field, json) = match (plain.map(|node| &node.content), encoded.map(|node| &node.content)) {
        (Some(Content::Text(json)), _) => ("stringData", json.clone()),
        (None, Some(Content::Text(encoded))) => {
            let whole: String = encoded.split_ascii_whitespace().collect();
            let json = STANDARD.decode(whole).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let problem =
                || format!("`{KEY}` is not text in base64: {MAKE}, or write it as it is under stringData");
            ("data", json.ok_or_else(|| refuse("data", problem()))?)
        }
        (Some(_), _) => return Err(refuse("stringData", format!("`{KEY}` is not text: {MAKE}"))),
        (None, Some(_)) => return Err(refuse("data", format!("`{KEY}` is not text: {MAKE}"))),
        (None, None) => return Err(refuse("data", format!("`{KEY}` is missing: {MAKE}"))),
    };
    let json = SecretString::from(json);
    if !has_auths(&json) {
        return Err(refuse(field, format!("`{KEY}` is not a Docker config, JSON with auths in it: {MAKE}")));
    }
    Ok(Secret { namespace, name, content: Holds::DockerConfig(json) })
}

/// What is in the entries is for those who use it to judge.
fn has_auths(json: &SecretString) -> bool {
    #[derive(Deserialize)]
    struct Config {
        auths: IgnoredAny,
    }
    serde_json::from_str(json.expose_secret()).is_ok_and(|Config { auths: IgnoredAny }| true)
}
