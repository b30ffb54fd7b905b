//! What became of an action.

use super::error::Error;
use crate::plan::{Action, Kind};

/// What became of one action of a plan.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The destination was as it is wanted; nothing was done.
    InSync,
    /// The destination was written.
    Written,
    /// The plan said why this cannot be done (a conflict, a source that is not there, a limit); nothing was done.
    NotTried,
    /// It was tried, and failed.
    Failed(Error),
}

impl Outcome {
    /// `copied` is what became of the action where it is a copy that began.
    pub(crate) fn of(action: &Action, copied: Option<Result<(), Error>>) -> Self {
        match (&action.kind, copied) {
            (Kind::InSync { .. }, _) => Self::InSync,
            (Kind::Copy { .. } | Kind::Amend { .. }, Some(Ok(()))) => Self::Written,
            (Kind::Copy { .. } | Kind::Amend { .. }, Some(Err(error))) => Self::Failed(error),
            (Kind::Copy { .. } | Kind::Amend { .. }, None) => Self::Failed(Error::Interrupted),
            (Kind::Conflict | Kind::Failed { .. } | Kind::Deferred { .. }, _) => Self::NotTried,
        }
    }
}
