//! Deleting a tag, and nothing but that tag.
//!
//! A digest is never deleted that an image has: all tags that show it would go with it. Where a registry deletes by digest
//! only, the tag is first given a manifest of its own, a [`dummy`], and then that one's digest is deleted.
//!
//! ```text
//! HEAD shows what was written?
//!   DELETE the tag ── done ──► HEAD: 404, proven
//!     └─ tags cannot be deleted here
//!          a throw-away manifest, by digest: can it be deleted?   else nothing is touched
//!          HEAD again, the manifest is read, the caller records what is going to happen
//!          PUT the dummy at the tag, DELETE the dummy's digest ──► HEAD: 404, proven
//!            └─ failed: PUT the manifest that was there, HEAD; else the tag is held at the dummy, and said to be
//! ```
//!
//! No deletion is sent twice on one look: between two tries somebody may have pushed. The next run looks again.

mod ability;
mod dummy;
mod error;
mod held;
#[cfg(test)]
mod tests;

use http::StatusCode;

pub(crate) use self::ability::Abilities;
use self::ability::Ability;
pub use self::{error::DeleteError, held::Prepared};
use super::{
    answer::Answer,
    error::{Cause, Error},
    remote::{At, Remote},
};
use crate::{digest::Digest, reference::Tag};

/// How a tag came not to show any more what was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was deleted.
    Deleted,
    /// There was nothing to be deleted any more.
    Absent,
    /// It shows something else, which somebody put there, and which stays.
    Changed(Digest),
}

/// How far a deletion came.
#[derive(Debug)]
pub enum Step {
    /// It is over.
    Gone(Gone),
    /// The registry deletes no tags, and it is proven that it deletes digests. What is going to happen has to be recorded before
    /// [`Prepared::delete`].
    Prepared(Box<Prepared>),
}

impl Remote {
    /// Deletes a tag, if it shows `digest`.
    ///
    /// # Guarantees
    ///
    /// - A tag that shows anything else is not touched, and neither are other tags that show the same digest.
    /// - [`Gone::Deleted`] means that the registry itself says that the tag is not there.
    ///
    /// # Errors
    ///
    /// [`DeleteError`]; the tag is as it was, unless the error says otherwise.
    pub async fn delete_tag(&self, tag: &Tag, digest: &Digest) -> Result<Step, DeleteError> {
        let ability = self.abilities().get(self.repository());
        if let Some(Ability::Nothing(answer)) = ability {
            return Err(self.impossible(tag, answer));
        }
        if let Some(gone) = self.other_than(tag, digest).await? {
            return Ok(Step::Gone(gone));
        }
        if ability != Some(Ability::Digests) {
            match self.delete_by_tag(tag, digest).await? {
                ByTag::Gone(gone) => return Ok(Step::Gone(gone)),
                ByTag::Impossible(answer) => self.prove_digests_go(tag, answer).await?,
            }
        }
        self.prepare(tag, digest).await
    }

    async fn delete_by_tag(&self, tag: &Tag, digest: &Digest) -> Result<ByTag, DeleteError> {
        let at = At::Tag(tag.clone());
        let error = match self.delete_manifest(&at).await {
            Ok(()) => {
                let Some(gone) = self.other_than(tag, digest).await? else {
                    return Err(DeleteError::StillThere { reference: self.reference(&at) });
                };
                // Whoever pushed since pushed what is not ours.
                let gone = if gone == Gone::Absent { Gone::Deleted } else { gone };
                return Ok(ByTag::Gone(gone));
            }
            Err(error) => error,
        };
        if let Some(answer) = cannot(error.cause()) {
            return Ok(ByTag::Impossible(answer.clone()));
        }
        match error.cause() {
            // Deleted by somebody else meanwhile; or a registry that says this to every deletion.
            Cause::NotFound { answer } | Cause::Unproven { answer } => {
                match self.other_than(tag, digest).await? {
                    Some(gone) => Ok(ByTag::Gone(gone)),
                    None => Err(self.never(tag, answer.clone())),
                }
            }
            cause if cause.is_refusal() => Err(error.into()),
            // Nobody knows what became of it, but for the registry.
            _ => match self.other_than(tag, digest).await? {
                Some(Gone::Absent) => Ok(ByTag::Gone(Gone::Deleted)),
                Some(gone) => Ok(ByTag::Gone(gone)),
                None => Err(error.into()),
            },
        }
    }

    /// What a tag shows; `None` only if the registry says that there is no such tag.
    async fn shown(&self, tag: &Tag) -> Result<Option<Digest>, Error> {
        let at = At::Tag(tag.clone());
        match self.head_manifest(&at).await? {
            Some(found) => Ok(Some(found.digest)),
            None if self.prove_absent(&at).await? => Ok(None),
            None => {
                let answer = Answer::bare(StatusCode::NOT_FOUND);
                Err(self.error("look at the manifest", at, Cause::Unproven { answer }))
            }
        }
    }

    /// What there is instead of `digest`.
    async fn other_than(&self, tag: &Tag, digest: &Digest) -> Result<Option<Gone>, Error> {
        Ok(match self.shown(tag).await? {
            None => Some(Gone::Absent),
            Some(found) if found == *digest => None,
            Some(found) => Some(Gone::Changed(found)),
        })
    }

    /// The registry deletes nothing here, which is remembered.
    fn never(&self, tag: &Tag, answer: Answer) -> DeleteError {
        self.abilities().remember(self.repository(), Ability::Nothing(answer.clone()));
        self.impossible(tag, answer)
    }

    fn impossible(&self, tag: &Tag, answer: Answer) -> DeleteError {
        DeleteError::Unsupported { reference: self.reference(&At::Tag(tag.clone())), answer }
    }

    fn reference(&self, at: &At) -> String {
        format!("{}{at}", self.repository())
    }
}

/// What came of a deletion by tag.
enum ByTag {
    Gone(Gone),
    Impossible(Answer),
}

/// The answer, if it says that this cannot be deleted in this way. What says that we may not, that it is too much now, or
/// that the registry is in trouble, says nothing of that.
fn cannot(cause: &Cause) -> Option<&Answer> {
    let (Cause::Unsupported { answer } | Cause::Refused { answer }) = cause else { return None };
    let status = answer.status;
    let says_so = matches!(status, StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED)
        || (status.is_client_error() && answer.has(&["UNSUPPORTED", "DIGEST_INVALID"]));
    (says_so && !answer.has(&["UNAUTHORIZED", "DENIED", "TOOMANYREQUESTS"])).then_some(answer)
}
