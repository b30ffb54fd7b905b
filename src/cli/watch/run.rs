//! One run of one ImageSync, from the listing to what was applied.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::claims::Claim;
use crate::{
    cli::{
        display::Display,
        member::Member,
        run::{self, Done},
    },
    engine::Engine,
    plan::{Plan, Surroundings, decide},
};

/// A run that came to its end.
pub(super) struct Ended {
    pub(super) member: Arc<Member>,
    /// What it did; nothing if it was stopped before anything was begun.
    pub(super) done: Option<Done>,
}

/// Syncs `member`, until that is done or `stop` is cancelled.
pub(super) async fn run(
    engine: Engine,
    member: Arc<Member>,
    claim: Claim,
    display: Display,
    stop: CancellationToken,
) -> Ended {
    let plan = tokio::select! {
        plan = plan(&engine, &member, &claim) => Some(plan),
        () = stop.cancelled() => None,
    };
    let done = match plan {
        Some(plan) => Some(run::apply(&engine, &member, plan, &display, &stop).await),
        None => None,
    };
    Ended { member, done }
}

async fn plan(engine: &Engine, member: &Member, claim: &Claim) -> Plan {
    let selection = Arc::new(run::choose(engine, member, false).await);
    // Before anything is looked at: what the others wrote is then seen, and they write no more of it.
    claim.select(&selection).await;
    let records = member.journal.records();
    let mut observed = run::look(engine, member, &selection, &records).await;
    let now = Timestamp::now();
    let mut plan =
        claim.decide(|ownership| decide(&member.wanted, &selection, &records, &observed, ownership, now));
    let store = member.journal.store();
    let wants = claim.wants(store);
    let around = member.surroundings(Some(&*selection), &records, &wants, now);
    run::ask(engine, member, &mut observed, |observed| plan.prune_questions(&around, observed)).await;
    // What others want may have changed meanwhile.
    claim.prune(&mut plan, store, |plan, wants| {
        plan.prune(&Surroundings { wants, ..around }, &observed);
    });
    plan
}
