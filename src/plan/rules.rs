//! The rules that decide on one name of an artifact: a chain, in which the first that has something to say decides.

use jiff::{SignedDuration, Timestamp};

use super::{
    Kind, Overwrite, Seen, Walked, deep,
    destination::{Destination, Name},
    ownership::Claimant,
    referrers::{self, Referring},
    resolve::{Remembered, Resolved},
    subset::{self, Missing},
};
use crate::{
    api::{Origin, TargetRecord},
    class::{Class, Retry},
    digest::Digest,
    reference::Tag,
};

/// All that a decision rests on.
pub(super) struct Input<'a> {
    pub(super) this: &'a Resolved<'a>,
    pub(super) destination: &'a Destination,
    /// What was seen at the destination.
    pub(super) seen: Option<&'a Seen>,
    /// What is there of the image, if that was looked at deeply.
    pub(super) walked: Option<&'a Walked>,
    /// What is remembered of the destination.
    pub(super) remembered: Option<Remembered<'a>>,
    /// What the destination collides with, in a sentence.
    pub(super) collision: Option<String>,
    /// Who owns the destination, if it is somebody else.
    pub(super) owner: Option<&'a Claimant>,
    /// Who wrote the destination and does not want it any more, if it is somebody else.
    pub(super) former: Option<&'a Claimant>,
    /// What refers to the image at the source, if it was looked for.
    pub(super) referring: Option<&'a Referring>,
    pub(super) me: &'a Claimant,
    pub(super) now: Timestamp,
}

/// What is to be done, and why in a person's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) kind: Kind,
    pub(super) reason: String,
}

type Rule = fn(&Input<'_>) -> Option<Decision>;

/// What needs no look at a registry comes first. A digest that is there needs no source; so what is wrong with the
/// source comes after that.
const RULES: [Rule; 12] = [
    no_name_possible,
    collides,
    owned_by_another,
    never_moves_and_is_recorded,
    shows_the_digest,
    source_is_gone,
    source_is_in_trouble,
    target_is_in_trouble,
    lacks_platforms,
    is_absent,
    may_not_be_overwritten,
    shows_another_digest,
];

/// How long a limit lasts of which the registry did not say how long.
const A_WHILE: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn decide(input: &Input<'_>) -> Decision {
    let decided = RULES.iter().find_map(|rule| rule(input));
    let decision = decided.unwrap_or_else(|| {
        let name = input.destination.name.to_reference();
        failed(Class::Internal, format!("not looked at: {} or {name}", input.this.source.familiar()))
    });
    let mut decision = referrers::consider(input, deep::consider(input, decision));
    if let Some(passed_on) = input.passed_on().filter(|_| decision.takes()) {
        decision.reason.push_str(&passed_on);
    }
    decision
}

/// What trouble with a registry means: a limit puts things off, everything else fails.
pub(super) fn trouble(class: Class, message: String, until: Option<Timestamp>, now: Timestamp) -> Decision {
    if class.retry() == Retry::Deferred {
        let until = until.or_else(|| now.checked_add(A_WHILE).ok()).unwrap_or(now).max(now);
        return Decision { kind: Kind::Deferred { until }, reason: message };
    }
    failed(class, message)
}

fn no_name_possible(input: &Input<'_>) -> Option<Decision> {
    match &input.destination.name {
        Name::Refused { problem, .. } => Some(failed(Class::InvalidSpec, problem.clone())),
        Name::Known(_) | Name::NeedsDigest(_) => None,
    }
}

fn collides(input: &Input<'_>) -> Option<Decision> {
    input.collision.clone().map(conflict)
}

fn owned_by_another(input: &Input<'_>) -> Option<Decision> {
    let owner = input.owner?;
    let (who, why) = (owner.towards(input.me), owner.precedence(input.me));
    Some(conflict(format!("{who} owns it, {why}: write another repository or tag")))
}

fn never_moves_and_is_recorded(input: &Input<'_>) -> Option<Decision> {
    let remembered = input.remembered.filter(|_| input.this.settled)?;
    Some(in_sync(remembered.target.origin, "never moves, and was mirrored"))
}

fn shows_the_digest(input: &Input<'_>) -> Option<Decision> {
    let found = input.shown()?;
    if input.missing().is_some() {
        return None;
    }
    let (origin, reason) = input.origin(found);
    Some(in_sync(origin, reason))
}

/// The index is there as it is, and of what it names only some was brought. One that was rewritten has to be written again,
/// which other rules are about.
fn lacks_platforms(input: &Input<'_>) -> Option<Decision> {
    let (found, missing) = (input.shown()?, input.missing()?);
    let digest = input.readable()?;
    let (origin, _) = input.origin(found);
    let kind = Kind::Amend { origin, repair: false };
    (found == digest).then(|| Decision { kind, reason: missing.reason() })
}

fn source_is_gone(input: &Input<'_>) -> Option<Decision> {
    let Seen::Absent = input.this.at_source? else { return None };
    let source = input.this.source.familiar();
    let artifact = input.this.artifact;
    let reason = match (input.this.record.filter(|record| artifact.is_read_as(record)), artifact.named) {
        (Some(_), _) => format!("{source} is gone from the source; what is on the target stays as it is"),
        (None, true) => format!("{source} is not at the source: write a tag or digest that is"),
        (None, false) => format!("{source} is listed by the source, and not there"),
    };
    Some(failed(Class::NotFound, reason))
}

fn source_is_in_trouble(input: &Input<'_>) -> Option<Decision> {
    match input.this.at_source? {
        Seen::Failed { class, message, until } => Some(trouble(*class, message.clone(), *until, input.now)),
        // Only a source that is pinned can have another digest than what was seen there.
        Seen::Digest(found) if input.this.digest != Some(found) => {
            let source = input.this.source.familiar();
            Some(failed(Class::DigestMismatch, format!("{source} is answered with the digest {found}")))
        }
        Seen::Digest(_) | Seen::Absent => None,
    }
}

fn target_is_in_trouble(input: &Input<'_>) -> Option<Decision> {
    match input.seen? {
        Seen::Failed { class, message, until } => Some(trouble(*class, message.clone(), *until, input.now)),
        Seen::Digest(_) | Seen::Absent => None,
    }
}

fn is_absent(input: &Input<'_>) -> Option<Decision> {
    let Seen::Absent = input.seen? else { return None };
    input.readable()?;
    let reason = match input.remembered.map(|remembered| remembered.target.origin) {
        Some(Origin::Written | Origin::Found) => "was there, and is gone from the target",
        Some(Origin::Intended) => "is not there yet; it was tried before",
        Some(Origin::Deleting) => "was deleted when nothing wanted it, and is wanted again",
        None => "is not there yet",
    };
    Some(Decision { kind: Kind::Copy { replaces: None }, reason: reason.to_owned() })
}

fn may_not_be_overwritten(input: &Input<'_>) -> Option<Decision> {
    let (Overwrite::Never, Some(found), Some(_)) =
        (input.destination.target.overwrite, input.found(), input.this.digest)
    else {
        return None;
    };
    // Our own dummy is nobody's image.
    if input.is_dummy(found) {
        return None;
    }
    let reason = input.difference(found);
    Some(conflict(format!("{reason}; the target's overwrite is Never")))
}

fn shows_another_digest(input: &Input<'_>) -> Option<Decision> {
    let found = input.found()?;
    input.readable()?;
    Some(Decision { kind: Kind::Copy { replaces: Some(found.clone()) }, reason: input.difference(found) })
}

impl Input<'_> {
    /// The digest that the destination shows.
    fn found(&self) -> Option<&Digest> {
        match self.seen? {
            Seen::Digest(digest) => Some(digest),
            Seen::Absent | Seen::Failed { .. } => None,
        }
    }

    /// The digest to copy, if it was seen at the source.
    fn readable(&self) -> Option<&Digest> {
        match self.this.at_source? {
            Seen::Digest(_) => self.this.digest,
            Seen::Absent | Seen::Failed { .. } => None,
        }
    }

    /// The digest that the destination shows, if that is the image, as it is or rewritten.
    fn shown(&self) -> Option<&Digest> {
        let (digest, found) = (self.this.digest_at(self.seen, self.remembered)?, self.found()?);
        subset::shows(found, digest, self.remembered).then_some(found)
    }

    /// The platforms that are wanted and were not brought, where the destination shows the image.
    fn missing(&self) -> Option<Missing> {
        self.shown()?;
        let digest = self.this.digest_at(self.seen, self.remembered)?;
        subset::missing(self.this.artifact, self.this.record, digest, self.remembered)
    }

    /// Who put there the image that the destination shows. What was there before anything was recorded is not ours to
    /// delete one day, unless the person says so.
    fn origin(&self, found: &Digest) -> (Origin, &'static str) {
        if self.wrote(found) {
            (Origin::Written, "up to date")
        } else if self.destination.target.adopt {
            (Origin::Written, "was there already, and is adopted")
        } else {
            (Origin::Found, "was there already")
        }
    }

    /// Whether the destination shows `digest` because this ImageSync wrote it there.
    fn wrote(&self, digest: &Digest) -> bool {
        self.remembered.is_some_and(|name| name.target.wrote(digest))
    }

    /// Whether `digest` is the dummy that a deletion left which was broken off.
    fn is_dummy(&self, digest: &Digest) -> bool {
        self.remembered.is_some_and(|name| name.target.dummy() == Some(digest))
    }

    /// From whom the destination passes on to this ImageSync, in the run in which it does.
    fn passed_on(&self) -> Option<String> {
        let former = self.former.filter(|_| self.remembered.is_none())?;
        Some(format!("; {} wrote it once and no longer wants it", former.towards(self.me)))
    }

    /// How it comes that the destination shows `found`, which is not what it is to show.
    fn difference(&self, found: &Digest) -> String {
        if let Some(missing) = self.missing() {
            return missing.reason();
        }
        let artifact = self.this.artifact;
        // Of an index that was rewritten, people know the source's digest.
        let rewritten = self.remembered.map(|name| name.target).filter(|entry| entry.digest == *found);
        let old = rewritten.map_or(found, TargetRecord::stands_for).short();
        let new = self.this.digest.map_or("", Digest::short);
        match self.remembered {
            _ if self.is_dummy(found) => {
                "is held at a dummy manifest, since its deletion was broken off".to_owned()
            }
            Some(Remembered { of, .. }) if self.wrote(found) && !artifact.has(of) => {
                let tag = |tag: Option<&str>, short| {
                    tag.map_or_else(|| format!("@{short}"), |tag| format!(":{tag}"))
                };
                let (from, to) =
                    (tag(of.tag.as_deref(), old), tag(artifact.tag.as_ref().map(Tag::as_str), new));
                format!("moves from {}{from} to {}{to}", of.image, artifact.image.name)
            }
            Some(Remembered { of, .. }) if self.wrote(found) && !artifact.is_read_as(of) => {
                format!(
                    "comes from another source, {}, with {new} instead of {old}",
                    artifact.image.source.familiar()
                )
            }
            Some(_) if self.wrote(found) && artifact.pinned().is_some() => {
                format!("is pinned to {new}, and was {old}")
            }
            Some(_) if self.wrote(found) => format!("moved at the source from {old} to {new}"),
            Some(Remembered { target, .. }) if target.origin != Origin::Intended => {
                format!("was changed on the target by somebody else from {} to {old}", target.digest.short())
            }
            _ => format!("{old} is there, and {new} at the source"),
        }
    }
}

impl Decision {
    /// Whether the destination becomes this ImageSync's, or is.
    pub(super) const fn takes(&self) -> bool {
        matches!(self.kind, Kind::InSync { .. } | Kind::Copy { .. } | Kind::Amend { .. })
    }
}

fn in_sync(origin: Origin, reason: &str) -> Decision {
    Decision { kind: Kind::InSync { origin }, reason: reason.to_owned() }
}

fn conflict(reason: String) -> Decision {
    Decision { kind: Kind::Conflict, reason }
}

fn failed(class: Class, reason: String) -> Decision {
    Decision { kind: Kind::Failed { class }, reason }
}
