//! One round of judging: which names are judged, what has to be asked for it, and the verdicts.

use hashbrown::{HashMap, HashSet};

use super::{
    Judged, Pruning, Surroundings, Verdict,
    condition::{Condition, IN_A_RUN, Input, ON_DELETION, does_not_show_it},
    hold,
    kept::{Follows, Kept, Look},
    last::Last,
};
use crate::{
    api::{Origin, PruneMode, Record, TargetRecord},
    plan::{
        Fate, Observed, Plan, Questions, Seen,
        collision::{Place, name_of, one_name, parts},
        could::Could,
    },
    records::Records,
    reference::Reference,
};

/// A name that is judged.
struct Candidate<'a> {
    record: &'a Record,
    entry: &'a TargetRecord,
    reference: Reference,
    /// Nothing in the spec wants it. Otherwise it only has to be brought back from its dummy.
    is_unwanted: bool,
}

/// All that one round of judging needs.
pub(super) struct Round<'a> {
    around: &'a Surroundings<'a>,
    observed: &'a Observed,
    candidates: Vec<Candidate<'a>>,
    conditions: &'static [Condition],
    /// The names that the plan gives, and the digests that it needs.
    given: HashSet<Place<'a>>,
    /// The names that it would give to tags which the source does not list.
    unlisted: Could<String>,
    last: Last<'a>,
}

impl<'a> Round<'a> {
    pub(super) fn of_run(plan: &'a Plan, around: &'a Surroundings<'a>, observed: &'a Observed) -> Self {
        let mut candidates = Vec::new();
        let mut unwanted: HashSet<(&str, &str)> = HashSet::new();
        for stale in plan.stale.iter().filter(|stale| stale.fate == Fate::Unwanted) {
            unwanted.insert((&stale.target, &stale.reference));
            let record = around.records.get(&stale.image, stale.tag.as_deref());
            let found =
                record.into_iter().flat_map(|record| record.targets.iter().map(move |entry| (record, entry)));
            let found =
                found.filter(|(_, entry)| entry.name == stale.target && entry.reference == stale.reference);
            candidates.extend(found.filter_map(|(record, entry)| Candidate::of(record, entry, true)));
        }
        // What a deletion left at its dummy has to be ended, whatever else is so. A copy ends it too.
        let ended = plan.actions.iter().filter(|action| action.kind.is_change() || action.kind.is_in_sync());
        let ended = |name: &str| ended.clone().any(|action| name_of(&action.destination) == one_name(name));
        for (record, entry) in entries(around.records).filter(|(_, entry)| entry.dummy().is_some()) {
            if !ended(&entry.reference)
                && !unwanted.contains(&(entry.name.as_str(), entry.reference.as_str()))
            {
                candidates.extend(Candidate::of(record, entry, false));
            }
        }
        let given = if candidates.is_empty() {
            HashSet::new()
        } else {
            plan.actions.iter().map(|action| parts(&action.destination)).collect()
        };
        Self::new(around, observed, candidates, &IN_A_RUN, given)
    }

    pub(super) fn of_deletion(around: &'a Surroundings<'a>, observed: &'a Observed) -> Self {
        let all = entries(around.records);
        let candidates = all.filter_map(|(record, entry)| Candidate::of(record, entry, true)).collect();
        Self::new(around, observed, candidates, &ON_DELETION, HashSet::new())
    }

    fn new(
        around: &'a Surroundings<'a>,
        observed: &'a Observed,
        candidates: Vec<Candidate<'a>>,
        conditions: &'static [Condition],
        given: HashSet<Place<'a>>,
    ) -> Self {
        let ranked = || candidates.iter().map(|candidate| (&*candidate.entry.name, &*candidate.record.image));
        // When the object is deleted there are no last versions that stay.
        let last = around
            .selection
            .map(|_| Last::of(around.wanted, around.records, observed, &ranked().collect()))
            .unwrap_or_default();
        let unlisted = around.selection.filter(|_| !candidates.is_empty());
        let unlisted = unlisted.map(|selection| selection.unlisted_names(around.wanted)).unwrap_or_default();
        Self { around, observed, candidates, conditions, given, unlisted, last }
    }

    pub(super) fn questions(&self) -> Questions {
        let mut questions = Questions::default();
        for candidate in
            self.candidates.iter().filter(|candidate| self.mode(candidate) != PruneMode::Disabled)
        {
            match self.kept(candidate) {
                Some(Kept::NotLooked(Look::Source(source))) => questions.sources.push(source),
                Some(Kept::NotLooked(Look::Target(target, name))) => questions.targets.push((target, name)),
                // What keeps other versions from being the highest has to be there, whatever keeps it.
                _ if candidate.entry.dummy().is_some()
                    || self.last.has(candidate.record, candidate.entry) =>
                {
                    let (target, name) = (&candidate.entry.name, &candidate.reference);
                    if self.observed.target(target, name).is_none() {
                        questions.targets.push((target.clone(), name.clone()));
                    }
                }
                _ => {}
            }
        }
        questions.keep_first();
        questions
    }

    pub(super) fn judge(&self, is_limited: bool) -> Pruning {
        let candidates =
            self.candidates.iter().filter(|candidate| self.mode(candidate) != PruneMode::Disabled);
        let names = candidates.map(|candidate| self.judged(candidate)).collect();
        let mut pruning = Pruning { names, ..Pruning::default() };
        if is_limited {
            hold::hold(&mut pruning, self.around);
        }
        pruning.notes = self.notes();
        pruning
    }

    fn judged(&self, candidate: &Candidate<'_>) -> Judged {
        let Candidate { record, entry, reference, .. } = candidate;
        let (verdict, reason) = self.verdict(candidate);
        let is_wanted = self.kept(candidate).is_some_and(|kept| kept.is_want());
        Judged {
            image: record.image.clone(),
            tag: record.tag.clone(),
            target: entry.name.clone(),
            reference: reference.clone(),
            digest: self.input(candidate).digest().clone(),
            unwanted_since: entry.unwanted_since,
            dummy: entry.dummy().cloned(),
            verdict,
            reason,
            is_wanted,
            is_begun: self.shows_dummy(candidate),
        }
    }

    fn shows_dummy(&self, Candidate { entry, reference, .. }: &Candidate<'_>) -> bool {
        let shown = self.observed.target(&entry.name, reference);
        entry.dummy().is_some_and(|dummy| matches!(shown, Some(Seen::Digest(found)) if found == dummy))
    }

    fn verdict(&self, candidate: &Candidate<'_>) -> (Verdict, String) {
        let is_held = candidate.entry.dummy().is_some();
        let Some(kept) = self.kept(candidate) else {
            return match self.mode(candidate) {
                PruneMode::DryRun if is_held => (Verdict::PutBack, HELD.to_owned()),
                PruneMode::DryRun => (Verdict::WouldDelete, UNWANTED.to_owned()),
                _ if is_held => (Verdict::Delete, HELD.to_owned()),
                _ => (Verdict::Delete, UNWANTED.to_owned()),
            };
        };
        match kept.follows() {
            Follows::Forget => (Verdict::Forget, kept.to_string()),
            Follows::Keep | Follows::Wait(_)
                if is_held && !matches!(kept, Kept::NotLooked(_) | Kept::Unknown { .. }) =>
            {
                match does_not_show_it(&self.input(candidate)) {
                    None => (Verdict::PutBack, format!("{HELD}; {kept}")),
                    Some(look) if look.follows() == Follows::Forget => (Verdict::Forget, look.to_string()),
                    Some(look) => (Verdict::Wait { until: None }, look.to_string()),
                }
            }
            Follows::Keep => (Verdict::Keep, kept.to_string()),
            Follows::Wait(until) => (Verdict::Wait { until }, kept.to_string()),
        }
    }

    /// Why it stays.
    fn kept(&self, candidate: &Candidate<'_>) -> Option<Kept> {
        if !candidate.is_unwanted {
            return Some(Kept::Again);
        }
        let input = self.input(candidate);
        let conditions = self.conditions.iter().enumerate().filter(|(number, _)| !is_broken(*number));
        conditions.map(|(_, condition)| condition).find_map(|condition| condition(&input))
    }

    /// What the name's target says. What is held at a dummy is looked at whatever it says; and when the object is deleted, that is
    /// what was asked for.
    fn mode(&self, candidate: &Candidate<'_>) -> PruneMode {
        let is_deletion = self.around.selection.is_none();
        match self.around.wanted.target(&candidate.entry.name).map(|target| target.prune.mode) {
            _ if is_deletion => PruneMode::Enforce,
            None | Some(PruneMode::Disabled) if candidate.entry.dummy().is_some() => PruneMode::DryRun,
            None => PruneMode::Disabled,
            Some(mode) => mode,
        }
    }

    fn input<'i>(&'i self, candidate: &'i Candidate<'_>) -> Input<'i> {
        Input {
            around: self.around,
            record: candidate.record,
            entry: candidate.entry,
            reference: &candidate.reference,
            target: self.around.wanted.target(&candidate.entry.name),
            given: &self.given,
            unlisted: &self.unlisted,
            is_among_the_last: self.last.has(candidate.record, candidate.entry),
            observed: self.observed,
        }
    }

    /// What a person should know of the targets that are pruned.
    fn notes(&self) -> Vec<String> {
        let is_deletion = self.around.selection.is_none();
        let targets = self.around.wanted.targets.iter();
        let blind = targets.filter(|target| {
            (is_deletion || target.prunes()) && target.prune.protect_in_use && self.around.in_use.is_none()
        });
        let names: Vec<&str> = blind.map(|target| target.name.as_str()).collect();
        if names.is_empty() || self.candidates.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "protectInUse protects nothing on {}: there is no cluster whose pods could be looked at",
            names.join(", ")
        )]
    }
}

/// Whether a test took this condition away, to see what it is good for.
#[cfg(not(test))]
const fn is_broken(_: usize) -> bool {
    false
}

#[cfg(test)]
fn is_broken(number: usize) -> bool {
    BROKEN.get() == Some(number)
}

#[cfg(test)]
thread_local! {
    /// The condition that does not hold in this thread, by its number.
    pub(crate) static BROKEN: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

/// Why a name is deleted.
const UNWANTED: &str = "nothing wants it any more";
/// What is said of a name whose deletion was broken off.
const HELD: &str = "its deletion was broken off, and it may show a dummy manifest";

impl<'a> Candidate<'a> {
    /// A name that is no reference was not written by us, and is left alone.
    fn of(record: &'a Record, entry: &'a TargetRecord, is_unwanted: bool) -> Option<Self> {
        let reference = entry.reference.parse().ok()?;
        Some(Self { record, entry, reference, is_unwanted })
    }
}

fn entries(records: &Records) -> impl Iterator<Item = (&Record, &TargetRecord)> {
    records.iter().flat_map(|record| record.targets.iter().map(move |entry| (record, entry)))
}

/// How many names this ImageSync wrote on each target.
pub(super) fn written(records: &Records) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for (_, entry) in entries(records).filter(|(_, e)| matches!(e.origin, Origin::Written | Origin::Deleting))
    {
        *counts.entry(entry.name.as_str()).or_default() += 1;
    }
    counts
}
