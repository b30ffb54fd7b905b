//! Pruning: what becomes of names on targets that this ImageSync wrote and that nothing wants any more.
//!
//! ```text
//! rules       what a target says of pruning
//! wants       what other ImageSyncs want        in_use   what pods reference       last   the highest versions
//! condition   all that has to hold, one function each          kept   why a name stays
//! round       one round of judging: the candidates, what has to be asked, the verdicts
//! hold        the limit, above which a person has to approve
//! ```
//!
//! A name is judged in rounds: first [`Plan::prune_questions`], until there are none, then [`Plan::prune`].

mod condition;
mod hold;
mod in_use;
mod kept;
mod last;
mod render;
mod round;
mod rules;
mod verdict;
mod wants;

use jiff::Timestamp;

#[cfg(test)]
pub(crate) use self::round::BROKEN;
use self::round::Round;
pub(super) use self::rules::Rules;
pub use self::{
    hold::Hold,
    in_use::InUse,
    verdict::{Judged, Pruning, Verdict},
    wants::Wants,
};
use super::{Observed, Plan, Questions, Selection, Wanted};
use crate::records::Records;

/// What verdicts rest on besides what registries show.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The ImageSync's spec.
    pub wanted: &'a Wanted,
    /// What was selected; none where the object itself is deleted, and so nothing is.
    pub selection: Option<&'a Selection>,
    /// The ImageSync's records, as they were when the run began.
    pub records: &'a Records,
    /// What other ImageSyncs want.
    pub wants: &'a Wants,
    /// What pods reference; none without a cluster.
    pub in_use: Option<&'a InUse>,
    /// The plan that a person approved: the value of the annotation.
    pub approved: Option<&'a str>,
    /// The time of the run.
    pub now: Timestamp,
}

impl Plan {
    /// What has to be asked before [`prune`](Self::prune), given what was answered so far. To be called again with the answers
    /// until there are no questions.
    ///
    /// # Guarantees
    ///
    /// Only that is asked on which nothing but the answer depends: a name that stays for another reason costs no request.
    #[must_use]
    pub fn prune_questions(&self, around: &Surroundings<'_>, answered: &Observed) -> Questions {
        Round::of_run(self, around, answered).questions()
    }

    /// Judges the names that nothing wants.
    ///
    /// # Guarantees
    ///
    /// - [`Verdict::Delete`] is given only to what this ImageSync wrote, what still shows that, what no ImageSync wants, and what was
    ///   unwanted in an earlier run too, at least the target's `grace` ago.
    /// - Of a target on which more would be deleted than its limit allows nothing is, unless exactly this was approved.
    pub fn prune(&mut self, around: &Surroundings<'_>, observed: &Observed) {
        let pruning = Round::of_run(self, around, observed).judge(true);
        self.pruning = pruning;
    }
}

impl Pruning {
    /// What has to be asked before [`of_deleted`](Self::of_deleted).
    #[must_use]
    pub fn questions_of_deleted(around: &Surroundings<'_>, answered: &Observed) -> Questions {
        Round::of_deletion(around, answered).questions()
    }

    /// Judges all names that an ImageSync wrote which is being deleted.
    ///
    /// # Guarantees
    ///
    /// As [`Plan::prune`], but for grace, the last versions and the limit.
    #[must_use]
    pub fn of_deleted(around: &Surroundings<'_>, observed: &Observed) -> Self {
        Round::of_deletion(around, observed).judge(false)
    }
}
