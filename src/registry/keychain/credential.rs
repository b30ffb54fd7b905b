//! Credentials: what a registry is shown. No secret is in any text that they give.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

/// What a registry, or its token server, is shown.
#[derive(Clone, Default)]
pub(crate) enum Credential {
    /// Nothing.
    #[default]
    Anonymous,
    /// A user and a password.
    Password { username: String, password: SecretString },
    /// A token that the token server exchanges for others (OAuth2's `refresh_token`).
    Identity { token: SecretString },
    /// A token that the registry itself takes.
    Bearer { token: SecretString },
    /// A program that is asked for one of the others when it is needed.
    Helper { name: String, server: String },
}

impl Credential {
    /// In words for people.
    pub(crate) fn who(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Password { username, .. } => format!("user `{username}`"),
            Self::Identity { .. } => "an identity token".to_owned(),
            Self::Bearer { .. } => "a registry token".to_owned(),
            Self::Helper { name, .. } => format!("the credential helper `{name}`"),
        }
    }

    pub(crate) const fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
        match (self, other) {
            (Self::Anonymous, Self::Anonymous) => true,
            (Self::Password { username, password }, Self::Password { username: other, password: secret }) => {
                username == other && same(password, secret)
            }
            (Self::Identity { token }, Self::Identity { token: other })
            | (Self::Bearer { token }, Self::Bearer { token: other }) => same(token, other),
            (Self::Helper { name, server }, Self::Helper { name: other, server: at }) => {
                name == other && server == at
            }
            _ => false,
        }
    }
}

impl Eq for Credential {}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.who())
    }
}
