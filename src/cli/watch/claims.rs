//! Claims: which ImageSync may write which tag, while many runs begin and end on their own.
//!
//! At each instant at most one run writes a tag. Whoever decides what to write sees the claims of all others, and whoever
//! claims what a younger one is just writing stops that one first; it plans again, and is told of the conflict. Only
//! the older ever waits for the younger, so no two wait for each other.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{member::Member, run},
    plan::{Ownership, Plan, Selection, Wanted},
    records::{Journal, Records},
    reference::Reference,
};

/// What each ImageSync claims: what its records say, and what a run is about to write.
#[derive(Default)]
pub(super) struct Claims(Mutex<BTreeMap<String, Entry>>);

struct Entry {
    wanted: Wanted,
    journal: Journal,
    run: Option<Run>,
}

struct Run {
    /// What was selected, once that is known.
    selection: Option<Arc<Selection>>,
    /// What is being written, once that is decided.
    writes: Vec<Reference>,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// The part that one run has in the claims. When it is dropped the run is over.
pub(super) struct Claim {
    claims: Arc<Claims>,
    title: String,
}

impl Claims {
    /// An ImageSync that is there, or that is there in a new generation.
    pub(super) fn enter(&self, member: &Member) {
        let mut entries = self.entries();
        let run = entries.remove(&member.title()).and_then(|entry| entry.run);
        let entry = Entry { wanted: member.wanted.clone(), journal: member.journal.clone(), run };
        entries.insert(member.title(), entry);
    }

    /// Those that are not there any more claim nothing.
    pub(super) fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.entries().retain(|title, _| is_there(title));
    }

    /// A run begins, which ends soon after `stop` is cancelled.
    pub(super) fn start(self: &Arc<Self>, title: &str, stop: &CancellationToken) -> Claim {
        if let Some(entry) = self.entries().get_mut(title) {
            let (stop, ended) = (stop.clone(), CancellationToken::new());
            entry.run = Some(Run { selection: None, writes: Vec::new(), stop, ended });
        }
        Claim { claims: Arc::clone(self), title: title.to_owned() }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        // Each change under the lock is a single step, so a panic elsewhere cannot leave an entry half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Claims what was selected, and returns when no other run writes any of it that is now ours.
    pub(super) async fn select(&self, selection: &Arc<Selection>) {
        let yielding = {
            let mut entries = self.claims.entries();
            if let Some(run) = self.run(&mut entries) {
                run.selection = Some(Arc::clone(selection));
            }
            stop_who_lost(&entries)
        };
        join_all(yielding.iter().map(CancellationToken::cancelled)).await;
    }

    /// Decides under the claims as they stand, which no other changes meanwhile.
    pub(super) fn decide(&self, decide: impl FnOnce(&Ownership) -> Plan) -> Plan {
        let mut entries = self.claims.entries();
        let plan = decide(&ownership(&entries));
        if let Some(run) = self.run(&mut entries) {
            let writes = plan.actions.iter().filter(|action| action.kind.is_change());
            run.writes = writes.map(|action| action.destination.clone()).collect();
        }
        plan
    }

    fn run<'a>(&self, entries: &'a mut BTreeMap<String, Entry>) -> Option<&'a mut Run> {
        entries.get_mut(&self.title)?.run.as_mut()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let run = self.claims.entries().get_mut(&self.title).and_then(|entry| entry.run.take());
        if let Some(run) = run {
            run.ended.cancel();
        }
    }
}

fn ownership(entries: &BTreeMap<String, Entry>) -> Ownership {
    let records: Vec<Records> = entries.values().map(|entry| entry.journal.records()).collect();
    let claims = entries.values().zip(&records).map(|(entry, records)| {
        let selection = entry.run.as_ref().and_then(|run| run.selection.as_deref());
        (&entry.wanted, records, selection)
    });
    run::ownership(claims)
}

/// Stops the runs that write what another owns, and says how to know when each has ended.
fn stop_who_lost(entries: &BTreeMap<String, Entry>) -> Vec<CancellationToken> {
    let writing = |entry: &&Entry| entry.run.as_ref().is_some_and(|run| !run.writes.is_empty());
    if !entries.values().any(|entry| writing(&entry)) {
        return Vec::new();
    }
    let ownership = ownership(entries);
    let mut ends = Vec::new();
    for (title, entry) in entries {
        let Some(run) = &entry.run else { continue };
        let is_lost = |reference: &Reference| {
            ownership.owner(reference).is_some_and(|owner| *owner != **entry.wanted.claimant())
        };
        if run.writes.iter().any(is_lost) {
            tracing::info!("{title} stops: an older ImageSync wants a tag that it was writing");
            run.stop.cancel();
            ends.push(run.ended.clone());
        }
    }
    ends
}

#[cfg(test)]
mod tests;
