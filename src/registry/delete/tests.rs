//! Registries that delete in their own ways, or not, and what a tag shows afterwards.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::*;
use crate::{
    class::Class,
    registry::{
        OCI_MANIFEST,
        tests::{
            fake::{Asked, Fake, Reply, hang_up, refuse, reply},
            open,
        },
    },
};

/// What a registry holds: manifests by digest, and what its tags show.
#[derive(Default)]
struct Shelf {
    manifests: BTreeMap<String, Vec<u8>>,
    tags: BTreeMap<String, String>,
}

impl Shelf {
    fn find(&self, reference: &str) -> Option<(&String, &Vec<u8>)> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests.get_key_value(digest)
    }

    fn put(&mut self, reference: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.manifests.insert(digest.to_string(), bytes.to_vec());
        if !reference.contains(':') {
            self.tags.insert(reference.to_owned(), digest.to_string());
        }
        digest
    }
}

/// A registry with an image under `1`, and under `2` too.
struct Registry {
    fake: Fake,
    shelf: Arc<Mutex<Shelf>>,
    image: Digest,
}

impl Registry {
    /// `special` may answer in the registry's place; it sees what is there.
    async fn start(special: impl Fn(&Asked, &mut Shelf) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let shelf = Arc::<Mutex<Shelf>>::default();
        let image = shelf.lock().unwrap().put("1", image("the image").as_bytes());
        shelf.lock().unwrap().put("2", image_bytes().as_bytes());
        let held = Arc::clone(&shelf);
        let fake = Fake::start(move |asked, _| {
            let mut shelf = held.lock().unwrap();
            special(asked, &mut shelf).unwrap_or_else(|| answer(asked, &mut shelf))
        })
        .await;
        Self { fake, shelf, image }
    }

    async fn delete(&self) -> Result<Gone, DeleteError> {
        let remote = open(&self.fake);
        match remote.delete_tag(&tag("1"), &self.image).await? {
            Step::Gone(gone) => Ok(gone),
            Step::Prepared(prepared) => prepared.delete().await,
        }
    }

    fn shown(&self, tag: &str) -> Option<String> {
        self.shelf.lock().unwrap().tags.get(tag).cloned()
    }

    fn asked(&self, method: &str) -> usize {
        self.fake.asked().iter().filter(|asked| asked.method == method).count()
    }

    /// The image is under both of its tags.
    #[track_caller]
    fn assert_untouched(&self) {
        let image = Some(self.image.to_string());
        assert_eq!((self.shown("1"), self.shown("2")), (image.clone(), image));
    }
}

fn tag(tag: &str) -> Tag {
    tag.parse().unwrap()
}

fn image_bytes() -> String {
    image("the image")
}

fn image(note: &str) -> String {
    let config = serde_json::json!({"mediaType": "x/y", "digest": Digest::sha256(b"{}"), "size": 2});
    serde_json::json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [], "annotations": {"note": note},
    })
    .to_string()
}

/// A registry that deletes tags and digests.
fn answer(asked: &Asked, shelf: &mut Shelf) -> Reply {
    let Some(reference) = asked.path.strip_prefix("/v2/app/manifests/") else {
        return reply(200).header("content-length", "2");
    };
    match asked.method.as_str() {
        "PUT" => {
            shelf.put(reference, &asked.body);
            reply(201)
        }
        "DELETE" if reference.contains(':') => {
            shelf.manifests.remove(reference);
            shelf.tags.retain(|_, digest| digest != reference);
            reply(202)
        }
        "DELETE" => {
            shelf.tags.remove(reference);
            reply(202)
        }
        _ => match shelf.find(reference) {
            Some((digest, bytes)) => reply(200)
                .header("content-type", OCI_MANIFEST)
                .header("docker-content-digest", digest)
                .body(bytes),
            None => refuse(404, "MANIFEST_UNKNOWN"),
        },
    }
}

fn by_tag(asked: &Asked) -> bool {
    asked.method == "DELETE" && !asked.path.contains("sha256:")
}

fn by_digest(asked: &Asked) -> bool {
    asked.method == "DELETE" && asked.path.contains("sha256:")
}

#[tokio::test]
async fn a_tag_is_deleted_and_its_sibling_stays() {
    let registry = Registry::start(|_, _| None).await;
    assert_eq!(registry.delete().await.unwrap(), Gone::Deleted);
    assert_eq!((registry.shown("1"), registry.shown("2")), (None, Some(registry.image.to_string())));
    assert_eq!((registry.asked("DELETE"), registry.asked("PUT")), (1, 0));
}

#[tokio::test]
async fn where_only_digests_can_be_deleted_a_dummy_goes_in_the_tags_place() {
    for answer in
        [refuse(400, "DIGEST_INVALID"), refuse(405, "UNSUPPORTED"), refuse(422, "UNSUPPORTED"), reply(405)]
    {
        let registry = Registry::start(move |asked, _| by_tag(asked).then(|| answer.clone())).await;
        assert_eq!(registry.delete().await.unwrap(), Gone::Deleted);
        assert_eq!((registry.shown("1"), registry.shown("2")), (None, Some(registry.image.to_string())));
        let deleted =
            |asked: &&Asked| asked.method == "DELETE" && asked.path.contains(registry.image.as_str());
        assert_eq!(
            registry.fake.asked().iter().filter(deleted).count(),
            0,
            "never by the image's own digest"
        );
        // The image and its sibling's are the only manifests that are left.
        assert_eq!(registry.shelf.lock().unwrap().manifests.len(), 1);
    }
}

#[tokio::test]
async fn what_was_found_out_is_remembered_for_the_repository() {
    let registry = Registry::start(|asked, _| by_tag(asked).then(|| refuse(405, "UNSUPPORTED"))).await;
    let remote = open(&registry.fake);
    for name in ["1", "2"] {
        let Step::Prepared(prepared) = remote.delete_tag(&tag(name), &registry.image).await.unwrap() else {
            panic!("this registry deletes no tags")
        };
        assert_eq!(prepared.delete().await.unwrap(), Gone::Deleted);
    }
    let asked = registry.fake.asked();
    assert_eq!(asked.iter().filter(|asked| by_tag(asked)).count(), 1);
    // One to prove it, and one for each tag.
    assert_eq!(asked.iter().filter(|asked| by_digest(asked)).count(), 3);
}

#[tokio::test]
async fn nothing_is_pushed_where_it_is_refused_for_who_we_are_or_for_now() {
    for (answer, class) in [
        (refuse(401, "UNAUTHORIZED"), Class::Unauthorized),
        (refuse(403, "DENIED"), Class::Forbidden),
        (refuse(429, "TOOMANYREQUESTS"), Class::RateLimited),
        (reply(500), Class::Unavailable),
        (refuse(503, "UNSUPPORTED"), Class::Unavailable),
        (refuse(405, "DENIED"), Class::Unsupported),
        (hang_up(), Class::Unavailable),
    ] {
        let registry = Registry::start(move |asked, _| by_tag(asked).then(|| answer.clone())).await;
        let error = registry.delete().await.unwrap_err();
        assert_eq!(error.class(), class, "{error:?}");
        registry.assert_untouched();
        assert_eq!((registry.asked("DELETE"), registry.asked("PUT"), registry.asked("POST")), (1, 0, 0));
    }
}

#[tokio::test]
async fn a_registry_that_deletes_nothing_is_left_as_it_is() {
    // As GHCR: the dummy would be taken, and then not deleted.
    let registry =
        Registry::start(|asked, _| (asked.method == "DELETE").then(|| refuse(405, "UNSUPPORTED"))).await;
    let error = registry.delete().await.unwrap_err();
    assert!(matches!(error, DeleteError::Unsupported { .. }), "{error:?}");
    registry.assert_untouched();
    // As ECR: 404 to every deletion.
    for answer in [refuse(404, "MANIFEST_UNKNOWN"), reply(404)] {
        let registry =
            Registry::start(move |asked, _| (asked.method == "DELETE").then(|| answer.clone())).await;
        let error = registry.delete().await.unwrap_err();
        assert!(matches!(error, DeleteError::Unsupported { .. }), "{error:?}");
        registry.assert_untouched();
        assert_eq!(registry.asked("PUT"), 0);
    }
    // Tags cannot be deleted, and digests only seem to be.
    let registry = Registry::start(|asked, _| match (by_tag(asked), by_digest(asked)) {
        (true, _) => Some(refuse(400, "DIGEST_INVALID")),
        (_, true) => Some(reply(202)),
        _ => None,
    })
    .await;
    assert!(matches!(registry.delete().await.unwrap_err(), DeleteError::Unsupported { .. }));
    registry.assert_untouched();
}

#[tokio::test]
async fn a_deletion_that_proves_nothing_by_being_refused_is_tried_with_no_dummy() {
    let registry = Registry::start(|asked, _| match (by_tag(asked), by_digest(asked)) {
        (true, _) => Some(refuse(405, "UNSUPPORTED")),
        (_, true) => Some(refuse(403, "DENIED")),
        _ => None,
    })
    .await;
    assert_eq!(registry.delete().await.unwrap_err().class(), Class::Forbidden);
    registry.assert_untouched();
}

#[tokio::test]
async fn what_somebody_else_put_there_stays() {
    let registry = Registry::start(|_, _| None).await;
    let other = registry.shelf.lock().unwrap().put("1", image("theirs").as_bytes());
    assert_eq!(registry.delete().await.unwrap(), Gone::Changed(other.clone()));
    assert_eq!((registry.shown("1"), registry.asked("DELETE")), (Some(other.to_string()), 0));

    let registry = Registry::start(|_, _| None).await;
    registry.shelf.lock().unwrap().tags.remove("1");
    assert_eq!(registry.delete().await.unwrap(), Gone::Absent);
}

#[tokio::test]
async fn a_push_between_the_dummy_and_its_deletion_survives() {
    let registry = Registry::start(|asked, shelf| {
        // It comes right after the dummy was given to the tag.
        if by_digest(asked) && shelf.tags.get("1").is_some_and(|shown| asked.path.ends_with(shown.as_str())) {
            shelf.put("1", image("theirs").as_bytes());
        }
        by_tag(asked).then(|| refuse(405, "UNSUPPORTED"))
    })
    .await;
    let theirs = Digest::sha256(image("theirs").as_bytes());
    assert_eq!(registry.delete().await.unwrap(), Gone::Changed(theirs.clone()));
    assert_eq!(registry.shown("1"), Some(theirs.to_string()));
}

#[tokio::test]
async fn a_push_while_it_is_recorded_what_is_going_to_happen_survives() {
    let registry = Registry::start(|asked, _| by_tag(asked).then(|| refuse(405, "UNSUPPORTED"))).await;
    let remote = open(&registry.fake);
    let Step::Prepared(prepared) = remote.delete_tag(&tag("1"), &registry.image).await.unwrap() else {
        panic!()
    };
    let theirs = registry.shelf.lock().unwrap().put("1", image("theirs").as_bytes());
    assert_eq!(prepared.delete().await.unwrap(), Gone::Changed(theirs.clone()));
    assert_eq!(registry.shown("1"), Some(theirs.to_string()));
}

/// Deletes digests for so long as no tag shows them.
fn keeps_what_is_tagged(asked: &Asked, shelf: &Shelf) -> Option<Reply> {
    let is_tagged = shelf.tags.values().any(|shown| asked.path.ends_with(shown.as_str()));
    (by_tag(asked) || (by_digest(asked) && is_tagged)).then(|| refuse(405, "UNSUPPORTED"))
}

#[tokio::test]
async fn a_dummy_that_cannot_be_deleted_gives_way_to_what_was_there() {
    let registry = Registry::start(|asked, shelf| keeps_what_is_tagged(asked, shelf)).await;
    let error = registry.delete().await.unwrap_err();
    assert!(matches!(error, DeleteError::PutBack { .. }), "{error:?}");
    assert!(error.is_as_before());
    registry.assert_untouched();
}

#[tokio::test]
async fn a_tag_that_is_held_at_a_dummy_is_said_to_be() {
    let registry = Registry::start(|asked, shelf| {
        let is_back = asked.method == "PUT" && asked.body == image_bytes().as_bytes();
        if is_back { Some(refuse(403, "DENIED")) } else { keeps_what_is_tagged(asked, shelf) }
    })
    .await;
    let error = registry.delete().await.unwrap_err();
    let DeleteError::Held { dummy, digest, .. } = &error else { panic!("{error:?}") };
    assert_eq!((registry.shown("1"), digest), (Some(dummy.to_string()), &registry.image));
    assert!(error.to_string().contains(dummy.as_str()), "{error}");
    assert!(!error.is_as_before());

    // The next run can put it back, once that works.
    registry.shelf.lock().unwrap().put("1", image("theirs").as_bytes());
    let remote = open(&registry.fake);
    let left = remote.put_back(&tag("1"), dummy, &registry.image).await.unwrap();
    assert!(matches!(left, Some(Gone::Changed(_))), "what somebody put there since stays");
}

#[tokio::test]
async fn a_deletion_that_was_broken_off_at_its_dummy_is_ended_or_taken_back() {
    for is_deleted in [true, false] {
        let registry = Registry::start(|asked, _| by_tag(asked).then(|| refuse(405, "UNSUPPORTED"))).await;
        let dummy = registry.shelf.lock().unwrap().put("1", image("a dummy").as_bytes());
        let remote = open(&registry.fake);
        if is_deleted {
            let gone = remote.delete_held(&tag("1"), &dummy, &registry.image).await.unwrap();
            assert_eq!((gone, registry.shown("1")), (Gone::Deleted, None));
            assert_eq!(registry.shown("2"), Some(registry.image.to_string()));
        } else {
            assert_eq!(remote.put_back(&tag("1"), &dummy, &registry.image).await.unwrap(), None);
            registry.assert_untouched();
        }
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_looked_at_and_not_sent_again() {
    let registry = Registry::start(|asked, shelf| {
        by_tag(asked).then(|| {
            shelf.tags.remove("1");
            hang_up()
        })
    })
    .await;
    assert_eq!(registry.delete().await.unwrap(), Gone::Deleted);
    assert_eq!(registry.asked("DELETE"), 1);
}

#[tokio::test]
async fn a_registry_that_says_it_is_done_and_shows_it_still_is_not_believed() {
    let registry = Registry::start(|asked, _| by_tag(asked).then(|| reply(202))).await;
    assert!(matches!(registry.delete().await.unwrap_err(), DeleteError::StillThere { .. }));
    registry.assert_untouched();
    // And a 404 that no registry says proves nothing.
    let registry = Registry::start(|asked, shelf| {
        let is_gone = shelf.tags.contains_key("1");
        (!is_gone && asked.path.ends_with("/1") && asked.method != "DELETE").then(|| reply(404))
    })
    .await;
    assert_eq!(registry.delete().await.unwrap_err().class(), Class::Unavailable);
}

#[tokio::test]
async fn a_tag_that_may_be_held_and_cannot_be_looked_at_is_still_said_to_be_held() {
    for (status, code) in [(401, "UNAUTHORIZED"), (403, "DENIED"), (503, "UNAVAILABLE")] {
        let registry =
            Registry::start(move |asked, _| (asked.method == "HEAD").then(|| refuse(status, code))).await;
        let dummy = registry.shelf.lock().unwrap().put("1", image("a dummy").as_bytes());
        let remote = open(&registry.fake);
        let deleted = remote.delete_held(&tag("1"), &dummy, &registry.image).await.unwrap_err();
        let put_back = remote.put_back(&tag("1"), &dummy, &registry.image).await.unwrap_err();
        for error in [deleted, put_back] {
            // Who takes it for what it was before forgets the dummy.
            assert!(error.is_held() && !error.is_as_before(), "{status}: {error}");
        }
        assert_eq!(registry.shown("1"), Some(dummy.to_string()));
    }
}
