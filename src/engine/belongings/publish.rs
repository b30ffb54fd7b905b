//! Brings what belongs to an image to a target whose blobs are there, and looks afterwards whether it is.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::OnceCell;

use super::{Belonging, Belongings};
use crate::{
    api::Overwrite,
    class::Class,
    digest::Digest,
    engine::{error::Error, publish::publish_children, sparse::Shown},
    registry::{At, Manifest, Referrer},
    store::Store,
};

/// Manifests of one image that are sent, or looked at, at the same time.
const PARALLEL: usize = 8;

/// What an index under a fallback tag has to name, by the manifest that it is about; and the digest that it had then.
pub(crate) type Named = BTreeMap<Digest, (Vec<Referrer>, Digest)>;

/// What is being published.
struct Publishing<'a> {
    root: &'a Manifest,
    target: &'a Store,
    overwrite: Overwrite,
    /// The root is there by its digest, for a target that takes nothing that refers to what it lacks.
    root_is_there: OnceCell<()>,
    /// What the target does not list by itself.
    unlisted: Mutex<BTreeMap<Digest, Vec<Referrer>>>,
}

/// Sends what belongs to an image: level by level, and then the indexes under fallback tags, where the target needs them.
/// `shown` is what the tag is going to show: if that is not the image's own root, what belongs to the latter is left out.
///
/// # Errors
///
/// The target's. One that [lacks content](Error::is_missing_content) lacks a blob that was believed to be there.
pub(crate) async fn publish(
    belongings: &Belongings,
    shown: &Shown<'_>,
    target: &Store,
    overwrite: Overwrite,
) -> Result<Named, Error> {
    let publishing = Publishing {
        root: shown.manifest,
        target,
        overwrite,
        root_is_there: OnceCell::new(),
        unlisted: Mutex::default(),
    };
    for level in &belongings.levels {
        let kept = level.iter().filter(|one| is_kept(one, shown));
        let sends = kept.map(|one| publishing.send(one));
        stream::iter(sends).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    }
    let unlisted = publishing.unlisted.into_inner().unwrap_or_else(PoisonError::into_inner);
    let names = unlisted.into_iter().map(|(subject, referrers)| async move {
        let digest = target.name_referrers(&subject, &referrers).await.map_err(Error::target)?;
        Ok((subject, (referrers, digest)))
    });
    stream::iter(names).buffer_unordered(PARALLEL).try_collect().await
}

impl Publishing<'_> {
    async fn send(&self, one: &Belonging) -> Result<(), Error> {
        publish_children(&one.tree, self.target).await?;
        let Some(tag) = &one.tag else { return self.referrer(one).await };
        let at = At::Tag(tag.clone());
        if self.overwrite == Overwrite::Never
            && let Some(found) = self.target.head_manifest(&at).await.map_err(Error::target)?
            && found.digest != one.tree.root.digest
        {
            let reference = self.target.repository().at_tag(tag.clone()).to_string();
            return Err(Error::Overwritten { reference, found: found.digest });
        }
        self.target.put_manifest(&at, &one.tree.root).await.map_err(Error::target)
    }

    async fn referrer(&self, one: &Belonging) -> Result<(), Error> {
        let manifest = &one.tree.root;
        let put = match self.target.put_referrer(manifest).await {
            Err(error) if self.may_want_root(one, &error) => {
                self.root_first().await?;
                self.target.put_referrer(manifest).await
            }
            put => put,
        };
        if !put.map_err(Error::target)? {
            let mut unlisted = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
            unlisted.entry(one.subject.clone()).or_default().push(Referrer::of(manifest));
        }
        Ok(())
    }

    /// Whether the target may have refused a referrer because it lacks what that refers to.
    fn may_want_root(&self, one: &Belonging, error: &crate::store::Error) -> bool {
        let is_other = matches!(error.class(), Class::Unauthorized | Class::Forbidden | Class::RateLimited);
        one.subject == self.root.digest
            && !self.root_is_there.initialized()
            && error.is_refusal()
            && !is_other
    }

    async fn root_first(&self) -> Result<(), Error> {
        let at = At::Digest(self.root.digest.clone());
        let put = || async { self.target.put_manifest(&at, self.root).await.map_err(Error::target) };
        self.root_is_there.get_or_try_init(put).await.copied()
    }
}

/// Looks whether the target still has what belongs to the image, after the tag points at it. What somebody else took away from an
/// index meanwhile is named again.
///
/// # Errors
///
/// [`Error::Incomplete`] names the first manifest that is not there; [`Error::Unchecked`] says why one could not be seen.
pub(crate) async fn check(
    belongings: &Belongings,
    shown: &Shown<'_>,
    named: &Named,
    target: &Store,
) -> Result<(), Error> {
    let kept = belongings.iter().filter(|one| is_kept(one, shown));
    let looks = kept.map(|one| async move {
        let manifest = &one.tree.root.digest;
        let at = one.tag.clone().map_or_else(|| At::Digest(manifest.clone()), At::Tag);
        match target.head_manifest(&at).await.map_err(Error::unchecked)? {
            Some(found) if found.digest == *manifest => Ok(()),
            _ => Err(Error::Incomplete { repository: target.repository().clone(), digest: manifest.clone() }),
        }
    });
    stream::iter(looks).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    let again = named.iter().map(|(subject, (referrers, digest))| async move {
        let tag = crate::registry::Attachment::Fallback.tag(subject).map(At::Tag);
        let there = match tag {
            Some(at) => target.head_manifest(&at).await.map_err(Error::unchecked)?,
            None => None,
        };
        if there.is_none_or(|there| there.digest != *digest) {
            target.name_referrers(subject, referrers).await.map_err(Error::unchecked)?;
        }
        Ok(())
    });
    stream::iter(again).buffer_unordered(PARALLEL).try_collect().await
}

/// What signs an index does not sign what it was rewritten to.
fn is_kept(one: &Belonging, shown: &Shown<'_>) -> bool {
    !shown.is_rewritten || one.of != *shown.source
}
