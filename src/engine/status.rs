//! The status of an ImageSync, built from what was applied.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Applied, Pruned, Trouble};
use crate::{
    api::{APPROVE_PRUNE, Counts, ImageSyncStatus, Problem, State},
    class::{Class, Retry},
    plan::{Action, Kind, Verdict},
    reference::Tag,
};

/// What a status is built from besides the outcomes.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The generation of the spec that was carried out.
    pub generation: Option<i64>,
    /// How many images the spec has.
    pub images: usize,
    /// The status before this run, which says since when a problem lasts and a condition holds.
    pub before: ImageSyncStatus,
    /// When the next run is due.
    pub next: Option<Timestamp>,
}

/// The status after a completed run: kstatus reads it.
#[must_use]
pub fn status(applied: &Applied, context: &Context, now: Timestamp) -> ImageSyncStatus {
    let results: Vec<(&Action, Option<Trouble>)> =
        applied.results().map(|(action, _, trouble)| (action, trouble)).collect();
    let counts =
        Counts { pruned: pruned(applied), prune_held: held(applied), ..counts(&results, context.images) };
    ImageSyncStatus {
        observed_generation: context.generation,
        last_sync_time: Some(Time(now)),
        next_sync_time: context.next.map(Time),
        conditions: conditions(&results, &counts, context, now)
            .into_iter()
            .chain(prune_held(applied, context, now))
            .collect(),
        problems: problems(&results, applied, &context.before.problems, now),
        counts: Some(counts),
    }
}

fn counts(results: &[(&Action, Option<Trouble>)], images: usize) -> Counts {
    // An artifact counts once, under the worst state it has on its targets.
    let mut artifacts: BTreeMap<(&str, Option<&str>), u8> = BTreeMap::new();
    for (action, trouble) in results {
        let worst = artifacts.entry((&action.image, action.tag.as_ref().map(Tag::as_str))).or_default();
        *worst = (*worst).max(severity(trouble.as_ref().map_or(State::InSync, Trouble::state)));
    }
    let count = |state| number(artifacts.values().filter(|&&worst| worst == severity(state)).count());
    let in_sync = count(State::InSync);
    Counts {
        summary: format!("{in_sync}/{}", artifacts.len()),
        images: number(images),
        artifacts: number(artifacts.len()),
        in_sync,
        pending: count(State::Pending),
        deferred: count(State::Deferred),
        failed: count(State::Failed),
        conflicts: count(State::Conflict),
        ..Counts::default()
    }
}

fn pruned(applied: &Applied) -> i64 {
    number(applied.pruned.iter().filter(|pruned| matches!(pruned, Pruned::Deleted)).count())
}

fn held(applied: &Applied) -> i64 {
    number(applied.plan.pruning.with(&Verdict::Held).count())
}

/// What waits for a person's approval.
fn prune_held(applied: &Applied, context: &Context, now: Timestamp) -> Option<Condition> {
    let held = applied.plan.pruning.held.as_ref()?;
    let targets = held.targets.iter();
    let targets =
        targets.map(|above| format!("{} names on {}, of at most {}", above.names, above.target, above.limit));
    let message = format!(
        "more would be deleted than the limit allows, and nothing is: {}; the annotation {APPROVE_PRUNE}: {} approves exactly \
         this plan",
        targets.collect::<Vec<_>>().join("; "),
        held.approval
    );
    Some(condition(context, now, "PruneHeld", "True", "AboveLimit", message))
}

fn condition(
    context: &Context,
    now: Timestamp,
    type_: &str,
    status: &str,
    reason: &str,
    message: String,
) -> Condition {
    let old = context.before.conditions.iter().find(|old| old.type_ == type_ && old.status == status);
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: context.generation,
        last_transition_time: old.map_or_else(|| Time(now), |old| old.last_transition_time.clone()),
    }
}

const fn severity(state: State) -> u8 {
    match state {
        State::InSync => 0,
        State::Pending => 1,
        State::Deferred => 2,
        State::Conflict => 3,
        State::Failed => 4,
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn problems(
    results: &[(&Action, Option<Trouble>)],
    applied: &Applied,
    before: &[Problem],
    now: Timestamp,
) -> Vec<Problem> {
    let troubles = results.iter().filter_map(|(action, trouble)| {
        let trouble = trouble.clone()?;
        Some((&action.image, action.tag.as_ref().map(ToString::to_string), &action.target, trouble))
    });
    let kept = applied
        .pruned()
        .filter_map(|(name, pruned)| Some((&name.image, name.tag.clone(), &name.target, pruned.trouble()?)));
    let problems = troubles.chain(kept).map(|(image, tag, target, trouble)| {
        let same = |old: &&Problem| {
            old.image == *image
                && old.tag == tag
                && old.target.as_ref() == Some(target)
                && old.class == trouble.class
        };
        Problem {
            since: before.iter().find(same).map_or_else(|| Time(now), |old| old.since.clone()),
            image: image.clone(),
            tag,
            target: Some(target.clone()),
            class: trouble.class,
            message: trouble.message,
        }
    });
    problems.take(ImageSyncStatus::MOST_PROBLEMS).collect()
}

fn conditions(
    results: &[(&Action, Option<Trouble>)],
    counts: &Counts,
    context: &Context,
    now: Timestamp,
) -> Vec<Condition> {
    let repaired = results.iter().filter(|(action, trouble)| {
        trouble.is_none() && matches!(action.kind, Kind::Amend { repair: true, .. })
    });
    let summary = match repaired.count() {
        0 => format!("{} artifacts are in sync", counts.summary),
        repaired => {
            format!("{} artifacts are in sync, {repaired} of their tags after repair", counts.summary)
        }
    };
    let condition = |type_: &str, status: &str, reason: &str, message: String| {
        self::condition(context, now, type_, status, reason, message)
    };
    let troubles: Vec<&Trouble> = results.iter().filter_map(|(_, trouble)| trouble.as_ref()).collect();
    let failures = troubles.iter().filter(|trouble| trouble.state() != State::Deferred);
    if let Some(worst) =
        failures.min_by_key(|trouble| (trouble.class.retry() != Retry::Terminal, trouble.class))
    {
        let (reason, message) = (worst.class.as_str(), format!("{summary}; {}", worst.message));
        let mut conditions = vec![condition("Ready", "False", reason, message.clone())];
        if troubles.len() == results.len() && troubles.iter().all(|trouble| waits_for_a_person(trouble.class))
        {
            conditions.push(condition("Stalled", "True", reason, message));
        }
        return conditions;
    }
    let Some(deferred) = troubles.first() else {
        return vec![condition("Ready", "True", "InSync", summary)];
    };
    // What a limit puts off is no failure: readiness stays as it was, and a first run is still going on.
    let (reason, message) = (Class::RateLimited.as_str(), format!("{summary}; {}", deferred.message));
    let before = |type_| context.before.conditions.iter().find(|old| old.type_ == type_);
    let readiness = before("Ready").map_or("Unknown", |old| &old.status);
    let mut conditions = vec![condition("Ready", readiness, reason, message.clone())];
    let is_first_run = before("Ready").is_none()
        || before("Reconciling").is_some()
        || context.before.observed_generation != context.generation;
    if is_first_run {
        conditions.push(condition("Reconciling", "True", reason, message));
    }
    conditions
}

/// Whether nothing but another spec or Secret helps. What another source or a registry can heal by itself is not stuck.
const fn waits_for_a_person(class: Class) -> bool {
    matches!(class, Class::InvalidSpec | Class::Unauthorized | Class::Forbidden)
}

#[cfg(test)]
mod tests;
