//! Questions: the HEADs that a plan needs, and no others.

use std::collections::HashSet;

use super::{
    Observed, Overwrite, Seen, Selection,
    referrers::Look,
    resolve::{Memory, Resolved, resolve},
    subset,
};
use crate::{records::Records, reference::Reference};

/// What registries are to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// What is at the source, each once.
    pub sources: Vec<Reference>,
    /// What is on a target, with the target's name, each once.
    pub targets: Vec<(String, Reference)>,
    /// What refers to images at the source, each once. To be answered after all that was asked before it: what signs a tag's
    /// image is looked for once it is known which image that is.
    pub referrers: Vec<Look>,
}

impl Questions {
    /// Whether there is nothing to ask.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.targets.is_empty() && self.referrers.is_empty()
    }
}

impl Selection {
    /// What has to be asked, given what was answered so far.
    ///
    /// To be called again with the answers until there are no questions: what a target is asked may depend on
    /// the source's digest (`{shortDigest}` is in the name), and a source that is pinned by digest is asked only once a
    /// target turns out to lack it.
    ///
    /// # Guarantees
    ///
    /// - Nothing is asked of an artifact that never moves and is recorded as in sync under all its names, but what refers to it.
    /// - What refers to an image is asked while its digest is new, when all of it is to be walked, before it is copied, and where
    ///   it is not recorded; and never where it is excluded.
    /// - Nothing is asked that `answered` has an answer to, a failure included. So this comes to an end.
    #[must_use]
    pub fn questions(&self, records: &Records, answered: &Observed) -> Questions {
        let mut questions = Questions::default();
        let memory = Memory::of(records);
        for resolved in resolve(self, &memory, answered) {
            if resolved.referring(answered).is_none() {
                questions.referrers.extend(resolved.referrers_wanted(&memory, answered, self.deep_interval));
            }
            if resolved.settled {
                continue;
            }
            if resolved.at_source.is_none() && resolved.needs_source(&memory, answered) {
                questions.sources.push(resolved.source.clone());
            }
            for destination in &resolved.destinations {
                let target = &destination.target.name;
                if let Some(reference) = destination.name.reference()
                    && answered.target(target, reference).is_none()
                {
                    questions.targets.push((target.clone(), reference.clone()));
                }
            }
        }
        keep_first(&mut questions.sources);
        keep_first(&mut questions.targets);
        keep_first_looks(&mut questions.referrers);
        questions
    }
}

impl Resolved<'_> {
    /// A tag has to be looked up, if any target keeps it. Of a digest it only matters whether it is there, and only where it is to be copied.
    fn needs_source(&self, memory: &Memory<'_>, answered: &Observed) -> bool {
        let Some(pinned) = self.artifact.pinned() else { return !self.destinations.is_empty() };
        self.destinations.iter().any(|destination| {
            let reference = destination.name.reference();
            match reference.and_then(|reference| answered.target(&destination.target.name, reference)) {
                Some(Seen::Absent) => true,
                Some(Seen::Digest(found)) => {
                    let remembered = reference.and_then(|reference| memory.name(reference));
                    let shows = subset::shows(found, pinned, remembered);
                    let is_done =
                        shows && subset::missing(self.artifact, self.record, pinned, remembered).is_none();
                    // What is missing below the very digest is brought without writing over anything.
                    !is_done && (found == pinned || destination.target.overwrite == Overwrite::Always)
                }
                Some(Seen::Failed { .. }) | None => false,
            }
        })
    }
}

fn keep_first<T: Clone + Eq + std::hash::Hash>(list: &mut Vec<T>) {
    let mut seen = HashSet::with_capacity(list.len());
    list.retain(|item| seen.insert(item.clone()));
}

/// Of several that ask the same, one that knows where the image is near.
fn keep_first_looks(list: &mut Vec<Look>) {
    let mut seen = HashSet::with_capacity(list.len());
    list.sort_by_key(|look| look.near.is_none());
    list.retain(|look| seen.insert(look.subject.clone()));
}
