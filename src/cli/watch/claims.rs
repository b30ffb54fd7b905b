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
    api::ImageSyncSpec,
    cli::{member::Member, others::Others, run},
    plan::{Ownership, Plan, Selection, Verdict, Wanted, Wants},
    records::{Journal, Records, Store},
    reference::Reference,
};

/// What each ImageSync claims: what its records say, and what a run is about to write.
#[derive(Default)]
pub(super) struct Claims(Mutex<BTreeMap<String, Entry>>);

struct Entry {
    wanted: Wanted,
    journal: Journal,
    spec: ImageSyncSpec,
    /// What its last run selected, of this spec.
    last: Option<Arc<Selection>>,
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
        let spec = member.object.spec.clone();
        let (run, last) = match entries.remove(&member.title()) {
            Some(entry) => (entry.run, entry.last.filter(|_| entry.spec == spec)),
            None => (None, None),
        };
        let entry = Entry { wanted: member.wanted.clone(), journal: member.journal.clone(), spec, last, run };
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

    /// What ImageSyncs want as things stand.
    pub(super) fn wants(&self, store: &Arc<Store>) -> Wants {
        let entries = self.claims.entries();
        let is_needed = entries.get(&self.title).is_some_and(|entry| entry.wanted.prunes());
        if is_needed { wants(&entries, store) } else { Wants::default() }
    }

    /// Judges what is deleted by what all others want as things stand, which no other changes meanwhile. Whoever wants one of
    /// these names from now on stops this run first.
    pub(super) fn prune(&self, plan: &mut Plan, store: &Arc<Store>, prune: impl FnOnce(&mut Plan, &Wants)) {
        let mut entries = self.claims.entries();
        let is_needed = entries.get(&self.title).is_some_and(|entry| entry.wanted.prunes());
        // Where nothing is pruned, at most what is held at a dummy is put back, whoever wants it.
        prune(plan, &if is_needed { wants(&entries, store) } else { Wants::default() });
        if let Some(run) = self.run(&mut entries) {
            let names = plan.pruning.names.iter();
            let deleted = names.filter(|name| matches!(name.verdict, Verdict::Delete | Verdict::PutBack));
            run.writes.extend(deleted.map(|name| name.reference.clone()));
        }
    }

    fn run<'a>(&self, entries: &'a mut BTreeMap<String, Entry>) -> Option<&'a mut Run> {
        entries.get_mut(&self.title)?.run.as_mut()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut entries = self.claims.entries();
        let Some(entry) = entries.get_mut(&self.title) else { return };
        if let Some(run) = entry.run.take() {
            // A run of another spec was stopped when that one came.
            if !run.stop.is_cancelled() {
                entry.last = run.selection;
            }
            run.ended.cancel();
        }
    }
}

fn wants(entries: &BTreeMap<String, Entry>, store: &Arc<Store>) -> Wants {
    let mut wants = Wants::default();
    let mut named = Vec::new();
    for entry in entries.values() {
        let claimant = entry.wanted.claimant();
        named.push((claimant.namespace().unwrap_or_default().to_owned(), claimant.name().to_owned()));
        let selection = entry.run.as_ref().and_then(|run| run.selection.as_ref()).or(entry.last.as_ref());
        let selection = selection.map(AsRef::as_ref);
        entry.journal.read(|records| wants.add(&entry.wanted, records, selection));
    }
    Others::new(Arc::clone(store), named).want(&mut wants);
    wants
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
