//! `kill -9` at any instant: each tag on the target stays complete, and the next run goes on where this one stopped.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::Method;
use tokio::sync::Notify;

use crate::{
    command::Desk,
    testbed::{
        images::Image,
        proxy::{Proxy, Verdict},
        registry::Registry,
    },
};

/// How often a run is killed; `make soak` asks for more.
fn kills() -> usize {
    std::env::var("IMAGESYNC_KILLS").ok().map_or(200, |kills| kills.parse().expect("a number"))
}

/// Runs that are killed side by side.
const LANES: usize = 4;

const IMAGES: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_instant_a_run_is_killed_at_every_tag_is_complete_and_the_next_run_finishes() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    for seed in 0..IMAGES {
        let image = Image::multi(seed, &["linux/amd64", "linux/arm64"], &[150_000, 2_000]);
        source.push("team/app", &format!("v{seed}"), &image).await;
    }
    let lanes = (0..LANES).map(|lane| {
        let (source, target) = (&source, &target);
        async move {
            let mut random = fastrand::Rng::with_seed(lane as u64);
            for round in 0..kills().div_ceil(LANES) {
                let name = format!("lane{lane}/round{round}");
                // A whole run has about 60 requests to the target; what comes later kills a run that is done.
                kill_once(source, target, &name, random.usize(1..70), random.bool()).await;
            }
        }
    });
    futures::future::join_all(lanes).await;
}

/// Kills one run when the target was asked for the `instant`th time, before or while it answers.
async fn kill_once(source: &Registry, target: &Registry, name: &str, instant: usize, before: bool) {
    let (asked, due) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let wire = {
        let due = Arc::clone(&due);
        Proxy::with(&target.host(), move |_| {
            if asked.fetch_add(1, Ordering::SeqCst) + 1 != instant {
                return Verdict::Pass;
            }
            due.notify_one();
            if before { Verdict::TearRequest(0) } else { Verdict::Pass }
        })
        .await
    };
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app\n  select: {{patterns: ['v\\d+']}}\n\
         targets:\n- name: copy\n  repository: {}/{name}/{{path}}",
        source.host(),
        wire.host()
    ));
    let mut run = desk.start();
    tokio::select! {
        () = due.notified() => run.kill().await.unwrap(),
        status = run.wait() => assert!(status.unwrap().code().is_some(), "nobody else kills it"),
    }

    let repository = format!("{name}/team/app");
    let tags = target.tags(&repository).await;
    for tag in &tags {
        target.complete(&repository, tag).await;
    }
    let there = blobs_there(source, target, &repository).await;

    wire.reset();
    desk.synced().await;
    for seed in 0..IMAGES {
        target.complete(&repository, &format!("v{seed}")).await;
    }
    for upload in wire
        .requests()
        .into_iter()
        .filter(|seen| seen.method == Method::PUT && seen.path.contains("/uploads/"))
    {
        let again = there.iter().find(|digest| upload.path.replace("%3A", ":").contains(digest.as_str()));
        assert_eq!(again, None, "a blob that was there was sent again");
    }
    for record in desk.records() {
        let target = &record["targets"][0];
        assert_eq!(target["origin"], "Written", "{record}");
        assert_eq!(target["state"], "InSync", "{record}");
    }
}

/// Which of the source's blobs the target has, tagged or not.
async fn blobs_there(source: &Registry, target: &Registry, repository: &str) -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for seed in 0..IMAGES {
        for blob in source.complete("team/app", &format!("v{seed}")).await.blobs {
            let head =
                target.request(Method::HEAD, repository, &format!("blobs/{blob}")).send().await.unwrap();
            if head.status().is_success() {
                there.insert(blob.to_string());
            }
        }
    }
    there
}
