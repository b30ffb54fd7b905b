//! ImageSyncs that are not in the manifests of a command, and of which the state directory has records.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    plan::{Claimant, Wants},
    records::Store,
};

/// The ImageSyncs of a state directory that a command does not name.
pub(super) struct Others {
    store: Arc<Store>,
    /// Namespace and name of those that it does.
    named: BTreeSet<(String, String)>,
}

impl Others {
    pub(super) fn new(store: Arc<Store>, named: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { store, named: named.into_iter().collect() }
    }

    /// Adds what they want, as far as their records tell; one whose records cannot be read may want anything.
    pub(super) fn want(&self, wants: &mut Wants) {
        let objects = match self.store.objects() {
            Ok(objects) => objects,
            Err(error) => return wants.add_unreadable(format!("the state directory ({error})")),
        };
        for (namespace, name) in objects {
            if self.named.contains(&(namespace.clone(), name.clone())) {
                continue;
            }
            match self.store.load(&namespace, &name) {
                Ok(records) => {
                    wants.add_recorded(&Arc::new(Claimant::recorded(&namespace, &name)), &records);
                }
                Err(error) => {
                    wants.add_unreadable(format!("what is recorded of {namespace}/{name} ({error})"));
                }
            }
        }
    }
}
