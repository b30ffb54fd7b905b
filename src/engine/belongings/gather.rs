//! Reads all that belongs to an image from its source.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Attached, Belonging, Belongings, Listings};
use crate::{
    digest::Digest,
    engine::{
        error::Error,
        tree::{MAX_BYTES, MAX_DEPTH, MAX_MANIFESTS, Tree},
    },
    reference::Tag,
    registry::{At, Attachment, Listing},
    store::Store,
};

/// Manifests of which it is asked at the same time what refers to them.
const PARALLEL: usize = 8;

/// A manifest whose referrers are looked for.
#[derive(Clone)]
struct Subject {
    /// The image's own manifest that it belongs to.
    of: Digest,
    digest: Digest,
}

/// What was found to refer to something.
struct Found {
    subject: Subject,
    at: At,
}

/// Gathers all that belongs to an image.
///
/// # Errors
///
/// Whatever keeps any of it from being read: nothing is left out that the source has. Bounds on what is built to exhaust us, as
/// for the image itself.
pub(crate) async fn gather(source: &Store, image: &Tree, listings: &Listings) -> Result<Belongings, Error> {
    let attached = &*listings.of(source).await?;
    let root = &image.root.digest;
    let own = image.manifests().map(|manifest| &manifest.digest);
    let mut subjects: Vec<Subject> =
        own.map(|digest| Subject { of: digest.clone(), digest: digest.clone() }).collect();
    // The root's first: the bounds cut nothing off, but what is asked first is known first.
    subjects.sort_by_key(|subject| subject.digest != *root);
    let mut seen: BTreeSet<Digest> = subjects.iter().map(|subject| subject.digest.clone()).collect();
    let mut gathered = Belongings::default();
    let (mut manifests, mut bytes) = (0, 0);
    while !subjects.is_empty() {
        let asks = subjects.into_iter().map(|subject| async move {
            let found = referring(source, &subject.digest, attached).await?;
            Ok::<_, Error>(
                found.into_iter().map(|(_, at)| Found { subject: subject.clone(), at }).collect::<Vec<_>>(),
            )
        });
        let found: Vec<Vec<Found>> = stream::iter(asks).buffered(PARALLEL).try_collect().await?;
        let found: Vec<Found> = found.into_iter().flatten().collect();
        if found.is_empty() {
            break;
        }
        if gathered.levels.len() == MAX_DEPTH {
            return Err(Error::TooDeep { image: source.repository().clone(), digest: root.clone() });
        }
        manifests += found.len();
        if manifests > MAX_MANIFESTS {
            return Err(Error::TooMany { image: source.repository().clone(), digest: root.clone() });
        }
        let level: Vec<Belonging> = stream::iter(found.into_iter().map(|found| read(source, found)))
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        bytes +=
            level.iter().flat_map(|one| one.tree.manifests()).map(|one| one.bytes.len() as u64).sum::<u64>();
        if bytes > MAX_BYTES {
            let (image, digest) = (source.repository().clone(), root.clone());
            return Err(Error::TooLarge { image, digest, limit: MAX_BYTES });
        }
        subjects = next(&level, &mut seen);
        gathered.levels.push(level);
    }
    Ok(gathered)
}

/// The manifests that were met for the first time.
fn next(level: &[Belonging], seen: &mut BTreeSet<Digest>) -> Vec<Subject> {
    let mut next = Vec::new();
    for one in level {
        for manifest in one.tree.manifests().filter(|manifest| seen.insert(manifest.digest.clone())) {
            next.push(Subject { of: one.of.clone(), digest: manifest.digest.clone() });
        }
    }
    next
}

/// What refers to a manifest, each once: referrers by their digests, and what is under a tag by that.
pub(super) async fn referring(
    store: &Store,
    subject: &Digest,
    attached: &Attached,
) -> Result<Vec<(Option<Attachment>, At)>, Error> {
    let listing = store.referrers(subject).await.map_err(Error::source)?;
    let tags: BTreeMap<Attachment, Tag> = attached.to(subject).collect();
    let referrers = match listing {
        Listing::Referrers(referrers) => referrers,
        Listing::NoApi if tags.contains_key(&Attachment::Fallback) => {
            store.fallback_referrers(subject).await.map_err(Error::source)?
        }
        Listing::NoApi => Vec::new(),
    };
    let mut seen = BTreeSet::new();
    let referrers = referrers.into_iter().map(|one| one.digest).filter(|digest| seen.insert(digest.clone()));
    let referrers: Vec<_> = referrers.map(|digest| (None, At::Digest(digest))).collect();
    let tags = tags.into_iter().filter(|(kind, _)| *kind != Attachment::Fallback);
    Ok(referrers.into_iter().chain(tags.map(|(kind, tag)| (Some(kind), At::Tag(tag)))).collect())
}

async fn read(source: &Store, found: Found) -> Result<Belonging, Error> {
    let Found { subject: Subject { of, digest: subject }, at } = found;
    let root = source.get_manifest(&at).await.map_err(Error::source)?;
    let tag = if let At::Tag(tag) = at { Some(tag) } else { None };
    Ok(Belonging { of, subject, tag, tree: Tree::of(source, root, None).await? })
}
