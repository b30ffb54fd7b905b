//! Carries out a plan: many jobs at a time, each image read once, each tag published last.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt as _, future::join_all, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Access, Engine, Outcome, Pruned, belongings,
    error::Error,
    job::{Job, Place, jobs},
    known::Trust,
    progress::Event,
    publish::{check_children, publish_children},
    record,
    sparse::{Grounds, Shown},
    transfer::Errand,
    tree::Tree,
    walk,
    wants::Want,
};
use crate::{
    api::{Overwrite, Referrers},
    digest::Digest,
    plan::{Action, Content, Kind, Plan},
    records::Journal,
    store::Store,
};

/// Images that are worked on at the same time in a process, whoever asked for them; what each registry gets of it is
/// its budget's to say.
pub(super) const JOBS_AT_ONCE: usize = 32;
/// Blobs of one image that are worked on at the same time.
const BLOBS_AT_ONCE: usize = 8;

/// A plan that was carried out: what became of each of its actions. Status is built from this, never from a plan.
#[derive(Debug)]
pub struct Applied {
    /// The plan.
    pub plan: Plan,
    /// One outcome an action, in the plan's order.
    pub outcomes: Vec<Outcome>,
    /// What became of the names that nothing wants any more, in the order of the plan's pruning.
    pub pruned: Vec<Pruned>,
}

/// What the jobs of one ImageSync share.
pub(super) struct Run<'a> {
    engine: &'a Engine,
    access: &'a Access,
    pub(super) journal: &'a Journal,
    plan: &'a Plan,
    /// Which tags belong to digests at the sources.
    listings: belongings::Listings,
    /// What became of the actions that ended, by their number: it stands even if the run is stopped.
    results: Mutex<HashMap<usize, Result<(), Error>>>,
}

impl Engine {
    /// Carries out the copies of a plan, and then its deletions.
    ///
    /// # Guarantees
    ///
    /// - A tag is published after all that it needs is on the target, and after the journal holds that it will be:
    ///   whatever kills the process, each tag points at something complete, and what we wrote is known as ours.
    /// - One image that fails does not keep the others from being copied.
    /// - When `stop` is cancelled nothing new begins, what is on its way is dropped, and this returns at once; only a deletion
    ///   that began is ended.
    pub async fn apply(
        &self,
        plan: Plan,
        access: &Access,
        journal: &Journal,
        stop: &CancellationToken,
    ) -> Applied {
        let (listings, results) = (belongings::Listings::default(), Mutex::default());
        let run = Run { engine: self, access, journal, plan: &plan, listings, results };
        journal.note(|records| record::planned(records, &plan, Timestamp::now()));
        let jobs = stream::iter(jobs(&plan)).map(|job| run.job(job)).buffer_unordered(JOBS_AT_ONCE);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = jobs.collect() => {}
        }
        let mut results = run.results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let outcomes = plan
            .actions
            .iter()
            .enumerate()
            .map(|(number, action)| Outcome::of(action, results.remove(&number)));
        let outcomes: Vec<Outcome> = outcomes.collect();
        journal.note(|records| {
            for (action, outcome) in plan.actions.iter().zip(&outcomes) {
                if let Outcome::Failed(error @ Error::Interrupted) = outcome {
                    record::failed(records, action, error, Timestamp::now());
                }
            }
        });
        // Last: what was copied is there before anything goes.
        let pruned = self.prune(&plan.pruning, access, journal, stop).await;
        Applied { plan, outcomes, pruned }
    }
}

impl Run<'_> {
    /// Copies one image to all that want it.
    async fn job(&self, job: Job) {
        // The semaphore is never closed, so the answer is always a permit.
        let _permit = self.engine.jobs.acquire().await;
        let Job { source, digest, content, places } = &job;
        let source = self.engine.stores.open(source, &self.access.source);
        for action in places.iter().flat_map(|place| self.actions(place)) {
            self.engine.progress.tell(&Event::Began { action });
        }
        match self.read(&source, digest, content).await {
            Ok(tree) => self.places(&tree, &source, places).await,
            Err(error) => places.iter().for_each(|place| self.finish(place, Err(error.clone()))),
        }
    }

    /// Reads an image, and what belongs to it: once for all the places that want it.
    async fn read(&self, source: &Store, digest: &Digest, content: &Content) -> Result<Tree, Error> {
        let root = self.engine.roots.read(source, digest).await.map_err(Error::source)?;
        let tree = Tree::of(source, root, content.platforms.as_ref()).await?;
        if content.referrers == Referrers::Exclude {
            return Ok(tree);
        }
        let belongings = belongings::gather(source, &tree, &self.listings).await?;
        Ok(tree.with(belongings))
    }

    fn finish(&self, place: &Place, result: PlaceResult) {
        // A place that failed before its tags fails each of them alike.
        let results = match result {
            Ok(tags) => tags,
            Err(error) => place.actions.iter().map(|_| Err(error.clone())).collect(),
        };
        for (number, result) in place.actions.iter().copied().zip(results) {
            let Some(action) = self.action(number) else { continue };
            if let Err(error) = &result {
                self.journal.note(|records| record::failed(records, action, error, Timestamp::now()));
            }
            let outcome = Outcome::of(action, Some(result.clone()));
            self.engine.progress.tell(&Event::Finished { action, outcome: &outcome });
            self.results.lock().unwrap_or_else(PoisonError::into_inner).insert(number, result);
        }
    }

    /// Brings the blobs to all places, each read once for all; a place publishes as soon as it has all of them,
    /// whatever the others do.
    async fn places(&self, tree: &Tree, source: &Store, places: &[Place]) {
        let targets: Vec<Store> = places.iter().map(|place| self.target(place)).collect();
        let (mut wants, mut repairs, mut works) = (Vec::new(), Vec::new(), Vec::new());
        for (place, target) in places.iter().zip(&targets) {
            let answers = (!self.is_complete(tree, place)).then(|| {
                let (want, answers) = Want::new(target);
                if place.repair {
                    self.engine.transfers.known().forget(target.account(), tree.digests());
                }
                let of = if place.repair { &mut repairs } else { &mut wants };
                of.push(want);
                answers
            });
            works.push(async move {
                let there = match answers {
                    Some(answers) => answers.all().await,
                    None => Ok(()),
                };
                let result = match there {
                    Ok(()) => self.place(tree, source, place, target).await,
                    Err(error) => Err(error),
                };
                self.finish(place, result);
            });
        }
        tokio::join!(
            self.blobs(tree, source, wants, Trust::Answers),
            self.blobs(tree, source, repairs, Trust::Nothing),
            join_all(works),
        );
    }

    /// Brings all blobs to all targets; each target hears of each blob.
    async fn blobs<'t>(&'t self, tree: &'t Tree, source: &'t Store, wants: Vec<Want<'t>>, trust: Trust) {
        let blobs = tree.blobs.iter().map(|blob| {
            // Asked when it is this blob's turn: who has lost one needs no other.
            let wants = wants.iter().filter(|want| !want.is_over()).cloned().collect();
            self.engine.transfers.ensure(Errand { blob, source, trust }, wants)
        });
        stream::iter(blobs).buffer_unordered(BLOBS_AT_ONCE).collect::<()>().await;
    }

    /// Publishes at one place. If the registry then lacks something that it had said was there, what was believed
    /// of it is forgotten and all is sent again, once.
    async fn place(&self, tree: &Tree, source: &Store, place: &Place, target: &Store) -> PlaceResult {
        let mut first = self.publish(tree, place, target, Sent::of(self.is_complete(tree, place))).await;
        // It took such an index before, perhaps since others had put there what we leave out.
        if tree.cut.as_ref().is_some_and(|cut| fails(&first, |error| cut.explains(error))) {
            self.engine.sparse.learn(target, false);
            // What refers to the image may not be there yet, and to what is rewritten less refers.
            let sent = if tree.belongings.levels.is_empty() { Sent::Before } else { Sent::Now };
            first = self.publish(tree, place, target, sent).await;
        }
        if !fails(&first, Error::is_missing_content) {
            return first;
        }
        self.engine.transfers.known().forget(target.account(), tree.digests());
        let (want, answers) = Want::new(target);
        let ((), there) = tokio::join!(self.blobs(tree, source, vec![want], Trust::Nothing), answers.all());
        there?;
        self.publish(tree, place, target, Sent::Again).await
    }

    /// Children, then each tag, then a look whether the children are there.
    async fn publish(&self, tree: &Tree, place: &Place, target: &Store, sent: Sent) -> PlaceResult {
        if sent != Sent::Before {
            publish_children(tree, target).await?;
        }
        let shown = self.engine.sparse.choose(tree, target, self.grounds(tree, place, sent)).await?;
        let named = if sent == Sent::Before {
            belongings::Named::new()
        } else {
            belongings::publish(&tree.belongings, &shown, target, self.overwrite(place)).await?
        };
        let mut tags = Vec::with_capacity(place.actions.len());
        for action in self.actions(place) {
            tags.push(self.tag(&shown, action, target).await);
        }
        if tags.iter().any(Result::is_ok)
            && let Err(error) = check(tree, place, (&shown, &named), target).await
        {
            // What failed by itself keeps its own reason.
            tags.iter_mut().filter(|tag| tag.is_ok()).for_each(|tag| *tag = Err(error.clone()));
        }
        for (action, tag) in self.actions(place).zip(&tags) {
            if tag.is_ok() {
                self.journal.note(|records| record::complete(records, action, &shown, Timestamp::now()));
            }
        }
        Ok(tags)
    }

    /// A repository that shows the image under another tag has all of it, and so has one of which a tag shows what the image's
    /// index is rewritten to, as long as nothing refers to it: of that, a digest tells nothing.
    fn is_complete(&self, tree: &Tree, place: &Place) -> bool {
        let is_alone = tree.belongings.levels.is_empty();
        place.complete || (!place.repair && is_alone && self.shows_rewritten(tree, place))
    }

    fn shows_rewritten(&self, tree: &Tree, place: &Place) -> bool {
        let Some(cut) = &tree.cut else { return false };
        let shows = |action: &Action| matches!(&action.kind, Kind::Copy { replaces: Some(found) } if *found == cut.rewritten.digest);
        self.actions(place).any(shows)
    }

    /// What is known before an index of some platforms is published at a place.
    fn grounds(&self, tree: &Tree, place: &Place, sent: Sent) -> Grounds {
        let name = (place.target.clone(), place.repository.clone());
        Grounds {
            was_rewritten: self.plan.rewriting.contains(&name) || self.shows_rewritten(tree, place),
            is_there: self.actions(place).all(|action| matches!(action.kind, Kind::Amend { .. })),
            is_required: self.actions(place).any(|action| action.content.referrers == Referrers::Require),
            is_sent_again: sent == Sent::Again,
        }
    }

    /// What the target says of tags that hold something else.
    fn overwrite(&self, place: &Place) -> Overwrite {
        let is_never = self.actions(place).all(|action| action.overwrite == Overwrite::Never);
        if is_never { Overwrite::Never } else { Overwrite::Always }
    }

    fn actions(&self, place: &Place) -> impl Iterator<Item = &Action> {
        place.actions.iter().filter_map(|&number| self.action(number))
    }

    fn target(&self, place: &Place) -> Store {
        self.engine.stores.open(&place.repository, self.access.target(&place.target))
    }

    fn action(&self, number: usize) -> Option<&Action> {
        self.plan.actions.get(number)
    }
}

/// Looks whether all that a tag needs is there, now that it points at it. Where it was said to be and was not, only reading
/// tells.
async fn check(
    tree: &Tree,
    place: &Place,
    (shown, named): (&Shown<'_>, &belongings::Named),
    target: &Store,
) -> Result<(), Error> {
    if place.repair {
        walk::read_back(tree, shown.manifest, target).await?;
    } else {
        check_children(tree, target).await?;
    }
    belongings::check(&tree.belongings, shown, named, target).await
}

/// What became of a place: of each of its tags, or of all of them at once.
type PlaceResult = Result<Vec<Result<(), Error>>, Error>;

/// Whether the place, or one of its tags, failed in this way.
fn fails(result: &PlaceResult, how: impl Fn(&Error) -> bool) -> bool {
    match result {
        Err(error) => how(error),
        Ok(tags) => tags.iter().any(|tag| tag.as_ref().is_err_and(&how)),
    }
}

/// How what a root needs came to be on a target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It was there before, manifests and all.
    Before,
    /// Its blobs are there, as far as the target says.
    Now,
    /// Its blobs were sent again, whatever the target says.
    Again,
}

impl Sent {
    const fn of(is_complete: bool) -> Self {
        if is_complete { Self::Before } else { Self::Now }
    }
}
