//! Signatures, SBOMs and attestations: they come with the image, in whichever way the registries keep them, or the image does
//! not come.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use http::{Method, request::Parts};
use imagesync::digest::Digest;
use tokio::sync::{Notify, Semaphore, watch};

use crate::{
    command::Desk,
    pair::{Pair, answer, is, once, soon},
    testbed::{
        http::Http,
        images::{Blob, Image},
        proxy::{Proxy, Verdict},
        referrers::{SIGNED, Statement, sign, tag},
        registry::{Options, Registry},
    },
};

const APP: &str = "team/app";

/// A pair whose image is signed in all ways.
async fn signed(source: Options, target: Options) -> Pair {
    let pair = Pair::with(source, target).await;
    sign(&pair.source, APP, &pair.image, "v1").await;
    pair
}

fn desk(source: &str, target: &str, image: &str) -> Desk {
    Desk::new(&spec(source, target, image))
}

fn spec(source: &str, target: &str, image: &str) -> String {
    format!(
        "images:\n- {{name: app, source: '{source}/{APP}:v1'{image}}}\n\
         targets:\n- {{name: copy, repository: '{target}/{{path}}'}}"
    )
}

/// All that belongs to the image at one registry belongs to it at the other.
async fn assert_same(source: &Http, target: &Http, root: &Digest, count: usize) {
    let there = source.belongings(APP, root).await.unwrap();
    assert_eq!(there.len(), count, "{there:#?}");
    assert_eq!(target.belongings(APP, root).await.unwrap(), there);
}

#[tokio::test]
async fn what_belongs_to_an_image_comes_with_it_between_all_kinds_of_registries() {
    let kinds =
        async || tokio::join!(Registry::v3().start(), Registry::v2_8().start(), Registry::olareg().start());
    let (sources, targets) = tokio::join!(kinds(), kinds());
    let (sources, targets) = ([&sources.0, &sources.1, &sources.2], [&targets.0, &targets.1, &targets.2]);
    let image = Image::multi(1, &["linux/amd64", "linux/arm64"], &[3_000]);
    for (n, source) in sources.iter().enumerate() {
        let name = format!("from/{n}");
        source.push(&name, "v1", &image).await;
        sign(source, &name, &image, "v1").await;
        let there = source.belongings(&name, image.digest()).await.unwrap();
        assert_eq!(there.len(), SIGNED, "{there:#?}");
        let targets_of_spec = targets.map(|target| {
            format!(
                "- {{name: 't{0}', repository: '{1}/{{path}}'}}\n",
                target.host().replace(['.', ':'], "-"),
                target.host()
            )
        });
        let desk = Desk::new(&format!(
            "images:\n- {{name: app, source: '{}/{name}:v1'}}\ntargets:\n{}",
            source.host(),
            targets_of_spec.concat()
        ));
        desk.synced().await;
        for target in targets {
            target.complete(&name, "v1").await;
            assert_eq!(target.belongings(&name, image.digest()).await.unwrap(), there);
            // Whatever the source's list leaves out, the target's says what each is, and how it is called.
            for one in target.referrers(&name, image.digest()).await {
                assert_eq!(one["artifactType"], "application/vnd.example.statement+json");
                assert!(one["annotations"]["org.example.name"].as_str().unwrap().ends_with(" of v1"));
            }
        }
        desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
    }
}

#[tokio::test]
async fn a_registry_that_lists_referrers_itself_gets_no_index_of_them() {
    let pair = signed(Registry::v3(), Registry::olareg()).await;
    Pair::desk(&pair.source.host(), &pair.target.host()).synced().await;
    let mut tags = pair.target.tags(APP).await;
    tags.sort_unstable();
    let mut expected =
        vec!["v1".to_owned(), tag(pair.image.digest(), ".sig"), tag(pair.image.children[0].digest(), ".att")];
    expected.sort_unstable();
    assert_eq!(tags, expected);
}

#[tokio::test]
async fn a_signature_that_is_made_later_comes_with_the_next_run_though_the_tag_does_not_move() {
    for (source, target) in [(Registry::v3(), Registry::v3()), (Registry::olareg(), Registry::olareg())] {
        let pair = Pair::with(source, target).await;
        let to = Proxy::start(&pair.target.host()).await;
        let desk = Pair::desk(&pair.source.host(), &to.host());
        desk.synced().await;
        assert_same(&pair.source, &pair.target, pair.image.digest(), 0).await;

        for late in ["first", "second"] {
            let child = &pair.image.children[1].root;
            for subject in [&pair.image.root, child] {
                pair.source.refer(APP, &subject.digest, &Statement::about(subject, late)).await;
            }
            let planned = desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
            assert!(planned.stdout.contains("^ v1"), "{}", planned.stdout);
            assert!(planned.stdout.contains("what refers to it changed at the source"), "{}", planned.stdout);
            let ran = desk.synced().await;
            assert!(ran.stdout.contains("amended"), "{}", ran.stdout);
            desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
        }
        assert_same(&pair.source, &pair.target, pair.image.digest(), 4).await;
        assert_eq!(to.count(&Method::PUT, "/manifests/v1"), 1, "the tag is left alone");
    }
}

#[tokio::test]
async fn what_is_there_already_gets_what_refers_to_it_and_is_still_not_ours() {
    let pair = signed(Registry::v3(), Registry::v3()).await;
    pair.target.push(APP, "v1", &pair.image).await;
    let desk = Pair::desk(&pair.source.host(), &pair.target.host());
    desk.synced().await;
    assert_same(&pair.source, &pair.target, pair.image.digest(), SIGNED).await;
    let records = desk.references();
    assert_eq!(records.values().next().unwrap().origin, "Found");
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
}

#[tokio::test]
async fn what_refers_to_an_image_is_there_before_the_tag_is() {
    for target in [Registry::v3(), Registry::v2_8(), Registry::olareg()] {
        let pair = signed(Registry::v3(), target).await;
        let to = Proxy::start(&pair.target.host()).await;
        Pair::desk(&pair.source.host(), &to.host()).synced().await;
        let requests = to.requests();
        let puts: Vec<&str> = requests
            .iter()
            .filter(|seen| seen.method == Method::PUT && seen.path.contains("/manifests/"))
            .map(|seen| seen.path.as_str())
            .collect();
        assert_eq!(puts.last(), Some(&"/v2/team/app/manifests/v1"));
        assert!(puts.len() > SIGNED, "{puts:?}");
    }
}

#[tokio::test]
async fn a_target_that_takes_no_referrer_of_what_it_lacks_gets_the_root_first_and_the_tag_last() {
    let pair = signed(Registry::v3(), Registry::v3()).await;
    let root = format!("/manifests/{}", pair.image.digest());
    let of_root: Vec<String> = pair
        .source
        .referrers(APP, pair.image.digest())
        .await
        .iter()
        .map(|one| format!("/manifests/{}", one["digest"].as_str().unwrap()))
        .collect();
    assert_eq!(of_root.len(), 2);
    for (status, code) in [(404, "MANIFEST_UNKNOWN"), (400, "MANIFEST_INVALID")] {
        let has_root = AtomicBool::new(false);
        let (root, of_root, target) = (root.clone(), of_root.clone(), Registry::v3().start().await);
        let to = Proxy::with(&target.host(), move |request: &Parts| {
            let path = request.uri.path();
            if request.method != Method::PUT {
                return Verdict::Pass;
            }
            if path.ends_with(&root) {
                has_root.store(true, SeqCst);
            }
            if !has_root.load(SeqCst) && of_root.iter().any(|one| path.ends_with(one)) {
                let body = format!(r#"{{"errors":[{{"code":"{code}","message":"subject not there"}}]}}"#);
                return answer(status, &[("content-type", "application/json")], &body);
            }
            Verdict::Pass
        })
        .await;
        Pair::desk(&pair.source.host(), &to.host()).synced().await;
        assert_same(&pair.source, &target, pair.image.digest(), SIGNED).await;
        let requests = to.requests();
        let puts: Vec<_> = requests
            .iter()
            .filter(|seen| seen.method == Method::PUT && seen.path.contains("/manifests/"))
            .collect();
        let root = format!("/v2/team/app/manifests/{}", pair.image.digest());
        assert_eq!(puts.iter().filter(|seen| seen.path == root).count(), 1);
        assert_eq!(puts.last().unwrap().path, "/v2/team/app/manifests/v1");
    }
}

/// Requests that tell what refers to images: what they are called, the source, and which they are.
type Telling = (&'static str, Options, fn(&Parts) -> bool);

fn telling() -> Vec<Telling> {
    vec![
        ("the list of tags", Registry::v3(), |request| request.uri.path().ends_with("/tags/list")),
        ("the API", Registry::olareg(), |request| request.uri.path().contains("/referrers/")),
        ("the question whether there is an API", Registry::v3(), |request| {
            request.uri.path().contains("/referrers/")
        }),
        ("a look at a tag", Registry::v3(), |request| {
            request.method == Method::HEAD && request.uri.path().contains("/manifests/sha256-")
        }),
        ("the index", Registry::v3(), |request| {
            request.method == Method::GET && request.uri.path().contains("/manifests/sha256-")
        }),
    ]
}

#[tokio::test]
async fn what_cannot_be_told_is_not_taken_for_unsigned_and_nothing_is_published() {
    let cases = telling().into_iter().map(|(what, source, is_it)| async move {
        let pair = signed(source, Registry::v3()).await;
        for (status, code, exit) in [
            (429, "deferred", 4),
            (401, "Unauthorized", 1),
            (403, "Forbidden", 1),
            (500, "Unavailable", 1),
            (404, "Unavailable", 1),
        ] {
            // A 404 is how a registry says that it has no API; and a HEAD's says that the tag went away since it was listed.
            if status == 404 && (what.contains("API") || what.starts_with("a look")) {
                continue;
            }
            let from = Proxy::with(&pair.source.host(), move |request| {
                if !is_it(request) {
                    return Verdict::Pass;
                }
                let retry = if status == 429 { "3600" } else { "0" };
                answer(status, &[("retry-after", retry)], "")
            })
            .await;
            let desk = desk(&from.host(), &pair.target.host(), "");
            let ran = desk.sync().await.expect(exit);
            assert!(ran.stdout.contains(code), "{what}, {status}: {}", ran.stdout);
            pair.assert_nothing_published().await;
        }
        // Nothing of it stays: as soon as it can be told, it is done.
        desk(&pair.source.host(), &pair.target.host(), "").synced().await;
        assert_same(&pair.source, &pair.target, pair.image.digest(), SIGNED).await;
    });
    futures::future::join_all(cases).await;
}

#[tokio::test]
async fn a_listing_that_fails_later_leaves_what_is_there_and_says_so() {
    let pair = signed(Registry::v3(), Registry::v3()).await;
    let fails = Arc::new(AtomicBool::new(false));
    let from = Proxy::with(&pair.source.host(), {
        let fails = Arc::clone(&fails);
        move |request: &Parts| {
            let is_it = request.uri.path().ends_with("/tags/list");
            if is_it && fails.load(SeqCst) { answer(403, &[], "") } else { Verdict::Pass }
        }
    })
    .await;
    let desk = desk(&from.host(), &pair.target.host(), "");
    desk.synced().await;
    fails.store(true, SeqCst);
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("cannot tell what refers to"), "{}", ran.stdout);
    assert!(ran.stdout.contains("referrers: Exclude"), "{}", ran.stdout);
    fails.store(false, SeqCst);
    desk.synced().await;
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
}

#[tokio::test]
async fn what_is_excluded_is_neither_asked_for_nor_brought() {
    let pair = signed(Registry::v3(), Registry::v3()).await;
    let from = Proxy::start(&pair.source.host()).await;
    let desk = desk(&from.host(), &pair.target.host(), ", referrers: Exclude");
    desk.synced().await;
    pair.assert_copied().await;
    let asked = from.requests();
    let asked = asked.iter().filter(|seen| {
        seen.path.contains("/referrers/") || seen.path.contains("/tags/") || seen.path.contains("sha256-")
    });
    assert_eq!(asked.count(), 0);
    assert_eq!(pair.target.tags(APP).await, ["v1"]);
    // Whoever wants them now gets them now.
    desk.manifest(&spec(&from.host(), &pair.target.host(), ""));
    desk.synced().await;
    assert_same(&pair.source, &pair.target, pair.image.digest(), SIGNED).await;
}

#[tokio::test]
async fn an_unsigned_image_is_held_back_where_a_signature_is_required_until_it_has_one() {
    for source in [Registry::v3(), Registry::olareg()] {
        let pair = Pair::with(source, Registry::v3()).await;
        let child = &pair.image.children[0].root;
        pair.source.refer(APP, &child.digest, &Statement::about(child, "a child's")).await;
        let desk = desk(&pair.source.host(), &pair.target.host(), ", referrers: Require");
        let ran = desk.sync().await.expect(1);
        assert!(ran.stdout.contains("has no signature and nothing else that refers to it"), "{}", ran.stdout);
        pair.assert_nothing_published().await;
        pair.source.attach(APP, pair.image.digest(), ".sig", &Statement::bare("at last")).await;
        desk.synced().await;
        assert_same(&pair.source, &pair.target, pair.image.digest(), 2).await;
    }
}

#[tokio::test]
async fn of_some_platforms_come_those_signatures_that_still_sign_what_is_there() {
    for (target, is_rewritten) in [(Registry::v3().sparse_indexes(), false), (Registry::v3(), true)] {
        let pair = signed(Registry::v3(), target).await;
        let (kept, left_out) = (&pair.image.children[0], &pair.image.children[1]);
        let late = Statement::about(&left_out.root, "of what is left out");
        pair.source.refer(APP, left_out.digest(), &late).await;
        let host = pair.target.host();
        let desk = desk(&pair.source.host(), &host, ", platforms: [linux/amd64]");
        desk.synced().await;
        let shown = pair.target.digest(APP, "v1").await.unwrap();
        assert_eq!(shown != *pair.image.digest(), is_rewritten);
        let of_kept = pair.source.belongings(APP, kept.digest()).await.unwrap();
        assert_eq!(of_kept.len(), 2);
        assert_eq!(pair.target.belongings(APP, kept.digest()).await.unwrap(), of_kept);
        let of_root = pair.target.referrers(APP, pair.image.digest()).await;
        assert_eq!(of_root.len(), if is_rewritten { 0 } else { 2 }, "what signs the index signs no other");
        assert_eq!(pair.target.digest(APP, late.digest().as_str()).await, None);
        desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
        // What refers to what is left out does not matter, and what refers to what is kept does.
        let later = Statement::about(&left_out.root, "of what is left out, again");
        pair.source.refer(APP, left_out.digest(), &later).await;
        desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
        pair.source.refer(APP, kept.digest(), &Statement::about(&kept.root, "of what is kept")).await;
        desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
        desk.synced().await;
        assert_eq!(pair.target.belongings(APP, kept.digest()).await.unwrap().len(), 3);
        desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
    }
}

/// What others put beside an image on the target, as they describe it.
async fn put_theirs(pair: &Pair, name: &str) -> Statement {
    let theirs = Statement::about(&pair.image.root, name);
    for blob in &theirs.blobs {
        pair.target.put_blob(APP, blob).await;
    }
    pair.target.put_manifest(APP, theirs.digest().as_str(), &theirs.manifest).await;
    theirs
}

#[tokio::test]
async fn what_others_put_into_the_index_on_the_target_stays_as_they_wrote_it() {
    let pair = signed(Registry::v3(), Registry::v3()).await;
    let theirs = put_theirs(&pair, "theirs").await;
    let mut described = theirs.manifest.descriptor();
    described["annotations"] = serde_json::json!({"only": "they know"});
    let index = Statement::index(std::slice::from_ref(&described));
    pair.target.put_manifest(APP, &tag(pair.image.digest(), ""), &index).await;
    Pair::desk(&pair.source.host(), &pair.target.host()).synced().await;
    let named = pair.target.fallback(APP, pair.image.digest()).await;
    assert_eq!(named.len(), 3);
    assert!(named.contains(&described), "{named:#?}");
}

#[tokio::test]
async fn ours_are_named_again_when_somebody_writes_an_index_without_them_before_the_tag_is_written() {
    let pair = signed(Registry::v3(), Registry::v3()).await;
    let theirs = put_theirs(&pair, "theirs").await;
    let (reached, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (notify, held) = (Arc::clone(&reached), Arc::clone(&gate));
    let (_, rule) = once(is(Method::PUT, "/manifests/v1"), move || {
        notify.notify_one();
        Verdict::Hold(Arc::clone(&held))
    });
    let to = Proxy::with(&pair.target.host(), rule).await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    let meanwhile = async {
        soon("the tag is written", reached.notified()).await;
        // They had read the index before ours were in it.
        let index = Statement::index(&[theirs.manifest.descriptor()]);
        pair.target.put_manifest(APP, &tag(pair.image.digest(), ""), &index).await;
        gate.add_permits(1);
    };
    tokio::join!(desk.synced(), meanwhile);
    assert_eq!(pair.target.fallback(APP, pair.image.digest()).await.len(), 3);
}

#[tokio::test]
async fn nobodys_entry_is_lost_where_several_write_an_index_at_the_same_time() {
    let pair = Pair::start().await;
    let desk = Pair::desk(&pair.source.host(), &pair.target.host());
    desk.synced().await;
    let (root, running) = (pair.image.digest(), AtomicBool::new(true));
    let rounds = 6;
    let (written, mut seen) = watch::channel(0);
    let ours = async {
        for round in 0..rounds {
            // They are busy all the time.
            seen.wait_for(|written| *written > round).await.unwrap();
            let one = Statement::about(&pair.image.root, &format!("ours {round}"));
            pair.source.refer(APP, root, &one).await;
            desk.synced().await;
        }
        running.store(false, SeqCst);
    };
    let theirs = async {
        let mut all = Vec::new();
        while running.load(SeqCst) {
            let one = put_theirs(&pair, &format!("theirs {}", all.len())).await;
            all.push(one);
            written.send_replace(all.len());
            // Whoever writes here and wants to be sure takes a second look, at all it wrote.
            for one in &all {
                pair.target.name_referrer(APP, root, one).await;
            }
        }
        for one in &all {
            pair.target.name_referrer(APP, root, one).await;
        }
    };
    tokio::join!(ours, theirs);
    let named = pair.target.fallback(APP, root).await;
    let mut digests: Vec<&str> = named.iter().map(|one| one["digest"].as_str().unwrap()).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), named.len(), "each is named once");
    assert_eq!(named.len(), rounds + *written.borrow());
}

#[tokio::test]
async fn a_tag_that_holds_no_index_is_left_alone_and_the_image_does_not_come() {
    let pair = signed(Registry::v3(), Registry::v3()).await;
    let other = Image::single(9, &[1_000]);
    let fallback = tag(pair.image.digest(), "");
    pair.target.push(APP, &fallback, &other).await;
    let ran = Pair::desk(&pair.source.host(), &pair.target.host()).sync().await.expect(1);
    assert!(ran.stdout.contains("it holds no index of referrers"), "{}", ran.stdout);
    pair.assert_nothing_published().await;
    assert_eq!(pair.target.digest(APP, &fallback).await.as_ref(), Some(other.digest()));
}

#[tokio::test]
async fn a_signature_whose_content_the_source_has_lost_keeps_the_image_back() {
    let pair = Pair::start().await;
    let one = Statement::about(&pair.image.root, "to be lost");
    pair.source.refer(APP, pair.image.digest(), &one).await;
    pair.source.delete(APP, one.digest().as_str()).await;
    Pair::desk(&pair.source.host(), &pair.target.host()).sync().await.expect(1);
    pair.assert_nothing_published().await;
}

#[tokio::test]
async fn an_amendment_that_fails_halfway_is_done_again_and_a_crash_claims_nothing_that_is_not_there() {
    let pair = Pair::start().await;
    let fails = Arc::new(AtomicBool::new(false));
    let to = Proxy::with(&pair.target.host(), {
        let fails = Arc::clone(&fails);
        move |request: &Parts| {
            let is_index = request.method == Method::PUT && request.uri.path().contains("/manifests/sha256-");
            if is_index && fails.load(SeqCst) { answer(403, &[], "") } else { Verdict::Pass }
        }
    })
    .await;
    let desk = Pair::desk(&pair.source.host(), &to.host());
    let hash = || desk.records()[0]["targets"][0]["referrers"].as_str().map(str::to_owned);
    desk.synced().await;
    let nothing = hash().expect("it was looked for");
    sign(&pair.source, APP, &pair.image, "v1").await;
    fails.store(true, SeqCst);
    desk.sync().await.expect(1);
    assert_eq!(hash().as_ref(), Some(&nothing), "what did not arrive is not recorded");
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
    fails.store(false, SeqCst);
    desk.synced().await;
    assert_ne!(hash().as_ref(), Some(&nothing));
    assert_same(&pair.source, &pair.target, pair.image.digest(), SIGNED).await;
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
}

#[tokio::test]
async fn several_tags_and_targets_of_one_image_share_one_reading_of_what_belongs_to_it() {
    let pair = signed(Registry::v3(), Registry::v3()).await;
    let from = Proxy::start(&pair.source.host()).await;
    let desk = Desk::new(&format!(
        "images:\n- {{name: app, source: '{}/{APP}:v1'}}\n\
         targets:\n- {{name: a, repository: '{1}/{{path}}', tags: ['{{tag}}', more]}}\n\
         - {{name: b, repository: '{1}/other'}}",
        from.host(),
        pair.target.host()
    ));
    desk.synced().await;
    assert_same(&pair.source, &pair.target, pair.image.digest(), SIGNED).await;
    pair.target.complete("other", "v1").await;
    let requests = from.requests();
    let mut reads: Vec<&str> = requests
        .iter()
        .filter(|seen| seen.method == Method::GET && seen.path.contains("/manifests/"))
        .map(|seen| seen.path.as_str())
        .collect();
    let all = reads.len();
    reads.sort_unstable();
    reads.dedup();
    assert_eq!(reads.len(), all, "each is read once: {reads:?}");
    assert_eq!(from.count(&Method::GET, "/referrers/"), 1);
    // One for the plan, after the tags were looked at, and one for the copy, after that.
    assert_eq!(from.count(&Method::GET, "/tags/list"), 2);
    let again = requests.len();
    desk.synced().await;
    let requests = from.requests();
    // What was brought is looked at and not read again; and what its index names is read from a target.
    let reads = requests[again..].iter().filter(|seen| seen.method == Method::GET);
    assert!(
        reads.into_iter().all(|seen| seen.path.contains("/tags/list") || seen.path.contains("/referrers/"))
    );
}

#[tokio::test]
async fn blobs_that_all_signatures_have_in_common_are_sent_once_to_a_registry() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let to = Proxy::start(&target.host()).await;
    let mut images = Vec::new();
    for n in 0..6 {
        let (name, image) = (format!("app-{n}"), Image::single(n, &[1_000]));
        source.push(&name, "v1", &image).await;
        for what in ["signature", "SBOM"] {
            source.refer(&name, image.digest(), &Statement::about(&image.root, what)).await;
        }
        images.push(format!("- {{name: {name}, source: '{}/{name}:v1'}}", source.host()));
    }
    let target = format!("targets:\n- {{name: t, repository: '{}/{{path}}'}}", to.host());
    Desk::new(&format!("images:\n{}\n{target}", images.join("\n"))).synced().await;
    let empty = Blob::of("{}").digest;
    let requests = to.requests();
    let sends = requests.iter().filter(|seen| seen.method == Method::PUT && seen.path.ends_with(empty.hex()));
    assert_eq!(sends.count(), 1);
}

#[tokio::test]
async fn a_deep_check_brings_back_what_refers_to_an_image_and_was_lost_on_the_target() {
    for target in [Registry::v3(), Registry::olareg()] {
        let pair = signed(Registry::v3(), target).await;
        let desk = Pair::desk(&pair.source.host(), &pair.target.host());
        desk.synced().await;
        desk.a_day_later();
        let root = pair.image.digest();
        let deep = async || desk.run(&["sync", "--deep", "-f", "sync.yaml"]).await.expect(0);
        assert!(deep().await.stdout.contains("1 in sync"));
        let has_api = pair.target.has_referrers_api(APP, root).await;
        let signature = pair.target.referrers(APP, root).await[0]["digest"].as_str().unwrap().to_owned();
        let losses: [&dyn Fn() -> futures::future::BoxFuture<'static, ()>; 3] = [
            &|| {
                let (target, tag) = (Http::plain(&pair.target.host()), tag(root, ".sig"));
                Box::pin(async move { target.delete(APP, &tag).await })
            },
            &|| {
                let (target, signature) = (Http::plain(&pair.target.host()), signature.clone());
                Box::pin(async move { target.delete(APP, &signature).await })
            },
            // Whoever writes an index without a look at what is there.
            &|| {
                let (target, tag) = (Http::plain(&pair.target.host()), tag(root, ""));
                Box::pin(async move {
                    if !has_api {
                        target.put_manifest(APP, &tag, &Statement::index(&[])).await;
                    }
                })
            },
        ];
        for (n, lose) in losses.iter().enumerate() {
            lose().await;
            let is_lost = n < 2 || !has_api;
            // What is only compared by digests is in sync all the same.
            assert!(desk.synced().await.stdout.contains("1 in sync"));
            let ran = deep().await;
            assert_eq!(ran.stdout.contains("repaired"), is_lost, "{}", ran.stdout);
            assert_same(&pair.source, &pair.target, root, SIGNED).await;
            assert!(deep().await.stdout.contains("1 in sync"));
        }
    }
}
