//! Lists all that belongs to an image, down to what refers to referrers, without reading any of it.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Attached, Listings, gather::referring};
use crate::{
    digest::Digest,
    engine::{error::Error, tree::MAX_DEPTH},
    plan::Referred,
    registry::{At, Attachment},
    store::Store,
};

/// Manifests of which it is asked at the same time what refers to them.
const PARALLEL: usize = 8;

/// Lists what belongs to these manifests of an image, at its source or on a target. What lies deeper than is gathered is left
/// out.
///
/// # Errors
///
/// Whatever keeps any of it from being told.
pub(crate) async fn list(
    store: &Store,
    image: impl IntoIterator<Item = Digest>,
    listings: &Listings,
) -> Result<BTreeSet<Referred>, Error> {
    let attached = &*listings.of(store).await?;
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut subjects: Vec<Digest> = image.into_iter().collect();
    for _ in 0..MAX_DEPTH {
        subjects.retain(|subject| seen.insert(subject.clone()));
        let asks = std::mem::take(&mut subjects).into_iter().map(|subject| one(store, subject, attached));
        let level: Vec<Vec<Referred>> = stream::iter(asks).buffer_unordered(PARALLEL).try_collect().await?;
        for one in level.into_iter().flatten() {
            subjects.push(one.digest.clone());
            found.insert(one);
        }
    }
    Ok(found)
}

async fn one(store: &Store, subject: Digest, attached: &Attached) -> Result<Vec<Referred>, Error> {
    let mut found = Vec::new();
    for (kind, at) in referring(store, &subject, attached).await? {
        let digest = match at {
            At::Digest(digest) => Some(digest),
            // It may have gone since it was listed.
            tag @ At::Tag(_) => {
                store.head_manifest(&tag).await.map_err(Error::source)?.map(|there| there.digest)
            }
        };
        let suffix = kind.map_or(Attachment::Fallback.suffix(), Attachment::suffix);
        found.extend(digest.map(|digest| Referred { subject: subject.clone(), suffix, digest }));
    }
    Ok(found)
}
