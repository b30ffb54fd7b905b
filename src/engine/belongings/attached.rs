//! The tags of a source that belong to digests: one listing says for all images of a repository which of them there are.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use crate::{
    class::Class,
    digest::Digest,
    engine::error::Error,
    reference::{Repository, Tag},
    registry::{self, Attachment},
    store::Store,
};

/// The listings of a run, each made when it is first asked for: after the tags of its repository were looked at.
#[derive(Default)]
pub(crate) struct Listings(Mutex<HashMap<Repository, Arc<Once>>>);

type Once = OnceCell<Result<Arc<Attached>, Error>>;

/// The tags of one repository that belong to digests.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    tags: BTreeSet<Tag>,
    /// The repository lists no tags at all: it is not there, or all it has is without a tag.
    pub(crate) is_unlisted: bool,
}

impl Listings {
    /// The tags of a repository, which is listed once, however many ask.
    ///
    /// # Errors
    ///
    /// A listing that failed, for all who ask.
    pub(crate) async fn of(&self, source: &Store) -> Result<Arc<Attached>, Error> {
        let cell = {
            let mut listings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(listings.entry(source.repository().clone()).or_default())
        };
        let listed = cell.get_or_init(|| async { Attached::list(source).await.map(Arc::new) }).await;
        listed.clone()
    }
}

impl Attached {
    async fn list(source: &Store) -> Result<Self, Error> {
        match source.tags().await {
            Ok(tags) => {
                let tags = tags.into_iter().filter(Tag::belongs_to_digest).collect();
                Ok(Self { tags, is_unlisted: false })
            }
            // Registries say so of a repository in which nothing has a tag.
            Err(error) if error.class() == Class::NotFound => {
                Ok(Self { is_unlisted: true, ..Self::default() })
            }
            Err(error) => Err(Error::source(error)),
        }
    }

    /// What there is under tags that are made from `digest`.
    pub(crate) fn to<'a>(&'a self, digest: &Digest) -> impl Iterator<Item = registry::Attached> + 'a {
        let tags = Attachment::of(digest);
        tags.filter(|(_, tag)| self.tags.contains(tag)).collect::<Vec<_>>().into_iter()
    }

    /// Whether there are tags that belong to another digest.
    pub(crate) fn has_others_than(&self, digest: &Digest) -> bool {
        self.tags.len() > self.to(digest).count()
    }
}
