//! Deleting a tag where a registry deletes digests only: the tag is held at a dummy for a moment.

use std::{fmt, sync::Arc};

use super::{
    super::{
        answer::Answer,
        error::{Cause, Error},
        manifest::Manifest,
        remote::{At, Remote},
    },
    Ability, DeleteError, Gone, Step, cannot,
};
use crate::{digest::Digest, reference::Tag};

/// A tag that can be deleted with a dummy, once it is recorded that this is going to happen.
pub struct Prepared {
    remote: Remote,
    tag: Tag,
    old: Manifest,
    dummy: Manifest,
}

impl Remote {
    /// Proves on a throw-away manifest that no tag shows that this registry deletes digests.
    pub(super) async fn prove_digests_go(&self, tag: &Tag, by_tag: Answer) -> Result<(), DeleteError> {
        self.put_nothing().await?;
        let dummy = self.dummy(&At::Tag(tag.clone()))?;
        let at = At::Digest(dummy.digest.clone());
        self.put_manifest(&at, &dummy).await?;
        if let Err(error) = self.delete_manifest(&at).await {
            let cause = error.cause();
            let is_absent = matches!(cause, Cause::NotFound { .. } | Cause::Unproven { .. });
            // What answers 404 to a deletion of what was written a moment ago deletes nothing.
            let is_never = is_absent || cannot(cause).is_some();
            return Err(if is_never { self.never(tag, by_tag) } else { error.into() });
        }
        if self.head_manifest(&at).await?.is_some() || !self.prove_absent(&at).await? {
            return Err(self.never(tag, by_tag));
        }
        self.abilities().remember(self.repository(), Ability::Digests);
        Ok(())
    }

    /// Looks again, and reads what will be put back if the deletion fails.
    pub(super) async fn prepare(&self, tag: &Tag, digest: &Digest) -> Result<Step, DeleteError> {
        self.put_nothing().await?;
        let old = self.get_manifest(&At::Digest(digest.clone())).await?;
        let dummy = self.dummy(&At::Tag(tag.clone()))?;
        if let Some(gone) = self.other_than(tag, digest).await? {
            return Ok(Step::Gone(gone));
        }
        let (remote, tag) = (self.clone(), tag.clone());
        Ok(Step::Prepared(Box::new(Prepared { remote, tag, old, dummy })))
    }

    /// Goes on with a deletion that was broken off while the tag was held at `dummy`: deletes the tag if it still is.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]; the tag is then as before the deletion began ([`DeleteError::PutBack`]), or held.
    pub async fn delete_held(&self, tag: &Tag, dummy: &Digest, old: &Digest) -> Result<Gone, DeleteError> {
        let held = Held { remote: self, tag, dummy, digest: old };
        // A look that fails does not undo what is known: the tag may still be held.
        if let Some(gone) = self.other_than(tag, dummy).await.map_err(|error| held.still(error))? {
            return Ok(gone);
        }
        match self.get_manifest(&At::Digest(old.clone())).await {
            Ok(old) => held.delete(Some(&old)).await,
            // A registry that collects what no tag shows; then there is nothing that could be put back.
            Err(error) if matches!(error.cause(), Cause::NotFound { .. }) => held.delete(None).await,
            Err(error) => Err(held.still(error)),
        }
    }

    /// Ends a deletion that was broken off while the tag was held at `dummy`, and that is wanted no longer: the tag shows
    /// `old` again. `Some` is what else it shows, or that it is gone; that stays as it is.
    ///
    /// # Errors
    ///
    /// [`DeleteError::Held`].
    pub async fn put_back(
        &self,
        tag: &Tag,
        dummy: &Digest,
        old: &Digest,
    ) -> Result<Option<Gone>, DeleteError> {
        let held = Held { remote: self, tag, dummy, digest: old };
        match self.other_than(tag, dummy).await.map_err(|error| held.still(error))? {
            Some(Gone::Changed(found)) if found == *old => return Ok(None),
            Some(gone) => return Ok(Some(gone)),
            None => {}
        }
        let old = self.get_manifest(&At::Digest(old.clone())).await.map_err(|error| held.still(error))?;
        held.put_back(&old).await.map(|()| None)
    }
}

impl Prepared {
    /// The digest of the dummy, which is to be recorded.
    #[must_use]
    pub const fn dummy(&self) -> &Digest {
        &self.dummy.digest
    }

    /// Gives the tag the dummy, and deletes the dummy's digest.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]; the tag is as it was, or [held](DeleteError::is_held), and then the error says so.
    pub async fn delete(&self) -> Result<Gone, DeleteError> {
        let Self { remote, tag, old, dummy } = self;
        let held = Held { remote, tag, dummy: &dummy.digest, digest: &old.digest };
        // Not a moment ago, in which others may have been recorded: now.
        if let Some(gone) = remote.other_than(tag, &old.digest).await? {
            return Ok(gone);
        }
        if let Err(error) = remote.put_manifest(&At::Tag(tag.clone()), dummy).await {
            if error.is_refusal() {
                return Err(error.into());
            }
            match remote.shown(tag).await {
                Ok(Some(found)) if found == dummy.digest => {}
                Ok(Some(found)) if found == old.digest => return Err(error.into()),
                Ok(Some(found)) => return Ok(Gone::Changed(found)),
                Ok(None) => return Ok(Gone::Absent),
                Err(_) => return Err(held.still(error)),
            }
        }
        held.delete(Some(old)).await
    }
}

/// A tag that shows a dummy.
struct Held<'a> {
    remote: &'a Remote,
    tag: &'a Tag,
    dummy: &'a Digest,
    digest: &'a Digest,
}

impl Held<'_> {
    /// Deletes the dummy, and with it the tag. If that fails, what the tag showed before is put back.
    async fn delete(&self, old: Option<&Manifest>) -> Result<Gone, DeleteError> {
        let deleted = self.remote.delete_manifest(&At::Digest(self.dummy.clone())).await;
        let shown = self.remote.other_than(self.tag, self.dummy).await;
        match shown {
            Ok(Some(Gone::Absent)) => return Ok(Gone::Deleted),
            // A push since the dummy came survives: it shows another digest than the one that was deleted.
            Ok(Some(gone)) => return Ok(gone),
            Err(error) => return Err(self.still(error)),
            Ok(None) => {}
        }
        let why = deleted.err().unwrap_or_else(|| {
            let detail = "it said that the dummy was deleted, and still shows it".to_owned();
            let cause = Cause::Protocol { host: self.remote.account().registry().to_owned(), detail };
            self.remote.error("delete the manifest", At::Digest(self.dummy.clone()), cause)
        });
        let Some(old) = old else { return Err(self.still(why)) };
        self.put_back(old).await?;
        Err(DeleteError::PutBack { reference: self.reference(), source: Arc::new(why) })
    }

    async fn put_back(&self, old: &Manifest) -> Result<(), DeleteError> {
        let put = self.remote.put_manifest(&At::Tag(self.tag.clone()), old).await;
        match (self.remote.other_than(self.tag, self.dummy).await, put) {
            // It shows what was put back, or what somebody else put there.
            (Ok(Some(_)), _) => Ok(()),
            (Err(error), _) | (Ok(None), Err(error)) => Err(self.still(error)),
            (Ok(None), Ok(())) => {
                let detail = "it took a manifest, and still shows the one before".to_owned();
                let cause = Cause::Protocol { host: self.remote.account().registry().to_owned(), detail };
                Err(self.still(self.remote.error("write the manifest", At::Tag(self.tag.clone()), cause)))
            }
        }
    }

    fn still(&self, why: Error) -> DeleteError {
        DeleteError::Held {
            reference: self.reference(),
            digest: self.digest.clone(),
            dummy: self.dummy.clone(),
            source: Arc::new(why),
        }
    }

    fn reference(&self) -> String {
        self.remote.reference(&At::Tag(self.tag.clone()))
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({}:{})", self.remote.repository(), self.tag)
    }
}
