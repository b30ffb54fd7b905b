//! Carries out a plan: many jobs at a time, each image read once, each tag published last.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt as _, future::join_all, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Access, Engine, Outcome,
    error::Error,
    job::{Job, Place, jobs},
    known::Trust,
    progress::Event,
    publish::{check_children, publish_children},
    record,
    transfer::Errand,
    tree::Tree,
    walk,
    wants::Want,
};
use crate::{
    api::Overwrite,
    plan::{Action, Kind, Plan},
    records::Journal,
    registry::At,
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
}

/// What the jobs of one ImageSync share.
struct Run<'a> {
    engine: &'a Engine,
    access: &'a Access,
    journal: &'a Journal,
    plan: &'a Plan,
    /// What became of the actions that ended, by their number: it stands even if the run is stopped.
    results: Mutex<HashMap<usize, Result<(), Error>>>,
}

impl Engine {
    /// Carries out the copies of a plan.
    ///
    /// # Guarantees
    ///
    /// - A tag is published after all that it needs is on the target, and after the journal holds that it will be:
    ///   whatever kills the process, each tag points at something complete, and what we wrote is known as ours.
    /// - One image that fails does not keep the others from being copied.
    /// - When `stop` is cancelled nothing new begins, what is on its way is dropped, and this returns at once.
    pub async fn apply(
        &self,
        plan: Plan,
        access: &Access,
        journal: &Journal,
        stop: &CancellationToken,
    ) -> Applied {
        let run = Run { engine: self, access, journal, plan: &plan, results: Mutex::default() };
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
        Applied { plan, outcomes }
    }
}

impl Run<'_> {
    /// Copies one image to all that want it.
    async fn job(&self, job: Job) {
        // The semaphore is never closed, so the answer is always a permit.
        let _permit = self.engine.jobs.acquire().await;
        let Job { source, digest, places, .. } = &job;
        let source = self.engine.stores.open(source, &self.access.source);
        for action in places.iter().flat_map(|place| &place.actions).filter_map(|&number| self.action(number))
        {
            self.engine.progress.tell(&Event::Began { action });
        }
        match Tree::read(&source, digest).await {
            Ok(tree) => self.places(&tree, &source, places).await,
            Err(error) => places.iter().for_each(|place| self.finish(place, Err(error.clone()))),
        }
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
            // A repository that shows the image under another tag has all of it.
            let answers = (!place.complete).then(|| {
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
        let first = self.publish(tree, place, target, place.complete).await;
        let lacks = match &first {
            Err(error) => error.is_missing_content(),
            Ok(tags) => tags.iter().any(|tag| tag.as_ref().is_err_and(Error::is_missing_content)),
        };
        if !lacks {
            return first;
        }
        self.engine.transfers.known().forget(target.account(), tree.digests());
        let (want, answers) = Want::new(target);
        let ((), there) = tokio::join!(self.blobs(tree, source, vec![want], Trust::Nothing), answers.all());
        there?;
        self.publish(tree, place, target, false).await
    }

    /// Children, then each tag, then a look whether the children are there.
    async fn publish(&self, tree: &Tree, place: &Place, target: &Store, complete: bool) -> PlaceResult {
        if !complete {
            publish_children(tree, target).await?;
        }
        let mut tags = Vec::with_capacity(place.actions.len());
        for action in place.actions.iter().filter_map(|&number| self.action(number)) {
            tags.push(self.tag(tree, action, target).await);
        }
        if tags.iter().any(Result::is_ok)
            && let Err(error) = check(tree, place, target).await
        {
            // What failed by itself keeps its own reason.
            tags.iter_mut().filter(|tag| tag.is_ok()).for_each(|tag| *tag = Err(error.clone()));
        }
        for (action, tag) in place.actions.iter().filter_map(|&number| self.action(number)).zip(&tags) {
            if tag.is_ok() {
                self.journal.note(|records| record::complete(records, action, Timestamp::now()));
            }
        }
        Ok(tags)
    }

    /// Points one tag at the image, after it is recorded that this is going to happen.
    async fn tag(&self, tree: &Tree, action: &Action, target: &Store) -> Result<(), Error> {
        let at = match &action.destination.tag {
            Some(tag) => At::Tag(tag.clone()),
            None => At::Digest(tree.root.digest.clone()),
        };
        match action.kind {
            // It shows what it is to show, perhaps only as far as a cache knows.
            Kind::Amend { repair: true, .. } => {
                if walk::can_read(target, &at, &tree.root.digest).await? {
                    return Ok(());
                }
                return target.put_manifest(&at, &tree.root).await.map_err(Error::target);
            }
            Kind::Amend { .. } => return Ok(()),
            _ => {}
        }
        if action.overwrite == Overwrite::Never && self.is_there(tree, action, &at, target).await? {
            self.journal.note(|records| record::found(records, action, Timestamp::now()));
            return Ok(());
        }
        let mut before = None;
        let recorded = self.journal.commit(|records| {
            before = record::intended(records, action, Timestamp::now());
        });
        let result = match recorded.await {
            Ok(()) => target.put_manifest(&at, &tree.root).await.map_err(Error::target),
            Err(error) => Err(Error::records(error)),
        };
        self.journal.note(|records| record::sent(records, action, before, &result, Timestamp::now()));
        result
    }

    /// With `overwrite: Never`, looks once more at what the tag shows: others may have written it since the plan, even
    /// this very image.
    async fn is_there(&self, tree: &Tree, action: &Action, at: &At, target: &Store) -> Result<bool, Error> {
        let reference = || action.destination.to_string();
        match target.head_manifest(at).await.map_err(Error::target)? {
            Some(found) if found.digest == tree.root.digest => Ok(true),
            Some(found) => Err(Error::Overwritten { reference: reference(), found: found.digest }),
            None if target.prove_absent(at).await.map_err(Error::target)? => Ok(false),
            None => Err(Error::Unseen { reference: reference() }),
        }
    }

    fn target(&self, place: &Place) -> Store {
        self.engine.stores.open(&place.repository, self.access.target(&place.target))
    }

    fn action(&self, number: usize) -> Option<&Action> {
        self.plan.actions.get(number)
    }
}

/// Looks whether all is there. Where it was said to be, and was not, only reading tells.
async fn check(tree: &Tree, place: &Place, target: &Store) -> Result<(), Error> {
    if place.repair {
        walk::read_back(tree, &tree.root, target).await
    } else {
        check_children(tree, target).await
    }
}

/// What became of a place: of each of its tags, or of all of them at once.
type PlaceResult = Result<Vec<Result<(), Error>>, Error>;
