//! Name resolution that gives only addresses at which a registry may point.

use std::{collections::HashSet, net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Reach;

/// Resolves the names of hosts that a registry pointed at.
#[derive(Clone)]
pub(crate) struct Resolver {
    by: Reach,
    /// Proxies are the administrator's, wherever they are.
    proxies: Arc<HashSet<String>>,
}

/// An address that a name resolves to, and that its namer must not point at.
#[derive(Debug, thiserror::Error)]
#[error("{REFUSAL}")]
struct Refused;

pub(crate) const REFUSAL: &str = "it is at an address that the registry has no business with (loopback, private, \
                                  link-local or metadata); if that is right, list the host in the registries file";

impl Resolver {
    pub(crate) fn new(by: Reach, proxies: HashSet<String>) -> Self {
        Self { by, proxies: Arc::new(proxies) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let is_proxy = this.proxies.contains(name.as_str());
            let good: Vec<SocketAddr> = found.filter(|at| is_proxy || this.by.may_name(at.ip())).collect();
            if good.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

/// The reason, if an error comes from a [`Resolver`].
pub(super) fn refusal(error: &reqwest::Error) -> Option<&'static str> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<Refused>() {
            return Some(REFUSAL);
        }
        cause = error.source();
    }
    None
}
