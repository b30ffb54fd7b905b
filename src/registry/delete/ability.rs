//! What a registry deletes, as it was found out.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{reference::Repository, registry::answer::Answer};

/// How long it is believed: administrators change what a registry does.
const BELIEF: Duration = Duration::from_hours(1);

/// What a registry deletes in one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ability {
    /// Digests only.
    Digests,
    /// Neither; this is what it said.
    Nothing(Answer),
}

/// What is known of the repositories of one account.
#[derive(Debug, Default)]
pub(crate) struct Abilities(Mutex<HashMap<String, (Ability, Instant)>>);

impl Abilities {
    pub(super) fn get(&self, repository: &Repository) -> Option<Ability> {
        let known = self.known();
        let (ability, since) = known.get(repository.path())?;
        (since.elapsed() < BELIEF).then(|| ability.clone())
    }

    pub(super) fn remember(&self, repository: &Repository, ability: Ability) {
        self.known().insert(repository.path().to_owned(), (ability, Instant::now()));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, (Ability, Instant)>> {
        // Each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
