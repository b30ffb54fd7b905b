//! What changes on a target while a run goes on, or since the last one: what is missing there is sent again, and what
//! somebody else put there stays.

use std::sync::Arc;

use http::{Method, StatusCode};
use tokio::sync::{Notify, Semaphore};

use crate::{
    command::Desk,
    pair::{Pair, answer, is, once, soon},
    testbed::{
        proxy::{Proxy, Seen, Verdict},
        registry::Registry,
    },
};

fn sends_a_blob(seen: &Seen) -> bool {
    seen.method == Method::PUT && seen.path.contains("/blobs/uploads/")
}

/// The wire to a target on which one request of each run, the first that is like this, waits until something was done.
struct Pause {
    wire: Proxy,
    reached: Arc<Notify>,
    gate: Arc<Semaphore>,
}

impl Pause {
    async fn at(target: &Registry, method: Method, part: &str) -> Self {
        let (reached, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let (notify, held) = (Arc::clone(&reached), Arc::clone(&gate));
        let (_, rule) = once(is(method, part), move || {
            notify.notify_one();
            Verdict::Hold(Arc::clone(&held))
        });
        Self { wire: Proxy::with(&target.host(), rule).await, reached, gate }
    }

    /// Does `meanwhile` while the request waits.
    async fn and(&self, meanwhile: impl Future<Output = ()>) {
        soon("the request comes", self.reached.notified()).await;
        meanwhile.await;
        self.gate.add_permits(1);
    }
}

#[tokio::test]
async fn a_child_that_is_collected_while_its_index_is_published_is_sent_again_with_everything() {
    let pair = Pair::with(Registry::v3(), Registry::v3().sparse_indexes()).await;
    // The registry itself takes the index without its child, so only the look afterwards can tell.
    let pause = Pause::at(&pair.target, Method::PUT, "/manifests/v1").await;
    let desk = Pair::desk(&pair.source.host(), &pause.wire.host());
    let child = pair.image.children[1].digest();
    tokio::join!(desk.synced(), pause.and(pair.target.delete("team/app", child.as_str())));
    pair.assert_copied().await;

    let requests = pause.wire.requests();
    let path = format!("/v2/team/app/manifests/{child}");
    let missed = |seen: &Seen| seen.method == Method::HEAD && seen.path == path && seen.status() == 404;
    let missed = requests.iter().position(missed).expect("somebody looked for the child");
    let again = &requests[missed..];
    assert_eq!(again.iter().filter(|seen| sends_a_blob(seen)).count(), pair.image.all_blobs().len());
    let asks =
        again.iter().filter(|seen| seen.path.contains("mount=") || seen.path.contains("/blobs/sha256"));
    assert_eq!(asks.count(), 0, "what the registry says of its blobs is not believed any more");
    let tags = requests.iter().filter(|seen| seen.method == Method::PUT && seen.path.ends_with("/v1"));
    assert_eq!(tags.count(), 2);
    let record = &desk.references()[&format!("{}/team/app:v1", pause.wire.host())];
    assert_eq!((record.origin.as_str(), record.state.as_str()), ("Written", "InSync"));
}

#[tokio::test]
async fn a_child_that_is_missing_even_after_it_was_sent_again_fails_and_is_named() {
    let pair = Pair::with(Registry::v3(), Registry::v3().sparse_indexes()).await;
    let child = pair.image.children[1].digest().to_string();
    let path = format!("/manifests/{child}");
    let to = Proxy::with(&pair.target.host(), move |request| {
        if is(Method::HEAD, &path)(request) { answer(404, &[], "") } else { Verdict::Pass }
    })
    .await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("Unavailable"), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("does not have its manifest {child}")), "{}", ran.stdout);
    assert_eq!(to.count(&Method::PUT, "/manifests/v1"), 2, "it is tried again, once");
    let record = &desk.references()[&format!("{}/team/app:v1", to.host())];
    assert_eq!((record.origin.as_str(), record.state.as_str()), ("Written", "Failed"));
}

#[tokio::test]
async fn another_name_for_an_image_that_has_lost_a_child_makes_it_complete_again() {
    for target in [Registry::v3(), Registry::v3().sparse_indexes(), Registry::olareg()] {
        let pair = Pair::with(Registry::v3(), target).await;
        let desk = Pair::desk(&pair.source.host(), &pair.target.host());
        desk.synced().await;
        pair.target.delete("team/app", pair.image.children[0].digest().as_str()).await;
        pair.target.walk("team/app", "v1").await.unwrap_err();

        desk.manifest(&format!(
            "images:\n- name: app\n  source: {}/team/app:v1\n\
             targets:\n- name: copy\n  repository: {}/{{path}}\n  tags: [\"{{tag}}\", \"also-{{tag}}\"]",
            pair.source.host(),
            pair.target.host()
        ));
        desk.synced().await;
        pair.assert_copied().await;
        pair.target.complete("team/app", "also-v1").await;
    }
}

/// The pair's copy, through the wire that pauses, where what others write stays.
fn never_overwriting(pair: &Pair, pause: &Pause) -> Desk {
    Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app:v1\n\
         targets:\n- name: copy\n  repository: {}/{{path}}\n  overwrite: Never",
        pair.source.host(),
        pause.wire.host()
    ))
}

#[tokio::test]
async fn a_tag_that_somebody_takes_while_the_image_is_copied_is_not_overwritten_where_that_is_not_wanted() {
    let pair = Pair::start().await;
    let pause = Pause::at(&pair.target, Method::PUT, "/blobs/uploads/").await;
    let desk = never_overwriting(&pair, &pause);
    let theirs = &pair.image.children[0];
    let (ran, ()) = tokio::join!(desk.sync(), pause.and(pair.target.push("team/app", "v1", theirs)));
    let ran = ran.expect(1);
    assert!(ran.stdout.contains("1 conflict"), "{}", ran.stdout);
    let says = format!("now has another image ({}), and `overwrite: Never` keeps it", theirs.digest());
    assert!(ran.stdout.contains(&says), "{}", ran.stdout);
    assert_eq!(pair.target.digest("team/app", "v1").await.as_ref(), Some(theirs.digest()));
    assert_eq!(pause.wire.count(&Method::PUT, "/manifests/v1"), 0);
    assert!(desk.references().is_empty(), "what is theirs is not recorded as ours");

    // It stays a conflict as long as theirs is there.
    assert!(desk.sync().await.expect(1).stdout.contains("1 conflict"));
    pair.target.delete("team/app", "v1").await;
    desk.synced().await;
    pair.assert_copied().await;
}

#[tokio::test]
async fn a_tag_that_somebody_takes_with_the_same_image_is_no_conflict() {
    let pair = Pair::start().await;
    let pause = Pause::at(&pair.target, Method::PUT, "/manifests/sha256:").await;
    let desk = never_overwriting(&pair, &pause);
    tokio::join!(desk.synced(), pause.and(pair.target.push("team/app", "v1", &pair.image)));
    pair.assert_copied().await;
}
#[tokio::test]
async fn a_tag_that_was_written_and_goes_back_to_an_older_image_is_still_known_as_ours() {
    let pair = Pair::start().await;
    let (met, rule) = once(is(Method::PUT, "/manifests/v1"), || Verdict::Pass);
    let to = Proxy::with(&pair.target.host(), move |request| {
        let verdict = rule(request);
        // The first image is published, and nothing after it.
        if is(Method::PUT, "/manifests/v1")(request) && met.load(std::sync::atomic::Ordering::SeqCst) > 1 {
            answer(StatusCode::FORBIDDEN.as_u16(), &[], r#"{"errors":[{"code":"DENIED"}]}"#)
        } else {
            verdict
        }
    })
    .await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    desk.synced().await;
    pair.source.put_manifest("team/app", "v1", &pair.image.children[0].root).await;
    desk.sync().await.expect(1);
    pair.source.put_manifest("team/app", "v1", &pair.image.root).await;
    desk.synced().await;
    let record = &desk.references()[&format!("{}/team/app:v1", to.host())];
    assert_eq!((record.origin.as_str(), record.state.as_str()), ("Written", "InSync"));
}
