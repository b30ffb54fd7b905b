//! `imagesync sync --watch`: keeps going, follows the files, and ends when it is told to.

use std::{process::Stdio, sync::Arc, time::Duration};

use http::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStderr},
    sync::Semaphore,
    time::timeout,
};

use crate::{
    command::Desk,
    testbed::{
        images::Image,
        proxy::{Proxy, Verdict},
        registry::Registry,
    },
};

/// Long enough for a busy machine; a test that passes never waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

fn spec(source: &Registry, tag: &str, target: &Registry) -> String {
    format!(
        "interval: 1h\nimages:\n- name: app\n  source: {}/team/app:{tag}\ntargets:\n- name: copy\n  repository: {}/{{path}}",
        source.host(),
        target.host()
    )
}

/// A manifest for the tag `tag` of the image, wherever it comes from.
fn manifest(name: &str, from: &str, tag: &str, target: &Registry) -> String {
    format!(
        "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  \
         interval: 1h\n  pullSecrets: [{{name: hub}}]\n  images: [{{name: app, source: '{from}/team/app:{tag}'}}]\n  \
         targets: [{{name: copy, repository: '{}/{{path}}'}}]\n",
        target.host()
    )
}

fn secret(registry: &str, password: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: hub, namespace: team}}\ntype: kubernetes.io/dockerconfigjson\n\
         stringData:\n  .dockerconfigjson: '{{\"auths\": {{\"{registry}\": {{\"username\": \"me\", \"password\": \"{password}\"}}}}}}'\n"
    )
}

fn watch(desk: &Desk, files: &[&str]) -> Child {
    let arguments = files.iter().flat_map(|file| ["-f", file]);
    let mut command = desk.command(&["sync", "--watch"].into_iter().chain(arguments).collect::<Vec<_>>());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the program says `words`.
async fn says(stderr: ChildStderr, words: &str) {
    let mut lines = BufReader::new(stderr).lines();
    let told = async {
        while !lines.next_line().await.unwrap().expect("it goes on").contains(words) {}
        // Read on: who writes into a closed pipe fails.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    };
    timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("`{words}` was never said"));
}

async fn appears(target: &Registry, tag: &str) {
    let there = async {
        while target.digest("team/app", tag).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, there).await.unwrap_or_else(|_| panic!("the tag {tag} never came"));
}

#[tokio::test]
async fn a_manifest_that_changes_is_followed_one_that_is_not_valid_is_not_and_a_signal_ends_it() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    for (seed, tag) in [(1, "v1"), (2, "v2")] {
        source.push("team/app", tag, &Image::single(seed, &[1_000])).await;
    }
    let desk = Desk::new(&spec(&source, "v1", &target));
    let mut run = watch(&desk, &["sync.yaml"]);
    appears(&target, "v1").await;

    // What cannot be used is told of, and what was valid goes on.
    desk.write("sync.yaml", "kind: [");
    says(run.stderr.take().unwrap(), "not used").await;
    assert!(target.digest("team/app", "v1").await.is_some());
    desk.manifest(&spec(&source, "v2", &target));
    appears(&target, "v2").await;

    let pid = run.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = timeout(PATIENCE, run.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(130));
}

#[tokio::test]
async fn one_that_takes_long_keeps_nobody_waiting_and_is_given_up_when_its_manifest_changes() {
    let (source, slow, quick) =
        tokio::join!(Registry::v3().start(), Registry::v3().start(), Registry::v3().start());
    for (seed, tag) in [(1, "v1"), (2, "v2")] {
        source.push("team/app", tag, &Image::single(seed, &[1_000])).await;
    }
    let never = Arc::new(Semaphore::new(0));
    let held = Proxy::with(&source.host(), move |request| {
        let is_blob = request.method == Method::GET && request.uri.path().contains("/blobs/");
        if is_blob { Verdict::Hold(Arc::clone(&never)) } else { Verdict::Pass }
    })
    .await;
    let desk = Desk::new("");
    desk.write("slow.yaml", &manifest("slow", &held.host(), "v1", &slow));
    desk.write("quick.yaml", &manifest("quick", &source.host(), "v1", &quick));
    let _run = watch(&desk, &["slow.yaml", "quick.yaml"]);
    appears(&quick, "v1").await;
    let begun = async {
        while held.count(&Method::GET, "/blobs/") == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, begun).await.expect("the slow one begins");

    desk.write("quick.yaml", &manifest("quick", &source.host(), "v2", &quick));
    appears(&quick, "v2").await;
    desk.write("slow.yaml", &manifest("slow", &source.host(), "v2", &slow));
    appears(&slow, "v2").await;
    assert_eq!(slow.digest("team/app", "v1").await, None);
}

#[tokio::test]
async fn a_secret_that_is_put_right_is_used_at_once_for_what_came_from_the_standard_input() {
    let (source, target) = tokio::join!(Registry::v3().user("me", "right").start(), Registry::v3().start());
    source.push("team/app", "v1", &Image::single(1, &[1_000])).await;
    let desk = Desk::new("");
    desk.write("secret.yaml", &secret(&source.host(), "wrong"));
    let mut run = watch(&desk, &["-", "secret.yaml"]);
    let mut stdin = run.stdin.take().unwrap();
    stdin.write_all(manifest("test", &source.host(), "v1", &target).as_bytes()).await.unwrap();
    drop(stdin);
    says(run.stderr.take().unwrap(), "is synced again at").await;
    assert_eq!(target.digest("team/app", "v1").await, None);

    desk.write("secret.yaml", &secret(&source.host(), "right"));
    appears(&target, "v1").await;
}

#[tokio::test]
async fn a_single_run_has_no_next_one() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    source.push("team/app", "v1", &Image::single(1, &[1_000])).await;
    let desk = Desk::new(&spec(&source, "v1", &target));
    let ran = desk.run(&["sync", "-f", "sync.yaml", "-o", "json"]).await.expect(0);
    let list: Value = serde_json::from_str(&ran.stdout).unwrap();
    let status = &list["items"][0]["status"];
    assert!(status["lastSyncTime"].is_string());
    assert_eq!(status["nextSyncTime"], Value::Null);
}
