//! The deletions of a plan, one after another in each repository's first steps, and each with a fresh look.
//!
//! ```text
//! the records as they are now ──► recorded: is being deleted ──► HEAD, DELETE, HEAD ──► recorded: is gone
//!     belongings   signatures and the like, which go with the last tag of their digest
//! ```

mod belongings;
mod error;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use self::error::PruneError;
use super::{Access, Engine, Trouble, progress::Event, record};
use crate::{
    api::{Origin, TargetRecord},
    digest::Digest,
    plan::{Judged, Pruning, Verdict},
    records::Journal,
    reference::{Repository, Tag},
    registry::{Gone, Step},
    store::{DeleteError, Store},
};

/// Repositories from which something is deleted at the same time.
const REPOSITORIES_AT_ONCE: usize = 16;
/// Names of one repository that are deleted at the same time, once it is known how.
const NAMES_AT_ONCE: usize = 4;

/// What became of a name that nothing wants any more.
#[derive(Clone, Debug)]
pub enum Pruned {
    /// Nothing was to be done.
    Untouched,
    /// It was deleted.
    Deleted,
    /// It was gone already, or shows what somebody else put there, which stays.
    Forgotten,
    /// It shows again what it showed before its deletion was broken off.
    PutBack,
    /// Its record changed since the plan was made: the next run looks again.
    Spared,
    /// The run was stopped before.
    Interrupted,
    /// It was tried, and failed.
    Failed(PruneError),
}

impl Pruned {
    /// What keeps the name from being deleted, if something does.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        let Self::Failed(error) = self else { return None };
        Some(Trouble { class: error.class(), message: error.message(), until: error.until() })
    }
}

/// What the deletions of one ImageSync share.
struct Run<'a> {
    engine: &'a Engine,
    journal: &'a Journal,
    stop: &'a CancellationToken,
}

/// A name, by its number in the plan.
type Numbered<'a> = (usize, &'a Judged);

impl Engine {
    /// Carries out what is to be deleted; one outcome a name, in the same order.
    ///
    /// # Guarantees
    ///
    /// - Right before each deletion the record and the tag are looked at again: what is not as it was planned stays.
    /// - It is on disk that a name is going to be deleted before it is.
    /// - When `stop` is cancelled no deletion begins, and what began comes to its end.
    pub async fn prune(
        &self,
        pruning: &Pruning,
        access: &Access,
        journal: &Journal,
        stop: &CancellationToken,
    ) -> Vec<Pruned> {
        let run = Run { engine: self, journal, stop };
        let mut outcomes = vec![Pruned::Untouched; pruning.names.len()];
        journal.note(|records| {
            pruning.names.iter().for_each(|name| record::judged(records, name, Timestamp::now()));
        });
        let mut repositories: BTreeMap<(&str, &Repository), Vec<Numbered<'_>>> = BTreeMap::new();
        for (number, name) in pruning.names.iter().enumerate() {
            let is_open = matches!(name.verdict, Verdict::Delete | Verdict::PutBack | Verdict::Forget);
            if is_open {
                repositories
                    .entry((&name.target, &name.reference.repository))
                    .or_default()
                    .push((number, name));
            }
        }
        let works = repositories.into_iter().map(|((target, repository), names)| {
            run.repository(self.stores.open(repository, access.target(target)), names)
        });
        let done: Vec<Vec<(usize, Pruned)>> =
            stream::iter(works).buffer_unordered(REPOSITORIES_AT_ONCE).collect().await;
        for (number, pruned) in done.into_iter().flatten() {
            if let Some(outcome) = outcomes.get_mut(number) {
                *outcome = pruned;
            }
        }
        outcomes
    }
}

impl Run<'_> {
    /// The first alone: it finds out how this registry deletes.
    async fn repository(&self, store: Store, names: Vec<Numbered<'_>>) -> Vec<(usize, Pruned)> {
        // Which of the digests had something of their own there, and are now without this tag.
        let mut orphaned: Vec<Digest> = Vec::new();
        let mut done = Vec::with_capacity(names.len());
        let (first, rest) = names.split_at(names.len().min(1));
        for at_once in [first, rest] {
            let works = at_once.iter().map(|&(number, name)| {
                let store = &store;
                async move { (number, name, self.name(store, name).await) }
            });
            let mut works = stream::iter(works).buffer_unordered(NAMES_AT_ONCE);
            while let Some((number, name, (pruned, has_referrers))) = works.next().await {
                if matches!(pruned, Pruned::Deleted) && has_referrers && !orphaned.contains(&name.digest) {
                    orphaned.push(name.digest.clone());
                }
                self.engine.progress.tell(&Event::Pruned { name, outcome: &pruned });
                done.push((number, pruned));
            }
        }
        if !orphaned.is_empty() && !self.stop.is_cancelled() {
            belongings::delete(&store, orphaned).await;
        }
        done
    }

    /// What becomes of one name; and whether it had referrers that we brought.
    async fn name(&self, store: &Store, name: &Judged) -> (Pruned, bool) {
        if self.stop.is_cancelled() {
            return (Pruned::Interrupted, false);
        }
        let entry = self.journal.read(|records| record::entry(records, name));
        let Some(entry) = entry.filter(|entry| is_as_planned(entry, name)) else {
            return (Pruned::Spared, false);
        };
        let Some(tag) = &name.reference.tag else { return (Pruned::Spared, false) };
        let pruned = match name.verdict {
            Verdict::Delete => self.delete(store, name, tag).await,
            Verdict::PutBack => self.put_back(store, name, tag).await,
            Verdict::Forget => Ok(self.forget(name)),
            _ => Ok(Pruned::Untouched),
        };
        (pruned.unwrap_or_else(Pruned::Failed), entry.referrers.is_some())
    }

    async fn delete(&self, store: &Store, name: &Judged, tag: &Tag) -> Result<Pruned, PruneError> {
        let gone = match self.try_delete(store, name, tag).await {
            Ok(gone) => gone,
            Err(error) => {
                let is_as_before = match &error {
                    PruneError::Target(error) => error.is_as_before(),
                    PruneError::Records(_) => true,
                };
                // Otherwise the next look tells.
                if is_as_before {
                    self.journal.note(|records| record::undeleted(records, name, Timestamp::now()));
                }
                return Err(error);
            }
        };
        self.journal.note(|records| record::forgotten(records, name, Timestamp::now()));
        Ok(if gone == Gone::Deleted { Pruned::Deleted } else { Pruned::Forgotten })
    }

    async fn try_delete(&self, store: &Store, name: &Judged, tag: &Tag) -> Result<Gone, PruneError> {
        if let Some(dummy) = &name.dummy {
            match store.delete_held(tag, dummy, &name.digest).await? {
                // The dummy never came: it has to be begun again.
                Gone::Changed(found) if found == name.digest => {}
                gone => return Ok(gone),
            }
        }
        self.recorded(name, None).await?;
        match store.delete_tag(tag, &name.digest).await? {
            Step::Gone(gone) => Ok(gone),
            Step::Prepared(prepared) => {
                self.recorded(name, Some(prepared.dummy())).await?;
                Ok(prepared.delete().await.map_err(DeleteError::from)?)
            }
        }
    }

    /// Returns when it is on disk that the name is going to be deleted.
    async fn recorded(&self, name: &Judged, dummy: Option<&Digest>) -> Result<(), PruneError> {
        let commit = self.journal.commit(|records| record::deleting(records, name, dummy, Timestamp::now()));
        Ok(commit.await?)
    }

    async fn put_back(&self, store: &Store, name: &Judged, tag: &Tag) -> Result<Pruned, PruneError> {
        let Some(dummy) = &name.dummy else { return Ok(Pruned::Untouched) };
        match store.put_back(tag, dummy, &name.digest).await? {
            None => {
                self.journal.note(|records| record::undeleted(records, name, Timestamp::now()));
                Ok(Pruned::PutBack)
            }
            Some(_) => Ok(self.forget(name)),
        }
    }

    fn forget(&self, name: &Judged) -> Pruned {
        self.journal.note(|records| record::forgotten(records, name, Timestamp::now()));
        Pruned::Forgotten
    }
}

/// Whether the record is still that which the verdict rests on.
fn is_as_planned(entry: &TargetRecord, name: &Judged) -> bool {
    let is_ours =
        matches!(entry.origin, Origin::Written | Origin::Deleting) || name.verdict == Verdict::Forget;
    is_ours
        && entry.digest == *name.dummy.as_ref().unwrap_or(&name.digest)
        && (entry.unwanted_since == name.unwanted_since || name.verdict != Verdict::Delete)
}
