//! A registry's API: its address, the HTTP clients that speak to it, and how it wants requests signed.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use url::{Host, Url};

use super::{
    auth::{Flight, Scheme},
    client::{Clients, Key},
    guard::Named,
};
use crate::{
    reference::DOCKER_HUB,
    registry::{error::Cause, redact, settings::Settings},
};

/// Docker Hub's API is not at the name that references have.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// One registry's API.
pub(crate) struct Endpoint {
    registry: String,
    /// `https://registry/v2/`; `None` if the registry's name cannot be in a URL.
    base: Option<Url>,
    clients: Arc<Clients>,
    known: Mutex<Known>,
    /// Whoever asks how requests have to be signed.
    pub(super) ping: Flight<Result<(), Arc<Cause>>>,
    /// Until when it is passed over, as a mirror.
    rests: Mutex<Option<Instant>>,
}

#[derive(Clone)]
enum Known {
    Nothing,
    Open,
    Signed(Scheme),
}

impl Endpoint {
    pub(crate) fn new(registry: &str, settings: &Settings, clients: Arc<Clients>) -> Self {
        let scheme = if settings.is_plain(registry) { "http" } else { "https" };
        let host = if registry == DOCKER_HUB { DOCKER_HUB_API } else { registry };
        Self {
            registry: registry.to_owned(),
            base: Url::parse(&format!("{scheme}://{host}/v2/")).ok(),
            clients,
            known: Mutex::new(Known::Nothing),
            ping: Flight::default(),
            rests: Mutex::default(),
        }
    }

    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The URL of something below `/v2/`.
    ///
    /// # Errors
    ///
    /// [`Cause::Host`] if the registry's name cannot be in a URL.
    pub(crate) fn url(&self, path: &str) -> Result<Url, Cause> {
        self.base()?.join(path).map_err(|_| self.no_host())
    }

    /// `https://registry/v2/`: where the credential is for.
    ///
    /// # Errors
    ///
    /// [`Cause::Host`] if the registry's name cannot be in a URL.
    pub(super) fn base(&self) -> Result<&Url, Cause> {
        self.base.as_ref().ok_or_else(|| self.no_host())
    }

    fn no_host(&self) -> Cause {
        Cause::Host { host: self.registry.clone() }
    }

    /// The client for an address, if it may be called.
    ///
    /// # Errors
    ///
    /// [`Cause::Unsafe`] says why it may not.
    pub(super) fn client_for(&self, target: &Named) -> Result<reqwest::Client, Cause> {
        let refuse = |why| Err(Cause::Unsafe { url: redact::url(&target.url), why });
        let base = self.base()?;
        if base.origin() == target.url.origin() {
            return self.clients.get(&Key::Own(self.registry.clone()));
        }
        match target.url.scheme() {
            "https" => {}
            "http" if base.scheme() == "http" => {}
            "http" => return refuse("it is without TLS, and the registry has TLS"),
            _ => return refuse("it is not HTTP"),
        }
        let host = redact::host(&target.url);
        if self.clients.is_listed(&host) {
            return self.clients.get(&Key::Own(host));
        }
        let literal = match target.url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return refuse("it has no host"),
        };
        if literal.is_some_and(|address| !target.by.may_name(address)) {
            return refuse(super::guard::REFUSAL);
        }
        self.clients.get(&Key::Foreign { of: self.registry.clone(), by: target.by })
    }

    pub(super) fn is_proxied(&self, url: &Url) -> bool {
        self.clients.is_proxied(url)
    }

    pub(super) fn is_known(&self) -> bool {
        !matches!(*self.known(), Known::Nothing)
    }

    pub(super) fn scheme(&self) -> Option<Scheme> {
        match &*self.known() {
            Known::Signed(scheme) => Some(scheme.clone()),
            Known::Nothing | Known::Open => None,
        }
    }

    pub(super) fn learn(&self, scheme: Scheme) {
        *self.known() = Known::Signed(scheme);
    }

    /// It asks strangers for nothing; a later challenge can still tell otherwise.
    pub(super) fn is_open(&self) {
        *self.known() = Known::Open;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As a mirror: whether it failed lately.
    pub(crate) fn is_resting(&self) -> bool {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.is_some_and(|until| Instant::now() < until)
    }

    /// As a mirror: it failed, so others are asked for a while.
    pub(crate) fn rest(&self, time: Duration) {
        *self.rests.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }
}
