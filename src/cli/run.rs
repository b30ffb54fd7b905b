//! The steps of a run: list and select, look, decide, apply. `sync` and `plan` take them with all ImageSyncs together.

use futures::future::join_all;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{display::Display, member::Member, others::Others};
use crate::{
    engine::{Applied, Engine, Error, Outcome, Pruned},
    plan::{Observed, Ownership, Plan, Questions, Selection, Wanted, Wants, decide, select},
    records::{self, Records},
};

/// Lists the sources' tags, and selects; `deep` has all that is on the targets looked at.
pub(super) async fn choose(engine: &Engine, member: &Member, deep: bool) -> Selection {
    let listings = engine.list(&member.wanted, &member.access).await;
    let selection = select(&member.wanted, &listings, &member.journal.records(), Timestamp::now());
    if deep { selection.deeply() } else { selection }
}

/// Looks at what the plan rests on.
pub(super) async fn look(
    engine: &Engine,
    member: &Member,
    selection: &Selection,
    records: &Records,
) -> Observed {
    let mut observed = Observed::at(Timestamp::now());
    ask(engine, member, &mut observed, |observed| selection.questions(records, observed)).await;
    observed
}

/// Looks until there is nothing left to ask, given what was seen so far.
pub(super) async fn ask(
    engine: &Engine,
    member: &Member,
    observed: &mut Observed,
    questions: impl Fn(&Observed) -> Questions,
) {
    loop {
        let questions = questions(observed);
        if questions.is_empty() {
            return;
        }
        observed.extend(engine.look(questions, &member.access).await);
    }
}

/// Who owns what, of ImageSyncs with their records. Those that take part in a run claim what they selected, the others what
/// their records say.
pub(super) fn ownership<'a>(
    claims: impl Iterator<Item = (&'a Wanted, &'a Records, Option<&'a Selection>)>,
) -> Ownership {
    let mut ownership = Ownership::default();
    for (wanted, records, selection) in claims {
        match selection {
            Some(selection) => ownership.claim_selected(wanted, selection, records),
            None => ownership.claim_recorded(wanted, records),
        }
    }
    ownership
}

/// Makes the plans of all members that are not suspended. Nothing is changed.
pub(super) async fn plan(
    engine: &Engine,
    members: &[Member],
    suspended: &[Member],
    others: &Others,
    deep: bool,
    now: Timestamp,
) -> Vec<Plan> {
    let selections = join_all(members.iter().map(|member| choose(engine, member, deep))).await;
    let records: Vec<Records> =
        members.iter().chain(suspended).map(|member| member.journal.records()).collect();
    let selected = selections.iter().map(Some).chain(suspended.iter().map(|_| None));
    let claims = members.iter().chain(suspended).zip(&records).zip(selected);
    let claims = claims.map(|((member, records), selection)| (&member.wanted, records, selection));
    let mut wants = Wants::default();
    if members.iter().any(|member| member.wanted.prunes()) {
        claims.clone().for_each(|(wanted, records, selection)| wants.add(wanted, records, selection));
        others.want(&mut wants);
    }
    let (ownership, wants) = (&ownership(claims), &wants);
    let plans =
        members.iter().zip(&selections).zip(&records).map(|((member, selection), records)| async move {
            let mut observed = look(engine, member, selection, records).await;
            let mut plan = decide(&member.wanted, selection, records, &observed, ownership, now);
            let around = member.surroundings(Some(selection), records, wants, now);
            ask(engine, member, &mut observed, |observed| plan.prune_questions(&around, observed)).await;
            plan.prune(&around, &observed);
            plan
        });
    join_all(plans).await
}

/// What became of a plan.
pub(super) struct Done {
    pub(super) applied: Applied,
    /// Why the records of what was done are not all on disk. What was published is recorded as intended, all the same.
    pub(super) unrecorded: Option<records::Error>,
}

/// Carries out a plan.
pub(super) async fn apply(
    engine: &Engine,
    member: &Member,
    plan: Plan,
    display: &Display,
    stop: &CancellationToken,
) -> Done {
    display.planned(&plan);
    let applied = engine.apply(plan, &member.access, &member.journal, stop).await;
    display.applied(&applied);
    Done { applied, unrecorded: member.journal.flush().await.err() }
}

/// How many actions were left out because the run was stopped.
pub(super) fn interrupted(applied: &Applied) -> usize {
    let outcomes = applied.outcomes.iter();
    outcomes.filter(|outcome| matches!(outcome, Outcome::Failed(Error::Interrupted))).count()
}

/// Whether anything was left out because the run was stopped.
pub(super) fn was_interrupted(applied: &Applied) -> bool {
    interrupted(applied) > 0 || applied.pruned.iter().any(|pruned| matches!(pruned, Pruned::Interrupted))
}
