//! Docker's configuration file, which is also what a pull secret holds.

use std::{
    collections::BTreeMap,
    env, io,
    path::{Path, PathBuf},
};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;

use super::{Credential, Entry, Inner, is_helper_name};
use crate::class::Class;

/// The username that says that the password is an identity token.
const TOKEN_USER: &str = "<token>";

/// Why a Docker configuration gives no credentials.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    /// It is not Docker's JSON. What is in it is not repeated: it has secrets.
    #[error(
        "the credentials are not a Docker configuration (`{{\"auths\": …}}`): line {line}, column {column}"
    )]
    Malformed {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// An entry's `auth` is not the base64 of `user:password`.
    #[error("the credential for `{0}` is damaged: `auth` is not base64 of user:password")]
    Auth(String),
    /// A credential helper with a name that is no program's.
    #[error("`{0}` cannot be a credential helper: a name is letters, digits, `-`, `_` and `.`")]
    Helper(String),
    /// The file cannot be read.
    #[error("cannot read the credentials in {path}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl KeychainError {
    /// The class: a person has to change the secret or the file.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::InvalidSpec
    }
}

/// Whether helpers that the configuration names may be run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Helpers {
    Run,
    Ignore,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    auths: Option<BTreeMap<String, Auth>>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
struct Auth {
    #[serde(default)]
    #[serde(rename = "auth")]
    pair: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    identitytoken: Option<String>,
    #[serde(default)]
    registrytoken: Option<String>,
}

pub(super) fn find(path: Option<&Path>) -> Result<Option<Vec<u8>>, KeychainError> {
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| env::home_dir().map(|home| home.join(".docker")));
    let Some(file) = path.map(Path::to_owned).or_else(|| folder.map(|folder| folder.join("config.json")))
    else {
        return Ok(None);
    };
    match std::fs::read(&file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_none() => Ok(None),
        Err(source) => Err(KeychainError::Unreadable { path: file, source }),
    }
}

pub(super) fn read(bytes: &[u8], helpers: Helpers) -> Result<Inner, KeychainError> {
    let config: Config = serde_json::from_slice(bytes)
        .map_err(|error| KeychainError::Malformed { line: error.line(), column: error.column() })?;
    let mut inner = Inner::default();
    if helpers == Helpers::Run {
        for (key, name) in config.cred_helpers.unwrap_or_default() {
            let name = helper_name(name)?;
            inner.entries.extend(Entry::new(&key, Credential::Helper { name, server: key.clone() }));
        }
        let store = config.creds_store.filter(|name| !name.is_empty());
        inner.store = store.map(helper_name).transpose()?;
    }
    for (key, auth) in config.auths.unwrap_or_default() {
        // With a store, the file keeps an empty entry for each registry that the store knows.
        if let Some(credential) = auth.credential(&key)? {
            inner.entries.extend(Entry::new(&key, credential));
        }
    }
    Ok(inner)
}

fn helper_name(name: String) -> Result<String, KeychainError> {
    if is_helper_name(&name) { Ok(name) } else { Err(KeychainError::Helper(name)) }
}

impl Auth {
    fn credential(self, key: &str) -> Result<Option<Credential>, KeychainError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = given(self.registrytoken) {
            return Ok(Some(Credential::Bearer { token: token.into() }));
        }
        if let Some(token) = given(self.identitytoken) {
            return Ok(Some(Credential::Identity { token: token.into() }));
        }
        let pair = match given(self.pair) {
            Some(auth) => Some(decode(&auth).ok_or_else(|| KeychainError::Auth(key.to_owned()))?),
            None => given(self.username).map(|username| (username, self.password.unwrap_or_default())),
        };
        Ok(pair.map(|(username, password)| of_pair(username, password)))
    }
}

/// A username and a password, which may mean something else.
pub(super) fn of_pair(username: String, password: String) -> Credential {
    if username == TOKEN_USER {
        Credential::Identity { token: password.into() }
    } else {
        Credential::Password { username, password: password.into() }
    }
}

fn decode(auth: &str) -> Option<(String, String)> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&STANDARD, lenient).decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    // Old versions of Docker pad with NULs.
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}
