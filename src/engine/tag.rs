//! One tag, made to show an image.

use jiff::Timestamp;

use super::{apply::Run, error::Error, record, sparse::Shown, walk};
use crate::{
    api::Overwrite,
    plan::{Action, Kind},
    registry::At,
    store::Store,
};

impl Run<'_> {
    /// Points one tag at the image, after it is recorded that this is going to happen.
    pub(super) async fn tag(&self, shown: &Shown<'_>, action: &Action, target: &Store) -> Result<(), Error> {
        if let Kind::Amend { repair, .. } = action.kind {
            // It shows what it is to show, perhaps only as far as a cache knows.
            return if repair { self.again(shown, action, target).await } else { Ok(()) };
        }
        let at = at(shown, action, target)?;
        if self.is_there(shown, action, &at, target).await? {
            self.journal.note(|records| record::found(records, action, shown, Timestamp::now()));
            return Ok(());
        }
        self.write(shown, action, &at, target).await
    }

    /// Sends once more what a tag shows already. An index that was rewritten may be for fewer platforms now, so that it is
    /// recorded as any other.
    async fn again(&self, shown: &Shown<'_>, action: &Action, target: &Store) -> Result<(), Error> {
        let at = at(shown, action, target)?;
        let mut was_rewritten = false;
        self.journal.note(|records| was_rewritten = record::is_rewritten(records, action));
        if shown.is_rewritten || was_rewritten {
            return self.write(shown, action, &at, target).await;
        }
        if walk::can_read(target, &at, &shown.manifest.digest).await? {
            return Ok(());
        }
        target.publish(&at, shown.manifest).await.map_err(Error::target)
    }

    async fn write(&self, shown: &Shown<'_>, action: &Action, at: &At, target: &Store) -> Result<(), Error> {
        let mut before = None;
        let recorded = self.journal.commit(|records| {
            before = record::intended(records, action, shown, Timestamp::now());
        });
        let result = match recorded.await {
            Ok(()) => target.publish(at, shown.manifest).await.map_err(Error::target),
            Err(error) => Err(Error::records(error)),
        };
        self.journal.note(|records| record::sent(records, action, before, &result, Timestamp::now()));
        result
    }

    /// Looks whether a tag shows already what it is to show. With `overwrite: Never` others may have written it since the
    /// plan, even this very image; and what an index is rewritten to is known only now.
    async fn is_there(
        &self,
        shown: &Shown<'_>,
        action: &Action,
        at: &At,
        target: &Store,
    ) -> Result<bool, Error> {
        let may_write = action.overwrite != Overwrite::Never;
        let seen =
            matches!(&action.kind, Kind::Copy { replaces: Some(seen) } if *seen == shown.manifest.digest);
        if may_write && !seen {
            return Ok(false);
        }
        let reference = || action.destination.to_string();
        match target.head_manifest(at).await.map_err(Error::target)? {
            Some(found) if found.digest == shown.manifest.digest => Ok(true),
            _ if may_write => Ok(false),
            Some(found) => Err(Error::Overwritten { reference: reference(), found: found.digest }),
            None if target.prove_absent(at).await.map_err(Error::target)? => Ok(false),
            None => Err(Error::Unseen { reference: reference() }),
        }
    }
}

/// Where what is shown is written: a rewritten index can only be written under a tag.
fn at(shown: &Shown<'_>, action: &Action, target: &Store) -> Result<At, Error> {
    match &action.destination.tag {
        Some(tag) => Ok(At::Tag(tag.clone())),
        None if shown.is_rewritten => Err(Error::OtherDigest { repository: target.repository().clone() }),
        None => Ok(At::Digest(shown.manifest.digest.clone())),
    }
}
