//! What belongs to a digest: the tags `sha256-<hex>` with its referrers, and `.sig`, `.att` and `.sbom` beside it. They go with the
//! last tag of that digest in their repository.

use std::collections::HashSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    digest::Digest,
    reference::Tag,
    registry::{At, Attachment, Gone, Step, message},
    store::Store,
};

/// Tags that are looked at for whether they show a digest; where there are more, what belongs to it stays.
const MOST_TAGS: usize = 1_000;
/// Tags that are looked at at the same time.
const AT_ONCE: usize = 16;

/// Deletes what belongs to these digests, of each that no tag of the repository shows any more. Where that cannot be told, it stays,
/// which is said.
pub(super) async fn delete(store: &Store, orphaned: Vec<Digest>) {
    let tags = match unshown(store, orphaned).await {
        Ok(tags) => tags,
        Err(why) => {
            let repository = store.repository();
            tracing::warn!(%repository, "signatures and the like of deleted images stay: {why}");
            return;
        }
    };
    for tag in tags {
        let what = match delete_one(store, &tag).await {
            Ok(None) => continue,
            Ok(Some(why)) => why.to_owned(),
            Err(why) => why,
        };
        tracing::warn!(reference = %store.repository().at_tag(tag), "what belongs to a deleted image stays: {what}");
    }
}

/// The tags that belong to those of the digests that no tag shows.
async fn unshown(store: &Store, orphaned: Vec<Digest>) -> Result<Vec<Tag>, String> {
    let tags = store.tags().await.map_err(|error| message(&error))?;
    let (belonging, images): (Vec<Tag>, Vec<Tag>) = tags.into_iter().partition(Tag::belongs_to_digest);
    let candidates: HashSet<Tag> = orphaned.iter().flat_map(tags_of).collect();
    if !belonging.iter().any(|tag| candidates.contains(tag)) {
        return Ok(Vec::new());
    }
    if images.len() > MOST_TAGS {
        return Err(format!("{} tags are too many to look at", images.len()));
    }
    let looks = images.into_iter().map(|tag| async move {
        match store.head_manifest(&At::Tag(tag.clone())).await {
            Ok(Some(found)) => Ok(Some(found.digest)),
            Ok(None) => match store.prove_absent(&At::Tag(tag.clone())).await {
                Ok(true) => Ok(None),
                Ok(false) => Err(format!("it is not clear what {tag} shows")),
                Err(error) => Err(message(&error)),
            },
            Err(error) => Err(message(&error)),
        }
    });
    let shown: HashSet<Digest> = stream::iter(looks)
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|shown| async { Ok(shown) })
        .try_collect()
        .await?;
    let gone: HashSet<Tag> =
        orphaned.iter().filter(|digest| !shown.contains(digest)).flat_map(tags_of).collect();
    Ok(belonging.into_iter().filter(|tag| gone.contains(tag)).collect())
}

/// Why the tag stays, if it does.
async fn delete_one(store: &Store, tag: &Tag) -> Result<Option<&'static str>, String> {
    let Some(found) = store.head_manifest(&At::Tag(tag.clone())).await.map_err(|error| message(&error))?
    else {
        return Ok(None);
    };
    match store.delete_tag(tag, &found.digest).await {
        Ok(Step::Gone(Gone::Deleted | Gone::Absent)) => Ok(None),
        Ok(Step::Gone(Gone::Changed(_))) => Ok(Some("somebody writes it now")),
        // Nothing records these tags, so none is ever held at a dummy.
        Ok(Step::Prepared(_)) => Ok(Some("its registry deletes no tags")),
        Err(error) => Err(message(&error)),
    }
}

fn tags_of(digest: &Digest) -> impl Iterator<Item = Tag> {
    Attachment::of(digest).map(|(_, tag)| tag)
}
