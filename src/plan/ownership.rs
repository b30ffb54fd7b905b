//! Ownership: which ImageSync may write a tag that several want.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use jiff::Timestamp;

use super::{Selection, destination::destinations};
use crate::{api::ImageSync, records::Records, reference::Reference};

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
        let key = |claimant: &Self| {
            let Self { created, uid, namespace, name } = claimant.clone();
            (created.is_none(), created, uid.is_none(), uid, namespace, name)
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Claimant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ownership {
    /// Claims whatever `records` say that the object wrote or found. Claims count once a registry took the object's
    /// credential, which is so for all that has a record.
    pub fn claim_recorded(&mut self, claimant: &Arc<Claimant>, records: &Records) {
        for target in records.iter().flat_map(|record| &record.targets) {
            self.claim(claimant, target.reference.clone());
        }
    }

    /// Claims whatever the object is about to write, so that of two objects of one run only the older writes.
    pub fn claim_selected(&mut self, claimant: &Arc<Claimant>, selection: &Selection) {
        for artifact in &selection.artifacts {
            for destination in destinations(&selection.targets, artifact, artifact.pinned()) {
                if let Some(reference) = destination.name.reference() {
                    self.claim(claimant, reference.to_string());
                }
            }
        }
    }

    /// Who owns the name.
    #[must_use]
    pub fn owner(&self, reference: &Reference) -> Option<&Claimant> {
        self.owners.get(&reference.to_string()).map(AsRef::as_ref)
    }

    fn claim(&mut self, claimant: &Arc<Claimant>, reference: String) {
        let owner = self.owners.entry(reference).or_insert_with(|| Arc::clone(claimant));
        if **claimant < **owner {
            *owner = Arc::clone(claimant);
        }
    }
}
