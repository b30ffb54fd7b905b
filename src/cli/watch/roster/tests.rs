//! Tests of the roster: a table of times and changes.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    super::fixtures::{State, copied, failed, interrupted},
    *,
};
use crate::class::Class;

fn at(text: &str) -> Timestamp {
    format!("2026-11-24T{text}Z").parse().unwrap()
}

/// Starts what is due.
fn start(roster: &mut Roster, now: Timestamp) -> Vec<(Arc<Member>, CancellationToken)> {
    roster.start(&CancellationToken::new(), now)
}

fn titles(started: &[(Arc<Member>, CancellationToken)]) -> Vec<String> {
    started.iter().map(|(member, _)| member.title()).collect()
}

/// A roster with `a`, which ran once at 10:00:00 and is due an hour later.
fn settled(state: &State) -> Roster {
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:00:00"));
    let started = start(&mut roster, at("10:00:00"));
    roster.end(&started[0].0, Some(&copied()), at("10:00:00"), 1.0).unwrap();
    roster
}

#[test]
fn one_that_runs_long_keeps_nobody_else_from_being_due() {
    let state = State::new();
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5"), state.member("b", "v1", "eDp5")], at("10:00:00"));
    let started = start(&mut roster, at("10:00:00"));
    assert_eq!(titles(&started), ["team/a", "team/b"]);
    roster.end(&started[1].0, Some(&copied()), at("10:00:10"), 1.0).unwrap();
    assert!(start(&mut roster, at("11:00:09")).is_empty());
    assert_eq!(titles(&start(&mut roster, at("11:00:10"))), ["team/b"]);
}

#[test]
fn another_spec_stops_the_run_and_begins_once_that_has_ended() {
    let state = State::new();
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:00:00"));
    let (old, stop) = start(&mut roster, at("10:00:00")).remove(0);
    roster.follow(vec![state.member("a", "v2", "eDp5")], at("10:01:00"));
    assert!(stop.is_cancelled());
    assert!(start(&mut roster, at("10:01:00")).is_empty(), "two runs of one object");
    roster.end(&old, Some(&interrupted()), at("10:01:01"), 1.0).unwrap();
    let (new, _) = start(&mut roster, at("10:01:01")).remove(0);
    assert!(new.object.spec != old.object.spec);
    assert_eq!((old.object.metadata.generation, new.object.metadata.generation), (Some(1), Some(2)));
}

#[test]
fn a_run_that_was_done_before_it_could_be_stopped_does_not_count_for_the_new_spec() {
    let state = State::new();
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:00:00"));
    let (old, _) = start(&mut roster, at("10:00:00")).remove(0);
    roster.follow(vec![state.member("a", "v2", "eDp5")], at("10:01:00"));
    let status = roster.end(&old, Some(&copied()), at("10:01:01"), 1.0).unwrap();
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(titles(&start(&mut roster, at("10:01:01"))), ["team/a"]);
}

#[test]
fn a_secret_that_changed_makes_its_object_due_and_nothing_else_does() {
    let state = State::new();
    let mut roster = settled(&state);
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:10:00"));
    assert!(start(&mut roster, at("10:10:00")).is_empty());
    roster.follow(vec![state.member("a", "v1", "eDp6")], at("10:20:00"));
    assert_eq!(titles(&start(&mut roster, at("10:20:00"))), ["team/a"]);
}

#[test]
fn what_is_removed_is_stopped_and_is_there_until_its_run_has_ended() {
    let state = State::new();
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:00:00"));
    let (member, stop) = start(&mut roster, at("10:00:00")).remove(0);
    assert!(roster.follow(Vec::new(), at("10:01:00")).is_empty());
    assert!(stop.is_cancelled() && roster.has("team/a"));
    let status = roster.end(&member, Some(&interrupted()), at("10:01:01"), 1.0).unwrap();
    assert_eq!(status.next_sync_time, None);
    assert!(!roster.has("team/a"));
}

#[test]
fn what_is_removed_and_put_back_while_its_run_ends_goes_on() {
    let state = State::new();
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:00:00"));
    let (member, _) = start(&mut roster, at("10:00:00")).remove(0);
    roster.follow(Vec::new(), at("10:01:00"));
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:01:00"));
    roster.end(&member, None, at("10:01:01"), 1.0);
    assert_eq!(titles(&start(&mut roster, at("10:01:01"))), ["team/a"]);
}

#[test]
fn a_run_that_was_cut_short_is_due_again_at_once() {
    let state = State::new();
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:00:00"));
    let (member, _) = start(&mut roster, at("10:00:00")).remove(0);
    roster.end(&member, Some(&interrupted()), at("10:01:00"), 1.0);
    assert_eq!(titles(&start(&mut roster, at("10:01:00"))), ["team/a"]);
}

#[test]
fn what_was_cut_short_leaves_no_trace_in_the_status() {
    let state = State::new();
    let mut roster = settled(&state);
    for (now, applied) in [(at("11:00:00"), interrupted()), (at("11:00:01"), copied())] {
        let (member, _) = start(&mut roster, now).remove(0);
        let ready = roster.end(&member, Some(&applied), now, 1.0).unwrap().conditions.remove(0);
        if ready.status == "True" {
            assert_eq!(ready.last_transition_time, Time(at("10:00:00")));
            return;
        }
    }
    panic!("it is ready in the end");
}

#[test]
fn reading_the_files_again_keeps_what_is_known_of_an_object() {
    let state = State::new();
    let mut roster = Roster::default();
    let mut run = |now| {
        roster.follow(vec![state.member("a", "v1", "eDp5")], now);
        let (member, _) = start(&mut roster, now).remove(0);
        roster.end(&member, Some(&failed(Class::NotFound)), now, 1.0).unwrap()
    };
    let first = run(at("10:00:00"));
    let second = run(at("11:00:00"));
    assert_eq!(second.last_sync_time, Some(Time(at("11:00:00"))));
    assert_eq!(second.problems[0].since, first.problems[0].since);
    assert_eq!(second.conditions[0].last_transition_time, Time(at("10:00:00")));
}

#[test]
fn the_status_says_when_the_next_run_is_really_due() {
    let state = State::new();
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:00:00"));
    let (member, _) = start(&mut roster, at("10:00:00")).remove(0);
    let failed = failed(Class::Unavailable);
    let status = roster.end(&member, Some(&failed), at("10:00:00"), 1.0).unwrap();
    let due = at("10:00:31");
    assert_eq!(status.next_sync_time, Some(Time(due)));
    assert!(start(&mut roster, due - SignedDuration::from_secs(1)).is_empty());
    assert_eq!(titles(&start(&mut roster, due)), ["team/a"]);
}

#[test]
fn what_is_suspended_is_stopped_and_never_due() {
    let state = State::new();
    let mut roster = Roster::default();
    roster.follow(vec![state.member("a", "v1", "eDp5")], at("10:00:00"));
    let (member, stop) = start(&mut roster, at("10:00:00")).remove(0);
    roster.follow(vec![state.suspended("a")], at("10:01:00"));
    assert!(stop.is_cancelled());
    roster.end(&member, None, at("10:01:00"), 1.0);
    assert!(start(&mut roster, at("23:00:00")).is_empty());
}
