//! Scopes: what a token allows, as sets, so that any order and any repetition is the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// What a token must allow, such as `repository:library/alpine:pull` (distribution, "Token Scope Documentation").
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Scopes(BTreeMap<String, BTreeSet<String>>);

/// Resources of one challenge that are looked at: a registry names one, or two for a mount.
const MOST: usize = 16;

impl Scopes {
    /// `actions` on a repository.
    pub(crate) fn repository(path: &str, actions: &[&str]) -> Self {
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Self(BTreeMap::from([(format!("repository:{path}"), actions)]))
    }

    /// Reads the `scope` of a challenge; what is not one is left out.
    pub(super) fn parse(text: &str) -> Self {
        let mut scopes = Self::default();
        for part in text.split_ascii_whitespace().take(MOST) {
            // The name in the middle may have colons: a registry with a port.
            let Some((resource, actions)) = part.rsplit_once(':') else { continue };
            if resource.contains(':') {
                let actions = actions.split(',').filter(|action| !action.is_empty()).map(str::to_owned);
                scopes.0.entry(resource.to_owned()).or_default().extend(actions);
            }
        }
        scopes
    }

    /// Both.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (resource, actions) in &other.0 {
            self.0.entry(resource.clone()).or_default().extend(actions.iter().cloned());
        }
        self
    }

    /// Whether whoever may do this may do `other` too.
    pub(super) fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|(resource, actions)| {
            self.0.get(resource).is_some_and(|mine| mine.contains("*") || actions.is_subset(mine))
        })
    }

    /// One text a resource, as a token server wants them.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(resource, actions)| {
            let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
            format!("{resource}:{}", actions.join(","))
        })
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts().collect::<Vec<_>>().join(" "))
    }
}
