//! Broken networks and registries that lie, between the program and real registries: each ends in the right class, and
//! nothing is published wrongly.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore};

use crate::{
    command::Desk,
    pair::{Pair, answer, is, once, sends, soon, until},
    testbed::{
        images::Image,
        proxy::{Proxy, Seen, Verdict},
        registry::Registry,
    },
};

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
    let path = format!("/blobs/{}", pair.large().digest);
    let (_, rule) = once(is(Method::GET, &path), || Verdict::TearResponse(100_000));
    let from = Proxy::with(&pair.source.host(), rule).await;
    Pair::desk(&from.host(), &pair.target.host()).synced().await;
    pair.assert_copied().await;

    let seen: Vec<_> = from.requests().into_iter().filter(|seen| seen.path.ends_with(&path)).collect();
    assert_eq!((seen.len(), seen[0].down(), seen[0].header("range")), (2, 100_000, None));
    let range = seen[1].header("range").expect("it goes on with a range");
    let from: u64 = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
    assert!((1..=100_000).contains(&from), "{range}");
    assert_eq!((seen[1].status(), seen[1].down()), (206, pair.large().size - from));
}

#[tokio::test]
async fn a_torn_manifest_and_a_torn_config_are_asked_for_again() {
    let pair = Pair::start().await;
    for path in [format!("/manifests/{}", pair.image.digest()), format!("/blobs/{}", pair.small().digest)] {
        let target = Registry::v3().start().await;
        let (_, rule) = once(is(Method::GET, &path), || Verdict::TearResponse(50));
        let from = Proxy::with(&pair.source.host(), rule).await;
        Pair::desk(&from.host(), &target.host()).synced().await;
        target.complete("team/app", "v1").await;
        let seen: Vec<_> = from.requests().into_iter().filter(|seen| seen.path.ends_with(&path)).collect();
        assert_eq!((seen.len(), seen[0].down()), (2, 50), "{path}");
    }
}

#[tokio::test]
async fn a_torn_upload_goes_on_where_the_registry_stands() {
    for tear in [70_000, 299_000] {
        let pair = Pair::start().await;
        let gate = Arc::new(Semaphore::new(0));
        let (large, held) = (sends(pair.large()), Arc::clone(&gate));
        let (_, torn) = once(large, move || Verdict::TearRequest(tear));
        let to = Proxy::with(&pair.target.host(), move |request| match request.method {
            Method::GET if request.uri.path().contains("/uploads/") => Verdict::Hold(Arc::clone(&held)),
            _ => torn(request),
        })
        .await;
        // Where it stands is not told before it has stored some of what came.
        let stored = async || {
            let torn = to.requests().into_iter().find(|seen| seen.method == Method::PUT && seen.up() == tear);
            let session = torn.and_then(|torn| Some(torn.path.split(['/', '?']).nth(6)?.to_owned()));
            let repository = pair.target.storage().join("docker/registry/v2/repositories/team/app");
            session.is_some_and(|session| {
                let data = std::fs::metadata(repository.join("_uploads").join(session).join("data"));
                data.is_ok_and(|data| data.len() > 1)
            })
        };
        let open = async {
            until("the registry has some of the blob", stored).await;
            gate.add_permits(Semaphore::MAX_PERMITS / 2);
        };
        let desk = Pair::desk(&pair.source.host(), &to.host());
        tokio::join!(desk.synced(), open);
        pair.assert_copied().await;

        let resumed = to.requests().into_iter().rfind(|seen| seen.method == Method::PATCH);
        let resumed = resumed.expect("it goes on in the session");
        let range = resumed.header("content-range").unwrap();
        let (first, last) = range.split_once('-').unwrap();
        assert!((2..=tear).contains(&first.parse().unwrap()), "{range}");
        assert_eq!(last, (pair.large().size - 1).to_string());
        let sent = to.requests().into_iter().filter(|seen| seen.header("content-length") == Some("300032"));
        assert_eq!(sent.count(), 2, "each of the large layers was begun once");
    }
}

#[tokio::test]
async fn a_torn_upload_of_which_the_registry_kept_nothing_begins_anew() {
    for (tear, target) in
        [(0, Registry::v3()), (1, Registry::v3()), (70_000, Registry::v2_8()), (299_000, Registry::v2_8())]
    {
        let pair = Pair::with(Registry::v3(), target).await;
        let (_, rule) = once(sends(pair.large()), move || Verdict::TearRequest(tear));
        let to = Proxy::with(&pair.target.host(), rule).await;
        Pair::desk(&pair.source.host(), &to.host()).synced().await;
        pair.assert_copied().await;
        let name = format!("digest=sha256%3A{}", pair.large().digest.hex());
        let sent: Vec<_> = to.requests().into_iter().filter(|seen| seen.path.ends_with(&name)).collect();
        assert_eq!((sent[0].status(), sent[0].up()), (0, tear), "it was torn");
        assert_eq!(sent.last().unwrap().status(), 201);
        assert!(sent.len() > 1);
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
    let hours = SignedDuration::from_hours;
    let date = Timestamp::now() + hours(3);
    for header in ["7200".to_owned(), date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()] {
        let pair = Pair::start().await;
        let retry_after = header.clone();
        let from = Proxy::with(&pair.source.host(), move |request| {
            if request.method == Method::GET && request.uri.path().contains("/manifests/") {
                answer(429, &[("retry-after", &retry_after)], r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#)
            } else {
                Verdict::Pass
            }
        })
        .await;
        let begin = Timestamp::now();
        let ran = Pair::desk(&from.host(), &pair.target.host()).sync().await.expect(4);
        let end = Timestamp::now();
        assert!(ran.stdout.contains("deferred"), "{}", ran.stdout);
        let (_, said) = ran.stdout.split_once("wait until ").expect("it says until when");
        let until: Timestamp = said.split_whitespace().next().unwrap().parse().unwrap();
        let is_named = header != "7200";
        let (earliest, latest) = if is_named { (date, date) } else { (begin + hours(2), end + hours(2)) };
        // It is told in whole seconds.
        let second = SignedDuration::from_secs(1);
        assert!((earliest - second..=latest + second).contains(&until), "{header}: {until}");
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
async fn a_registry_that_says_it_has_blobs_and_has_not_is_sent_them() {
    let pair = Pair::start().await;
    let size = pair.large().size.to_string();
    let to = Proxy::with(&pair.target.host(), move |request| {
        // As a cache does whose blobs a garbage collection took.
        if request.method == Method::HEAD && request.uri.path().contains("/blobs/") {
            answer(200, &[("content-length", &size)], "")
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

    let requests = to.requests();
    let refused = requests.iter().position(|seen| seen.path.contains("/manifests/") && seen.status() == 400);
    let refused = refused.expect("the lie is believed until the registry refuses a manifest");
    let sent = |seen: &&Seen| seen.method == Method::PUT && seen.path.contains("/uploads/");
    assert_eq!(requests[..refused].iter().filter(sent).count(), 0);
    assert_eq!(requests.iter().filter(sent).count(), pair.image.all_blobs().len());
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
async fn an_interrupt_ends_the_run_keeps_what_is_complete_and_leaves_no_tag_that_is_not() {
    let target = Registry::v3().sparse_indexes();
    let pair = Pair::with(Registry::v3(), target).await;
    let other = Image::multi(2, &["linux/amd64", "linux/arm64"], &[200_000, 3_000]);
    pair.source.push("team/other", "v1", &other).await;
    let steps = [
        (Method::PUT, "/blobs/uploads/"),
        (Method::PUT, "/manifests/sha256:"),
        (Method::PUT, "/manifests/v1"),
    ];
    for (number, (method, part)) in steps.into_iter().enumerate() {
        let place = format!("place{number}");
        let (gate, reached) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
        let step = is(method, part);
        let (held, notify, other) = (Arc::clone(&gate), Arc::clone(&reached), format!("{place}/other/"));
        let to = Proxy::credulous(&pair.target, move |request| {
            if step(request) && request.uri.path().contains(&other) {
                notify.notify_one();
                return Verdict::Hold(Arc::clone(&held));
            }
            Verdict::Pass
        })
        .await;
        let desk = Desk::new(&format!(
            "images:\n- name: app\n  source: {0}/team/app:v1\n- name: other\n  source: {0}/team/other:v1\n\
             targets:\n- name: copy\n  repository: {1}/{place}/{{name}}",
            pair.source.host(),
            to.host()
        ));
        let run = desk.start();
        soon("the step is reached", reached.notified()).await;
        let (app, other) = (format!("{place}/app"), format!("{place}/other"));
        until("the other image is published", async || pair.target.digest(&app, "v1").await.is_some()).await;
        let pid = run.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = soon("the run ends", run.wait_with_output()).await.unwrap();
        assert_eq!(output.status.code(), Some(130));
        assert!(String::from_utf8_lossy(&output.stdout).contains("interrupted"));
        assert_eq!(pair.target.digest(&other, "v1").await, None, "{part}");
        pair.target.complete(&app, "v1").await;
        assert_eq!(desk.references()[&format!("{}/{app}:v1", to.host())].origin, "Written");

        gate.add_permits(Semaphore::MAX_PERMITS / 2);
        to.reset();
        desk.synced().await;
        pair.target.complete(&other, "v1").await;
        assert_eq!(to.count(&Method::PUT, &format!("/{app}/")), 0, "what was complete is not sent again");
        assert_eq!(to.believed(), 0);
    }
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
    // An earlier run has left the directory's own files there: only records are lacking.
    std::fs::write(full.0.join("format"), "imagesync-state/v1\n").unwrap();
    std::fs::write(full.0.join("lock"), "").unwrap();
    full.fill();
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("No space left"), "{}", ran.stdout);
    pair.assert_nothing_published().await;

    std::fs::remove_file(full.0.join("filler")).unwrap();
    desk.synced().await;
    pair.assert_copied().await;
}
