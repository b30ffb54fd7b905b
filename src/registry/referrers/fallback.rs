//! The index under a fallback tag: read, and written so that what others put there stays.

use std::time::Duration;

use super::{
    super::{
        error::{Cause, Error},
        manifest::{Descriptor, Manifest, OCI_INDEX},
        remote::{At, Remote},
    },
    index,
    names::Attachment,
    referrer::Referrer,
};
use crate::digest::Digest;

/// An index larger than this is taken by no registry, in bytes.
const FULL: usize = 4 << 20;
/// How often an index is written that others write at the same time.
const TRIES: u32 = 8;
/// The upper bound of the first wait; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(20);

impl Remote {
    /// What the index under the fallback tag of `subject` names. No such tag is no referrer, if the registry says so itself.
    ///
    /// # Errors
    ///
    /// [`Cause::NoFallback`] where the tag holds something else, and all that is no answer.
    pub async fn fallback_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        let Some(tag) = Attachment::Fallback.tag(subject) else { return Ok(Vec::new()) };
        let found = self.fallback(&At::Tag(tag)).await?;
        Ok(found.map(|index| index.children().to_vec()).unwrap_or_default())
    }

    /// Sees to it that the index under the fallback tag of `subject` names each of `ours`, and returns the digest of that
    /// index. For registries that have no API for referrers.
    ///
    /// # Guarantees
    ///
    /// What the tag names already stays named. When this returns, the tag was seen to name all of `ours`. In one process the
    /// writes for one subject come one after another; if somebody else writes at the same time and takes ours away,
    /// it is written again. The protocol has no way to write only if nobody else did since: who takes no second look after
    /// writing can lose what others wrote, but not to us what we read.
    ///
    /// # Errors
    ///
    /// [`Cause::NoFallback`] where the tag holds something that is no index, which is never overwritten;
    /// [`Cause::FullFallback`] where the index has no more room; [`Cause::Contended`] if others take ours away again and again.
    pub async fn name_referrers(&self, subject: &Digest, ours: &[Referrer]) -> Result<Digest, Error> {
        let at = Attachment::Fallback.tag(subject).map(At::Tag);
        let Some(at) = at else {
            let cause = Cause::Internal(format!("{subject} does not fit into a tag"));
            return Err(self.error("name the referrers of", format_args!("@{subject}"), cause));
        };
        let turn = self.memory().turn(self.repository().path(), subject);
        let _turn = turn.lock().await;
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let there = self.fallback(&at).await?;
            let index = self.merged(&at, there.as_ref(), ours)?;
            if there.is_some_and(|there| there.digest == index.digest) {
                return Ok(index.digest);
            }
            self.put_manifest(&at, &index).await?;
            if self.head_manifest(&at).await?.is_some_and(|there| there.digest == index.digest) {
                return Ok(index.digest);
            }
            if attempt == TRIES {
                break;
            }
            // Whoever writes the same index shall not wait for as long.
            tokio::time::sleep(wait.mul_f32(fastrand::f32())).await;
            wait *= 2;
        }
        Err(self.error("name the referrers under", &at, Cause::Contended { tries: TRIES }))
    }

    async fn fallback(&self, at: &At) -> Result<Option<Manifest>, Error> {
        match self.get_manifest(at).await {
            Ok(manifest) if manifest.is_index() => Ok(Some(manifest)),
            Ok(manifest) => {
                let found = manifest.media_type;
                Err(self.error("read the index of referrers", at, Cause::NoFallback { found }))
            }
            Err(error) if matches!(error.cause(), Cause::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the tag is to hold.
    fn merged(&self, at: &At, there: Option<&Manifest>, ours: &[Referrer]) -> Result<Manifest, Error> {
        let failed = |cause| self.error("write the index of referrers", at, cause);
        // It was read as an index, so what is wrong with it is in what only this looks at.
        let merged = index::merged(there.map(|there| &*there.bytes), ours);
        let merged = merged.map_err(|_| failed(Cause::NoFallback { found: "a damaged index".to_owned() }))?;
        match (merged, there) {
            (None, Some(there)) => Ok(there.clone()),
            (Some(bytes), _) if bytes.len() > FULL => Err(failed(Cause::FullFallback)),
            (bytes, _) => {
                let bytes = bytes.unwrap_or_default();
                let digest = Digest::sha256(&bytes);
                Manifest::parse(bytes, Some(OCI_INDEX), digest).map_err(|error| failed(error.into()))
            }
        }
    }
}
