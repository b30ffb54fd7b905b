//! The table "Ready, exactly", the counts and the problems.

use rstest::rstest;

use super::*;
use crate::{
    api::{Origin, Overwrite},
    engine::{Error, Outcome},
    plan::{Kind, Plan},
};

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn earlier() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// What became of one action.
#[derive(Clone, Copy, Debug)]
enum Became {
    InSync,
    Copied,
    Conflict,
    Deferred,
    Failed(Class),
    Interrupted,
}

use Became::{Conflict, Copied, Deferred, Failed, InSync, Interrupted};

impl Became {
    fn kind(self) -> Kind {
        match self {
            InSync => Kind::InSync { origin: Origin::Written },
            Copied | Interrupted => Kind::Copy { replaces: None },
            Conflict => Kind::Conflict,
            Deferred => Kind::Deferred { until: now() },
            Failed(class) => Kind::Failed { class },
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            InSync => Outcome::InSync,
            Copied => Outcome::Written,
            Conflict | Deferred | Failed(_) => Outcome::NotTried,
            Interrupted => Outcome::Failed(Error::Interrupted),
        }
    }
}

/// A run after which this became of the tags, each on its target: `(tag, target, what)`.
fn applied(became: &[(&str, &str, Became)]) -> Applied {
    let action = |(tag, target, became): &(&str, &str, Became)| Action {
        image: "app".to_owned(),
        tag: Some(tag.parse().unwrap()),
        source: format!("source.example/app:{tag}").parse().unwrap(),
        digest: None,
        target: (*target).to_owned(),
        destination: format!("{target}.example/app:{tag}").parse().unwrap(),
        overwrite: Overwrite::Always,
        content: std::sync::Arc::default(),
        referrers: None,
        kind: became.kind(),
        reason: format!("{tag} on {target}: {became:?}"),
    };
    Applied {
        outcomes: became.iter().map(|(_, _, became)| became.outcome()).collect(),
        plan: Plan { actions: became.iter().map(action).collect(), ..Plan::default() },
        pruned: Vec::new(),
    }
}

/// One run with an action a tag.
fn run(became: &[Became]) -> Applied {
    let tags: Vec<String> = (0..became.len()).map(|number| format!("v{number}")).collect();
    let triples: Vec<_> = tags.iter().zip(became).map(|(tag, became)| (tag.as_str(), "a", *became)).collect();
    applied(&triples)
}

fn condition(type_: &str, status: &str, reason: &str) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: "as it was".to_owned(),
        observed_generation: Some(1),
        last_transition_time: Time(earlier()),
    }
}

/// A status that says this of `Ready`, or nothing.
fn before(ready: Option<(&str, &str)>) -> Context {
    let conditions = ready.map(|(status, reason)| condition("Ready", status, reason)).into_iter().collect();
    let before = ImageSyncStatus { conditions, observed_generation: Some(1), ..ImageSyncStatus::default() };
    Context { generation: Some(1), images: 1, before, next: None }
}

fn words(status: &ImageSyncStatus) -> Vec<(&str, &str, &str)> {
    status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
}

#[rstest]
#[case::all_is_in_sync(None, &[InSync, InSync], &[("Ready", "True", "InSync")])]
#[case::all_was_copied(None, &[Copied, InSync], &[("Ready", "True", "InSync")])]
#[case::a_moved_tag_was_copied(Some(("True", "InSync")), &[Copied, InSync], &[("Ready", "True", "InSync")])]
#[case::nothing_is_selected(None, &[], &[("Ready", "True", "InSync")])]
#[case::it_failed_and_is_mended(Some(("False", "Timeout")), &[Copied], &[("Ready", "True", "InSync")])]
#[case::a_moved_tag_failed(
    Some(("True", "InSync")), &[Failed(Class::Timeout), InSync], &[("Ready", "False", "Timeout")]
)]
#[case::the_run_was_interrupted(None, &[Copied, Interrupted], &[("Ready", "False", "Unavailable")])]
#[case::what_needs_a_person_is_worse_than_what_may_mend_itself(
    None, &[Failed(Class::Unavailable), Failed(Class::Forbidden), Failed(Class::Timeout)],
    &[("Ready", "False", "Forbidden")]
)]
#[case::of_two_that_need_a_person(
    None, &[Failed(Class::Forbidden), Failed(Class::NotFound)], &[("Ready", "False", "NotFound")]
)]
#[case::conflicts(Some(("True", "InSync")), &[InSync, Conflict], &[("Ready", "False", "Conflict")])]
#[case::a_conflict_is_worse_than_an_outage(
    None, &[Failed(Class::Unavailable), Conflict], &[("Ready", "False", "Conflict")]
)]
#[case::a_named_tag_was_deleted(
    Some(("True", "InSync")), &[Failed(Class::NotFound)], &[("Ready", "False", "NotFound")]
)]
#[case::a_limit_defers_and_it_was_ready(
    Some(("True", "InSync")), &[InSync, Deferred], &[("Ready", "True", "RateLimited")]
)]
#[case::a_limit_defers_and_it_was_not(
    Some(("False", "Timeout")), &[InSync, Deferred], &[("Ready", "False", "RateLimited")]
)]
#[case::a_limit_defers_the_first_run(
    None, &[InSync, Deferred], &[("Ready", "Unknown", "RateLimited"), ("Reconciling", "True", "RateLimited")]
)]
#[case::a_limit_is_no_excuse_for_a_failure(
    Some(("True", "InSync")), &[Deferred, Failed(Class::Unavailable)], &[("Ready", "False", "Unavailable")]
)]
fn ready_exactly(
    #[case] ready: Option<(&str, &str)>,
    #[case] became: &[Became],
    #[case] expected: &[(&str, &str, &str)],
) {
    let status = status(&run(became), &before(ready), now());
    assert_eq!(words(&status), expected);
}

#[test]
fn a_condition_keeps_its_time_as_long_as_its_status_is_the_same() {
    let since = |ready, became: &[Became]| {
        status(&run(became), &before(Some(ready)), now()).conditions[0].last_transition_time.0
    };
    assert_eq!(since(("True", "InSync"), &[InSync]), earlier());
    assert_eq!(since(("False", "NotFound"), &[Failed(Class::Timeout)]), earlier(), "the reason is no status");
    assert_eq!(since(("False", "Timeout"), &[InSync]), now());
    assert_eq!(since(("True", "InSync"), &[Conflict]), now());
}

/// The runs of one object one after the other, each in a generation: the conditions after the last one.
fn after(runs: &[(i64, &[Became])]) -> ImageSyncStatus {
    runs.iter().fold(ImageSyncStatus::default(), |before, (generation, became)| {
        let context = Context { generation: Some(*generation), images: 1, before, next: None };
        status(&run(became), &context, now())
    })
}

#[test]
fn a_first_run_that_a_limit_puts_off_goes_on() {
    let on = [("Ready", "Unknown", "RateLimited"), ("Reconciling", "True", "RateLimited")];
    assert_eq!(words(&after(&[(1, &[Deferred])])), on);
    assert_eq!(words(&after(&[(1, &[Deferred]), (1, &[InSync, Deferred])])), on);
}

#[test]
fn a_new_generation_that_a_limit_puts_off_is_being_carried_out_until_it_is_not() {
    let on = [("Ready", "True", "RateLimited"), ("Reconciling", "True", "RateLimited")];
    let first: (i64, &[Became]) = (1, &[InSync]);
    let second = after(&[first, (2, &[Deferred])]);
    assert_eq!(words(&second), on);
    assert!(second.conditions.iter().all(|condition| condition.observed_generation == Some(2)));
    assert_eq!(words(&after(&[first, (2, &[Deferred]), (2, &[Deferred])])), on);
    assert_eq!(words(&after(&[first, (2, &[Deferred]), (2, &[InSync])])), [("Ready", "True", "InSync")]);
}

#[test]
fn it_is_stalled_only_if_everything_waits_for_another_spec_or_secret() {
    use Class::{Forbidden, NotFound, Unauthorized};
    let of = |became: &[Became]| after(&[(1, became)]);
    assert_eq!(
        words(&of(&[Failed(Unauthorized), Failed(Forbidden)])),
        [("Ready", "False", "Unauthorized"), ("Stalled", "True", "Unauthorized")]
    );
    assert_eq!(words(&of(&[Failed(Unauthorized), InSync])), [("Ready", "False", "Unauthorized")]);
    assert_eq!(words(&of(&[Failed(Unauthorized), Deferred])), [("Ready", "False", "Unauthorized")]);
    assert_eq!(words(&of(&[Failed(NotFound)])), [("Ready", "False", "NotFound")]);
}

#[test]
fn a_condition_says_how_much_is_in_sync_and_what_is_worst() {
    let status = status(&run(&[InSync, Deferred, Failed(Class::Timeout)]), &before(None), now());
    assert_eq!(status.conditions[0].message, "1/3 artifacts are in sync; v2 on a: Failed(Timeout)");
    assert_eq!(status.conditions[0].observed_generation, Some(1));
}

#[test]
fn the_times_and_the_generation_are_those_of_the_run() {
    let context = Context { generation: Some(7), next: Some(earlier()), ..before(None) };
    let status = status(&run(&[InSync]), &context, now());
    assert_eq!(status.observed_generation, Some(7));
    assert_eq!((status.last_sync_time, status.next_sync_time), (Some(Time(now())), Some(Time(earlier()))));
}

#[test]
fn an_artifact_counts_once_under_the_worst_of_its_states() {
    let applied = applied(&[
        ("v1", "a", InSync),
        ("v1", "b", Copied),
        ("v2", "a", InSync),
        ("v2", "b", Deferred),
        ("v3", "a", Conflict),
        ("v3", "b", Deferred),
        ("v4", "a", Failed(Class::Timeout)),
        ("v4", "b", Conflict),
    ]);
    let counts = status(&applied, &Context { images: 3, ..before(None) }, now()).counts.unwrap();
    let expected = Counts {
        summary: "1/4".to_owned(),
        images: 3,
        artifacts: 4,
        in_sync: 1,
        pending: 0,
        deferred: 1,
        failed: 1,
        conflicts: 1,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_problem_keeps_its_time_until_it_is_another_one() {
    let first = status(&run(&[Failed(Class::Timeout), Conflict, InSync]), &before(None), earlier());
    let context = Context { before: first, ..before(None) };
    let second = status(
        &run(&[Failed(Class::Timeout), Failed(Class::Forbidden), Failed(Class::Timeout)]),
        &context,
        now(),
    );
    let since: Vec<_> =
        second.problems.iter().map(|problem| (problem.tag.as_deref().unwrap(), problem.since.0)).collect();
    assert_eq!(since, [("v0", earlier()), ("v1", now()), ("v2", now())]);
    assert_eq!(second.problems[1].class, Class::Forbidden);
    assert_eq!(second.problems[1].target.as_deref(), Some("a"));
}

#[test]
fn the_first_twenty_problems_are_listed_and_all_are_counted() {
    let status = status(&run(&[Conflict; 25]), &before(None), now());
    assert_eq!(status.problems.len(), 20);
    assert_eq!(status.problems[19].tag.as_deref(), Some("v19"));
    assert_eq!(status.counts.unwrap().conflicts, 25);
}
