//! Looks what belongs to an image at its source, without reading any of it.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Attached, Listings};
use crate::{
    digest::Digest,
    engine::{error::Error, roots::Roots},
    plan::{Content, Referred, Referring},
    registry::{At, Attachment, Listing, Manifest},
    store::Store,
};

/// Requests about one image at the same time.
const PARALLEL: usize = 8;

/// What belongs to the image with the digest `root`, whose tag was looked at before.
///
/// What an index names is read from a target that shows it, `near`, if there is one: reading it from the source would count as a
/// pull. What a tag that is made from a digest holds is told from a HEAD. What refers to referrers is not looked for: it is brought
/// with them.
///
/// # Errors
///
/// All that keeps any of it from being told: what could not be seen is not "none".
pub(crate) async fn look(
    source: &Store,
    near: Option<&Store>,
    root: &Digest,
    content: &Content,
    roots: &Roots,
    listings: &Listings,
) -> Result<Referring, Error> {
    let (listing, attached) = tokio::join!(source.referrers(root), listings.of(source));
    let (listing, attached) = (listing.map_err(Error::source)?, attached?);
    let has_api = listing != Listing::NoApi;
    if !has_api && attached.is_unlisted {
        return Ok(Referring::Untold);
    }
    let mut found = under_tags(source, root, &attached, has_api).await?;
    found.extend(listed(root, listing));
    let of_root = found.len();
    // Without a tag that could belong to a child, it does not matter whether there are any.
    if has_api || attached.has_others_than(root) {
        let index = roots.index(source, near, root).await.map_err(Error::source)?;
        let children = index.map(|index| kept(source, &index, content)).transpose()?.unwrap_or_default();
        let looks = children.iter().map(|child| async {
            let mut found = under_tags(source, child, &attached, has_api).await?;
            if has_api {
                found.extend(listed(child, source.referrers(child).await.map_err(Error::source)?));
            }
            Ok::<_, Error>(found)
        });
        let looks: Vec<Vec<Referred>> = stream::iter(looks).buffer_unordered(PARALLEL).try_collect().await?;
        found.extend(looks.into_iter().flatten());
    }
    Ok(Referring::found(found, of_root))
}

/// The children of an index that are wanted.
fn kept(source: &Store, index: &Manifest, content: &Content) -> Result<BTreeSet<Digest>, Error> {
    let Some(platforms) = &content.platforms else {
        return Ok(index.children().iter().map(|child| child.digest.clone()).collect());
    };
    let subset = index.subset(platforms);
    let subset = subset.map_err(|error| Error::unusable(source.repository(), &index.digest, error))?;
    Ok(subset.kept())
}

fn listed(subject: &Digest, listing: Listing) -> impl Iterator<Item = Referred> {
    let referrers = match listing {
        Listing::Referrers(referrers) => referrers,
        Listing::NoApi => Vec::new(),
    };
    referrers.into_iter().map(|one| Referred {
        subject: subject.clone(),
        suffix: Attachment::Fallback.suffix(),
        digest: one.digest,
    })
}

/// What is under the tags that are made from `subject`. Where there is an API, the index under the fallback tag says nothing
/// that it does not say.
async fn under_tags(
    source: &Store,
    subject: &Digest,
    attached: &Attached,
    has_api: bool,
) -> Result<Vec<Referred>, Error> {
    let tags = attached.to(subject).filter(|(kind, _)| !(has_api && *kind == Attachment::Fallback));
    let looks = tags.map(|(kind, tag)| async move {
        let found = source.head_manifest(&At::Tag(tag)).await.map_err(Error::source)?;
        let one = |digest| Referred { subject: subject.clone(), suffix: kind.suffix(), digest };
        Ok(found.map(|found| one(found.digest)))
    });
    let found: Vec<Option<Referred>> = stream::iter(looks).buffer_unordered(PARALLEL).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
