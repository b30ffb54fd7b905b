//! Wants: what ImageSyncs other than the one in question want, in all namespaces, whether they are carried out or not.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{
    plan::{
        Claimant, Selection, Wanted,
        collision::{name_of, one_name, place},
        could::Could,
        wanted::{Image, Tags},
    },
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
    /// What is read as a source, by its repository: a target may be the next one's source.
    sources: HashMap<(String, String), Vec<Reader>>,
    unreadable: Vec<String>,
}

/// An image that is read, and for whom.
type Reader = (Arc<Image>, Arc<Claimant>);

impl Wants {
    /// What this ImageSync wants: what was selected in this run; where it takes no part in it, being suspended, not due or
    /// stalled, whatever its spec could want; each name that its records do not call unwanted; and what it reads as a source.
    pub fn add(&mut self, wanted: &Wanted, records: &Records, selection: Option<&Selection>) {
        let claimant = wanted.claimant();
        match selection {
            Some(selection) => {
                let (names, could) = selection.names(wanted, records);
                for name in names {
                    self.want(name_of(&name), claimant);
                }
                self.could.extend(could, claimant);
            }
            None => {
                for image in &wanted.images {
                    self.could.add(&wanted.targets, image, claimant);
                }
            }
        }
        for image in &wanted.images {
            let (registry, path) = place(&image.source);
            let here = self.sources.entry((registry.to_owned(), path.to_owned())).or_default();
            here.push((Arc::clone(image), Arc::clone(claimant)));
        }
        self.add_recorded(claimant, records);
    }

    /// What an ImageSync wants of which only the records are known.
    pub fn add_recorded(&mut self, claimant: &Arc<Claimant>, records: &Records) {
        for record in records.iter() {
            let entries = || record.targets.iter().filter(|entry| entry.unwanted_since.is_none());
            entries().for_each(|entry| self.want(one_name(&entry.reference).into_owned(), claimant));
            if let (Some(source), Some(tag), Some(_)) = (&record.source, &record.tag, entries().next()) {
                self.want(one_name(&format!("{source}:{tag}")).into_owned(), claimant);
            }
        }
    }

    /// An ImageSync of which nothing can be known: it may want anything.
    pub fn add_unreadable(&mut self, which: impl Into<String>) {
        self.unreadable.push(which.into());
    }

    /// Who reads it as a source; that may be whoever wrote it.
    fn reader(&self, reference: &Reference) -> Option<&Claimant> {
        let (registry, path) = place(&reference.repository);
        let here = self.sources.get(&(registry.to_owned(), path.to_owned()))?;
        let reads = |image: &Image| {
            let is_pinned = matches!(&image.tags, Tags::One { digest: Some(digest), .. } if reference.digest.as_ref() == Some(digest));
            is_pinned || reference.tag.as_ref().is_some_and(|tag| image.reads(tag))
        };
        here.iter().find(|(image, _)| reads(image)).map(|(_, claimant)| claimant.as_ref())
    }

    /// Who wants this name, of all but `me`.
    pub(super) fn by<'a>(&'a self, reference: &'a Reference, me: &Claimant) -> Option<&'a Claimant> {
        let named = self.names.get(&name_of(reference));
        let named = named.into_iter().flat_map(|(first, second)| std::iter::once(first).chain(second));
        let others =
            named.chain(self.could.whose(reference)).map(AsRef::as_ref).find(|claimant| *claimant != me);
        others.or_else(|| self.reader(reference))
    }

    /// What cannot be read.
    pub(super) fn unreadable(&self) -> Option<&str> {
        self.unreadable.first().map(String::as_str)
    }

    fn want(&mut self, name: String, claimant: &Arc<Claimant>) {
        let (first, second) = self.names.entry(name).or_insert_with(|| (Arc::clone(claimant), None));
        if second.is_none() && first != claimant {
            *second = Some(Arc::clone(claimant));
        }
    }
}
