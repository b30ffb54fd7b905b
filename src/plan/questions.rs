//! Questions: the HEADs that a plan needs, and no others.

use hashbrown::HashSet;

use super::{
    Observed, Overwrite, Seen, Selection, Walk, Walked,
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
    /// What is there of images on targets, each once.
    pub walks: Vec<Walk>,
    /// What refers to images at the source, each once. To be answered after all that was asked before it: what signs a tag's
    /// image is looked for once it is known which image that is.
    pub referrers: Vec<Look>,
}

impl Questions {
    /// Whether there is nothing to ask.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sources.is_empty()
            && self.targets.is_empty()
            && self.walks.is_empty()
            && self.referrers.is_empty()
    }

    /// Leaves out what is in it twice.
    pub(super) fn keep_first(&mut self) {
        keep_first(&mut self.sources);
        keep_first(&mut self.targets);
        keep_first(&mut self.walks);
        keep_first_looks(&mut self.referrers);
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
    /// - Nothing is asked of an artifact that never moves and is recorded as in sync under all its names, but what refers to it,
    ///   until a deep check of it is due.
    /// - What refers to an image is asked while its digest is new, when all of it is to be walked, before it is copied, and where
    ///   it is not recorded; and never where it is excluded.
    /// - Nothing is asked that `answered` has an answer to, a failure included. So this comes to an end.
    #[must_use]
    pub fn questions(&self, records: &Records, answered: &Observed) -> Questions {
        let mut questions = Questions::default();
        let memory = Memory::of(records);
        for resolved in resolve(self, &memory, answered) {
            if !resolved.artifact.too_young {
                questions.referrers.extend(resolved.referrers_wanted(&memory, answered, self.depth));
            }
            if resolved.settled {
                continue;
            }
            if resolved.at_source.is_none() && self.needs_source(&resolved, &memory, answered) {
                questions.sources.push(resolved.source.clone());
            }
            // What is too young is not written, so it does not matter what is there.
            for destination in resolved.destinations.iter().filter(|_| !resolved.artifact.too_young) {
                let target = &destination.target.name;
                if let Some(reference) = destination.name.reference()
                    && answered.target(target, reference).is_none()
                {
                    questions.targets.push((target.clone(), reference.clone()));
                }
                if let Some(walk) = self.walk(&memory, (&resolved, destination), answered)
                    && !answered.walks.contains_key(&walk)
                {
                    questions.walks.push(walk);
                }
            }
        }
        questions.keep_first();
        questions
    }

    /// A tag has to be looked up, if any target keeps it. Of a digest, which the source is pinned to or its tag had once, it
    /// only matters whether it is there, and only where it is to be copied.
    fn needs_source(&self, of: &Resolved<'_>, memory: &Memory<'_>, answered: &Observed) -> bool {
        if of.age.as_ref().is_some_and(|age| age.is_young) {
            return false;
        }
        let Some(pinned) = &of.source.digest else { return !of.destinations.is_empty() };
        of.destinations.iter().any(|destination| {
            let walk = self.walk(memory, (of, destination), answered);
            if let Some(Walked::Broken { .. }) = walk.and_then(|walk| answered.walks.get(&walk)) {
                return true;
            }
            let reference = destination.name.reference();
            match reference.and_then(|reference| answered.target(&destination.target.name, reference)) {
                Some(Seen::Absent) => true,
                Some(Seen::Digest(found)) => {
                    let remembered = reference.and_then(|reference| memory.name(reference));
                    let shows = subset::shows(found, pinned, remembered);
                    let is_done =
                        shows && subset::missing(of.artifact, of.record, pinned, remembered).is_none();
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
