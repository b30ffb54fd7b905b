//! Deleting a tag, whatever is behind the store.

use std::sync::Arc;

use jiff::Timestamp;

use super::Store;
use crate::{
    class::Class,
    digest::Digest,
    layout,
    reference::Tag,
    registry::{self, Gone, Step},
};

/// Why a tag was not deleted. A clone costs a counter.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteError {
    /// It is in a registry.
    #[error(transparent)]
    Registry(#[from] registry::DeleteError),
    /// It is in a layout, whose index is as it was or lacks the tag.
    #[error(transparent)]
    Layout(Arc<layout::Error>),
}

impl DeleteError {
    /// The class that decides what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Registry(error) => error.class(),
            Self::Layout(error) => error.class(),
        }
    }

    /// Until when it is worth no other try, where that was said.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Registry(error) => error.until(),
            Self::Layout(_) => None,
        }
    }

    /// Whether it is certain that the tag is as it was before.
    #[must_use]
    pub fn is_as_before(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_as_before(),
            Self::Layout(_) => false,
        }
    }
}

impl From<layout::Error> for DeleteError {
    fn from(error: layout::Error) -> Self {
        Self::Layout(Arc::new(error))
    }
}

impl Store {
    /// Deletes a tag, if it shows `digest`, and no other tag that shows it.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]; the tag is as it was, unless the error says otherwise.
    pub async fn delete_tag(&self, tag: &Tag, digest: &Digest) -> Result<Step, DeleteError> {
        match self {
            Self::Registry(remote) => Ok(remote.delete_tag(tag, digest).await?),
            Self::Layout(layout) => Ok(Step::Gone(layout.delete_tag(tag, digest).await?)),
        }
    }

    /// Goes on with a deletion that was broken off while the tag was held at `dummy`.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]; the tag then shows `old` again, or is held.
    pub async fn delete_held(&self, tag: &Tag, dummy: &Digest, old: &Digest) -> Result<Gone, DeleteError> {
        match self {
            Self::Registry(remote) => Ok(remote.delete_held(tag, dummy, old).await?),
            // A layout needs no dummies.
            Self::Layout(layout) => Ok(layout.named(tag).await?.map_or(Gone::Absent, Gone::Changed)),
        }
    }

    /// Ends a deletion that was broken off while the tag was held at `dummy`: it shows `old` again. `Some` is what else it shows.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]; the tag is held, or could not be looked at.
    pub async fn put_back(
        &self,
        tag: &Tag,
        dummy: &Digest,
        old: &Digest,
    ) -> Result<Option<Gone>, DeleteError> {
        match self {
            Self::Registry(remote) => Ok(remote.put_back(tag, dummy, old).await?),
            Self::Layout(layout) => match layout.named(tag).await? {
                Some(found) if found == *old => Ok(None),
                found => Ok(Some(found.map_or(Gone::Absent, Gone::Changed))),
            },
        }
    }
}
