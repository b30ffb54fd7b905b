//! What is recorded of one write, and of what is not tried.

use super::*;
use crate::class::Class;

#[test]
fn a_move_that_is_killed_and_rolled_back_at_the_source_leaves_the_tag_ours() {
    let wanted = wanted("");
    let mut world = World::new();
    for step in [Step::Run(Write::Done), Step::Source, Step::Run(Write::Killed(false))] {
        world.step(&wanted, step);
    }
    let entry = world.entry().unwrap();
    assert_eq!((entry.origin, &entry.digest), (Origin::Intended, &digest("2")));
    assert_eq!(entry.previous_digest, Some(digest("1")));
    world.step(&wanted, Step::Source);
    assert_eq!(world.plan(&wanted).actions[0].kind, Kind::InSync { origin: Origin::Written });
    world.run(&wanted, Write::Done);
    let entry = world.entry().unwrap();
    assert_eq!((entry.origin, &entry.previous_digest), (Origin::Written, &None));
}

#[test]
fn what_was_refused_leaves_what_was_known_and_nothing_where_nothing_was() {
    let wanted = wanted("");
    for write in [Write::Refused, Write::NotRecorded] {
        let mut world = World::new();
        world.run(&wanted, write);
        assert!(world.records.is_empty(), "{write:?}");

        for step in [Step::Run(Write::Done), Step::Source, Step::Run(write)] {
            world.step(&wanted, step);
        }
        let entry = world.entry().unwrap();
        assert_eq!((entry.origin, &entry.digest), (Origin::Written, &digest("1")), "{write:?}");
        assert_eq!(entry.previous_digest, None);
        assert_ne!(entry.state, State::Pending);
    }
}

#[test]
fn a_write_that_did_not_happen_in_a_run_that_was_killed_is_not_ours_once_it_is_refused() {
    let wanted = wanted("");
    let mut world = World::new();
    world.run(&wanted, Write::Killed(false));
    assert_eq!(world.entry().unwrap().origin, Origin::Intended);
    world.run(&wanted, Write::Refused);
    assert!(world.records.is_empty());
}

#[test]
fn a_second_try_in_one_run_that_is_refused_does_not_undo_the_first() {
    let wanted = wanted("");
    for first in [Ok(()), Err(lost())] {
        let mut world = World::new();
        let plan = world.plan(&wanted);
        let action = &plan.actions[0];
        let image = manifest(&digest("1"));
        let shown = as_it_is(action, &image);
        let before = intended(&mut world.records, action, &shown, now());
        sent(&mut world.records, action, before, &first, now());
        let known = world.entry().cloned();
        let before = intended(&mut world.records, action, &shown, now());
        sent(&mut world.records, action, before, &Err(refused()), now());
        assert_eq!(world.entry().cloned(), known);
        assert!(known.unwrap().wrote(&digest("1")));
    }
}

#[test]
fn a_tag_that_others_put_there_meanwhile_is_found_and_not_ours() {
    let mut world = World::new();
    let plan = world.plan(&wanted(", overwrite: Never"));
    let action = &plan.actions[0];
    let image = manifest(&digest("1"));
    let shown = as_it_is(action, &image);
    found(&mut world.records, action, &shown, now());
    complete(&mut world.records, action, &shown, now());
    let entry = world.entry().unwrap();
    assert_eq!((entry.origin, entry.state), (Origin::Found, State::InSync));

    // What we may have written ourselves is not found because of that.
    let mut world = World::new();
    let before = intended(&mut world.records, action, &shown, now());
    sent(&mut world.records, action, before, &Err(lost()), now());
    found(&mut world.records, action, &shown, now());
    assert_eq!(world.entry().unwrap().origin, Origin::Written);
}

#[test]
fn what_is_not_tried_is_recorded_as_the_status_tells_it_and_stays_ours() {
    let wanted = wanted(", overwrite: Never");
    let mut world = World::new();
    world.run(&wanted, Write::Done);
    let synced = world.entry().unwrap().clone();

    world.step(&wanted, Step::Other(Some("theirs")));
    world.run(&wanted, Write::Done);
    let entry = world.entry().unwrap();
    assert_eq!((entry.state, entry.class), (State::Conflict, Some(Class::Conflict)));
    assert!(entry.message.as_ref().unwrap().contains("overwrite is Never"), "{entry:?}");
    assert_eq!((entry.origin, &entry.digest), (Origin::Written, &digest("1")));

    world.step(&wanted, Step::Other(Some("1")));
    world.run(&wanted, Write::Done);
    assert_eq!(world.entry(), Some(&synced));
}

#[test]
fn a_limit_a_failure_and_an_interruption_are_told_and_a_message_is_cut() {
    let wanted = wanted("");
    let mut world = World::new();
    world.run(&wanted, Write::Done);
    let mut plan = world.plan(&wanted);
    let state = |world: &mut World, plan: &Plan| {
        planned(&mut world.records, plan, now());
        let entry = world.entry().unwrap();
        (entry.state, entry.class.unwrap(), entry.message.as_ref().unwrap().chars().count())
    };
    plan.actions[0].reason = "no luck\n".repeat(1000);
    plan.actions[0].kind = Kind::Deferred { until: now() };
    assert_eq!(state(&mut world, &plan), (State::Deferred, Class::RateLimited, MOST_MESSAGE));
    plan.actions[0].kind = Kind::Failed { class: Class::Forbidden };
    assert_eq!(state(&mut world, &plan), (State::Failed, Class::Forbidden, MOST_MESSAGE));
    failed(&mut world.records, &plan.actions[0], &Error::Interrupted, now());
    assert_eq!(world.entry().unwrap().class, Some(Class::Unavailable));
}
