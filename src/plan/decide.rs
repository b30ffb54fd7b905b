//! Decisions: one action for each name of each artifact.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Action, DeepCheck, Kind, Observed, Ownership, Plan, Pruning, Selection, Walked, Wanted, age, collision,
    deep,
    destination::Destination,
    referrers::Referring,
    resolve::{Memory, Resolved, resolve},
    rules::{self, Decision, Input},
    select::Unlisted,
    stale, subset,
    target::Target,
};
use crate::{
    digest::Digest,
    records::Records,
    reference::{Reference, Repository},
};

/// Decides what is to be done, out of what is wanted, what is remembered and what was seen.
///
/// # Guarantees
///
/// - Every name of every artifact gets exactly one action, with a reason; but none where the only thing to be said is that
///   nothing is old enough yet.
/// - No two copies write different digests under one name.
/// - Nothing that could not be looked at counts as absent.
#[must_use]
pub fn decide(
    wanted: &Wanted,
    selection: &Selection,
    records: &Records,
    observed: &Observed,
    ownership: &Ownership,
    now: Timestamp,
) -> Plan {
    let memory = Memory::of(records);
    let resolved: Vec<_> = resolve(selection, &memory, observed).collect();
    let mut collisions = collision::find(wanted, &resolved);
    let mut actions = Vec::new();
    let (mut whole, mut checked) = (Vec::new(), Vec::new());
    for (artifact, this) in resolved.iter().enumerate() {
        for (index, destination) in this.destinations.iter().enumerate() {
            let reference = destination.name.reference();
            let seen = reference.and_then(|reference| observed.target(&destination.target.name, reference));
            let remembered = reference.and_then(|reference| memory.name(reference));
            if this.is_too_young_for(seen, remembered) {
                continue;
            }
            let (owner, former) =
                reference.map(|reference| ownership.owner_and_former(reference)).unwrap_or_default();
            let walk = selection.walk(&memory, (this, destination), observed);
            let walked = walk.and_then(|walk| observed.walks.get(&walk));
            let decision = rules::decide(&Input {
                this,
                destination,
                seen,
                walked,
                remembered,
                collision: collisions.remove(&(artifact, index)),
                owner: owner.filter(|owner| **owner != *wanted.claimant),
                former: former.filter(|former| **former != *wanted.claimant),
                referring: this.referring(observed),
                me: &wanted.claimant,
                now,
            });
            let entry = remembered.map(|name| name.target);
            match decision.kind {
                Kind::InSync { .. } if walked == Some(&Walked::Whole) => {
                    whole.push(actions.len());
                    checked.push(now);
                }
                Kind::InSync { .. } => checked.push(entry.map_or(now, deep::last_checked)),
                Kind::Copy { .. } | Kind::Amend { .. } => checked.push(now),
                Kind::Conflict | Kind::Failed { .. } | Kind::Deferred { .. } => {}
            }
            let referrers = this.referring(observed).and_then(Referring::hash).map(ToOwned::to_owned);
            actions.push(Action {
                referrers,
                ..action(this, destination, this.digest_at(seen, remembered), decision)
            });
        }
    }
    let rewriting = subset::rewriting(records);
    let mut images = age::summaries(selection, &resolved, records);
    for image in &mut images {
        image.notes.extend(wanted.platform_notes(&image.image, &rewriting));
    }
    actions.extend(selection.unlisted.iter().flat_map(|unlisted| failures(wanted, unlisted, now)));
    let old_enough = images.iter().filter_map(|image| Some(image.waiting?.until));
    Plan {
        namespace: wanted.claimant.namespace().map(ToOwned::to_owned),
        name: wanted.claimant.name().to_owned(),
        actions,
        due: old_enough.chain(selection.depth.next(wanted.schedule(), checked.into_iter())).min(),
        deep_check: DeepCheck::of(observed),
        deep_interval: selection.depth.interval,
        whole,
        images,
        stale: stale::find(wanted, selection, &resolved, records, now),
        pruning: Pruning::default(),
        aged: age::remembered(selection, &resolved, records),
        rewriting,
    }
}

fn action(
    this: &Resolved<'_>,
    destination: &Destination,
    digest: Option<&Digest>,
    Decision { kind, reason }: Decision,
) -> Action {
    let (artifact, digest) = (this.artifact, digest.cloned());
    Action {
        image: artifact.image.name.clone(),
        tag: artifact.tag.clone(),
        source: Reference { digest: digest.clone(), ..this.source.clone() },
        digest,
        target: destination.target.name.clone(),
        destination: destination.name.to_reference(),
        overwrite: destination.target.overwrite,
        content: Arc::clone(&artifact.image.content),
        referrers: None,
        kind,
        reason,
    }
}

/// An image whose tags could not be listed failed on every target that keeps it.
fn failures(wanted: &Wanted, unlisted: &Unlisted, now: Timestamp) -> Vec<Action> {
    let Unlisted { image, class, message, until } = unlisted;
    let here = wanted.targets.iter().filter_map(|target| Some((target, target.repository(image)?)));
    let action = |(target, repository): (&Arc<Target>, &Repository)| {
        let Decision { kind, reason } = rules::trouble(*class, message.clone(), *until, now);
        Action {
            image: image.name.clone(),
            tag: None,
            source: Reference { repository: image.source.clone(), tag: None, digest: None },
            digest: None,
            target: target.name.clone(),
            destination: Reference { repository: repository.clone(), tag: None, digest: None },
            overwrite: target.overwrite,
            content: Arc::clone(&image.content),
            referrers: None,
            kind,
            reason,
        }
    };
    here.map(action).collect()
}
