//! What becomes of records that nothing in the spec needs any more.

use super::{
    super::stale::{MOST, MOST_OF_ARTIFACT},
    *,
};
use crate::{
    api::{Candidate, TargetRecord},
    records::MAX_FILE_BYTES,
};

const LISTED: &str = "images: [{name: a, source: alpine, select: {newest: 1}}]";
const TARGET: &str = "targets: [{name: t, repository: r.example/a}]";

/// A world in which these are alpine's tags.
fn with_tags(tags: &[&str]) -> World {
    let mut world = World::default();
    for tag in tags {
        world.push(&format!("alpine:{tag}"), tag);
    }
    world
}

fn entry(reference: &str, origin: Origin) -> TargetRecord {
    TargetRecord::new("t", reference, digest("x"), (origin, State::InSync), now())
}

fn remember(world: &mut World, image: &str, tag: &str, targets: Vec<TargetRecord>) {
    world.records.put(Record { targets, ..Record::new(image, Some(tag.to_owned())) });
}

/// Each as `reference fate`.
fn fates(plan: &Plan) -> Vec<String> {
    let line = |stale: &Stale| match &stale.fate {
        Fate::Moved { image, tag } => {
            format!("{} moved to {image}:{}", stale.reference, tag.as_deref().unwrap_or_default())
        }
        fate => format!("{} {fate:?}", stale.reference),
    };
    plan.stale.iter().map(line).collect()
}

#[test]
fn what_we_wrote_stays_known_as_unwanted_and_what_we_found_is_forgotten() {
    let wanted = wanted(&format!("{LISTED}\n{TARGET}"));
    let mut world = with_tags(&["1", "2", "3"]);
    remember(&mut world, "a", "3", vec![entry("r.example/a:3", Origin::Written)]);
    remember(&mut world, "a", "2", vec![entry("r.example/a:2", Origin::Written)]);
    remember(&mut world, "a", "1", vec![entry("r.example/a:1", Origin::Found)]);
    // Its image left the spec; it may have to be deleted one day all the same.
    remember(&mut world, "gone", "1", vec![entry("r.example/gone:1", Origin::Intended)]);
    let mut elsewhere = entry("old.example/a:3", Origin::Written);
    elsewhere.name = "left".into();
    remember(&mut world, "gone", "2", vec![elsewhere]);
    assert_eq!(
        fates(&world.plan(&wanted)),
        [
            "r.example/a:1 Forgotten",
            "r.example/a:2 Unwanted",
            "r.example/gone:1 Unwanted",
            "old.example/a:3 Forgotten",
        ]
    );
}

#[test]
fn nothing_is_stale_of_an_image_that_cannot_be_listed() {
    let wanted = wanted(&format!("{LISTED}\n{TARGET}"));
    let mut world = with_tags(&["1", "2"]);
    remember(&mut world, "a", "1", vec![entry("r.example/a:1", Origin::Written)]);
    world.listings.clear();
    assert!(fates(&world.plan(&wanted)).is_empty());
}

#[test]
fn an_alias_is_left_as_it_is_while_nobody_knows_the_newest_version() {
    let target = TARGET.replace("}]", ", aliases: [{tag: stable, of: Newest}]}]");
    let wanted = wanted(&format!("{}\n{target}", LISTED.replace("newest: 1", "exclude: [v.*]")));
    let mut world = with_tags(&["edge"]);
    let alias = || vec![entry("r.example/a:stable", Origin::Written)];
    remember(&mut world, "a", "1", alias());
    assert!(fates(&world.plan(&wanted)).is_empty());
    world.push("alpine:2", "2");
    assert_eq!(fates(&world.plan(&wanted)), ["r.example/a:stable moved to a:2"]);
}

#[test]
fn a_name_with_a_digest_that_is_not_known_now_leaves_the_artifacts_names_alone() {
    let target = TARGET.replace("}]", ", tags: ['{tag}-{shortDigest}']}]");
    let wanted = wanted(&format!("images: [{{name: a, source: 'alpine:3'}}]\n{target}"));
    let mut world = with_tags(&["3"]);
    remember(&mut world, "a", "3", vec![entry("r.example/a:3-old", Origin::Written)]);
    assert_eq!(fates(&world.plan(&wanted)), ["r.example/a:3-old Unwanted"]);
    let seen = Seen::Failed { class: crate::class::Class::Forbidden, message: "no".into(), until: None };
    world.set(reference("alpine:3"), seen);
    assert!(fates(&world.plan(&wanted)).is_empty());
}

#[test]
fn of_too_many_names_those_are_forgotten_that_nothing_wants_for_longest() {
    let wanted = wanted(&format!("images: [{{name: a, source: 'alpine:3'}}]\n{TARGET}"));
    let mut world = with_tags(&["3"]);
    let since = |second| Some(Timestamp::from_second(second).unwrap());
    let of_one = (0..120).map(|number| TargetRecord {
        unwanted_since: since(number),
        ..entry(&format!("r.example/a:3-{number}"), Origin::Written)
    });
    remember(&mut world, "a", "3", of_one.collect());
    let forgotten = |world: &World| -> Vec<String> {
        let stale = world.plan(&wanted).stale;
        let forgotten = stale.into_iter().filter(|stale| stale.fate == Fate::Forgotten);
        forgotten.map(|stale| stale.reference).collect()
    };
    let oldest: Vec<String> =
        (0..120 - MOST_OF_ARTIFACT).map(|number| format!("r.example/a:3-{number}")).collect();
    assert_eq!(forgotten(&world), oldest);

    let mut world = with_tags(&["3"]);
    for number in 0..=MOST {
        let mut one = entry(&format!("r.example/a:{number}-x"), Origin::Written);
        one.unwanted_since = since(i64::try_from(number).unwrap());
        remember(&mut world, "a", &format!("{number}-x"), vec![one]);
    }
    assert_eq!(forgotten(&world), ["r.example/a:0-x"]);
}

#[test]
fn the_largest_record_that_can_come_about_can_be_read_again() {
    let largest = TargetRecord {
        name: "n".repeat(63),
        reference: format!("{}/{}:{}", "r".repeat(255), "p".repeat(255), "t".repeat(128)),
        digest: digest("x"),
        previous_digest: Some(digest("x")),
        source_digest: Some(digest("x")),
        platforms: Some(vec!["p".repeat(64); 16]),
        referrers: Some("f".repeat(16)),
        checked: Some(now()),
        class: Some(crate::class::Class::DigestMismatch),
        message: Some("\u{10ffff}".repeat(crate::engine::MOST_MESSAGE)),
        unwanted_since: Some(now()),
        ..entry("", Origin::Intended)
    };
    // Eight targets with eight tags, eight aliases and the digest itself; those of the last run may be unwanted by now.
    let names = MOST_OF_ARTIFACT + 2 * 8 * (8 + 8 + 1);
    let candidate = Candidate { digest: digest("x"), first_seen: now() };
    let record = Record {
        source: Some("s".repeat(512)),
        source_digest: Some(digest("x")),
        first_seen: Some(now()),
        candidates: vec![candidate; 16],
        targets: vec![largest; names],
        ..Record::new("i".repeat(63), Some("t".repeat(128)))
    };
    let size = serde_json::to_vec(&record).unwrap().len();
    assert!(size < MAX_FILE_BYTES / 4 * 3, "{size}");
}
