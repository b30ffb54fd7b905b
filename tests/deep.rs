//! Deep checks: what is missing on targets behind everybody's back is found by reading, named, and sent again.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use http::Method;
use imagesync::digest::Digest;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::{
    process::Command,
    sync::{Notify, Semaphore},
};

use crate::{
    command::{Desk, Ran},
    pair::{Pair, answer, is, once, soon},
    testbed::{
        images::Image,
        program,
        proxy::{Proxy, Verdict},
        registry::Registry,
    },
};

async fn deep(desk: &Desk) -> Ran {
    desk.run(&["sync", "--deep", "-f", "sync.yaml"]).await
}

async fn deep_plan(desk: &Desk) -> Ran {
    desk.run(&["plan", "--deep", "-f", "sync.yaml"]).await
}

/// Takes a blob, or a manifest's bytes, away behind the registry's back.
fn lose(registry: &Registry, name: &str, digest: &Digest) {
    let hex = digest.hex();
    let distribution: PathBuf =
        registry.storage().join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex);
    let layout = registry.storage().join(name).join("blobs/sha256").join(hex);
    if distribution.exists() {
        std::fs::remove_dir_all(distribution).unwrap();
    } else {
        std::fs::remove_file(layout).unwrap();
    }
}

/// Crane reads every byte, and checks each digest.
async fn crane_reads(registry: &Registry, reference: &str) {
    let (reference, folder) = (format!("{}/{reference}", registry.host()), tempfile::tempdir().unwrap());
    let mut command = Command::new(program("crane"));
    command.args(["pull", "--insecure", "--format=oci", &reference]).arg(folder.path().join("copy"));
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes what was checked so many hours older in the records.
fn pass(desk: &Desk, hours: i64) {
    let folder = desk.state().join("imagesync/records/team/test");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let mut slice: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for record in slice["records"].as_array_mut().unwrap() {
            for entry in record["targets"].as_array_mut().unwrap() {
                let checked: Timestamp = entry["checked"].as_str().unwrap().parse().unwrap();
                entry["checked"] = (checked - SignedDuration::from_hours(hours)).to_string().into();
            }
        }
        std::fs::write(&path, serde_json::to_vec(&slice).unwrap()).unwrap();
    }
}

fn checked(desk: &Desk) -> Option<Timestamp> {
    let record = desk.records().remove(0);
    record["targets"][0]["checked"].as_str().map(|checked| checked.parse().unwrap())
}

#[tokio::test]
async fn blobs_that_are_gone_are_found_and_sent_again_even_where_a_cache_answers_for_them() {
    for target in [
        Registry::v3().cached(),
        Registry::v3(),
        Registry::v2_8().cached(),
        Registry::v2_8(),
        Registry::olareg(),
    ] {
        let pair = Pair::with(Registry::v3(), target).await;
        let desk = Pair::desk(&pair.source.host(), &pair.target.host());
        desk.synced().await;
        lose(&pair.target, "team/app", &pair.large().digest);
        lose(&pair.target, "team/app", &pair.small().digest);
        pair.target.walk("team/app", "v1").await.unwrap_err();
        assert!(desk.synced().await.stdout.contains("1 in sync"), "a look at the tag does not tell");

        let before = desk.records();
        let plan = deep_plan(&desk).await.expect(3);
        let hex = |digest: &Digest| format!("blob sha256:{}", &digest.hex()[..12]);
        for text in ["^ v1", "a deep check found 2 missing on the target", "deep check: 0 whole, 1 broken"] {
            assert!(plan.stdout.contains(text), "{text}\n{}", plan.stdout);
        }
        assert!(plan.stdout.contains(&hex(&pair.large().digest)), "{}", plan.stdout);
        assert!(plan.stdout.contains(&hex(&pair.small().digest)), "{}", plan.stdout);
        assert_eq!(desk.records(), before);
        pair.target.walk("team/app", "v1").await.unwrap_err();

        let ran = deep(&desk).await.expect(0);
        assert!(ran.stdout.contains("1 repaired"), "{}", ran.stdout);
        assert!(ran.stderr.contains("repaired"), "{}", ran.stderr);
        pair.assert_copied().await;
        crane_reads(&pair.target, "team/app:v1").await;
        let ran = deep(&desk).await.expect(0);
        assert!(ran.stdout.contains("1 in sync"), "{}", ran.stdout);
    }
}

#[tokio::test]
async fn children_and_roots_that_are_gone_are_found_and_sent_again() {
    for target in [Registry::v3().cached(), Registry::v3(), Registry::v2_8(), Registry::olareg()] {
        let pair = Pair::with(Registry::v3(), target).await;
        let desk = Pair::desk(&pair.source.host(), &pair.target.host());
        desk.synced().await;
        pair.target.delete("team/app", pair.image.children[0].digest().as_str()).await;
        let ran = deep(&desk).await.expect(0);
        assert!(ran.stdout.contains("1 repaired"), "{}", ran.stdout);
        pair.assert_copied().await;
        crane_reads(&pair.target, "team/app:v1").await;

        // Its bytes are lost, and the registry still knows the name.
        lose(&pair.target, "team/app", pair.image.children[1].digest());
        let ran = deep(&desk).await.expect(0);
        assert!(ran.stdout.contains("1 repaired"), "{}", ran.stdout);
        pair.assert_copied().await;
        lose(&pair.target, "team/app", pair.image.digest());
        deep(&desk).await.expect(0);
        pair.assert_copied().await;
        crane_reads(&pair.target, "team/app:v1").await;
    }
}

#[tokio::test]
async fn a_tag_that_answers_to_head_and_not_to_get_is_sent_again() {
    let pair = Pair::start().await;
    let lost = Arc::new(AtomicBool::new(false));
    let (root, is_lost) = (pair.image.digest().to_string(), Arc::clone(&lost));
    let to = Proxy::with(&pair.target.host(), move |request| {
        let is_root = request.uri.path().ends_with(&root) || request.uri.path().ends_with("/manifests/v1");
        if is_root && request.method == Method::PUT {
            is_lost.store(false, SeqCst);
        }
        if is_root && request.method == Method::GET && is_lost.load(SeqCst) {
            return answer(404, &[], r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#);
        }
        Verdict::Pass
    })
    .await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    desk.synced().await;
    lost.store(true, SeqCst);
    let ran = deep(&desk).await.expect(0);
    assert!(ran.stdout.contains("1 repaired"), "{}", ran.stdout);
    assert_eq!(to.count(&Method::PUT, "/manifests/v1"), 2);
    assert!(deep(&desk).await.expect(0).stdout.contains("1 in sync"));
    assert_eq!(to.count(&Method::PUT, "/manifests/v1"), 2, "what can be read is not written");
}

#[tokio::test]
async fn a_healthy_target_costs_reads_only_and_each_manifest_and_blob_once() {
    let pair = Pair::start().await;
    let to = Proxy::start(&pair.target.host()).await;
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app:v1\n\
         targets:\n- name: copy\n  repository: {}/{{path}}\n  tags: [\"{{tag}}\", \"also-{{tag}}\"]",
        pair.source.host(),
        to.host()
    ));
    desk.synced().await;
    let files = || std::fs::read(desk.state().join("imagesync/records/team/test/0.json")).unwrap();
    let (before, from) = (files(), to.requests().len());
    deep(&desk).await.expect(0);
    let requests = &to.requests()[from..];
    assert!(requests.iter().all(|seen| matches!(seen.method, Method::GET | Method::HEAD)));
    let mut gets: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in requests.iter().filter(|seen| seen.method == Method::GET && seen.path.contains("/team/app/"))
    {
        *gets.entry(&seen.path).or_default() += 1;
        assert!(!seen.path.contains("/blobs/") || seen.down() == 1, "{} bytes of {}", seen.down(), seen.path);
    }
    assert!(gets.values().all(|&times| times == 1), "{gets:?}");
    assert_eq!(gets.len(), 3 + pair.image.all_blobs().len());
    assert_eq!(files(), before, "it was written down when it was published");
}

#[tokio::test]
async fn what_was_not_looked_at_for_the_deep_interval_is_looked_at_and_that_is_written_down() {
    let pair = Pair::start().await;
    let to = Proxy::start(&pair.target.host()).await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    desk.synced().await;
    let reads = || to.count(&Method::GET, "/blobs/");
    pass(&desk, 23);
    desk.synced().await;
    assert_eq!(reads(), 0);
    pass(&desk, 2);
    let old = checked(&desk).unwrap();
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
    assert_eq!((checked(&desk), reads()), (Some(old), 6), "a plan does as sync does, and writes nothing");
    desk.synced().await;
    assert_eq!(reads(), 12);
    assert!(checked(&desk).unwrap() > old + SignedDuration::from_hours(24));
    desk.synced().await;
    assert_eq!(reads(), 12);
    lose(&pair.target, "team/app", &pair.large().digest);
    pass(&desk, 25);
    assert!(desk.synced().await.stdout.contains("1 repaired"));
    pair.assert_copied().await;
}

#[tokio::test]
async fn what_could_not_be_checked_after_it_was_published_is_looked_at_deeply_by_the_next_run() {
    let pair = Pair::start().await;
    let path = format!("/manifests/{}", pair.image.children[0].digest());
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let to = Proxy::with(&pair.target.host(), move |request| {
        if is(Method::HEAD, &path)(request) && is_broken.load(SeqCst) {
            answer(403, &[], "")
        } else {
            Verdict::Pass
        }
    })
    .await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("could not be checked"), "{}", ran.stdout);
    assert_eq!(checked(&desk), None);
    broken.store(false, SeqCst);
    lose(&pair.target, "team/app", &pair.large().digest);
    let ran = desk.synced().await;
    assert!(ran.stdout.contains("1 repaired"), "{}", ran.stdout);
    pair.assert_copied().await;
    assert!(checked(&desk).is_some());
}

#[tokio::test]
async fn what_the_source_no_longer_has_is_said_and_stays() {
    let pair = Pair::start().await;
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app:v1@{}\ntargets:\n- name: copy\n  repository: {}/{{path}}",
        pair.source.host(),
        pair.image.digest(),
        pair.target.host()
    ));
    desk.synced().await;
    lose(&pair.target, "team/app", &pair.large().digest);
    pair.source.delete("team/app", pair.image.digest().as_str()).await;
    let ran = deep(&desk).await.expect(1);
    assert!(ran.stdout.contains("NotFound"), "{}", ran.stdout);
    assert!(ran.stdout.contains("so it cannot be repaired"), "{}", ran.stdout);
    assert_eq!(pair.target.digest("team/app", "v1").await.as_ref(), Some(pair.image.digest()));
}

#[tokio::test]
async fn a_target_that_does_not_answer_to_a_deep_check_fails_and_is_not_taken_for_broken() {
    let pair = Pair::start().await;
    let to = Proxy::with(&pair.target.host(), |request| {
        if is(Method::GET, "/blobs/")(request) {
            answer(403, &[], r#"{"errors":[{"code":"DENIED"}]}"#)
        } else {
            Verdict::Pass
        }
    })
    .await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    desk.synced().await;
    let puts = to.count(&Method::PUT, "");
    let ran = deep(&desk).await.expect(1);
    assert!(ran.stdout.contains("Forbidden"), "{}", ran.stdout);
    assert_eq!(to.count(&Method::PUT, ""), puts);
}

/// `registry garbage-collect -m` on the storage of a registry that goes on running.
async fn collect_garbage(registry: &Registry, old: bool) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yml");
    let text = format!(
        "version: 0.1\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n",
        registry.storage().display()
    );
    std::fs::write(&config, text).unwrap();
    let program = if old { "docker-registry".into() } else { program("registry") };
    let mut command = Command::new(program);
    command.args(["garbage-collect", "-m"]).arg(&config).env("OTEL_TRACES_EXPORTER", "none");
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How many blobs a registry stores, manifests among them.
fn blobs(registry: &Registry) -> usize {
    let stored = registry.storage().join("docker/registry/v2/blobs/sha256");
    let folders = std::fs::read_dir(stored).unwrap();
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn what_a_garbage_collection_takes_between_our_steps_is_brought_again() {
    for (target, old) in [(Registry::v3(), false), (Registry::v3().cached(), false), (Registry::v2_8(), true)]
    {
        let pair = Pair::with(Registry::v3(), target).await;
        // The old one's collector fails where there are no tags.
        pair.target.push("team/app", "other", &Image::single(9, &[1_000])).await;
        let (reached, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let (notify, held) = (Arc::clone(&reached), Arc::clone(&gate));
        let (_, rule) = once(is(Method::PUT, "/manifests/v1"), move || {
            notify.notify_one();
            Verdict::Hold(Arc::clone(&held))
        });
        let to = Proxy::with(&pair.target.host(), rule).await;
        let desk = Pair::desk(&pair.source.host(), &to.host());
        let (ran, ()) = tokio::join!(desk.sync(), async {
            soon("the tag is sent", reached.notified()).await;
            let before = blobs(&pair.target);
            collect_garbage(&pair.target, old).await;
            assert!(blobs(&pair.target) < before, "the collection takes what has no tag yet");
            gate.add_permits(1);
        });
        if ran.code != 0 {
            // What the cache still answers for is found by the next run, which looks deeply.
            let again = desk.sync().await;
            assert!(again.code == 0, "{}\n{}", ran.stdout, again.stdout);
        }
        deep(&desk).await.expect(0);
        pair.assert_copied().await;
        crane_reads(&pair.target, "team/app:v1").await;
    }
}

#[tokio::test]
async fn of_an_image_of_which_some_platforms_were_brought_only_these_count() {
    // The first takes the index as it is, and for the second it is rewritten.
    let targets = [
        (Registry::v3().sparse_indexes(), "deep check: 1 whole"),
        // Nothing says whose the rewritten index is.
        (Registry::v3(), "1 to replace, 0 in sync"),
    ];
    for (target, without_records) in targets {
        let pair = Pair::with(Registry::v3(), target).await;
        let desk = Desk::new(&format!(
            "images:\n- name: app\n  source: {}/team/app:v1\n  platforms: [linux/amd64]\n\
             targets:\n- name: copy\n  repository: {}/{{path}}",
            pair.source.host(),
            pair.target.host()
        ));
        desk.synced().await;
        assert!(deep_plan(&desk).await.expect(0).stdout.contains("deep check: 1 whole"));
        lose(&pair.target, "team/app", &pair.image.children[0].blobs[1].digest);
        let ran = deep(&desk).await.expect(0);
        assert!(ran.stdout.contains("1 repaired"), "{}", ran.stdout);
        assert!(deep(&desk).await.expect(0).stdout.contains("1 in sync"));
        // Without records, what is wanted counts.
        std::fs::remove_dir_all(desk.state()).unwrap();
        let planned = deep_plan(&desk).await;
        assert!(planned.stdout.contains(without_records), "{}", planned.stdout);
    }
}
