//! Ownership: which ImageSync may write a tag that several want.

use std::{cmp::Ordering, sync::Arc};

use hashbrown::{HashMap, HashSet};
use jiff::Timestamp;

use super::{
    Selection, Wanted,
    collision::{name_of, one_name},
    destination::destinations,
};
use crate::{
    api::{ImageSync, Origin},
    records::Records,
    reference::{Reference, Tag},
};

/// An ImageSync, as far as it matters for who owns what. The lesser of two is the older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    created: Option<Timestamp>,
    uid: Option<String>,
    namespace: Option<String>,
    name: String,
}

/// Who owns the tags on targets: of all that claim one, the oldest.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    owners: HashMap<String, Arc<Claimant>>,
    /// Who wrote a tag and does not want it any more.
    former: HashMap<String, Arc<Claimant>>,
}

impl Claimant {
    /// The object, with its age.
    #[must_use]
    pub fn of(object: &ImageSync) -> Self {
        let metadata = &object.metadata;
        Self {
            created: metadata.creation_timestamp.as_ref().map(|time| time.0),
            uid: metadata.uid.clone(),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }

    /// An object of which only the records are known.
    #[must_use]
    pub fn recorded(namespace: &str, name: &str) -> Self {
        Self { created: None, uid: None, namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }

    /// The object's namespace, if it has one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why this object comes before `other`.
    pub(super) fn precedence(&self, other: &Self) -> &'static str {
        let is_older = self.created.is_some() && self.created != other.created;
        if is_older { "being older" } else { "coming first by name" }
    }

    /// How this object is called towards `other`: what is in another namespace is not named.
    pub(super) fn towards(&self, other: &Self) -> String {
        if self.namespace == other.namespace {
            format!("the ImageSync {}", self.name)
        } else {
            "an ImageSync in another namespace".to_owned()
        }
    }
}

/// By creation, then UID, then namespace and name. What is not in a cluster has neither of the first two, and is younger than
/// what is.
impl Ord for Claimant {
    fn cmp(&self, other: &Self) -> Ordering {
        fn key(claimant: &Claimant) -> impl Ord {
            let Claimant { created, uid, namespace, name } = claimant;
            (created.is_none(), created, uid.is_none(), uid, namespace, name)
        }
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Claimant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ownership {
    /// Claims for an object that takes no part in this run, being suspended or not due: what its records say that it wrote
    /// or found, if its spec still wants that. Claims count once a registry took the object's credential, which is so for
    /// all that has a record.
    pub fn claim_recorded(&mut self, wanted: &Wanted, records: &Records) {
        let mut claimed = HashSet::new();
        for record in records.iter() {
            let entries = record.targets.iter().filter(|entry| entry.unwanted_since.is_none());
            let entries = entries.filter(|entry| wanted.wants(record, &entry.name));
            claimed.extend(entries.map(|entry| one_name(&entry.reference).into_owned()));
        }
        self.claim_all(wanted.claimant(), claimed, records);
    }

    /// Claims for an object that takes part: whatever it is about to write, so that of two objects of one run only the
    /// older writes; and of what it has a record of, that of which it cannot tell now whether it still wants it.
    pub fn claim_selected(&mut self, wanted: &Wanted, selection: &Selection, records: &Records) {
        let mut claimed = HashSet::new();
        for artifact in &selection.artifacts {
            // A name with the digest in it is known for sure only once the source was looked at.
            let last = || {
                let tag = artifact.tag.as_ref().map(Tag::as_str);
                records.get(&artifact.image.name, tag)?.source_digest.as_ref()
            };
            let names = destinations(&selection.targets, artifact, artifact.pinned().or_else(last));
            let names = names.iter().filter_map(|name| name.name.reference());
            claimed.extend(names.map(name_of));
        }
        let left = selection.left(wanted, &[]);
        for record in records.iter() {
            let entries = record.targets.iter().filter(|entry| entry.unwanted_since.is_none());
            let entries = entries.filter(|entry| left.has(record, entry));
            claimed.extend(entries.map(|entry| one_name(&entry.reference).into_owned()));
        }
        self.claim_all(wanted.claimant(), claimed, records);
    }

    fn claim_all(&mut self, claimant: &Arc<Claimant>, claimed: HashSet<String>, records: &Records) {
        let written = records.iter().flat_map(|record| &record.targets);
        for entry in written.filter(|entry| entry.origin != Origin::Found) {
            let name = one_name(&entry.reference);
            if !claimed.contains(name.as_ref()) {
                oldest(&mut self.former, claimant, name.into_owned());
            }
        }
        for reference in claimed {
            oldest(&mut self.owners, claimant, reference);
        }
    }

    /// Who owns the name.
    #[must_use]
    pub fn owner(&self, reference: &Reference) -> Option<&Claimant> {
        self.owners.get(&name_of(reference)).map(AsRef::as_ref)
    }

    /// The same, and who wrote the name and does not want it any more.
    pub(super) fn owner_and_former(&self, reference: &Reference) -> (Option<&Claimant>, Option<&Claimant>) {
        let name = name_of(reference);
        (self.owners.get(&name).map(AsRef::as_ref), self.former.get(&name).map(AsRef::as_ref))
    }
}

fn oldest(of: &mut HashMap<String, Arc<Claimant>>, claimant: &Arc<Claimant>, reference: String) {
    let oldest = of.entry(reference).or_insert_with(|| Arc::clone(claimant));
    if !Arc::ptr_eq(claimant, oldest) && claimant < oldest {
        *oldest = Arc::clone(claimant);
    }
}
