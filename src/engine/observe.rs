//! Looks at registries: the listings and the HEADs that a plan asks for.

use futures::{StreamExt as _, stream};

use super::{Access, Engine, belongings};
use crate::{
    class::Class,
    plan::{Listed, Listings, Look, Observed, Questions, Referring, Seen, Wanted},
    reference::Reference,
    registry::{self, At},
    store::{self, Store},
};

/// Questions that are open at the same time; what each registry gets of it is its budget's to say.
const AT_ONCE: usize = 256;

impl Engine {
    /// Lists the tags of every repository whose tags are to be selected.
    pub async fn list(&self, wanted: &Wanted, access: &Access) -> Listings {
        let lists = wanted.listings().into_iter().map(|repository| async move {
            let remote = self.stores.open(&repository, &access.source);
            let listed = match remote.tags().await {
                Ok(tags) => Listed::Tags(tags),
                Err(error) => {
                    let message = registry::message(&error);
                    Listed::Failed { class: error.class(), message, until: error.until() }
                }
            };
            (repository, listed)
        });
        stream::iter(lists).buffer_unordered(AT_ONCE).collect().await
    }

    /// Looks which digests the tags of sources and targets show.
    pub async fn look(&self, questions: Questions, access: &Access) -> Observed {
        let sources = questions.sources.into_iter().map(|reference| async move {
            let remote = self.stores.open(&reference.repository, &access.source);
            let seen = self.look_at_source(&remote, &reference).await;
            (reference, seen)
        });
        let targets = questions.targets.into_iter().map(|(target, reference)| async move {
            let remote = self.stores.open(&reference.repository, access.target(&target));
            let seen = look_at(&remote, &reference).await;
            ((target, reference), seen)
        });
        let listings = belongings::Listings::default();
        let referrers = questions.referrers.into_iter().map(|look| async {
            let seen = self.look_at_referrers(&look, &listings, access).await;
            (look.subject, seen)
        });
        let (sources, targets, referrers, walks) = tokio::join!(
            stream::iter(sources).buffer_unordered(AT_ONCE).collect(),
            stream::iter(targets).buffer_unordered(AT_ONCE).collect(),
            stream::iter(referrers).buffer_unordered(AT_ONCE).collect(),
            self.walk(questions.walks, access),
        );
        Observed { sources, targets, walks, referrers, ..Observed::default() }
    }

    async fn look_at_referrers(
        &self,
        Look { subject: (image, content), near }: &Look,
        listings: &belongings::Listings,
        access: &Access,
    ) -> Referring {
        let source = self.stores.open(&image.repository, &access.source);
        let Some(root) = &image.digest else { return Referring::Untold };
        let near =
            near.as_ref().map(|(target, repository)| self.stores.open(repository, access.target(target)));
        match belongings::look(&source, near.as_ref(), root, content, &self.roots, listings).await {
            Ok(found) => found,
            Err(error) => {
                let message = format!("cannot tell what refers to {}: {}", image.familiar(), error.message());
                Referring::Failed { class: error.class(), message, until: error.until() }
            }
        }
    }

    /// Of a source, a 404 says that a person's manifest asks for what is not there, so it has to be proven: a HEAD has
    /// no body that would say which kind of 404 it is.
    async fn look_at_source(&self, store: &Store, reference: &Reference) -> Seen {
        match store.head_manifest(&at(reference)).await {
            Ok(Some(found)) => {
                self.roots.seen(store, &found);
                Seen::Digest(found.digest)
            }
            Ok(None) => match store.prove_absent(&at(reference)).await {
                Ok(true) => Seen::Absent,
                Ok(false) => Seen::Failed {
                    class: Class::Unavailable,
                    message: format!(
                        "{reference} answers 404 to HEAD, and not to GET; it may just have been pushed"
                    ),
                    until: None,
                },
                Err(error) => failed(&error),
            },
            Err(error) => failed(&error),
        }
    }
}

async fn look_at(remote: &Store, reference: &Reference) -> Seen {
    match remote.head_manifest(&at(reference)).await {
        Ok(Some(found)) => Seen::Digest(found.digest),
        Ok(None) => Seen::Absent,
        Err(error) => failed(&error),
    }
}

fn at(reference: &Reference) -> At {
    match (&reference.digest, &reference.tag) {
        (Some(digest), _) => At::Digest(digest.clone()),
        (None, tag) => At::Tag(tag.clone().unwrap_or_default()),
    }
}

fn failed(error: &store::Error) -> Seen {
    Seen::Failed { class: error.class(), message: registry::message(error), until: error.until() }
}
