//! Divides the copies of a plan into jobs, so that each image is read once for all the places that want it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    digest::Digest,
    plan::{Action, Content, Kind, Plan},
    reference::Repository,
};

/// One image that is copied, and all that it is copied to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Where the image is read.
    pub(crate) source: Repository,
    /// Which image.
    pub(crate) digest: Digest,
    /// What of it, and of what refers to it.
    pub(crate) content: Arc<Content>,
    /// The repositories that want it.
    pub(crate) places: Vec<Place>,
}

/// A repository that an image is copied to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The name of the ImageSync's target, which decides the credential.
    pub(crate) target: String,
    /// The repository.
    pub(crate) repository: Repository,
    /// A tag of this repository already shows the image, so all that is missing is another name.
    pub(crate) complete: bool,
    /// What it says that it has is not believed: all is sent again.
    pub(crate) repair: bool,
    /// The actions, by their number in the plan: each writes one tag, or the digest alone.
    pub(crate) actions: Vec<usize>,
}

/// The jobs of a plan, in the order in which the plan first names their images.
pub(crate) fn jobs(plan: &Plan) -> Vec<Job> {
    let complete = complete_places(plan);
    let mut jobs: Vec<Job> = Vec::new();
    let mut by_image: BTreeMap<(&Repository, &Digest, &Content), usize> = BTreeMap::new();
    for (number, action) in plan.actions.iter().enumerate() {
        let (true, Some(digest)) = (action.kind.is_change(), &action.digest) else { continue };
        let source = &action.source.repository;
        let job = *by_image.entry((source, digest, &action.content)).or_insert_with(|| {
            let (source, digest, content) = (source.clone(), digest.clone(), Arc::clone(&action.content));
            jobs.push(Job { source, digest, content, places: Vec::new() });
            jobs.len() - 1
        });
        if let Some(job) = jobs.get_mut(job) {
            job.add(number, action, &complete);
        }
    }
    jobs
}

impl Job {
    fn add(&mut self, number: usize, action: &Action, complete: &BTreeSet<PlaceKey<'_>>) {
        let repository = &action.destination.repository;
        let same = |place: &&mut Place| place.target == action.target && place.repository == *repository;
        let repair = matches!(action.kind, Kind::Amend { repair: true, .. });
        if let Some(place) = self.places.iter_mut().find(same) {
            place.repair |= repair;
            place.actions.push(number);
            return;
        }
        self.places.push(Place {
            target: action.target.clone(),
            repository: repository.clone(),
            complete: !repair
                && complete.contains(&(
                    &action.target,
                    repository,
                    &self.source,
                    &self.digest,
                    &self.content,
                )),
            repair,
            actions: vec![number],
        });
    }
}

type PlaceKey<'a> = (&'a str, &'a Repository, &'a Repository, &'a Digest, &'a Content);

/// Where a tag was seen that already shows the image it is to show. What refers to an image may be another at each source.
fn complete_places(plan: &Plan) -> BTreeSet<PlaceKey<'_>> {
    let in_sync = plan.actions.iter().filter(|action| matches!(action.kind, Kind::InSync { .. }));
    let places = in_sync.filter_map(|action| {
        let (source, content) = (&action.source.repository, action.content.as_ref());
        let place = (action.target.as_str(), &action.destination.repository);
        Some((place.0, place.1, source, action.digest.as_ref()?, content))
    });
    places.collect()
}

#[cfg(test)]
mod tests;
