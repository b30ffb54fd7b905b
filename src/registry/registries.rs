//! All registries of a process: what is shared by everything that talks to them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    account::Account,
    delete::Abilities,
    keychain::Keychain,
    referrers::Memory,
    remote::Remote,
    settings::{Settings, SettingsError},
    transport::{Budget, Clients, Counters, Endpoint, Ledger, Proxies, TRIES, Transport, Wallet},
};
use crate::reference::Repository;

/// Accounts above which those are looked for that nobody uses.
const MOST_LEDGERS: usize = 256;

/// The registries: their settings, connections, budgets and tokens. One a process; a clone costs a counter.
#[derive(Clone)]
pub struct Registries(Arc<Inner>);

struct Inner {
    settings: Arc<Settings>,
    clients: Arc<Clients>,
    endpoints: Mutex<HashMap<String, Arc<Endpoint>>>,
    ledgers: Mutex<HashMap<Account, Arc<Ledger>>>,
}

impl Registries {
    /// # Errors
    ///
    /// A certificate or key that the settings name and that is of no use.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        Self::behind(Proxies::from_env(), settings)
    }

    pub(super) fn behind(proxies: Proxies, settings: Settings) -> Result<Self, SettingsError> {
        let settings = Arc::new(settings);
        let clients = Clients::new(Arc::clone(&settings), proxies)?;
        Ok(Self(Arc::new(Inner {
            settings,
            clients: Arc::new(clients),
            endpoints: Mutex::default(),
            ledgers: Mutex::default(),
        })))
    }

    /// Opens a repository with the credential that the keychain has for it. Nothing is sent yet.
    #[must_use]
    pub fn open(&self, repository: &Repository, keychain: &Keychain) -> Remote {
        let settings = self.0.settings.host(repository.registry());
        let home = self.transport(repository, keychain, TRIES);
        let mirrors = settings.into_iter().flat_map(|host| &host.mirrors).filter_map(|mirror| {
            let repository: Repository = format!("{mirror}/{}", repository.path()).parse().ok()?;
            // Whoever is second has a good reason not to insist.
            let transport = self.transport(&repository, keychain, 1);
            Some((repository, transport))
        });
        Remote::new(repository.clone(), home, mirrors.collect())
    }

    /// What went to and came from each registry so far, by account.
    #[must_use]
    pub fn counters(&self) -> Vec<(Account, Counters)> {
        let ledgers = self.0.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.iter().map(|(account, ledger)| (account.clone(), ledger.traffic.counters())).collect()
    }

    fn transport(&self, repository: &Repository, keychain: &Keychain, tries: usize) -> Transport {
        let registry = repository.registry();
        let settings = self.0.settings.host(registry);
        let helper = settings.and_then(|host| host.credential_helper.as_ref());
        let credential = keychain.find(repository, helper.map(|helper| helper.name.as_str()));
        let account = Account::new(registry, credential);
        let mut endpoints = self.0.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoint = endpoints.entry(registry.to_owned()).or_insert_with(|| {
            Arc::new(Endpoint::new(registry, &self.0.settings, Arc::clone(&self.0.clients)))
        });
        let mut ledgers = self.0.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        if ledgers.len() >= MOST_LEDGERS {
            // Passwords that change leave accounts behind that nobody uses any more.
            ledgers.retain(|_, ledger| Arc::strong_count(ledger) > 1);
        }
        let ledger = ledgers.entry(account.clone()).or_insert_with(|| {
            Arc::new(Ledger {
                budget: Budget::new(settings),
                wallet: Wallet::default(),
                traffic: Arc::default(),
                abilities: Abilities::default(),
                referrers: Memory::default(),
            })
        });
        Transport::new(Arc::clone(endpoint), account, Arc::clone(ledger), self.0.settings.timing, tries)
    }
}
