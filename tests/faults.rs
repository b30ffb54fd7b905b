//! Broken networks and registries that lie, between the program and real registries: each ends in the right class, and
//! nothing is published wrongly.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};

use crate::{
    command::Desk,
    testbed::{
        images::Image,
        proxy::{Proxy, Verdict},
        registry::Registry,
        toxiproxy::{Toxiproxy, Way},
    },
};

/// A source with one image of two platforms, and an empty target.
struct Pair {
    source: Registry,
    target: Registry,
    image: Image,
}

impl Pair {
    async fn start() -> Self {
        let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
        let image = Image::multi(1, &["linux/amd64", "linux/arm64"], &[300_000, 3_000]);
        source.push("team/app", "v1", &image).await;
        Self { source, target, image }
    }

    fn desk(source: &str, target: &str) -> Desk {
        Desk::new(&format!(
            "images:\n- name: app\n  source: {source}/team/app:v1\ntargets:\n- name: copy\n  repository: {target}/{{path}}"
        ))
    }

    async fn assert_copied(&self) {
        assert_eq!(self.target.digest("team/app", "v1").await.as_ref(), Some(self.image.digest()));
        self.target.complete("team/app", "v1").await;
    }

    async fn assert_nothing_published(&self) {
        assert_eq!(self.target.digest("team/app", "v1").await, None);
    }
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Verdict {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Verdict::Answer(StatusCode::from_u16(status).unwrap(), headers, Bytes::copy_from_slice(body.as_bytes()))
}

/// Answers the first request that `step` is about with `verdict`, and lets the rest pass.
fn once(
    step: impl Fn(&Parts) -> bool + Send + Sync + 'static,
    verdict: impl Fn() -> Verdict + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, impl Fn(&Parts) -> Verdict + Send + Sync + 'static) {
    let met = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&met);
    let rule = move |request: &Parts| {
        if step(request) && count.fetch_add(1, Ordering::SeqCst) == 0 { verdict() } else { Verdict::Pass }
    };
    (met, rule)
}

fn is(method: Method, part: &'static str) -> impl Fn(&Parts) -> bool + Send + Sync + Clone + 'static {
    move |request| request.method == method && request.uri.path().contains(part)
}

#[tokio::test]
async fn a_5xx_in_any_one_step_is_got_over() {
    let at_source = [(Method::HEAD, "/manifests/v1"), (Method::GET, "/manifests/"), (Method::GET, "/blobs/")];
    for (method, part) in at_source {
        for status in [500, 502, 503, 504] {
            let pair = Pair::start().await;
            let (met, rule) = once(is(method.clone(), part), move || answer(status, &[], "oops"));
            let from = Proxy::with(&pair.source.host(), rule).await;
            Pair::desk(&from.host(), &pair.target.host()).synced().await;
            assert!(met.load(Ordering::SeqCst) > 1, "{method} {part} was met");
            pair.assert_copied().await;
        }
    }
    let at_target = [
        (Method::HEAD, "/manifests/v1"),
        (Method::HEAD, "/blobs/"),
        (Method::POST, "/blobs/uploads/"),
        (Method::PUT, "/blobs/uploads/"),
        (Method::PUT, "/manifests/sha256:"),
        (Method::PUT, "/manifests/v1"),
    ];
    for (method, part) in at_target {
        let pair = Pair::start().await;
        let (met, rule) = once(is(method.clone(), part), || answer(503, &[], "oops"));
        let to = Proxy::with(&pair.target.host(), rule).await;
        Pair::desk(&pair.source.host(), &to.host()).synced().await;
        assert!(met.load(Ordering::SeqCst) > 0, "{method} {part} was met");
        pair.assert_copied().await;
    }
}

#[tokio::test]
async fn a_torn_download_goes_on_where_it_tore() {
    let pair = Pair::start().await;
    let (_, rule) = once(is(Method::GET, "/blobs/"), || Verdict::TearResponse(100_000));
    let from = Proxy::with(&pair.source.host(), rule).await;
    Pair::desk(&from.host(), &pair.target.host()).synced().await;
    pair.assert_copied().await;
}

#[tokio::test]
async fn a_torn_upload_goes_on_or_begins_anew() {
    for tear in [0, 1, 70_000, 299_000] {
        for old in [false, true] {
            let mut pair = Pair::start().await;
            if old {
                pair.target = Registry::v2_8().start().await;
            }
            let (_, rule) = once(is(Method::PUT, "/blobs/uploads/"), move || Verdict::TearRequest(tear));
            let to = Proxy::with(&pair.target.host(), rule).await;
            Pair::desk(&pair.source.host(), &to.host()).synced().await;
            pair.assert_copied().await;
        }
    }
}

#[tokio::test]
async fn an_upload_session_that_the_registry_forgets_is_opened_anew() {
    let pair = Pair::start().await;
    let gone = r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"blob upload unknown to registry"}]}"#;
    let (met, rule) = once(is(Method::PUT, "/blobs/uploads/"), move || answer(404, &[], gone));
    let to = Proxy::with(&pair.target.host(), rule).await;
    Pair::desk(&pair.source.host(), &to.host()).synced().await;
    assert!(met.load(Ordering::SeqCst) > 1);
    pair.assert_copied().await;
}

#[tokio::test]
async fn a_short_retry_after_is_waited_out() {
    for header in ["0", "1"] {
        let pair = Pair::start().await;
        let (met, rule) =
            once(is(Method::GET, "/manifests/"), move || answer(429, &[("retry-after", header)], ""));
        let from = Proxy::with(&pair.source.host(), rule).await;
        Pair::desk(&from.host(), &pair.target.host()).synced().await;
        assert!(met.load(Ordering::SeqCst) > 1);
        pair.assert_copied().await;
    }
}

#[tokio::test]
async fn a_long_limit_defers_in_seconds_and_as_a_date_and_says_until_when() {
    let date =
        (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(3)).strftime("%a, %d %b %Y %H:%M:%S GMT");
    for header in ["7200".to_owned(), date.to_string()] {
        let pair = Pair::start().await;
        let from = Proxy::with(&pair.source.host(), move |request| {
            if request.method == Method::GET && request.uri.path().contains("/manifests/") {
                answer(429, &[("retry-after", &header)], r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#)
            } else {
                Verdict::Pass
            }
        })
        .await;
        let ran = Pair::desk(&from.host(), &pair.target.host()).sync().await.expect(4);
        assert!(ran.stdout.contains("deferred"), "{}", ran.stdout);
        pair.assert_nothing_published().await;
    }
}

#[tokio::test]
async fn a_page_instead_of_a_manifest_is_not_taken_for_one_nor_for_nothing() {
    let pair = Pair::start().await;
    let from = Proxy::with(&pair.source.host(), |request| {
        if request.uri.path().contains("/manifests/") {
            answer(200, &[("content-type", "text/html")], "<html>please log in</html>")
        } else {
            Verdict::Pass
        }
    })
    .await;
    let ran = Pair::desk(&from.host(), &pair.target.host()).sync().await.expect(1);
    assert!(!ran.stdout.contains("NotFound"), "{}", ran.stdout);
    pair.assert_nothing_published().await;
}

#[tokio::test]
async fn bytes_that_are_not_what_the_digest_names_reach_no_target() {
    let pair = Pair::start().await;
    let layer = pair.image.all_blobs().into_iter().find(|blob| blob.size > 200_000).unwrap();
    let (path, size) = (format!("/blobs/{}", layer.digest), usize::try_from(layer.size).unwrap());
    for wrong in [vec![7_u8; size], vec![7_u8; size / 2], vec![7_u8; size * 2]] {
        let (asked, wrong) = (path.clone(), Bytes::from(wrong));
        let from = Proxy::with(&pair.source.host(), move |request| {
            if request.method == Method::GET && request.uri.path().ends_with(&asked) {
                Verdict::Answer(StatusCode::OK, Vec::new(), wrong.clone())
            } else {
                Verdict::Pass
            }
        })
        .await;
        let ran = Pair::desk(&from.host(), &pair.target.host()).sync().await.expect(1);
        assert!(ran.stdout.contains("DigestMismatch"), "{}", ran.stdout);
        pair.assert_nothing_published().await;
        let head = pair.target.request(Method::HEAD, "team/app", path_of(&path)).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::NOT_FOUND, "the blob is not there");
    }
}

fn path_of(path: &str) -> &str {
    path.trim_start_matches('/')
}

#[tokio::test]
async fn a_tag_that_moves_between_head_and_get_gives_one_of_the_two_images_and_not_a_mixture() {
    let pair = Pair::start().await;
    let (first, second) = (pair.image.clone(), Image::multi(2, &["linux/amd64", "linux/arm64"], &[200_000]));
    pair.source.push_parts("team/app", &second).await;
    let moved = Arc::new(AtomicUsize::new(0));
    let (digest, bytes) = (second.digest().to_string(), second.all_manifests().last().unwrap().bytes.clone());
    let count = Arc::clone(&moved);
    let from = Proxy::with(&pair.source.host(), move |request| {
        // After the HEAD, whoever asks for the tag gets the other image.
        if request.uri.path().ends_with("/manifests/v1") && count.fetch_add(1, Ordering::SeqCst) > 0 {
            return Verdict::Answer(
                StatusCode::OK,
                vec![
                    ("content-type", "application/vnd.oci.image.index.v1+json".into()),
                    ("docker-content-digest", digest.clone()),
                ],
                bytes.clone(),
            );
        }
        Verdict::Pass
    })
    .await;
    Pair::desk(&from.host(), &pair.target.host()).synced().await;
    assert_eq!(pair.target.digest("team/app", "v1").await.as_ref(), Some(first.digest()));
    pair.target.complete("team/app", "v1").await;
}

#[tokio::test]
async fn a_registry_that_says_it_has_a_blob_and_has_not_is_sent_it() {
    let pair = Pair::start().await;
    let to = Proxy::with(&pair.target.host(), |request| {
        // As a cache does whose blobs a garbage collection took.
        if request.method == Method::HEAD && request.uri.path().contains("/blobs/") {
            answer(200, &[("content-length", "301056")], "")
        } else if request.method == Method::POST
            && request.uri.query().is_some_and(|query| query.contains("mount="))
        {
            answer(201, &[("location", "/v2/team/app/blobs/x")], "")
        } else {
            Verdict::Pass
        }
    })
    .await;
    Pair::desk(&pair.source.host(), &to.host()).synced().await;
    pair.assert_copied().await;
}

#[tokio::test]
async fn a_slow_and_narrow_wire_only_takes_longer() {
    let pair = Pair::start().await;
    let toxiproxy = Toxiproxy::start().await;
    let (from, to) = (toxiproxy.wire(&pair.source.host()).await, toxiproxy.wire(&pair.target.host()).await);
    from.latency(20).await;
    to.bandwidth(Way::Up, 2_000).await;
    Pair::desk(from.host(), to.host()).synced().await;
    pair.assert_copied().await;
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_unavailable() {
    let mut pair = Pair::start().await;
    let (source, target) = (pair.source.host(), pair.target.host());
    pair.source.stop();
    let ran = Pair::desk(&source, &target).sync().await.expect(1);
    assert!(ran.stdout.contains("Unavailable"), "{}", ran.stdout);
}

#[tokio::test]
async fn one_target_that_is_broken_does_not_keep_the_others_from_being_served() {
    let pair = Pair::start().await;
    let broken = Proxy::with(&pair.target.host(), |request| {
        if request.method == Method::PUT { answer(500, &[], "disk full") } else { Verdict::Pass }
    })
    .await;
    let good = Registry::v3().start().await;
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app:v1\ntargets:\n- name: broken\n  repository: {}/{{path}}\n- name: good\n  \
         repository: {}/{{path}}",
        pair.source.host(),
        broken.host(),
        good.host()
    ));
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("Unavailable"), "{}", ran.stdout);
    good.complete("team/app", "v1").await;
    pair.assert_nothing_published().await;
}

#[tokio::test]
async fn two_processes_that_sync_the_same_target_both_succeed() {
    let pair = Pair::start().await;
    let desks = [0, 1].map(|_| Pair::desk(&pair.source.host(), &pair.target.host()));
    tokio::join!(desks[0].synced(), desks[1].synced());
    pair.assert_copied().await;
}

#[tokio::test]
async fn a_state_directory_in_use_is_named_and_nothing_is_contacted() {
    let pair = Pair::start().await;
    let to = Proxy::start(&pair.target.host()).await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    let folder = desk.state().join("imagesync");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let ran = desk.sync().await.expect(1);
    assert!(ran.stderr.contains("used by another imagesync process"), "{}", ran.stderr);
    assert!(to.requests().is_empty());
}

#[tokio::test]
async fn a_state_file_that_is_corrupt_stops_the_run_before_anything_is_written() {
    let pair = Pair::start().await;
    let to = Proxy::start(&pair.target.host()).await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    let file = desk.state().join("imagesync/records/team/test/0.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "{\"records\": [").unwrap();
    let ran = desk.sync().await.expect(1);
    assert!(ran.stderr.contains("team/test/0.json"), "{}", ran.stderr);
    assert!(to.requests().is_empty());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"records\": [");
}

#[tokio::test]
async fn after_the_state_is_deleted_what_is_there_counts_as_found_and_is_not_copied_again() {
    let pair = Pair::start().await;
    let to = Proxy::start(&pair.target.host()).await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    desk.synced().await;
    std::fs::remove_dir_all(desk.state()).unwrap();
    to.reset();
    desk.synced().await;
    assert_eq!(to.count(&Method::PUT, ""), 0);
    assert_eq!(desk.records()[0]["targets"][0]["origin"], "Found");
}

#[tokio::test]
async fn an_interrupt_ends_the_run_and_leaves_no_tag_that_is_not_complete() {
    let pair = Pair::start().await;
    let held = Arc::new(tokio::sync::Semaphore::new(0));
    let reached = Arc::new(tokio::sync::Notify::new());
    let (gate, notify) = (Arc::clone(&held), Arc::clone(&reached));
    let to = Proxy::with(&pair.target.host(), move |request| {
        if request.method == Method::PUT {
            notify.notify_one();
            return Verdict::Hold(Arc::clone(&gate));
        }
        Verdict::Pass
    })
    .await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    let run = desk.start();
    reached.notified().await;
    let pid = run.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = run.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stdout).contains("interrupted"));
    pair.assert_nothing_published().await;
}

/// A file system of a few pages, all of them taken.
struct FullDisk(std::path::PathBuf);

impl FullDisk {
    fn mount(at: &std::path::Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=32k", "tmpfs"])
            .arg(at)
            .status()
            .unwrap();
        assert!(mounted.success(), "only root can mount a small file system");
        Self(at.to_owned())
    }

    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_because_the_disk_is_full_is_not_published() {
    let pair = Pair::start().await;
    let desk = Pair::desk(&pair.source.host(), &pair.target.host());
    let full = FullDisk::mount(&desk.state().join("imagesync"));
    // Another image's run leaves the directory's own files there.
    desk.run(&["sync", "--dry-run", "-f", "sync.yaml"]).await.expect(3);
    std::fs::write(full.0.join("format"), "imagesync-state/v1\n").unwrap();
    full.fill();
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("No space left"), "{}", ran.stdout);
    pair.assert_nothing_published().await;

    std::fs::remove_file(full.0.join("filler")).unwrap();
    desk.synced().await;
    pair.assert_copied().await;
}
