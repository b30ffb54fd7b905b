//! Runs that change nothing, and names that their artifacts are not given any more.

use super::*;
use crate::plan::{Fate, Stale};

fn later() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

#[test]
fn the_same_run_again_changes_no_record() {
    let wanted = wanted("");
    let mut world = World::new();
    world.run(&wanted, Write::Done);
    world.records.take_changed();
    let plan = world.plan(&wanted);
    planned(&mut world.records, &plan, later());
    assert!(world.records.take_changed().is_empty());
}

/// A record of one artifact with one name.
fn record_of(tag: &str, reference: &str) -> Record {
    let entry = TargetRecord::new("t", reference, digest(tag), (Origin::Written, State::InSync), now());
    Record { targets: vec![entry], ..Record::new("a", Some(tag.into())) }
}

fn stale(tag: &str, reference: &str, fate: Fate) -> Stale {
    let (image, tag, target) = ("a".to_owned(), Some(tag.to_owned()), "t".to_owned());
    Stale { image, tag, target, reference: reference.into(), fate, is_judged: true }
}

#[test]
fn stale_names_are_marked_once_forgotten_or_given_away_with_all_that_is_known() {
    let mut records = Records::default();
    records.put(record_of("1", "r/a:1"));
    records.put(record_of("2", "r/a:2"));
    records.put(record_of("3", "r/a:stable"));
    let moved = Fate::Moved { image: "a".into(), tag: Some("4".into()) };
    let plan = Plan {
        stale: vec![
            stale("1", "r/a:1", Fate::Unwanted),
            stale("2", "r/a:2", Fate::Forgotten),
            stale("3", "r/a:stable", moved),
        ],
        ..Plan::default()
    };
    planned(&mut records, &plan, now());
    planned(&mut records, &plan, later());
    assert_eq!(records.get("a", Some("1")).unwrap().targets[0].unwanted_since, Some(now()));
    assert_eq!(records.get("a", Some("2")), None);
    assert_eq!(records.get("a", Some("3")), None);
    let given = &records.get("a", Some("4")).unwrap().targets[0];
    assert_eq!((given.reference.as_str(), &given.digest), ("r/a:stable", &digest("3")));
}

#[test]
fn where_nobody_looks_for_others_who_want_a_name_it_counts_as_wanted_by_one() {
    let mut records = Records::default();
    records.put(record_of("1", "r/a:1"));
    let run = |records: &mut Records, is_judged| {
        let stale = Stale { is_judged, ..stale("1", "r/a:1", Fate::Unwanted) };
        planned(records, &Plan { stale: vec![stale], ..Plan::default() }, now());
        let entry = &records.get("a", Some("1")).unwrap().targets[0];
        (entry.unwanted_since, entry.wanted_elsewhere)
    };
    assert_eq!(run(&mut records, true), (Some(now()), false));
    assert_eq!(run(&mut records, false), (Some(now()), true));
    // Until a verdict says otherwise.
    assert_eq!(run(&mut records, true), (Some(now()), true));
}

#[test]
fn a_name_that_is_wanted_again_is_no_longer_unwanted() {
    let wanted = wanted("");
    let mut world = World::new();
    world.run(&wanted, Write::Done);
    let mut record = world.records.get("a", Some("3")).unwrap().clone();
    record.targets[0].unwanted_since = Some(now());
    world.records.put(record);
    world.run(&wanted, Write::Done);
    assert_eq!(world.entry().unwrap().unwanted_since, None);
}
