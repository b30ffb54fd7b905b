//! `imagesync sync --watch`: keeps going, follows the files, and ends when it is told to.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
    time::timeout,
};

use crate::{
    command::Desk,
    testbed::{images::Image, registry::Registry},
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

fn watch(desk: &Desk) -> Child {
    let mut command = desk.command(&["sync", "--watch", "-f", "sync.yaml"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
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
    let mut run = watch(&desk);
    appears(&target, "v1").await;

    // What cannot be used is told of, and what was valid goes on.
    desk.write("sync.yaml", "kind: [");
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    let told = async { while !lines.next_line().await.unwrap().expect("it goes on").contains("not used") {} };
    timeout(PATIENCE, told).await.expect("what is wrong is said");
    assert!(target.digest("team/app", "v1").await.is_some());
    desk.manifest(&spec(&source, "v2", &target));
    appears(&target, "v2").await;

    let pid = run.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = timeout(PATIENCE, run.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(130));
}
