use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    class,
    fake::{Asked, Fake, Reply, refuse, reply},
    image, open,
};
use crate::{
    class::Class,
    digest::Digest,
    registry::{Attachment, Listing, Manifest, OCI_INDEX, OCI_MANIFEST, Referrer, Remote, message},
};

fn subject() -> Digest {
    Digest::sha256(&image())
}

/// A referrer of [`image`], told by its name.
fn referrer(name: &str) -> Manifest {
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/x", "layers": [],
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::sha256(b"{}"), "size": 2},
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject(), "size": image().len()},
        "annotations": {"name": name},
    });
    let bytes = Bytes::from(manifest.to_string());
    let digest = Digest::sha256(&bytes);
    Manifest::parse(bytes, None, digest).unwrap()
}

fn index(descriptors: &[Value]) -> String {
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}).to_string()
}

fn descriptor(name: &str) -> Value {
    serde_json::to_value(Referrer::of(&referrer(name))).unwrap()
}

fn list(names: &[&str]) -> Reply {
    let descriptors: Vec<Value> = names.iter().map(|name| descriptor(name)).collect();
    reply(200).header("content-type", OCI_INDEX).body(index(&descriptors))
}

/// What distribution says of a path that it does not know.
fn unknown_path() -> Reply {
    reply(404).header("content-type", "text/plain; charset=utf-8").body("404 page not found\n")
}

async fn names(remote: &Remote) -> Vec<Digest> {
    match remote.referrers(&subject()).await.unwrap() {
        Listing::Referrers(referrers) => referrers.into_iter().map(|one| one.digest).collect(),
        Listing::NoApi => panic!("there is an API"),
    }
}

#[tokio::test]
async fn all_pages_are_read_and_each_referrer_is_named_once() {
    let fake = Fake::start_at(|url, asked, _| match asked.query("page") {
        "" => list(&["a"]).header("link", r#"</v2/app/referrers/x?page=2>; rel="next""#),
        "2" => list(&["a", "b"]).header("link", format!(r"<{url}/v2/app/referrers/x?page=3>; rel=next")),
        _ => list(&["c"]),
    })
    .await;
    let expected: Vec<Digest> = ["a", "b", "c"].iter().map(|name| referrer(name).digest).collect();
    assert_eq!(names(&open(&fake)).await, expected);
    assert_eq!(fake.lines()[0], format!("GET /v2/app/referrers/{}", subject()));
    assert_eq!(fake.asked()[0].header("accept"), Some(OCI_INDEX));
}

#[tokio::test]
async fn a_registry_that_has_lost_a_manifest_tells_nothing_of_the_referrers_of_others() {
    let gone = Digest::sha256(b"gone");
    let fake = Fake::start({
        let gone = gone.to_string();
        move |asked, _| {
            if asked.path.ends_with(&gone) { refuse(404, "MANIFEST_UNKNOWN") } else { list(&["a"]) }
        }
    })
    .await;
    let remote = open(&fake);
    assert_eq!(remote.referrers(&gone).await.unwrap(), Listing::NoApi);
    assert_eq!(names(&remote).await, [referrer("a").digest]);
}

#[tokio::test]
async fn a_registry_without_an_api_is_asked_once_however_many_want_to_know() {
    let fake = Fake::start(|_, _| unknown_path()).await;
    let remote = open(&fake);
    let asks = (0..8).map(|n| {
        let (remote, digest) = (remote.clone(), Digest::sha256(&[n]));
        async move { remote.referrers(&digest).await.unwrap() }
    });
    let answers = futures::future::join_all(asks).await;
    assert!(answers.iter().all(|answer| *answer == Listing::NoApi));
    assert_eq!(fake.asked().len(), 1);
}

#[rstest]
#[case::unauthorized(refuse(401, "UNAUTHORIZED"), Class::Unauthorized)]
#[case::forbidden(refuse(403, "DENIED"), Class::Forbidden)]
#[case::hidden(refuse(404, "UNAUTHORIZED"), Class::Unauthorized)]
#[case::no_repository_yet(refuse(404, "NAME_UNKNOWN"), Class::NotFound)]
#[case::broken(refuse(500, "UNKNOWN"), Class::Unavailable)]
#[case::limited(refuse(429, "TOOMANYREQUESTS").header("retry-after", "3600"), Class::RateLimited)]
#[case::web_page(reply(200).header("content-type", "text/html").body("<html>"), Class::Unsupported)]
#[case::no_list(reply(200).header("content-type", "application/json").body("{}"), Class::Unavailable)]
#[case::no_json(reply(200).header("content-type", OCI_INDEX).body("hello"), Class::Unsupported)]
#[case::no_descriptors(reply(200).header("content-type", OCI_INDEX).body(r#"{"manifests": [{}]}"#), Class::Unsupported)]
#[case::endless(reply(200).header("content-type", OCI_INDEX).body(vec![b' '; 1 << 20]).endless(), Class::TooLarge)]
#[tokio::test]
async fn what_is_no_list_and_no_404_of_the_registry_is_an_error_and_not_none(
    #[case] answer: Reply,
    #[case] expected: Class,
) {
    let fake = Fake::start(move |_, _| answer.clone()).await;
    let remote = open(&fake);
    assert_eq!(class(remote.referrers(&subject()).await), expected);
    // It is not remembered as an answer either.
    assert_eq!(class(remote.referrers(&subject()).await), expected);
}

#[tokio::test]
async fn a_registry_that_sends_who_asks_to_a_login_page_elsewhere_has_no_api() {
    let page = Fake::start(|_, _| reply(200).header("content-type", "text/html").body("<html>")).await;
    let there = page.address;
    let fake = Fake::start(move |_, _| reply(302).header("location", format!("http://{there}/login"))).await;
    assert_eq!(open(&fake).referrers(&subject()).await.unwrap(), Listing::NoApi);
}

#[tokio::test]
async fn a_404_from_a_registry_that_had_an_api_is_an_error() {
    let fake = Fake::start(|_, before| if before == 0 { list(&["a"]) } else { unknown_path() }).await;
    let remote = open(&fake);
    assert_eq!(names(&remote).await.len(), 1);
    assert_eq!(class(remote.referrers(&subject()).await), Class::Unavailable);
}

#[tokio::test]
async fn a_list_that_goes_in_circles_or_names_too_many_is_refused() {
    let fake = Fake::start(|asked, _| {
        let next = if asked.query("page") == "2" { 1 } else { 2 };
        list(&["a"]).header("link", format!(r#"</v2/app/referrers/x?page={next}>; rel="next""#))
    })
    .await;
    assert_eq!(class(open(&fake).referrers(&subject()).await), Class::Unavailable);
    let fake = Fake::start(|asked, _| {
        let page: u64 = asked.query("page").parse().unwrap_or(0);
        let many = (0..1_000)
            .map(|n| json!({"digest": Digest::sha256(format!("{page} {n}").as_bytes()), "size": 1}));
        let next = format!(r#"</v2/app/referrers/x?page={}>; rel="next""#, page + 1);
        reply(200)
            .header("content-type", OCI_INDEX)
            .header("link", next)
            .body(index(&many.collect::<Vec<_>>()))
    })
    .await;
    assert_eq!(class(open(&fake).referrers(&subject()).await), Class::TooLarge);
    assert_eq!(fake.asked().len(), 3);
}

#[tokio::test]
async fn that_a_registry_lists_what_it_took_is_its_own_word_or_is_asked_once() {
    let says = Fake::start(|_, _| reply(201).header("oci-subject", subject())).await;
    assert!(open(&says).put_referrer(&referrer("a")).await.unwrap());
    assert_eq!(says.asked().len(), 1);
    // ggcr has the API, and never says so.
    let quiet = Fake::start(|asked, _| if asked.method == "PUT" { reply(201) } else { list(&["a"]) }).await;
    let remote = open(&quiet);
    assert!(remote.put_referrer(&referrer("a")).await.unwrap());
    assert!(remote.put_referrer(&referrer("b")).await.unwrap());
    assert_eq!(quiet.asked().len(), 3);
    let without =
        Fake::start(|asked, _| if asked.method == "PUT" { reply(201) } else { unknown_path() }).await;
    let remote = open(&without);
    assert!(!remote.put_referrer(&referrer("a")).await.unwrap());
    assert!(!remote.put_referrer(&referrer("b")).await.unwrap());
    assert_eq!(without.asked().len(), 3);
}

#[rstest]
#[case(refuse(404, "MANIFEST_UNKNOWN"))]
#[case(reply(400).body(json!({"errors": [{"code": "MANIFEST_INVALID", "message": format!("no {}", subject())}]}).to_string()))]
#[tokio::test]
async fn a_registry_that_wants_the_subject_first_lacks_content(#[case] answer: Reply) {
    let fake = Fake::start(move |_, _| answer.clone()).await;
    assert!(open(&fake).put_referrer(&referrer("a")).await.unwrap_err().is_missing_content());
}

/// A registry that has nothing but the tag `sha256-<hex>`.
#[derive(Clone, Default)]
struct OneTag(Arc<Mutex<Option<Held>>>);

/// A media type, and the bytes.
type Held = (String, Vec<u8>);

impl OneTag {
    fn holding(media_type: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self(Arc::new(Mutex::new(Some((media_type.to_owned(), bytes.as_ref().to_vec())))))
    }

    fn write(&self, bytes: Vec<u8>) {
        *self.0.lock().unwrap() = Some((OCI_INDEX.to_owned(), bytes));
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let tag = Attachment::Fallback.tag(&subject()).unwrap();
        assert_eq!(asked.path, format!("/v2/app/manifests/{tag}"));
        if asked.method == "PUT" {
            self.write(asked.body.clone());
            return reply(201);
        }
        match &*self.0.lock().unwrap() {
            None => refuse(404, "MANIFEST_UNKNOWN"),
            Some((media_type, bytes)) => reply(200)
                .header("content-type", media_type)
                .header("docker-content-digest", Digest::sha256(bytes))
                .body(bytes),
        }
    }

    /// The digests that the index names.
    fn names(&self) -> Vec<String> {
        let index: Value = serde_json::from_slice(&self.0.lock().unwrap().as_ref().unwrap().1).unwrap();
        let manifests = index["manifests"].as_array().unwrap();
        manifests.iter().map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
    }
}

fn ours(names: &[&str]) -> Vec<Referrer> {
    names.iter().map(|name| Referrer::of(&referrer(name))).collect()
}

#[tokio::test]
async fn an_index_is_read_merged_written_and_looked_at_and_then_left_alone() {
    let tag = OneTag::holding(OCI_INDEX, index(&[descriptor("theirs")]));
    let fake = Fake::start({
        let tag = tag.clone();
        move |asked, _| tag.answer(asked)
    })
    .await;
    let remote = open(&fake);
    let digest = remote.name_referrers(&subject(), &ours(&["a"])).await.unwrap();
    let methods = |fake: &Fake| fake.asked().into_iter().map(|asked| asked.method).collect::<Vec<_>>();
    assert_eq!(methods(&fake), ["GET", "PUT", "HEAD"]);
    assert_eq!(tag.names(), [referrer("theirs").digest.to_string(), referrer("a").digest.to_string()]);
    assert_eq!(remote.name_referrers(&subject(), &ours(&["a"])).await.unwrap(), digest);
    assert_eq!(methods(&fake), ["GET", "PUT", "HEAD", "GET"]);
    let read: Vec<String> = remote
        .fallback_referrers(&subject())
        .await
        .unwrap()
        .iter()
        .map(|one| one.digest.to_string())
        .collect();
    assert_eq!(read, tag.names());
}

#[tokio::test]
async fn those_who_write_at_the_same_time_in_one_process_do_so_one_after_another() {
    let tag = OneTag::default();
    let writing = AtomicUsize::new(0);
    let fake = Fake::start({
        let tag = tag.clone();
        move |asked, _| {
            // Each reads, writes, and looks: nobody comes in between.
            let expected = ["GET", "PUT", "HEAD"][writing.fetch_add(1, Ordering::SeqCst) % 3];
            assert_eq!(asked.method, expected);
            tag.answer(asked)
        }
    })
    .await;
    let remote = open(&fake);
    let all = ["a", "b", "c", "d", "e"];
    let writes = all.map(|name| {
        let remote = remote.clone();
        async move { remote.name_referrers(&subject(), &ours(&[name])).await.unwrap() }
    });
    futures::future::join_all(writes).await;
    assert_eq!(tag.names().len(), all.len());
}

#[tokio::test]
async fn what_somebody_else_wrote_over_ours_gets_ours_again() {
    let tag = OneTag::default();
    let fake = Fake::start({
        let tag = tag.clone();
        move |asked, before| {
            let answer = tag.answer(asked);
            // Three times somebody who had read before we wrote, writes after us.
            if asked.method == "PUT" && before < 9 {
                tag.write(index(&[descriptor("theirs")]).into_bytes());
            }
            answer
        }
    })
    .await;
    open(&fake).name_referrers(&subject(), &ours(&["a", "b"])).await.unwrap();
    let mut names = tag.names();
    names.sort_unstable();
    let mut expected = ["theirs", "a", "b"].map(|name| referrer(name).digest.to_string());
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn who_loses_to_others_again_and_again_gives_up_and_says_so() {
    let tag = OneTag::default();
    let fake = Fake::start(move |asked, _| {
        let answer = tag.answer(asked);
        if asked.method == "PUT" {
            tag.write(index(&[descriptor("theirs")]).into_bytes());
        }
        answer
    })
    .await;
    let error = open(&fake).name_referrers(&subject(), &ours(&["a"])).await.unwrap_err();
    assert_eq!(error.class(), Class::Unavailable);
    assert!(message(&error).contains("took ours away 8 times"), "{}", message(&error));
}

#[rstest]
#[case::an_image(
    OneTag::holding(OCI_MANIFEST, image()),
    Class::Unsupported,
    "it holds no index of referrers"
)]
#[case::no_room(
    OneTag::holding(OCI_INDEX, index(&[json!({"digest": subject(), "size": 1, "annotations": {"x": "y".repeat((4 << 20) - 300)}})])),
    Class::TooLarge,
    "has no room for more"
)]
#[case::damaged(OneTag::holding(OCI_INDEX, "{"), Class::Unsupported, "damaged")]
#[tokio::test]
async fn what_is_under_the_tag_and_cannot_be_added_to_is_left_as_it_is(
    #[case] tag: OneTag,
    #[case] expected: Class,
    #[case] why: &str,
) {
    let fake = Fake::start(move |asked, _| tag.answer(asked)).await;
    let error = open(&fake).name_referrers(&subject(), &ours(&["a"])).await.unwrap_err();
    assert_eq!(error.class(), expected);
    assert!(message(&error).contains(why), "{}", message(&error));
    assert!(fake.asked().iter().all(|asked| asked.method != "PUT"));
}

#[rstest]
#[case(unknown_path(), Class::Unavailable)]
#[case(refuse(401, "UNAUTHORIZED"), Class::Unauthorized)]
#[case(refuse(500, "UNKNOWN"), Class::Unavailable)]
#[tokio::test]
async fn an_index_that_cannot_be_read_is_not_taken_for_none(#[case] answer: Reply, #[case] expected: Class) {
    let fake = Fake::start(move |_, _| answer.clone()).await;
    let remote = open(&fake);
    assert_eq!(class(remote.fallback_referrers(&subject()).await), expected);
    assert_eq!(class(remote.name_referrers(&subject(), &ours(&["a"])).await), expected);
    assert!(fake.asked().iter().all(|asked| asked.method == "GET"));
}
