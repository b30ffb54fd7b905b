//! Wants: what ImageSyncs other than the one in question want, in all namespaces, whether they are carried out or not.

use std::{collections::HashMap, sync::Arc};

use crate::{
    plan::{Claimant, Selection, Wanted, collision::one_name, could::Could},
    records::Records,
    reference::Reference,
};

/// What ImageSyncs want: more than they [own](crate::plan::Ownership), since who wants a name need not be the one who may
/// write it. In doubt it is wanted.
#[derive(Debug, Default)]
pub struct Wants {
    /// The first two who want a name: one of them is somebody else.
    names: HashMap<String, (Arc<Claimant>, Option<Arc<Claimant>>)>,
    could: Could<Arc<Claimant>>,
    unreadable: Vec<String>,
}

impl Wants {
    /// What this ImageSync wants: what was selected in this run; where it takes no part in it, being suspended, not due or
    /// stalled, whatever its spec could want; and each name that its records do not call unwanted.
    pub fn add(&mut self, wanted: &Wanted, records: &Records, selection: Option<&Selection>) {
        let claimant = wanted.claimant();
        match selection {
            Some(selection) => {
                let (names, could) = selection.names(wanted, records);
                for name in names {
                    self.want(&name.to_string(), claimant);
                }
                self.could.extend(could, claimant);
            }
            None => {
                for image in &wanted.images {
                    self.could.add(&wanted.targets, image, claimant);
                }
            }
        }
        self.add_recorded(claimant, records);
    }

    /// What an ImageSync wants of which only the records are known.
    pub fn add_recorded(&mut self, claimant: &Arc<Claimant>, records: &Records) {
        let entries = records.iter().flat_map(|record| &record.targets);
        for entry in entries.filter(|entry| entry.unwanted_since.is_none()) {
            self.want(&entry.reference, claimant);
        }
    }

    /// An ImageSync of which nothing can be known: it may want anything.
    pub fn add_unreadable(&mut self, which: impl Into<String>) {
        self.unreadable.push(which.into());
    }

    /// Who wants this name, of all but `me`.
    pub(super) fn by<'a>(&'a self, reference: &'a Reference, me: &Claimant) -> Option<&'a Claimant> {
        let named = self.names.get(one_name(&reference.to_string()).as_ref());
        let named = named.into_iter().flat_map(|(first, second)| std::iter::once(first).chain(second));
        named.chain(self.could.whose(reference)).map(AsRef::as_ref).find(|claimant| *claimant != me)
    }

    /// What cannot be read.
    pub(super) fn unreadable(&self) -> Option<&str> {
        self.unreadable.first().map(String::as_str)
    }

    fn want(&mut self, reference: &str, claimant: &Arc<Claimant>) {
        let name = one_name(reference).into_owned();
        let (first, second) = self.names.entry(name).or_insert_with(|| (Arc::clone(claimant), None));
        if second.is_none() && first != claimant {
            *second = Some(Arc::clone(claimant));
        }
    }
}
