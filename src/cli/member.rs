//! One ImageSync of a process: what it wants, what is remembered of it, and who it is on registries.

use jiff::Timestamp;

use super::load::{DEFAULT_NAMESPACE, Secret};
use crate::{
    api::{APPROVE_PRUNE, ImageSync, ImageSyncStatus},
    engine::{self, Access, Applied},
    plan::{Selection, Surroundings, Wanted, Wants},
    records::{Journal, Records},
};

/// One ImageSync.
pub(super) struct Member {
    pub(super) object: ImageSync,
    pub(super) journal: Journal,
    pub(super) wanted: Wanted,
    pub(super) access: Access,
    /// The Secrets that it names, where they are among the manifests.
    pub(super) secrets: Vec<Option<Secret>>,
}

impl Member {
    /// What the ImageSync is called.
    pub(super) fn title(&self) -> String {
        let (namespace, name) = names(&self.object);
        format!("{namespace}/{name}")
    }

    pub(super) const fn is_suspended(&self) -> bool {
        self.object.spec.suspend
    }

    /// Tells that nothing is done for it, if it is suspended.
    pub(super) fn tell_if_suspended(&self) {
        if self.is_suspended() {
            tracing::warn!("{} is suspended: nothing is done for it", self.title());
        }
    }

    /// What it rests on which names are deleted, besides what registries show.
    pub(super) fn surroundings<'a>(
        &'a self,
        selection: Option<&'a Selection>,
        records: &'a Records,
        wants: &'a Wants,
        now: Timestamp,
    ) -> Surroundings<'a> {
        let annotations = self.object.metadata.annotations.as_ref();
        let approved = annotations.and_then(|annotations| annotations.get(APPROVE_PRUNE)).map(String::as_str);
        Surroundings { wanted: &self.wanted, selection, records, wants, in_use: None, approved, now }
    }

    /// The status after what was applied.
    ///
    /// `before` is the status until then, and `next` when the next run is due, if there is one.
    pub(super) fn status(
        &self,
        applied: &Applied,
        before: ImageSyncStatus,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> ImageSyncStatus {
        let generation = self.object.metadata.generation;
        let context = engine::Context { generation, images: self.wanted.image_count(), before, next };
        engine::status(applied, &context, now)
    }
}

/// An object's namespace and name.
pub(super) fn names(object: &ImageSync) -> (&str, &str) {
    let metadata = &object.metadata;
    let namespace = metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    (namespace, metadata.name.as_deref().unwrap_or_default())
}

/// What a run did for one ImageSync, to be shown.
pub(super) struct Shown<'a> {
    pub(super) member: &'a Member,
    pub(super) applied: &'a Applied,
    pub(super) status: ImageSyncStatus,
}
