//! Carries out a plan: many jobs at a time, each image read once, each tag published last.

use std::collections::HashMap;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Access, Engine, Outcome,
    error::Error,
    job::{Job, Place, jobs},
    progress::Event,
    publish::{check_children, publish_children},
    record,
    transfer::Trust,
    tree::Tree,
};
use crate::{
    api::Overwrite,
    plan::{Action, Plan},
    records::Journal,
    registry::{At, Remote},
};

/// Images that are worked on at the same time; what each registry gets of it is its budget's to say.
const JOBS_AT_ONCE: usize = 32;
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
        let run = Run { engine: self, access, journal, plan: &plan };
        journal.note(|records| record::planned(records, &plan, Timestamp::now()));
        let mut results: HashMap<usize, Result<(), Error>> = HashMap::new();
        let jobs = jobs(&plan);
        let mut running =
            stream::iter(jobs.into_iter().map(|job| run.job(job))).buffer_unordered(JOBS_AT_ONCE);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                job = running.next() => match job {
                    Some(done) => results.extend(done),
                    None => break,
                },
            }
        }
        drop(running);
        let outcomes = plan
            .actions
            .iter()
            .enumerate()
            .map(|(number, action)| Outcome::of(action, results.remove(&number)));
        let outcomes: Vec<Outcome> = outcomes.collect();
        for (action, outcome) in plan.actions.iter().zip(&outcomes) {
            if let Outcome::Failed(error @ Error::Interrupted) = outcome {
                journal.note(|records| record::failed(records, action, error, Timestamp::now()));
            }
        }
        Applied { plan, outcomes }
    }
}

impl Run<'_> {
    /// Copies one image to all that want it.
    async fn job(&self, job: Job) -> Vec<(usize, Result<(), Error>)> {
        let Job { source, digest, places } = &job;
        let source = self.engine.registries.open(source, &self.access.source);
        for action in places.iter().flat_map(|place| &place.actions).filter_map(|&number| self.action(number))
        {
            self.engine.progress.tell(&Event::Began { action });
        }
        let targets: Vec<Remote> = places.iter().map(|place| self.target(place)).collect();
        let results = match Tree::read(&source, digest).await {
            Ok(tree) => self.places(&tree, &source, places, &targets).await,
            Err(error) => places.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut done = Vec::new();
        for (place, result) in places.iter().zip(results) {
            done.extend(self.finish(place, result));
        }
        done
    }

    fn finish(&self, place: &Place, result: PlaceResult) -> Vec<(usize, Result<(), Error>)> {
        // A place that failed before its tags fails each of them alike.
        let results = match result {
            Ok(tags) => tags,
            Err(error) => place.actions.iter().map(|_| Err(error.clone())).collect(),
        };
        let done: Vec<_> = place.actions.iter().copied().zip(results).collect();
        for (number, result) in &done {
            let Some(action) = self.action(*number) else { continue };
            if let Err(error) = result {
                self.journal.note(|records| record::failed(records, action, error, Timestamp::now()));
            }
            let outcome = Outcome::of(action, Some(result.clone()));
            self.engine.progress.tell(&Event::Finished { action, outcome: &outcome });
        }
        done
    }

    /// Brings the blobs to all places, each read once for all, and then publishes at each place.
    async fn places(
        &self,
        tree: &Tree,
        source: &Remote,
        places: &[Place],
        targets: &[Remote],
    ) -> Vec<PlaceResult> {
        // A repository that shows the image under another tag has all of it.
        let lacking: Vec<usize> =
            (0..places.len()).filter(|&i| places.get(i).is_some_and(|p| !p.complete)).collect();
        let wanting: Vec<Remote> = lacking.iter().filter_map(|&i| targets.get(i).cloned()).collect();
        let mut failed: HashMap<usize, Error> = HashMap::new();
        for (place, error) in self.blobs(tree, source, &wanting, Trust::Answers).await {
            if let Some(&index) = lacking.get(place) {
                failed.entry(index).or_insert(error);
            }
        }
        let published = places.iter().zip(targets).enumerate().map(|(index, (place, target))| {
            let failed = failed.remove(&index);
            async move {
                match failed {
                    Some(error) => Err(error),
                    None => self.place(tree, source, place, target).await,
                }
            }
        });
        futures::future::join_all(published.collect::<Vec<_>>()).await
    }

    /// Brings all blobs to all targets; gives the targets, by their number, that one could not be brought to.
    async fn blobs(
        &self,
        tree: &Tree,
        source: &Remote,
        targets: &[Remote],
        trust: Trust,
    ) -> Vec<(usize, Error)> {
        if targets.is_empty() {
            return Vec::new();
        }
        let transfers = &self.engine.transfers;
        let blobs = tree.blobs.iter().map(|blob| transfers.ensure(blob, source, targets, trust));
        let results: Vec<Vec<Result<(), Error>>> =
            stream::iter(blobs).buffer_unordered(BLOBS_AT_ONCE).collect().await;
        let failures = results.into_iter().flat_map(|of_blob| of_blob.into_iter().enumerate());
        failures.filter_map(|(target, result)| result.err().map(|error| (target, error))).collect()
    }

    /// Publishes at one place. If the registry then lacks something that it had said was there, what was believed
    /// of it is forgotten and all is sent again, once.
    async fn place(&self, tree: &Tree, source: &Remote, place: &Place, target: &Remote) -> PlaceResult {
        let first = self.publish(tree, place, target, place.complete).await;
        let lacks = match &first {
            Err(error) => error.is_missing_content(),
            Ok(tags) => tags.iter().any(|tag| tag.as_ref().is_err_and(Error::is_missing_content)),
        };
        if !lacks {
            return first;
        }
        self.engine.transfers.known().forget(target.account(), tree.digests());
        let failures = self.blobs(tree, source, std::slice::from_ref(target), Trust::Nothing).await;
        match failures.into_iter().next() {
            Some((_, error)) => Err(error),
            None => self.publish(tree, place, target, false).await,
        }
    }

    /// Children, then each tag, then a look whether the children are there.
    async fn publish(&self, tree: &Tree, place: &Place, target: &Remote, complete: bool) -> PlaceResult {
        if !complete {
            publish_children(tree, target).await?;
        }
        let mut tags = Vec::with_capacity(place.actions.len());
        for action in place.actions.iter().filter_map(|&number| self.action(number)) {
            tags.push(self.tag(tree, action, target).await);
        }
        if tags.iter().any(Result::is_ok) {
            check_children(tree, target).await?;
        }
        for (action, tag) in place.actions.iter().filter_map(|&number| self.action(number)).zip(&tags) {
            if tag.is_ok() {
                self.journal.note(|records| record::complete(records, action, Timestamp::now()));
            }
        }
        Ok(tags)
    }

    /// Points one tag at the image, after it is recorded that this is going to happen.
    async fn tag(&self, tree: &Tree, action: &Action, target: &Remote) -> Result<(), Error> {
        let at = match &action.destination.tag {
            Some(tag) => At::Tag(tag.clone()),
            None => At::Digest(tree.root.digest.clone()),
        };
        if action.overwrite == Overwrite::Never
            && let Some(found) = target.head_manifest(&at).await.map_err(Error::target)?
        {
            if found.digest == tree.root.digest {
                self.journal.note(|records| record::found(records, action, Timestamp::now()));
                return Ok(());
            }
            return Err(Error::Overwritten {
                reference: action.destination.to_string(),
                found: found.digest,
            });
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

    fn target(&self, place: &Place) -> Remote {
        self.engine.registries.open(&place.repository, self.access.target(&place.target))
    }

    fn action(&self, number: usize) -> Option<&Action> {
        self.plan.actions.get(number)
    }
}

/// What became of a place: of each of its tags, or of all of them at once.
type PlaceResult = Result<Vec<Result<(), Error>>, Error>;
