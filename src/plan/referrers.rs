//! What belongs to an image besides the image (signatures, SBOMs, attestations): when it is looked for, and what follows
//! from what is there.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{
    Content, Kind, Observed, Overwrite, Seen,
    deep::Depth,
    resolve::{Memory, Resolved},
    rules::{self, Decision, Input},
    subset,
};
use crate::{
    api::{Record, Referrers, TargetRecord},
    class::{Class, Retry},
    digest::Digest,
    reference::{Reference, Repository},
};

/// How long what belongs to a digest is looked for on every run: signatures are made after the image was pushed, and do not
/// move its tag.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// Characters of a hash that are kept.
const HASH: usize = 16;

/// An image whose referrers are looked for: where it is, by digest, and what of it is wanted.
pub type Subject = (Reference, Arc<Content>);

/// A question: what refers to an image?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The image at its source.
    pub subject: Subject,
    /// A target, by its name, and the repository there which shows the very image: what its index names can be read there, which
    /// takes nothing from a limit that the source may have.
    pub near: Option<(String, Repository)>,
}

/// One thing that belongs to a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Referred {
    /// The manifest.
    pub subject: Digest,
    /// What stands behind the digest in the tag that it is under: `.sig`. Empty for a referrer, and for the index that names
    /// them.
    pub suffix: &'static str,
    /// Its own digest.
    pub digest: Digest,
}

/// What belongs to an image at its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referring {
    /// This, which may be nothing.
    Found {
        /// A hash of all of it.
        hash: String,
        /// How much belongs to the image's root, which is what the tag shows.
        of_root: usize,
        /// How much there is.
        all: usize,
    },
    /// The source lists neither referrers nor tags: it has nothing, or it has lost the image.
    Untold,
    /// It could not be looked at.
    Failed {
        /// What kind of trouble it was.
        class: Class,
        /// What was being done, and what can be done about it.
        message: String,
        /// When it is worth another try, if the registry said so.
        until: Option<Timestamp>,
    },
}

impl Referring {
    /// What was found, of which `of_root` belong to the root. The order does not matter.
    #[must_use]
    pub fn found(found: impl IntoIterator<Item = Referred>, of_root: usize) -> Self {
        let found: BTreeSet<Referred> = found.into_iter().collect();
        let mut hasher = Sha256::new();
        for Referred { subject, suffix, digest } in &found {
            hasher.update(format!("{subject} {suffix} {digest}\n"));
        }
        let hash = hasher.finalize().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let hash = hash.chars().take(HASH).collect();
        Self::Found { hash, of_root, all: found.len() }
    }

    /// The hash of all that was found.
    #[must_use]
    pub fn hash(&self) -> Option<&str> {
        match self {
            Self::Found { hash, .. } => Some(hash),
            Self::Untold | Self::Failed { .. } => None,
        }
    }
}

impl Resolved<'_> {
    /// The image whose referrers are to be looked for now, if they are.
    pub(super) fn referrers_wanted(
        &self,
        memory: &Memory<'_>,
        answered: &Observed,
        depth: Depth,
    ) -> Option<Look> {
        let content = &self.artifact.image.content;
        let digest = self.digest.filter(|_| content.referrers != Referrers::Exclude)?;
        let subject = self.subject(digest);
        if answered.referrers.contains_key(&subject) {
            return None;
        }
        let (mut is_wanted, mut near) = (false, None);
        for destination in &self.destinations {
            let Some(reference) = destination.name.reference() else { continue };
            let target = &destination.target;
            let remembered = memory.name(reference);
            let entry = remembered.map(|name| name.target).filter(|entry| entry.stands_for() == digest);
            let seen = answered.target(&target.name, reference);
            is_wanted |= match seen {
                None => self.settled && self.is_looked_for(digest, entry, answered.now, depth),
                Some(Seen::Digest(found)) if subset::shows(found, digest, remembered) => {
                    subset::missing(self.artifact, self.record, digest, remembered).is_some()
                        || self.is_looked_for(digest, entry, answered.now, depth)
                }
                Some(Seen::Digest(_)) => target.overwrite == Overwrite::Always && self.is_at_source(),
                Some(Seen::Absent) => self.is_at_source(),
                Some(Seen::Failed { .. }) => false,
            };
            let is_there = match seen {
                Some(Seen::Digest(found)) => found == digest,
                None => self.settled && entry.is_some_and(|entry| entry.digest == *digest),
                Some(Seen::Absent | Seen::Failed { .. }) => false,
            };
            if near.is_none() && is_there {
                near = Some((target.name.clone(), reference.repository.clone()));
            }
        }
        is_wanted.then_some(Look { subject, near })
    }

    /// The source, if what refers to the image there was brought to where an entry says.
    pub(super) fn source_of_referrers(&self, entry: Option<&TargetRecord>) -> Option<Repository> {
        let brought = entry?.referrers.as_ref()?;
        let is_wanted = self.artifact.image.content.referrers != Referrers::Exclude;
        (is_wanted && *brought != nothing()).then(|| self.source.repository.clone())
    }

    /// What is known of its referrers, if they were looked for.
    pub(super) fn referring<'a>(&self, answered: &'a Observed) -> Option<&'a Referring> {
        answered.referrers.get(&self.subject(self.digest?))
    }

    fn subject(&self, digest: &Digest) -> Subject {
        let content = Arc::clone(&self.artifact.image.content);
        (self.source.repository.at_digest(digest.clone()), content)
    }

    fn is_at_source(&self) -> bool {
        matches!(self.at_source, Some(Seen::Digest(_)))
    }

    /// Whether the referrers of what a name shows are looked for: as long as its digest is new, when all of it is to be
    /// walked, and where it is not known whether they were brought.
    fn is_looked_for(
        &self,
        digest: &Digest,
        entry: Option<&TargetRecord>,
        now: Timestamp,
        depth: Depth,
    ) -> bool {
        let Some(entry) = entry else { return true };
        let Some(brought) = &entry.referrers else { return true };
        let content = &self.artifact.image.content;
        if content.referrers == Referrers::Require && *brought == nothing() {
            return true;
        }
        let speaks_of_it = |record: &&Record| {
            self.artifact.is_read_as(record) && record.source_digest.as_ref() == Some(digest)
        };
        let Some(record) = self.record.filter(speaks_of_it) else { return true };
        let is_fresh = |first_seen| now.duration_since(first_seen) < FRESH;
        record.first_seen.is_none_or(is_fresh) || depth.all || depth.is_due(entry, now)
    }
}

/// The hash of nothing.
fn nothing() -> String {
    Referring::found([], 0).hash().unwrap_or_default().to_owned()
}

/// What the referrers at the source change about a decision.
pub(super) fn consider(input: &Input<'_>, decision: Decision) -> Decision {
    let policy = input.this.artifact.image.content.referrers;
    let Some(referring) = input.referring.filter(|_| policy != Referrers::Exclude) else {
        return unseen(input, policy, decision);
    };
    if !decision.takes() {
        return decision;
    }
    match referring {
        Referring::Failed { class, message, until } => {
            let mut message = message.clone();
            if class.retry() == Retry::Terminal {
                message.push_str("; `referrers: Exclude` would mirror it without what signs it");
            }
            rules::trouble(*class, message, *until, input.now)
        }
        Referring::Untold if is_in_sync(&decision) => decision,
        Referring::Untold | Referring::Found { of_root: 0, .. } if policy == Referrers::Require => {
            refused(input, &decision)
        }
        Referring::Untold => decision,
        Referring::Found { hash, all, .. } => match decision.kind {
            Kind::InSync { origin } => match brought(input) {
                Some(before) if before == hash => decision,
                None if *all == 0 => decision,
                before => {
                    let reason = match before {
                        Some(_) => format!("what refers to it changed at the source: {}", these(*all)),
                        None => format!(
                            "{} at the source, and it is not known whether they were brought",
                            refer(*all)
                        ),
                    };
                    Decision { kind: Kind::Amend { origin, repair: false }, reason }
                }
            },
            Kind::Copy { .. } if *all > 0 => {
                let reason = format!("{}; {} and come with it", decision.reason, refer(*all));
                Decision { reason, ..decision }
            }
            _ => decision,
        },
    }
}

/// Nothing was looked for. What signs a copy is brought all the same; whether there is anything has to be known where it is
/// required.
fn unseen(input: &Input<'_>, policy: Referrers, decision: Decision) -> Decision {
    if policy == Referrers::Require && matches!(decision.kind, Kind::Copy { .. }) {
        let source = input.this.source.familiar();
        let reason = format!("not looked at: what refers to {source}");
        return Decision { kind: Kind::Failed { class: Class::Internal }, reason };
    }
    decision
}

fn refused(input: &Input<'_>, decision: &Decision) -> Decision {
    let source = input.this.source.familiar();
    let stays = if is_in_sync(decision) { "; what is on the target stays as it is" } else { "" };
    let reason = format!(
        "{source} has no signature and nothing else that refers to it, and `referrers: Require` holds it back until it \
         has{stays}"
    );
    Decision { kind: Kind::Failed { class: Class::NotFound }, reason }
}

const fn is_in_sync(decision: &Decision) -> bool {
    matches!(decision.kind, Kind::InSync { .. } | Kind::Amend { .. })
}

/// The hash of what was brought to where the digest is shown.
fn brought<'a>(input: &Input<'a>) -> Option<&'a str> {
    let entry = input.remembered.map(|name| name.target);
    entry.filter(|entry| input.this.digest == Some(entry.stands_for()))?.referrers.as_deref()
}

fn refer(count: usize) -> String {
    if count == 1 {
        "1 signature or other referrer is".to_owned()
    } else {
        format!("{count} signatures or other referrers are")
    }
}

fn these(count: usize) -> String {
    if count == 1 {
        "1 signature or other referrer now".to_owned()
    } else {
        format!("{count} signatures or other referrers now")
    }
}
