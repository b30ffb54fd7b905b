//! What refers to images that are looked for: all that their sources list has to be listed on the target, and to be readable.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};

use super::{PARALLEL, ground::Ground, name};
use crate::{
    digest::Digest,
    engine::{Access, Engine, belongings, error::Error},
    plan::{Referred, Walk, Walked},
    store::Store,
};

/// What refers to one image at its source.
struct Wanted {
    /// What the target does not list.
    unlisted: Vec<Referred>,
    /// What it lists.
    listed: BTreeSet<Digest>,
}

impl Engine {
    /// What came of looking for what refers to each of these images.
    pub(super) async fn referring(
        &self,
        target: &Store,
        ground: &Ground,
        walks: &[Walk],
        sources: &belongings::Listings,
        access: &Access,
    ) -> Vec<Walked> {
        let targets = &belongings::Listings::default();
        let wanted = walks.iter().map(|walk| async move {
            let Some(source) = &walk.source else { return Ok(None) };
            let source = self.stores.open(source, &access.source);
            compare(&source, target, ground.manifests(walk), sources, targets).await
        });
        let wanted: Vec<Result<Option<Wanted>, Error>> =
            stream::iter(wanted).buffered(PARALLEL).collect().await;
        let listed: BTreeSet<&Digest> =
            wanted.iter().flatten().flatten().flat_map(|wanted| &wanted.listed).collect();
        let Some(any) = walks.first() else { return Vec::new() };
        let at = |digest: &Digest| Walk {
            digest: digest.clone(),
            platforms: None,
            referrers: None,
            source: None,
            ..any.clone()
        };
        let listed: Vec<Walk> = listed.into_iter().map(at).collect();
        let read = Ground::survey(target, &listed).await;
        let walked = wanted.into_iter().map(|wanted| match wanted {
            Ok(None) => Walked::Whole,
            Ok(Some(wanted)) => {
                let all = wanted.listed.iter().map(|digest| read.walk(&at(digest)));
                all.fold(unlisted(&wanted.unlisted), Walked::and)
            }
            Err(error) => {
                Walked::Failed { class: error.class(), message: error.message(), until: error.until() }
            }
        });
        walked.collect()
    }
}

/// What refers to an image at its source, beside what the target lists. A source that cannot tell takes nothing from what is
/// there: the plan asks it too, and says so.
async fn compare(
    source: &Store,
    target: &Store,
    manifests: Vec<Digest>,
    sources: &belongings::Listings,
    targets: &belongings::Listings,
) -> Result<Option<Wanted>, Error> {
    let Ok(wanted) = belongings::list(source, manifests.clone(), sources).await else { return Ok(None) };
    let there = belongings::list(target, manifests, targets).await?;
    let unlisted = wanted.difference(&there).cloned().collect();
    let listed = wanted.intersection(&there).map(|one| one.digest.clone()).collect();
    Ok(Some(Wanted { unlisted, listed }))
}

fn unlisted(missing: &[Referred]) -> Walked {
    if missing.is_empty() {
        return Walked::Whole;
    }
    let named = missing.iter().take(Walked::NAMED);
    let named = named.map(|one| format!("{} for {}", name(&one.digest), name(&one.subject)));
    Walked::Broken { missing: named.collect(), count: missing.len() }
}
