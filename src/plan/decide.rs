//! Decisions: one action for each name of each artifact.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Action, Observed, Ownership, Plan, Selection, Wanted, collision,
    destination::Destination,
    resolve::{Memory, Resolved, resolve},
    rules::{self, Decision, Input},
    select::Unlisted,
    stale,
    target::Target,
};
use crate::{
    records::Records,
    reference::{Reference, Repository},
};

/// Decides what is to be done, out of what is wanted, what is remembered and what was seen.
///
/// # Guarantees
///
/// - Every name of every artifact gets exactly one action, with a reason.
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
    for (artifact, this) in resolved.iter().enumerate() {
        for (index, destination) in this.destinations.iter().enumerate() {
            let reference = destination.name.reference();
            let owner = reference.and_then(|reference| ownership.owner(reference));
            let former = reference.and_then(|reference| ownership.former(reference));
            let decision = rules::decide(&Input {
                this,
                destination,
                seen: reference.and_then(|reference| observed.target(&destination.target.name, reference)),
                remembered: reference.and_then(|reference| memory.name(reference)),
                collision: collisions.remove(&(artifact, index)),
                owner: owner.filter(|owner| **owner != *wanted.claimant),
                former: former.filter(|former| **former != *wanted.claimant),
                me: &wanted.claimant,
                now,
            });
            actions.push(action(this, destination, decision));
        }
    }
    actions.extend(selection.unlisted.iter().flat_map(|unlisted| failures(wanted, unlisted, now)));
    Plan {
        namespace: wanted.claimant.namespace().map(ToOwned::to_owned),
        name: wanted.claimant.name().to_owned(),
        actions,
        images: selection.images.clone(),
        stale: stale::find(wanted, selection, &resolved, records, now),
    }
}

fn action(this: &Resolved<'_>, destination: &Destination, Decision { kind, reason }: Decision) -> Action {
    let artifact = this.artifact;
    Action {
        image: artifact.image.name.clone(),
        tag: artifact.tag.clone(),
        source: Reference { digest: this.digest.cloned(), ..this.source.clone() },
        digest: this.digest.cloned(),
        target: destination.target.name.clone(),
        destination: destination.name.to_reference(),
        overwrite: destination.target.overwrite,
        content: Arc::clone(&artifact.image.content),
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
            kind,
            reason,
        }
    };
    here.map(action).collect()
}
