//! The limit: above it nothing is deleted before a person approves exactly that.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Pruning, Surroundings, Verdict, round::written};
use crate::{api::APPROVE_PRUNE, digest::Digest};

/// Deletions that wait for a person's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The value of the annotation `imagesync.dev/approve-prune` that approves exactly these.
    pub approval: String,
    /// How many there are on each target, and how many its limit allows.
    pub targets: Vec<Above>,
}

/// A target on which more would be deleted than its limit allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Above {
    /// The target's name.
    pub target: String,
    /// How many names would be deleted.
    pub names: usize,
    /// How many may be.
    pub limit: usize,
}

/// Holds what is above the limits, unless it was approved.
pub(super) fn hold(pruning: &mut Pruning, around: &Surroundings<'_>) {
    let written = written(around.records);
    let limit = |target: &str| {
        let limit = around.wanted.target(target).map(|target| target.prune.limit);
        limit.map_or(0, |limit| limit.of(written.get(target).copied().unwrap_or_default()))
    };
    let mut counts: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for judged in &pruning.names {
        // What shows its dummy was counted when its deletion began.
        let is_real = match judged.verdict {
            Verdict::Delete if !judged.is_begun => true,
            Verdict::WouldDelete => false,
            _ => continue,
        };
        *counts.entry((judged.target.clone(), is_real)).or_default() += 1;
    }
    let above = counts.into_iter().filter_map(|((target, is_real), names)| {
        let limit = limit(&target);
        (names > limit).then_some((is_real, Above { target, names, limit }))
    });
    let (real, tried): (Vec<_>, Vec<_>) = above.partition(|(is_real, _)| *is_real);
    let tried: BTreeMap<String, Above> =
        tried.into_iter().map(|(_, above)| (above.target.clone(), above)).collect();
    for judged in pruning.names.iter_mut().filter(|judged| judged.verdict == Verdict::WouldDelete) {
        if let Some(Above { names, limit, .. }) = tried.get(&judged.target) {
            judged.reason =
                format!("{}; {names} are above the limit of {limit}, and would be held", judged.reason);
        }
    }
    let targets: Vec<Above> = real.into_iter().map(|(_, above)| above).collect();
    let is_above = |target: &str| targets.iter().any(|above| above.target == target);
    let held = || {
        let names =
            pruning.names.iter().filter(|judged| judged.verdict == Verdict::Delete && !judged.is_begun);
        names.filter(|judged| is_above(&judged.target))
    };
    if targets.is_empty() {
        return;
    }
    let mut lines: Vec<String> = held()
        .map(|judged| {
            // Since when: the same names, unwanted another time, are another plan.
            let since = judged.unwanted_since.map(|since| since.to_string()).unwrap_or_default();
            format!("{} {} {} {since}\n", judged.target, judged.reference, judged.digest)
        })
        .collect();
    lines.sort_unstable();
    let hash = Digest::sha256(lines.concat().as_bytes());
    let approval: String = hash.hex().chars().take(16).collect();
    if around.approved == Some(approval.as_str()) {
        return;
    }
    let reason = |above: &Above| {
        format!(
            "{} names are above the limit of {}; the annotation {APPROVE_PRUNE}: {approval} approves this plan",
            above.names, above.limit
        )
    };
    for above in &targets {
        let reason = reason(above);
        for judged in pruning.names.iter_mut().filter(|judged| judged.target == above.target) {
            if judged.verdict == Verdict::Delete && !judged.is_begun {
                (judged.verdict, judged.reason) = (Verdict::Held, reason.clone());
            }
        }
    }
    pruning.held = Some(Hold { approval, targets });
}
