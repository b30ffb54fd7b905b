//! The way of a request to a registry and back, one file a layer, in the order in which a request passes them:
//!
//! 1. [`trace`]: what was asked and what came
//! 2. [`throttle`]: the account's budget
//! 3. [`retry`]: what can be sent again, is, where it may help
//! 4. [`auth`]: who we are
//! 5. [`guard`]: where it may go, redirects included
//! 6. [`client`]: the HTTP client

mod auth;
mod client;
mod endpoint;
mod guard;
mod proxy;
mod request;
mod response;
mod retry;
mod throttle;
mod timing;
mod trace;

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

#[cfg(fuzzing)]
pub(crate) use self::auth::read_challenges;
pub use self::trace::Counters;
pub(crate) use self::{
    auth::{Scopes, Wallet},
    client::Clients,
    endpoint::Endpoint,
    guard::Named,
    proxy::Proxies,
    request::Request,
    response::Response,
    throttle::{Budget, Lane},
    timing::{TRIES, Timing},
    trace::Traffic,
};
use super::{account::Account, delete::Abilities, error::Cause, referrers::Memory};

/// What all that use one account share.
pub(crate) struct Ledger {
    pub(crate) budget: Budget,
    pub(crate) wallet: Wallet,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) abilities: Abilities,
    pub(crate) referrers: Memory,
}

/// A way to one registry with one credential. A clone costs a few counters.
#[derive(Clone)]
pub(crate) struct Transport {
    endpoint: Arc<Endpoint>,
    account: Account,
    ledger: Arc<Ledger>,
    timing: Timing,
    tries: usize,
}

impl Transport {
    pub(crate) const fn new(
        endpoint: Arc<Endpoint>,
        account: Account,
        ledger: Arc<Ledger>,
        timing: Timing,
        tries: usize,
    ) -> Self {
        Self { endpoint, account, ledger, timing, tries }
    }

    /// Sends a request; what comes back is an answer to it, unless it is an error of the whole registry.
    ///
    /// # Errors
    ///
    /// No answer; and of the answers: 401, 408, 429, 5xx, and those of hosts that the registry sent us to.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, Cause> {
        // On the heap: what a request holds on its way is large, and many futures hold a request.
        Box::pin(trace::send(self, request)).await
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) const fn account(&self) -> &Account {
        &self.account
    }

    /// What is known of referrers.
    pub(crate) fn memory(&self) -> &Memory {
        &self.ledger.referrers
    }

    pub(crate) const fn timing(&self) -> &Timing {
        &self.timing
    }

    /// What is known of how the registry deletes.
    pub(crate) fn abilities(&self) -> &Abilities {
        &self.ledger.abilities
    }

    /// The error for an answer that means 429.
    pub(crate) fn limited(&self) -> Cause {
        self.ledger.budget.limited(self.registry(), &self.timing)
    }

    /// Waits until one more request may be sent.
    async fn pass(&self) -> Result<(), Cause> {
        self.ledger.budget.pass(self.registry(), &self.timing).await
    }

    fn registry(&self) -> &str {
        self.endpoint.registry()
    }

    fn observe(&self, began: Instant, status: StatusCode, headers: &HeaderMap) {
        self.ledger.budget.observe(Lane::Small, began, status, headers, &self.timing);
    }
}
