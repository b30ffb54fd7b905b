//! Tests of the status, as design section 3 ("Ready, exactly") has it.

use super::*;
use crate::{
    api::{Origin, Overwrite},
    engine::Outcome,
    plan::{Kind, Plan},
};

const LIMIT: &str = "docker.io wants no more of this";

fn now() -> Timestamp {
    "2026-11-24T10:00:00Z".parse().unwrap()
}

fn applied(kinds: &[Kind]) -> Applied {
    let action = |(number, kind): (usize, &Kind)| Action {
        image: "app".into(),
        tag: Some(format!("v{number}").parse().unwrap()),
        source: "registry.example/app".parse().unwrap(),
        digest: None,
        target: "copy".into(),
        destination: "copy.example/app".parse().unwrap(),
        overwrite: Overwrite::Always,
        kind: kind.clone(),
        reason: LIMIT.into(),
    };
    let actions: Vec<Action> = kinds.iter().enumerate().map(action).collect();
    let outcome = |kind: &Kind| match kind {
        Kind::InSync { .. } => Outcome::InSync,
        _ => Outcome::NotTried,
    };
    Applied { outcomes: kinds.iter().map(outcome).collect(), plan: Plan { actions, ..Plan::default() } }
}

fn in_sync() -> Kind {
    Kind::InSync { origin: Origin::Written }
}

fn deferred() -> Kind {
    Kind::Deferred { until: now() }
}

fn run(kinds: &[Kind], generation: i64, before: ImageSyncStatus) -> ImageSyncStatus {
    let context = Context { generation: Some(generation), images: 1, before, next: None };
    status(&applied(kinds), &context, now())
}

/// Each condition as `Type=Status Reason`.
fn conditions_of(status: &ImageSyncStatus) -> Vec<String> {
    let text = |c: &Condition| format!("{}={} {}", c.type_, c.status, c.reason);
    status.conditions.iter().map(text).collect()
}

#[test]
fn what_a_limit_puts_off_leaves_readiness_as_it_was_and_tells_of_the_limit() {
    let before = run(&[in_sync()], 1, ImageSyncStatus::default());
    let after = run(&[in_sync(), deferred()], 1, before.clone());
    assert_eq!(conditions_of(&after), ["Ready=True RateLimited"]);
    assert!(after.conditions[0].message.contains(LIMIT) && after.conditions[0].message.contains("1/2"));
    assert_eq!(after.conditions[0].last_transition_time, before.conditions[0].last_transition_time);
}

#[test]
fn a_first_run_that_a_limit_puts_off_goes_on() {
    let first = run(&[deferred()], 1, ImageSyncStatus::default());
    let on = ["Ready=Unknown RateLimited", "Reconciling=True RateLimited"];
    assert_eq!(conditions_of(&first), on);
    assert_eq!(conditions_of(&run(&[deferred()], 1, first)), on);
}

#[test]
fn a_new_generation_that_a_limit_puts_off_is_being_carried_out_until_it_is_not() {
    let before = run(&[in_sync()], 1, ImageSyncStatus::default());
    let on = ["Ready=True RateLimited", "Reconciling=True RateLimited"];
    let second = run(&[deferred()], 2, before);
    assert_eq!(conditions_of(&second), on);
    assert!(second.conditions.iter().all(|condition| condition.observed_generation == Some(2)));
    let third = run(&[deferred()], 2, second);
    assert_eq!(conditions_of(&third), on);
    assert_eq!(conditions_of(&run(&[in_sync()], 2, third)), ["Ready=True InSync"]);
}

#[test]
fn it_is_stalled_only_if_everything_waits_for_another_spec_or_secret() {
    let failed = |class| Kind::Failed { class };
    let of = |kinds: &[Kind]| conditions_of(&run(kinds, 1, ImageSyncStatus::default()));
    assert_eq!(
        of(&[failed(Class::Unauthorized), failed(Class::Forbidden)]),
        ["Ready=False Unauthorized", "Stalled=True Unauthorized"]
    );
    assert_eq!(of(&[failed(Class::Unauthorized), in_sync()]), ["Ready=False Unauthorized"]);
    assert_eq!(of(&[failed(Class::Unauthorized), deferred()]), ["Ready=False Unauthorized"]);
    assert_eq!(of(&[failed(Class::NotFound)]), ["Ready=False NotFound"]);
}
