//! Accounts: a registry together with who we are there.

use std::{
    fmt, hash,
    sync::{Arc, LazyLock},
};

use super::keychain::Credential;

/// A registry and the credential that is used there: what budgets, tokens and mounts are shared by.
///
/// # Guarantees
///
/// Two accounts are equal exactly if the registry takes them for the same one. The secret is in none of the texts.
#[derive(Clone)]
pub struct Account(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    registry: String,
    credential: Credential,
}

impl Account {
    pub(super) fn new(registry: impl Into<String>, credential: Credential) -> Self {
        Self(Arc::new(Inner { registry: registry.into(), credential }))
    }

    /// What stands for all layouts: one can take a blob from any other, and nobody has to say who he is.
    pub(crate) fn of_layouts() -> &'static Self {
        static LAYOUTS: LazyLock<Account> = LazyLock::new(|| Account::new("oci", Credential::Anonymous));
        &LAYOUTS
    }

    /// The registry, as references name it.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.0.registry
    }

    /// Who we are there, in words for people.
    #[must_use]
    pub fn who(&self) -> String {
        self.0.credential.who()
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.0.credential
    }
}

impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Account {}

impl hash::Hash for Account {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.registry.hash(state);
        // Accounts that differ in the secret alone are rare, and equality tells them apart.
        self.0.credential.who().hash(state);
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.who(), self.registry())
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({self})")
    }
}
