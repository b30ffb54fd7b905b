//! `imagesync sync` against real registries: what is copied, what is not, and with how many requests.

use std::fmt::Write as _;

use http::Method;

use crate::{
    command::Desk,
    testbed::{images::Image, proxy::Proxy, registry::Registry},
};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn one_image(source: &str, target: &str) -> String {
    format!(
        "images:\n- name: app\n  source: {source}\ntargets:\n- name: copy\n  repository: {target}/mirror/{{path}}"
    )
}

#[tokio::test]
async fn an_image_is_copied_with_all_its_platforms_and_the_second_run_asks_two_heads() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let image = Image::multi(1, &PLATFORMS, &[200_000, 3_000]);
    source.push("team/app", "v1", &image).await;
    let (from, to) = (Proxy::start(&source.host()).await, Proxy::start(&target.host()).await);
    let desk = Desk::new(&one_image(&format!("{}/team/app:v1", from.host()), &to.host()));

    desk.synced().await;
    assert_eq!(target.digest("mirror/team/app", "v1").await.as_ref(), Some(image.digest()));
    assert_eq!(target.complete("mirror/team/app", "v1").await.manifests.len(), 3);

    desk.a_day_later();
    from.reset();
    to.reset();
    let again = desk.synced().await;
    assert!(again.stdout.contains("1 in sync"), "{}", again.stdout);
    for proxy in [&from, &to] {
        let asked: Vec<_> = proxy.requests().into_iter().filter(|seen| seen.path != "/v2/").collect();
        assert_eq!(asked.len(), 1, "{:?}", asked.iter().map(|seen| &seen.path).collect::<Vec<_>>());
        assert_eq!(asked[0].method, Method::HEAD);
    }
}

#[tokio::test]
async fn a_tag_that_moves_at_the_source_is_followed() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v2_8().start());
    let desk = Desk::new(&one_image(&format!("{}/team/app:v1", source.host()), &target.host()));
    for seed in [1, 2] {
        let image = Image::multi(seed, &PLATFORMS, &[5_000]);
        source.push("team/app", "v1", &image).await;
        desk.synced().await;
        assert_eq!(target.digest("mirror/team/app", "v1").await.as_ref(), Some(image.digest()));
        target.complete("mirror/team/app", "v1").await;
    }
    assert_eq!(desk.records()[0]["targets"][0]["origin"], "Written");
}

#[tokio::test]
async fn a_base_that_repositories_share_is_read_once_and_mounted() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let base = crate::testbed::images::layers(7, &[400_000]);
    let mut spec = "images:\n".to_owned();
    let from = Proxy::start(&source.host()).await;
    let mut unique = 400_000;
    for number in 0..12_u64 {
        let mut layers = base.clone();
        layers.extend(crate::testbed::images::layers(100 + number, &[2_000]));
        let image = Image::of(crate::testbed::images::Format::Oci, "linux/amd64", layers);
        unique += 2_048 + 3_000;
        source.push(&format!("team/app{number}"), "v1", &image).await;
        write!(spec, "- name: app{number}\n  source: {}/team/app{number}:v1\n", from.host()).unwrap();
    }
    let to = Proxy::start(&target.host()).await;
    write!(spec, "targets:\n- name: copy\n  repository: {}/mirror/{{path}}\n", to.host()).unwrap();

    Desk::new(&spec).synced().await;
    assert!(from.down() < unique * 105 / 100, "{} bytes were read of {unique}", from.down());
    let mounted =
        to.requests().into_iter().filter(|seen| seen.path.contains("mount=") && seen.status() == 201);
    assert!(mounted.count() >= 11);
    for number in 0..12 {
        target.complete(&format!("mirror/team/app{number}"), "v1").await;
    }
}

#[tokio::test]
async fn one_source_is_read_once_for_three_targets() {
    let (source, a, b, c) = tokio::join!(
        Registry::v3().start(),
        Registry::v3().start(),
        Registry::v2_8().start(),
        Registry::olareg().start()
    );
    let image = Image::multi(3, &PLATFORMS, &[700_000, 90_000, 1_000]);
    source.push("team/app", "v1", &image).await;
    let from = Proxy::start(&source.host()).await;
    let targets: String = [&a, &b, &c].iter().enumerate().fold(String::new(), |text, (number, target)| {
        text + &format!("- name: copy{number}\n  repository: {}/mirror/{{path}}\n", target.host())
    });
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app:v1\ntargets:\n{targets}",
        from.host()
    ));

    desk.synced().await;
    let mut size = 0;
    for target in [&a, &b, &c] {
        size = target.complete("mirror/team/app", "v1").await.bytes;
        assert_eq!(target.digest("mirror/team/app", "v1").await.as_ref(), Some(image.digest()));
    }
    // Bodies and headers: a second reading of any layer would be far more than two per cent.
    assert!(from.down() < size * 102 / 100 + 4_000, "{} bytes were read of {size}", from.down());
}

#[tokio::test]
async fn immutable_tags_that_are_recorded_cost_one_listing_and_no_head() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    for patch in 0..5 {
        source.push("team/app", &format!("1.0.{patch}"), &Image::single(patch, &[1_000])).await;
    }
    let (from, to) = (Proxy::start(&source.host()).await, Proxy::start(&target.host()).await);
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app\n  select: {{semver: \">=1.0.0\"}}\n  immutableTags: ['\\d+\\.\\d+\\.\\d+']\n\
         targets:\n- name: copy\n  repository: {}/{{path}}",
        from.host(),
        to.host()
    ));
    desk.synced().await;
    desk.a_day_later();
    from.reset();
    to.reset();
    desk.synced().await;
    let asked: Vec<String> =
        from.requests().into_iter().map(|seen| seen.path).filter(|path| path != "/v2/").collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("/tags/list"));
    assert_eq!(to.requests().len(), 0, "nothing was asked of the target");
}

#[tokio::test]
async fn nothing_is_published_of_an_image_whose_source_lacks_a_blob() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let image = Image::multi(9, &PLATFORMS, &[100_000, 2_000]);
    source.push("team/app", "v1", &image).await;
    let lost = image.all_blobs()[1].digest.clone();
    let from = Proxy::with(&source.host(), move |request| {
        use crate::testbed::proxy::Verdict;
        if request.method == Method::GET && request.uri.path().ends_with(lost.as_str()) {
            let unknown = r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#;
            Verdict::Answer(http::StatusCode::NOT_FOUND, Vec::new(), unknown.into())
        } else {
            Verdict::Pass
        }
    })
    .await;
    let desk = Desk::new(&one_image(&format!("{}/team/app:v1", from.host()), &target.host()));
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("NotFound"), "{}", ran.stdout);
    assert_eq!(target.digest("mirror/team/app", "v1").await, None);
}

#[tokio::test]
async fn a_tag_that_may_not_be_overwritten_is_a_conflict_and_stays() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let theirs = Image::single(1, &[1_000]);
    target.push("mirror/team/app", "v1", &theirs).await;
    source.push("team/app", "v1", &Image::single(2, &[1_000])).await;
    let spec = one_image(&format!("{}/team/app:v1", source.host()), &target.host());
    let desk = Desk::new(&format!("{spec}\n  overwrite: Never"));
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("conflict"), "{}", ran.stdout);
    assert_eq!(target.digest("mirror/team/app", "v1").await.as_ref(), Some(theirs.digest()));
}

#[tokio::test]
async fn tags_and_aliases_name_one_image_several_times_without_sending_it_again() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    for minor in 1..4 {
        source.push("team/app", &format!("1.{minor}"), &Image::single(minor, &[2_000])).await;
    }
    let to = Proxy::start(&target.host()).await;
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app\n  select: {{semver: \">=1\"}}\ntargets:\n- name: copy\n  \
         repository: {}/{{flatPath}}\n  tags: [\"{{tag}}\", \"v{{tag}}\"]\n  aliases: [{{tag: stable, of: Newest}}]",
        source.host(),
        to.host()
    ));
    desk.synced().await;
    let mut tags = target.tags("team-app").await;
    tags.sort();
    assert_eq!(tags, ["1.1", "1.2", "1.3", "stable", "v1.1", "v1.2", "v1.3"]);
    assert_eq!(target.digest("team-app", "stable").await, target.digest("team-app", "v1.3").await);
    let uploads = to
        .requests()
        .into_iter()
        .filter(|seen| seen.method == Method::PUT && seen.path.contains("/uploads/"));
    assert_eq!(uploads.count(), 6, "a config and a layer for each of three images");
}

#[tokio::test]
async fn a_copy_within_one_registry_moves_no_blob() {
    let registry = Registry::v3().start().await;
    let image = Image::multi(5, &PLATFORMS, &[300_000, 1_000]);
    registry.push("team/app", "v1", &image).await;
    let wire = Proxy::start(&registry.host()).await;
    let desk = Desk::new(&one_image(&format!("{}/team/app:v1", wire.host()), &wire.host()));
    desk.synced().await;
    registry.complete("mirror/team/app", "v1").await;
    let moved = wire
        .requests()
        .into_iter()
        .filter(|seen| seen.method == Method::GET && seen.path.contains("/blobs/"));
    assert_eq!(moved.count(), 0);
}

#[tokio::test]
async fn a_plan_changes_nothing_and_says_with_its_exit_code_that_there_is_something_to_do() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    source.push("team/app", "v1", &Image::single(1, &[1_000])).await;
    let desk = Desk::new(&one_image(&format!("{}/team/app:v1", source.host()), &target.host()));
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
    desk.run(&["sync", "--dry-run", "-f", "sync.yaml"]).await.expect(3);
    assert_eq!(target.digest("mirror/team/app", "v1").await, None);
    assert!(desk.records().is_empty());
    desk.synced().await;
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
}

#[tokio::test]
async fn json_is_a_list_of_the_objects_with_their_status_and_their_slices() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    source.push("team/app", "v1", &Image::single(1, &[1_000])).await;
    let desk = Desk::new(&one_image(&format!("{}/team/app:v1", source.host()), &target.host()));
    let ran = desk.run(&["sync", "-f", "sync.yaml", "-o", "json"]).await.expect(0);
    let list: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(list["kind"], "List");
    assert_eq!(list["items"][0]["kind"], "ImageSync");
    assert_eq!(list["items"][0]["status"]["conditions"][0]["status"], "True");
    assert_eq!(list["items"][0]["status"]["counts"]["summary"], "1/1");
    assert_eq!(list["items"][1]["kind"], "ImageSyncSlice");
    assert_eq!(list["items"][1]["records"][0]["targets"][0]["origin"], "Written");
}

#[tokio::test]
async fn a_source_tag_that_is_not_there_fails_alone_and_the_rest_goes_on() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    source.push("team/app", "v1", &Image::single(1, &[1_000])).await;
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {0}/team/app:v1\n- name: gone\n  source: {0}/team/gone:v1\n\
         targets:\n- name: copy\n  repository: {1}/{{path}}",
        source.host(),
        target.host()
    ));
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("NotFound"), "{}", ran.stdout);
    target.complete("team/app", "v1").await;
}

#[tokio::test]
async fn a_suspended_object_does_nothing_and_keeps_its_tags_from_a_younger_one() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    source.push("team/app", "v1", &Image::single(1, &[1_000])).await;
    source.push("team/other", "v1", &Image::single(2, &[1_000])).await;
    let object = |name: &str, image: &str, suspend: bool| {
        format!(
            "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  \
             suspend: {suspend}\n  images: [{{name: app, source: \"{}/team/{image}:v1\"}}]\n  \
             targets: [{{name: copy, repository: \"{}/mirror\"}}]\n",
            source.host(),
            target.host()
        )
    };
    let desk = Desk::new("");
    desk.write("sync.yaml", &object("a", "app", false));
    desk.synced().await;
    let first = target.digest("mirror", "v1").await;

    desk.write("sync.yaml", &(object("a", "app", true) + "---\n" + &object("b", "other", false)));
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("conflict"), "{}", ran.stdout);
    assert_eq!(target.digest("mirror", "v1").await, first);
}

#[tokio::test]
async fn a_tag_that_was_refused_is_not_ours_when_somebody_else_writes_it() {
    use crate::testbed::proxy::Verdict;
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let image = Image::single(1, &[1_000]);
    source.push("team/app", "v1", &image).await;
    let wire = Proxy::with(&target.host(), |request| {
        if request.method == Method::PUT && request.uri.path().ends_with("/manifests/v1") {
            let denied = r#"{"errors":[{"code":"DENIED","message":"read only"}]}"#;
            return Verdict::Answer(http::StatusCode::FORBIDDEN, Vec::new(), denied.into());
        }
        Verdict::Pass
    })
    .await;
    let desk = Desk::new(&one_image(&format!("{}/team/app:v1", source.host()), &wire.host()));
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("Forbidden"), "{}", ran.stdout);
    assert!(desk.records().is_empty(), "{:?}", desk.records());
    target.push("mirror/team/app", "v1", &image).await;
    desk.synced().await;
    assert_eq!(desk.records()[0]["targets"][0]["origin"], "Found");
}

#[tokio::test]
async fn an_image_that_moves_to_another_object_takes_its_tags_along() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    source.push("team/app", "v1", &Image::single(1, &[1_000])).await;
    source.push("team/other", "v1", &Image::single(2, &[1_000])).await;
    let object = |name: &str, image: &str| {
        format!(
            "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  \
             images: [{{name: app, source: \"{}/team/{image}:v1\"}}]\n  \
             targets: [{{name: copy, repository: \"{}/mirror/{{path}}\"}}]\n",
            source.host(),
            target.host()
        )
    };
    let desk = Desk::new("");
    desk.write("sync.yaml", &object("a", "app"));
    desk.synced().await;
    desk.write("sync.yaml", &(object("a", "other") + "---\n" + &object("b", "app")));
    desk.synced().await;
    source.push("team/app", "v1", &Image::single(3, &[1_000])).await;
    desk.synced().await;
    assert_eq!(target.digest("mirror/team/app", "v1").await, source.digest("team/app", "v1").await);
}

#[tokio::test]
async fn a_tag_that_may_not_be_overwritten_and_came_about_after_the_plan_is_found() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::testbed::proxy::Verdict;
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let image = Image::single(1, &[1_000]);
    source.push("team/app", "v1", &image).await;
    target.push("mirror/team/app", "v1", &image).await;
    let looked = AtomicBool::new(false);
    let wire = Proxy::with(&target.host(), move |request| {
        let is_look = request.method == Method::HEAD && request.uri.path().ends_with("/manifests/v1");
        if is_look && !looked.swap(true, Ordering::SeqCst) {
            return Verdict::Answer(http::StatusCode::NOT_FOUND, Vec::new(), "".into());
        }
        Verdict::Pass
    })
    .await;
    let spec = one_image(&format!("{}/team/app:v1", source.host()), &wire.host());
    let desk = Desk::new(&format!("{spec}\n  overwrite: Never"));
    desk.synced().await;
    let entry = &desk.records()[0]["targets"][0];
    assert_eq!((&entry["origin"], &entry["state"]), (&"Found".into(), &"InSync".into()), "{entry}");
}

#[tokio::test]
async fn a_write_that_is_interrupted_is_recorded_as_intended_and_as_the_status_tells_it() {
    use std::sync::Arc;

    use crate::testbed::proxy::Verdict;
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    source.push("team/app", "v1", &Image::single(1, &[1_000])).await;
    let reached = Arc::new(tokio::sync::Notify::new());
    let (held, notify) = (Arc::new(tokio::sync::Semaphore::new(0)), Arc::clone(&reached));
    let wire = Proxy::with(&target.host(), move |request| {
        if request.method == Method::PUT && request.uri.path().ends_with("/manifests/v1") {
            notify.notify_one();
            return Verdict::Hold(Arc::clone(&held));
        }
        Verdict::Pass
    })
    .await;
    let desk = Desk::new(&one_image(&format!("{}/team/app:v1", source.host()), &wire.host()));
    let run = desk.start();
    reached.notified().await;
    let pid = run.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(run.wait_with_output().await.unwrap().status.code(), Some(130));
    let entry = &desk.records()[0]["targets"][0];
    assert_eq!((&entry["origin"], &entry["state"]), (&"Intended".into(), &"Failed".into()), "{entry}");
    assert_eq!(entry["class"], "Unavailable");
}
