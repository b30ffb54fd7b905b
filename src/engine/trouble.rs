//! What keeps an action's destination from being as it is wanted: one reading of outcomes, for all who tell of them.

use jiff::Timestamp;

use super::{Applied, Outcome, Pruned, error::Error};
use crate::{
    api::State,
    class::Class,
    plan::{Action, Judged, Kind},
    registry, store,
};

/// What keeps an action's destination from being as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The class that decides what happens next.
    pub class: Class,
    /// What it is, in a person's words.
    pub message: String,
    /// Until when a registry wants no more of this, where it said so.
    pub until: Option<Timestamp>,
}

impl Trouble {
    pub(super) fn of(action: &Action, outcome: &Outcome) -> Option<Self> {
        let planned = |class, until| Some(Self { class, message: action.reason.clone(), until });
        match (outcome, &action.kind) {
            (Outcome::InSync | Outcome::Written, _) => None,
            (Outcome::Failed(error), _) => Some(error.into()),
            (Outcome::NotTried, Kind::Failed { class }) => planned(*class, None),
            (Outcome::NotTried, Kind::Deferred { until }) => planned(Class::RateLimited, Some(*until)),
            (Outcome::NotTried, _) => planned(Class::Conflict, None),
        }
    }

    /// How far its artifact is.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.class {
            Class::RateLimited => State::Deferred,
            Class::Conflict => State::Conflict,
            _ => State::Failed,
        }
    }
}

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        Self { class: error.class(), message: error.message(), until: error.until() }
    }
}

impl From<&store::Error> for Trouble {
    fn from(error: &store::Error) -> Self {
        Self { class: error.class(), message: registry::message(error), until: error.until() }
    }
}

impl Applied {
    /// Each action with its outcome, and what is wrong where something is, in the plan's order.
    pub fn results(&self) -> impl Iterator<Item = (&Action, &Outcome, Option<Trouble>)> {
        let results = self.plan.actions.iter().zip(&self.outcomes);
        results.map(|(action, outcome)| (action, outcome, Trouble::of(action, outcome)))
    }

    /// Each name that nothing wants any more, with what became of it.
    pub fn pruned(&self) -> impl Iterator<Item = (&Judged, &Pruned)> {
        self.plan.pruning.names.iter().zip(&self.pruned)
    }

    /// What is wrong, one trouble an action or a name that could not be deleted.
    pub fn troubles(&self) -> impl Iterator<Item = Trouble> {
        let pruned = self.pruned().filter_map(|(_, pruned)| pruned.trouble());
        self.results().filter_map(|(_, _, trouble)| trouble).chain(pruned)
    }
}
