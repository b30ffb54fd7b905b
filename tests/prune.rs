//! Pruning against real registries: what goes, what stays, and what happens where a registry does not delete tags.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use http::Method;
use imagesync::{
    class::Class,
    registry::{DeleteError, Gone, Keychain, Registries, Remote, Settings, Step},
};
use tokio::sync::Semaphore;

use crate::{
    command::Desk,
    pair::until,
    testbed::{
        images::Image,
        proxy::{Proxy, Verdict},
        registry::{Options, Registry},
        tokens::TokenServer,
    },
};

fn open(registry: &Registry, path: &str, keychain: &Keychain) -> Remote {
    let registries = Registries::new(Settings::default()).unwrap();
    registries.open(&format!("{}/{path}", registry.host()).parse().unwrap(), keychain)
}

async fn delete(remote: &Remote, tag: &str, image: &Image) -> Result<Gone, DeleteError> {
    match remote.delete_tag(&tag.parse().unwrap(), image.digest()).await? {
        Step::Gone(gone) => Ok(gone),
        Step::Prepared(prepared) => prepared.delete().await,
    }
}

#[tokio::test]
async fn a_tag_goes_and_its_sibling_and_the_image_stay_on_each_kind_of_registry() {
    for registry in [Registry::v3(), Registry::v2_8(), Registry::olareg()] {
        let registry = registry.start().await;
        let image = Image::multi(1, &["linux/amd64", "linux/arm64"], &[1_000]);
        registry.push("team/app", "1", &image).await;
        registry.push("team/app", "2", &image).await;
        let remote = open(&registry, "team/app", &Keychain::default());
        assert_eq!(delete(&remote, "1", &image).await.unwrap(), Gone::Deleted);
        assert_eq!(registry.digest("team/app", "1").await, None);
        assert_eq!(registry.digest("team/app", "2").await.as_ref(), Some(image.digest()));
        registry.complete("team/app", "2").await;
        assert_eq!(registry.tags("team/app").await, ["2"]);
        // Once more is no harm.
        assert_eq!(delete(&remote, "1", &image).await.unwrap(), Gone::Absent);
    }
}

#[tokio::test]
async fn where_deletion_is_switched_off_nothing_changes() {
    for registry in [Registry::v3(), Registry::v2_8()] {
        let registry = registry.without_deletion().start().await;
        let image = Image::single(1, &[1_000]);
        registry.push("app", "1", &image).await;
        let remote = open(&registry, "app", &Keychain::default());
        for _ in 0..2 {
            let error = delete(&remote, "1", &image).await.unwrap_err();
            assert!(matches!(error, DeleteError::Unsupported { .. }), "{error:?}");
        }
        assert_eq!(registry.digest("app", "1").await.as_ref(), Some(image.digest()));
        assert_eq!(registry.tags("app").await, ["1"]);
    }
}

#[tokio::test]
async fn what_a_token_does_not_allow_changes_nothing() {
    let server = TokenServer::start().await;
    server.user("me", "secret");
    server.grant("me", "app", &["pull", "push"]);
    let registry = Registry::v3().tokens(&server).start().await;
    let image = Image::single(1, &[1_000]);
    registry.push("app", "1", &image).await;
    let remote = open(&registry, "app", &Keychain::password(&registry.host(), "me", "secret"));
    assert_eq!(delete(&remote, "1", &image).await.unwrap_err().class(), Class::Unauthorized);
    assert!(server.requests().iter().any(|asked| asked.scopes == ["repository:app:delete,pull"]));
    assert_eq!(registry.digest("app", "1").await.as_ref(), Some(image.digest()));
    server.grant("me", "app", &["delete"]);
    let remote = open(&registry, "app", &Keychain::password(&registry.host(), "me", "secret"));
    assert_eq!(delete(&remote, "1", &image).await.unwrap(), Gone::Deleted);
}

/// A source and a target, between them an ImageSync that prunes at once what two runs find unwanted.
struct Bench {
    source: Registry,
    target: Registry,
    desk: Desk,
    images: Vec<Image>,
}

const AT_ONCE: &str = "mode: Enforce, grace: 0s, keepLast: 0, limit: 100%";

impl Bench {
    /// With the tags 1 to `tags`, which are all mirrored.
    async fn start(target: Options, tags: u64, prune: &str) -> Self {
        let (source, target) = tokio::join!(Registry::v3().start(), target.start());
        let host = target.host();
        Self::with(source, target, &host, tags, prune).await
    }

    async fn with(source: Registry, target: Registry, host: &str, tags: u64, prune: &str) -> Self {
        let images: Vec<Image> = (1..=tags).map(|tag| Image::single(tag, &[1_000])).collect();
        for (tag, image) in (1..).zip(&images) {
            source.push("app", &format!("{tag}"), image).await;
        }
        let desk = Desk::new(&Self::spec(&source.host(), host, prune, ""));
        desk.synced().await;
        Self { source, target, desk, images }
    }

    fn spec(source: &str, target: &str, prune: &str, more: &str) -> String {
        format!(
            "images:\n- {{name: app, source: '{source}/app', select: {{semver: '*'}}}}\ntargets:\n\
             - {{name: copy, repository: '{target}/{{path}}', prune: {{{prune}}}}}\n{more}"
        )
    }

    async fn drop(&self, tags: &[&str]) {
        for tag in tags {
            self.source.delete("app", tag).await;
        }
    }

    async fn tags(&self) -> Vec<String> {
        let mut tags = self.target.tags("app").await;
        tags.sort();
        tags
    }
}

#[tokio::test]
async fn what_two_runs_find_unwanted_is_deleted_and_forgotten() {
    for target in [Registry::v3(), Registry::v2_8()] {
        let bench = Bench::start(target, 3, AT_ONCE).await;
        bench.drop(&["1"]).await;
        let first = bench.desk.synced().await;
        assert!(!first.stdout.contains("deleted"), "{}", first.stdout);
        assert_eq!(bench.tags().await, ["1", "2", "3"], "one run alone deletes nothing");

        let plan = bench.desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
        assert!(plan.stdout.contains(&format!("- {}/app:1", bench.target.host())), "{}", plan.stdout);
        assert!(plan.stdout.contains("1 to delete"), "{}", plan.stdout);
        let json = bench.desk.run(&["plan", "-f", "sync.yaml", "-o", "json"]).await.expect(3);
        let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json[0]["pruning"]["names"][0]["verdict"], "Delete");
        assert_eq!(bench.tags().await, ["1", "2", "3"], "a plan changes nothing");

        let second = bench.desk.synced().await;
        assert!(second.stdout.contains("1 deleted"), "{}", second.stdout);
        assert_eq!(bench.tags().await, ["2", "3"]);
        assert_eq!(bench.desk.references().len(), 2);
        for (tag, image) in [("2", &bench.images[1]), ("3", &bench.images[2])] {
            assert_eq!(bench.target.digest("app", tag).await.as_ref(), Some(image.digest()));
            bench.target.complete("app", tag).await;
        }
        bench.desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
    }
}

#[tokio::test]
async fn a_tag_that_somebody_else_moved_stays_and_is_forgotten() {
    let bench = Bench::start(Registry::v3(), 2, AT_ONCE).await;
    bench.drop(&["1"]).await;
    bench.desk.synced().await;
    let theirs = Image::single(77, &[1_000]);
    bench.target.push("app", "1", &theirs).await;
    bench.desk.synced().await;
    assert_eq!(bench.target.digest("app", "1").await.as_ref(), Some(theirs.digest()));
    assert_eq!(bench.desk.references().len(), 1);
}

#[tokio::test]
async fn above_the_limit_nothing_goes_before_exactly_that_is_approved() {
    let bench = Bench::start(Registry::v3(), 5, "mode: Enforce, grace: 0s, keepLast: 0, limit: 20%").await;
    bench.drop(&["1", "2"]).await;
    bench.desk.synced().await;
    let held = bench.desk.synced().await;
    assert!(held.stdout.contains("2 held"), "{}", held.stdout);
    assert_eq!(bench.tags().await.len(), 5);
    let json = bench.desk.run(&["sync", "-f", "sync.yaml", "-o", "json"]).await.expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let status = &json["items"][0]["status"];
    let condition =
        status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "PruneHeld").unwrap();
    assert_eq!((&condition["status"], &status["counts"]["pruneHeld"]), (&"True".into(), &2.into()));
    let message = condition["message"].as_str().unwrap();
    let approval = message.split("approve-prune: ").nth(1).unwrap().split(' ').next().unwrap();

    let approve = |approval: &str| {
        let path = bench.desk.path().join("sync.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        let annotations = format!("  annotations: {{imagesync.dev/approve-prune: \"{approval}\"}}\n");
        let text = text.lines().filter(|line| !line.contains("annotations"));
        let text = text.fold(String::new(), |text, line| text + line + "\n");
        std::fs::write(
            path,
            text.replace("  namespace: team\n", &format!("  namespace: team\n{annotations}")),
        )
        .unwrap();
    };
    approve("0123456789abcdef");
    bench.desk.synced().await;
    assert_eq!(bench.tags().await.len(), 5, "another plan was approved");
    approve(approval);
    bench.desk.synced().await;
    assert_eq!(bench.tags().await, ["3", "4", "5"]);
    // The same approval is for nothing else.
    bench.drop(&["3", "4"]).await;
    bench.desk.synced().await;
    bench.desk.synced().await;
    assert_eq!(bench.tags().await, ["3", "4", "5"]);
}

#[tokio::test]
async fn a_dry_run_target_says_what_would_go_and_a_disabled_one_says_nothing() {
    for (mode, says) in [("DryRun", true), ("Disabled", false)] {
        let prune = format!("mode: {mode}, grace: 0s, keepLast: 0, limit: 100%");
        let bench = Bench::start(Registry::v3(), 2, &prune).await;
        bench.drop(&["1"]).await;
        bench.desk.synced().await;
        let ran = bench.desk.synced().await;
        assert_eq!(ran.stdout.contains("1 would be deleted"), says, "{}", ran.stdout);
        let plan = bench.desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
        assert_eq!(plan.stdout.contains("(-)"), says, "{}", plan.stdout);
        assert_eq!(bench.tags().await, ["1", "2"]);
    }
}

#[tokio::test]
async fn a_registry_that_does_not_delete_fails_the_run_and_keeps_the_tag_and_its_record() {
    let bench = Bench::start(Registry::v2_8().without_deletion(), 2, AT_ONCE).await;
    bench.drop(&["1"]).await;
    bench.desk.synced().await;
    let ran = bench.desk.sync().await.expect(1);
    assert!(ran.stdout.contains("failed: Unsupported"), "{}", ran.stdout);
    assert_eq!(bench.tags().await.len(), 2);
    let recorded = bench.desk.references().remove(&format!("{}/app:1", bench.target.host())).unwrap();
    assert_eq!((recorded.origin.as_str(), recorded.previous_digest), ("Written", None));
}

/// Kills a run when the target is asked to delete the dummy that a tag is held at.
#[tokio::test]
async fn a_run_that_is_killed_while_a_tag_is_held_at_its_dummy_is_ended_by_the_next() {
    for is_wanted_again in [false, true] {
        let (source, target) = tokio::join!(Registry::v3().start(), Registry::v2_8().start());
        let (deleted, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (count, held) = (Arc::clone(&deleted), Arc::clone(&gate));
        let wire = Proxy::with(&target.host(), move |request| {
            let is_deletion = request.method == Method::DELETE && request.uri.path().contains("sha256:");
            // The first proves on a throw-away manifest that digests can be deleted.
            if is_deletion && count.fetch_add(1, SeqCst) == 1 {
                return Verdict::Hold(Arc::clone(&held));
            }
            Verdict::Pass
        })
        .await;
        let bench = Bench::with(source, target, &wire.host(), 2, AT_ONCE).await;
        bench.drop(&["1"]).await;
        bench.desk.synced().await;

        let mut command = bench.desk.command(&["sync", "-f", "sync.yaml"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the dummy's deletion is asked for", async || deleted.load(SeqCst) == 2).await;
        child.kill().await.unwrap();
        let dummy = bench.target.digest("app", "1").await.expect("the tag is held");
        assert_ne!(&dummy, bench.images[0].digest());
        let recorded = bench.desk.references().remove(&format!("{}/app:1", wire.host())).unwrap();
        assert_eq!(recorded.origin, "Deleting");
        assert_eq!(
            (recorded.digest, recorded.previous_digest.unwrap()),
            (dummy.to_string(), bench.images[0].digest().to_string())
        );

        if is_wanted_again {
            // Nothing is to be deleted any more: what was there comes back, although the source has it no longer.
            bench.desk.manifest(&Bench::spec(&bench.source.host(), &wire.host(), "mode: Disabled", ""));
            bench.desk.synced().await;
            assert_eq!(bench.target.digest("app", "1").await.as_ref(), Some(bench.images[0].digest()));
            bench.target.complete("app", "1").await;
        } else {
            bench.desk.synced().await;
            assert_eq!(bench.tags().await, ["2"]);
            assert_eq!(bench.desk.references().len(), 1);
        }
        bench.target.complete("app", "2").await;
    }
}

#[tokio::test]
async fn what_belongs_to_a_digest_goes_with_the_last_tag_of_it() {
    let bench = Bench::start(Registry::v3(), 1, AT_ONCE).await;
    let image = &bench.images[0];
    // A sibling, a signature of the image, and one of something else.
    bench.source.push("app", "2", image).await;
    bench.desk.synced().await;
    let signature = Image::single(50, &[1_000]);
    let of = |image: &Image, suffix: &str| format!("sha256-{}{suffix}", image.digest().hex());
    let other = Image::single(60, &[1_000]);
    for name in [of(image, ".sig"), of(image, ""), of(&other, ".sig")] {
        bench.target.push("app", &name, &signature).await;
    }
    brought_referrers(&bench.desk);
    bench.drop(&["1"]).await;
    bench.source.push("app", "3", &other).await;
    bench.desk.synced().await;
    bench.desk.synced().await;
    assert!(bench.tags().await.contains(&of(image, ".sig")), "2 still shows it");
    brought_referrers(&bench.desk);
    bench.drop(&["2"]).await;
    bench.desk.synced().await;
    bench.desk.synced().await;
    assert_eq!(bench.tags().await, ["3".to_owned(), of(&other, ".sig")]);
}

/// Records of all images that their referrers were brought, as a run does that finds some.
fn brought_referrers(desk: &Desk) {
    let file = desk.state().join("imagesync/records/team/test/0.json");
    let mut slice: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for record in slice["records"].as_array_mut().unwrap() {
        for target in record["targets"].as_array_mut().unwrap() {
            target["referrers"] = "0123456789abcdef".into();
        }
    }
    std::fs::write(file, slice.to_string()).unwrap();
}

#[tokio::test]
async fn deleting_an_imagesync_takes_what_it_wrote_and_leaves_what_it_found() {
    let bench = Bench::start(Registry::v3(), 2, "mode: Disabled").await;
    // It was there before: a digest that this ImageSync never wrote.
    let theirs = Image::single(9, &[1_000]);
    bench.target.push("app", "9", &theirs).await;
    bench.source.push("app", "9", &theirs).await;
    bench.desk.synced().await;
    let (source, target) = (bench.source.host(), bench.target.host());
    bench.desk.manifest(&Bench::spec(&source, &target, "mode: Disabled", "deletionPolicy: Prune"));

    let refused = bench.desk.run(&["delete", "-f", "sync.yaml"]).await.expect(2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    let dry = bench.desk.run(&["delete", "-f", "sync.yaml", "--dry-run"]).await.expect(3);
    assert!(dry.stdout.contains(&format!("- {target}/app:1")), "{}", dry.stdout);
    assert!(dry.stdout.contains("protectInUse protects nothing"), "{}", dry.stdout);
    assert_eq!(bench.tags().await.len(), 3);

    bench.desk.run(&["delete", "-f", "sync.yaml", "--yes"]).await.expect(0);
    assert_eq!(bench.tags().await, ["9"]);
    assert!(bench.desk.records().is_empty());
    bench.desk.run(&["delete", "-f", "sync.yaml", "--yes"]).await.expect(0);
}

#[tokio::test]
async fn deleting_an_imagesync_that_retains_only_forgets() {
    let bench = Bench::start(Registry::v3(), 2, AT_ONCE).await;
    bench.desk.run(&["delete", "-f", "sync.yaml", "--yes"]).await.expect(0);
    assert_eq!(bench.tags().await, ["1", "2"]);
    assert!(bench.desk.records().is_empty());
}

#[tokio::test]
async fn what_another_imagesync_of_the_state_directory_wants_outlives_a_deletion() {
    let bench = Bench::start(Registry::v3(), 2, AT_ONCE).await;
    let (source, target) = (bench.source.host(), bench.target.host());
    let other = format!(
        "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: other, namespace: elsewhere}}\nspec:\n  \
         images: [{{name: app, source: '{source}/app:2'}}]\n  targets: [{{name: copy, repository: '{target}/app'}}]\n"
    );
    bench.desk.write("other.yaml", &other);
    bench.desk.run(&["sync", "-f", "other.yaml"]).await.expect(0);
    bench.desk.manifest(&Bench::spec(&source, &target, AT_ONCE, "deletionPolicy: Prune"));
    let ran = bench.desk.run(&["delete", "-f", "sync.yaml", "--yes"]).await.expect(0);
    assert!(ran.stdout.contains("an ImageSync in another namespace wants it"), "{}", ran.stdout);
    assert_eq!(bench.tags().await, ["2"]);
}

#[tokio::test]
async fn what_cannot_be_deleted_stays_recorded_and_fails_the_deletion() {
    let bench = Bench::start(Registry::v3().without_deletion(), 1, AT_ONCE).await;
    let (source, target) = (bench.source.host(), bench.target.host());
    bench.desk.manifest(&Bench::spec(&source, &target, AT_ONCE, "deletionPolicy: Prune"));
    bench.desk.run(&["delete", "-f", "sync.yaml", "--yes"]).await.expect(1);
    assert_eq!(bench.tags().await, ["1"]);
    assert_eq!(bench.desk.references().len(), 1);
}

#[tokio::test]
async fn a_tag_is_not_deleted_by_its_other_name() {
    // The same registry under another name: what is wanted there is what is unwanted here.
    let bench = Bench::start(Registry::v3(), 2, AT_ONCE).await;
    let elsewhere = bench.target.host().replace("127.0.0.1", "localhost");
    bench.desk.manifest(&Bench::spec(&bench.source.host(), &elsewhere, AT_ONCE, ""));
    bench.desk.synced().await;
    bench.desk.synced().await;
    bench.desk.synced().await;
    assert_eq!(bench.tags().await, ["1", "2"]);
    bench.target.complete("app", "1").await;
}
