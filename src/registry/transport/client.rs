//! The HTTP clients at the bottom: one for all registries that have no settings, others as settings differ.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Certificate, Client, ClientBuilder, Identity, redirect::Policy};
use url::Url;

use super::{
    guard::{Reach, Resolver},
    proxy::Proxies,
    timing::Timing,
};
use crate::registry::{
    error::Cause,
    settings::{HostSettings, Settings, SettingsError, is_this_machine},
};

/// A window of HTTP/2, in bytes: what a stream may have on its way, and so what it may cost in memory.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// The same for a connection.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Connections that are kept for the next request.
const IDLE_CONNECTIONS: usize = 64;

/// For how long: shorter than servers keep them, or a request would meet one that is being closed.
const IDLE: Duration = Duration::from_secs(45);
/// The name of the client for registries on this machine, which no registry has.
const LOCAL: &str = ".";

/// Which client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// For a registry itself.
    Own(String),
    /// For hosts that a registry points at from somewhere.
    Foreign {
        /// The registry.
        of: String,
        /// Where it is.
        by: Reach,
    },
}

/// All clients of the process. Connections are kept in them.
pub(crate) struct Clients {
    settings: Arc<Settings>,
    made: Mutex<HashMap<Key, Client>>,
    proxies: Proxies,
}

impl Clients {
    /// Reads the files that the settings name, so that a mistake in them shows at once.
    pub(crate) fn new(settings: Arc<Settings>, proxies: Proxies) -> Result<Self, SettingsError> {
        let made = HashMap::new();
        let this = Self { settings, made: Mutex::new(made), proxies };
        for host in this.settings.listed() {
            this.client(&Key::Own(host.host().to_owned()))?;
        }
        Ok(this)
    }

    pub(super) fn get(&self, key: &Key) -> Result<Client, Cause> {
        self.client(key).map_err(Cause::from)
    }

    pub(super) fn is_listed(&self, host: &str) -> bool {
        self.settings.host(host).is_some()
    }

    pub(super) fn is_proxied(&self, url: &Url) -> bool {
        self.proxies.serve(url)
    }

    fn client(&self, key: &Key) -> Result<Client, SettingsError> {
        let (registry, by) = match key {
            Key::Own(registry) => (registry, None),
            Key::Foreign { of, by } => (of, Some(*by)),
        };
        let host = self.settings.host(registry);
        let is_local = by.is_none() && is_this_machine(registry);
        // Registries without settings share their clients.
        let name = match host {
            Some(host) => host.host().to_owned(),
            None if is_local => LOCAL.to_owned(),
            None => String::new(),
        };
        let key = match by {
            None => Key::Own(name),
            Some(by) => Key::Foreign { of: name, by },
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(&key) {
            return Ok(client.clone());
        }
        let mut builder = self.proxies.apply(builder(&self.settings.timing));
        if by.is_none() && self.settings.is_plain(registry) {
            // The system's roots are not needed, and reading them takes longer than a request.
            builder = builder.tls_certs_only([]);
        }
        if let Some(by) = by {
            builder = builder.dns_resolver(Resolver::new(by, self.proxies.hosts()));
        }
        if let Some(host) = host {
            builder = tls(builder, host, by.is_some())?;
        }
        let client = builder.build().map_err(SettingsError::Client)?;
        made.insert(key, client.clone());
        Ok(client)
    }
}

fn builder(timing: &Timing) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("imagesync/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(timing.connect)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        // Longer than anything here is waited for: who takes no bytes is judged by who sends them.
        .tcp_user_timeout(timing.tries)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
}

/// A registry's token server and storage mostly have certificates of the same authority. Our own certificate, and
/// the permission to skip verification, are for the registry alone.
fn tls(
    mut builder: ClientBuilder,
    host: &HostSettings,
    is_foreign: bool,
) -> Result<ClientBuilder, SettingsError> {
    let read = |what, field, path: &Path| {
        fs::read(path).map_err(|source| SettingsError::Unreadable {
            path: path.to_owned(),
            what,
            host: host.host().to_owned(),
            field: host.field(field),
            source,
        })
    };
    let bad = |what, field| {
        let (host, field) = (host.host().to_owned(), host.field(field));
        move |source| SettingsError::Tls { what, host, field, source }
    };
    if let Some(path) = &host.ca_file {
        let (what, field) = ("CA certificate", "caFile");
        let pem = read(what, field, path)?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(bad(what, field))?;
        builder = builder.tls_certs_merge(certificates);
    }
    if is_foreign {
        return Ok(builder);
    }
    if let (Some(certificate), Some(key)) = (&host.client_cert, &host.client_key) {
        let mut pem = read("client certificate", "clientCert", certificate)?;
        pem.push(b'\n');
        pem.extend(read("client certificate's key", "clientKey", key)?);
        let identity = Identity::from_pem(&pem);
        builder = builder.identity(identity.map_err(bad("client certificate with its key", "clientCert"))?);
    }
    Ok(builder.tls_danger_accept_invalid_certs(host.insecure_skip_verify))
}
