//! What is held back until it is old enough, on real registries. Time passes by making what is remembered older.

use std::{process::Stdio, time::Duration};

use imagesync::digest::Digest;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    command::Desk,
    testbed::{images::Image, registry::Registry},
};

const PATIENCE: Duration = Duration::from_mins(1);

fn spec(source: &Registry, select: &str, target: &Registry) -> String {
    format!(
        "interval: 1h\nimages:\n- name: app\n  source: {}/team/app\n  select: {select}\n\
         targets:\n- name: copy\n  repository: {}/{{path}}",
        source.host(),
        target.host()
    )
}

/// So many hours pass, as far as the records can tell.
fn pass(desk: &Desk, hours: i64) {
    let folder = desk.state().join("imagesync/records/team/test");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let mut slice: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for record in slice["records"].as_array_mut().unwrap() {
            let candidates = record.get_mut("candidates").and_then(Value::as_array_mut);
            for candidate in candidates.into_iter().flatten() {
                let seen: Timestamp = candidate["firstSeen"].as_str().unwrap().parse().unwrap();
                let earlier = seen - SignedDuration::from_hours(hours);
                candidate["firstSeen"] = earlier.to_string().into();
            }
        }
        std::fs::write(&path, serde_json::to_vec(&slice).unwrap()).unwrap();
    }
}

fn image(seed: u64) -> Image {
    Image::multi(seed, &["linux/amd64", "linux/arm64"], &[2_000])
}

async fn shows(target: &Registry, tag: &str) -> Option<Digest> {
    target.digest("team/app", tag).await
}

#[tokio::test]
async fn a_digest_is_mirrored_once_it_is_old_enough_and_a_plan_makes_nothing_older() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let first = image(1);
    source.push("team/app", "latest", &first).await;
    let desk = Desk::new(&spec(&source, "{names: [latest], minAge: 72h}", &target));
    let plan = desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
    assert!(plan.stdout.contains("left out: 1 too young"), "{}", plan.stdout);
    assert!(plan.stdout.contains("a plan remembers nothing"), "{}", plan.stdout);
    assert!(!desk.state().exists(), "a plan writes nothing");

    let ran = desk.synced().await;
    assert!(ran.stdout.contains("1 tag shows what is not 72h old yet; the first is at "), "{}", ran.stdout);
    assert_eq!(shows(&target, "latest").await, None);
    let record = desk.records().remove(0);
    assert_eq!(record["targets"], Value::Array(Vec::new()));
    pass(&desk, 71);
    desk.synced().await;
    assert_eq!(shows(&target, "latest").await, None);
    pass(&desk, 1);
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
    desk.synced().await;
    assert_eq!(shows(&target, "latest").await.as_ref(), Some(first.digest()));
    target.complete("team/app", "latest").await;
    desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
}

#[tokio::test]
async fn a_tag_that_moves_every_day_is_mirrored_as_it_was_three_days_ago() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let desk = Desk::new(&spec(&source, "{names: [latest], minAge: 72h}", &target));
    let days: Vec<Image> = (1..=6).map(image).collect();
    for (day, image) in days.iter().enumerate() {
        source.push("team/app", "latest", image).await;
        desk.synced().await;
        let expected = day.checked_sub(3).map(|day| days[day].digest().clone());
        assert_eq!(shows(&target, "latest").await, expected, "day {day}");
        pass(&desk, 24);
    }
    target.complete("team/app", "latest").await;
    assert_eq!(desk.records()[0]["candidates"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn what_the_source_deleted_is_passed_over_for_the_next_older() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let desk = Desk::new(&spec(&source, "{names: [latest], minAge: 72h}", &target));
    let images: Vec<Image> = (1..=3).map(image).collect();
    for image in &images {
        source.push("team/app", "latest", image).await;
        desk.synced().await;
        pass(&desk, 1);
    }
    source.delete("team/app", images[1].digest().as_str()).await;
    // The second is the newest that is old enough, and gone.
    pass(&desk, 70);
    let plan = desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
    assert!(plan.stdout.contains("+ latest"), "{}", plan.stdout);
    desk.synced().await;
    assert_eq!(shows(&target, "latest").await.as_ref(), Some(images[0].digest()));
    pass(&desk, 24);
    desk.synced().await;
    assert_eq!(shows(&target, "latest").await.as_ref(), Some(images[2].digest()));
}

#[tokio::test]
async fn a_new_version_leaves_the_old_ones_where_they_are_until_it_is_old_enough() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    for (seed, tag) in [(1, "1.0"), (2, "1.1")] {
        source.push("team/app", tag, &image(seed)).await;
    }
    let desk = Desk::new(&spec(&source, "{newest: 2, minAge: 72h}", &target));
    desk.synced().await;
    pass(&desk, 72);
    desk.synced().await;
    source.push("team/app", "1.2", &image(3)).await;
    desk.synced().await;
    assert_eq!(target.tags("team/app").await, ["1.0", "1.1"]);
    let unwanted = |record: &Value| record["targets"].to_string().contains("unwantedSince");
    assert!(!desk.records().iter().any(unwanted), "{:?}", desk.records());
    pass(&desk, 72);
    desk.synced().await;
    assert_eq!(target.tags("team/app").await, ["1.0", "1.1", "1.2"]);
    assert_eq!(desk.records().iter().filter(|record| unwanted(record)).count(), 1);
}

#[tokio::test]
async fn the_next_run_comes_when_something_is_old_enough() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    source.push("team/app", "latest", &image(1)).await;
    let desk = Desk::new(&spec(&source, "{names: [latest], minAge: 10s}", &target));
    let mut command = desk.command(&["sync", "--watch", "-f", "sync.yaml"]);
    let _run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let there = async {
        while shows(&target, "latest").await.is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, there).await.expect("the interval is an hour, and the age ten seconds");
}
