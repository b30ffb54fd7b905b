//! Specs as people write them, and a world of registries that is only a table.

mod ages;
mod collisions;
mod decisions;
mod deep;
mod destinations;
mod owners;
mod properties;
mod prune;
mod questions;
mod referrers;
mod render;
mod scale;
mod selection;
mod specs;
mod stale;
mod subset;

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::{
    api::{ImageSync, Origin, Record, State, TargetRecord},
    digest::Digest,
    records::Records,
    reference::{Reference, Repository, Tag},
};

/// The object whose `spec` this is.
fn object(spec: &str) -> ImageSync {
    named("name: base, namespace: team", spec)
}

/// The object with this metadata.
fn named(metadata: &str, spec: &str) -> ImageSync {
    let spec = format!("  {}", spec.replace('\n', "\n  "));
    let yaml = format!(
        "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{{metadata}}}\nspec:\n{spec}"
    );
    serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

fn wanted(spec: &str) -> Wanted {
    Wanted::from_object(&object(spec)).unwrap_or_else(|invalid| panic!("{invalid:#?}"))
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

/// A digest that is told by its name.
fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// What sources and targets hold, and what is remembered.
#[derive(Clone, Debug, Default)]
struct World {
    holds: BTreeMap<Reference, Seen>,
    /// What refers to images at the source, where it is not nothing.
    referrers: BTreeMap<Reference, Referring>,
    /// How long after [`now`] it is.
    later: SignedDuration,
    listings: Listings,
    records: Records,
    ownership: Ownership,
    /// Every change of a record is later than the one before.
    changes: i64,
    /// How late it is.
    hours: i64,
    /// What deep checks find; the rest is whole.
    walked: HashMap<(Repository, Digest), Walked>,
    /// Whether everything is looked at deeply.
    deep: bool,
}

impl World {
    /// A world in which each source has its tag, which shows the digest named after it.
    fn with(tags: &[&str]) -> Self {
        let mut world = Self::default();
        for tag in tags {
            world.push(tag, tag);
        }
        world
    }

    /// Points a tag at the digest that is named so.
    fn push(&mut self, tag: &str, name: &str) {
        let reference = reference(tag);
        self.set(reference.clone(), Seen::Digest(digest(name)));
        let tags = self.listings.entry(reference.repository).or_insert(Listed::Tags(Vec::new()));
        if let (Listed::Tags(tags), Some(tag)) = (tags, reference.tag)
            && !tags.contains(&tag)
        {
            tags.push(tag);
        }
    }

    fn set(&mut self, at: Reference, seen: Seen) {
        if let (Some(_), Seen::Digest(digest)) = (&at.tag, &seen) {
            self.holds.insert(at.repository.at_digest(digest.clone()), seen.clone());
        }
        self.holds.insert(at, seen);
    }

    fn select(&self, wanted: &Wanted) -> Selection {
        let selection = select(wanted, &self.listings, &self.records, self.now());
        if self.deep { selection.deeply() } else { selection }
    }

    fn see(&self, at: &Reference) -> Seen {
        let by_digest = at.digest.as_ref().map(|digest| at.repository.at_digest(digest.clone()));
        self.holds.get(&by_digest.unwrap_or_else(|| at.clone())).cloned().unwrap_or(Seen::Absent)
    }

    fn now(&self) -> Timestamp {
        now() + self.later + SignedDuration::from_hours(self.hours)
    }

    fn refers(&self, (image, _): &Subject) -> Referring {
        self.referrers.get(image).cloned().unwrap_or_else(|| Referring::found([], 0))
    }

    fn answer(&self, Questions { sources, targets, walks, referrers }: Questions) -> Observed {
        let walked = |walk: &Walk| self.walked.get(&(walk.repository.clone(), walk.digest.clone())).cloned();
        Observed {
            referrers: referrers
                .into_iter()
                .map(|look| (look.subject.clone(), self.refers(&look.subject)))
                .collect(),
            walks: walks
                .into_iter()
                .map(|walk| (walk.clone(), walked(&walk).unwrap_or(Walked::Whole)))
                .collect(),
            sources: sources.into_iter().map(|at| (at.clone(), self.see(&at))).collect(),
            targets: targets.into_iter().map(|(target, at)| ((target, at.clone()), self.see(&at))).collect(),
            ..Observed::default()
        }
    }

    /// Plans as the engine does: questions until there are none, then decisions.
    fn plan(&self, wanted: &Wanted) -> Plan {
        let selection = self.select(wanted);
        let mut observed = Observed::at(self.now());
        loop {
            let questions = selection.questions(&self.records, &observed);
            if questions.is_empty() {
                return decide(wanted, &selection, &self.records, &observed, &self.ownership, self.now());
            }
            observed.extend(self.answer(questions));
        }
    }

    /// Does what a plan says, and remembers it.
    fn apply(&mut self, plan: &Plan) {
        for Aged { image, tag, source, candidates } in &plan.aged {
            let mut record = self.records.get_or_empty(image, tag.as_deref());
            record.source = Some(source.clone());
            record.candidates.clone_from(candidates);
            if record.targets.is_empty() && record.candidates.is_empty() {
                self.records.remove(image, tag.as_deref());
            } else {
                self.records.put(record);
            }
        }
        for action in &plan.actions {
            let Some(wanted) = &action.digest else { continue };
            let origin = match action.kind {
                Kind::Copy { .. } => Origin::Written,
                Kind::InSync { origin } | Kind::Amend { origin, .. } => origin,
                Kind::Conflict | Kind::Failed { .. } | Kind::Deferred { .. } => continue,
            };
            self.set(action.destination.clone(), Seen::Digest(wanted.clone()));
            self.remember(action, wanted, origin, State::InSync);
        }
    }

    fn remember(&mut self, action: &Action, digest: &Digest, origin: Origin, state: State) {
        self.changes += 1;
        let tag = action.tag.as_ref().map(ToString::to_string);
        let mut record = self.records.get_or_empty(&action.image, tag.as_deref());
        if record.source_digest.as_ref() != Some(digest) {
            record.first_seen = None;
        }
        record.first_seen.get_or_insert_with(|| self.now());
        record.source_digest = Some(digest.clone());
        record.source = Some(action.source.repository.to_string());
        let reference = action.destination.to_string();
        let is_this = |target: &&TargetRecord| target.reference == reference && target.digest == *digest;
        let before = record.targets.iter().find(is_this).cloned();
        record.targets.retain(|target| target.reference != reference);
        let now = Timestamp::from_second(self.changes).unwrap();
        let (target, how) = (&action.target, (origin, state));
        let mut entry = TargetRecord::new(target, reference, digest.clone(), how, now);
        entry.referrers =
            action.referrers.clone().or_else(|| before.as_ref().and_then(|before| before.referrers.clone()));
        // A copy counts as a walk; and so does a look that is due.
        entry.checked = before.and_then(|before| before.checked).filter(|_| action.referrers.is_none());
        entry.checked.get_or_insert_with(|| self.now());
        record.targets.push(entry);
        self.records.put(record);
    }
}

/// Each action as a short line: `sign tag -> destination`.
fn lines(plan: &Plan) -> Vec<String> {
    let line = |action: &Action| {
        let sign = match &action.kind {
            Kind::InSync { origin: Origin::Written } => "=".to_owned(),
            Kind::InSync { origin: _ } => "= found".to_owned(),
            Kind::Copy { replaces: None } => "+".to_owned(),
            Kind::Copy { replaces: Some(_) } => "~".to_owned(),
            Kind::Amend { .. } => "^".to_owned(),
            Kind::Conflict => "Conflict".to_owned(),
            Kind::Failed { class } => class.to_string(),
            Kind::Deferred { .. } => "Deferred".to_owned(),
        };
        format!("{sign} {}", action.destination)
    };
    plan.actions.iter().map(line).collect()
}

fn only(plan: &Plan) -> &Action {
    let [action] = plan.actions.as_slice() else { panic!("{plan:#?}") };
    action
}
