//! When all that is on targets is looked at, and what follows.

use super::{questions::rounds, *};
use crate::class::Class;

const IMAGES: &str = "images: [{name: a, source: 'alpine:3'}]";
const TARGET: &str = "targets: [{name: t, repository: r.example/a, tags: ['{tag}', tested]}]";

fn spec() -> String {
    format!("{IMAGES}\n{TARGET}")
}

/// A world in which this was mirrored and seen to be whole.
fn mirrored(spec: &str) -> World {
    let mut world = World::with(&["alpine:3"]);
    let plan = world.plan(&wanted(spec));
    world.apply(&plan);
    change(&mut world, |entry| (entry.checked, entry.last_change) = (Some(now()), now()));
    world
}

fn change(world: &mut World, change: impl Fn(&mut TargetRecord)) {
    for mut record in world.records.iter().cloned().collect::<Vec<_>>() {
        record.targets.iter_mut().for_each(&change);
        world.records.put(record);
    }
}

fn walk() -> String {
    format!("walk r.example/a@{}", digest("alpine:3").short())
}

/// How often the image is walked in a run.
fn walks(world: &World, spec: &str) -> usize {
    rounds(world, spec).concat().into_iter().filter(|asked| *asked == walk()).count()
}

fn find(world: &mut World, walked: Walked) {
    world.walked.insert(("r.example/a".parse().unwrap(), digest("alpine:3")), walked);
}

fn broken() -> Walked {
    Walked::Broken {
        missing: vec!["blob sha256:0123456789ab".into(), "manifest sha256:ba9876543210".into()],
        count: 5,
    }
}

#[test]
fn what_two_tags_show_is_walked_once_when_it_was_not_for_the_interval() {
    let mut world = mirrored(&spec());
    world.hours = 23;
    assert_eq!(walks(&world, &spec()), 0);
    world.hours = 24;
    assert_eq!(walks(&world, &spec()), 1);
    let plan = world.plan(&wanted(&spec()));
    assert_eq!(plan.whole, [0, 1]);
    assert_eq!(plan.deep_check, Some(DeepCheck { whole: 1, ..DeepCheck::default() }));
    let often = format!("deepInterval: 1h\n{}", spec());
    world.hours = 1;
    assert_eq!(walks(&world, &often), 1);
}

#[test]
fn what_was_published_and_not_seen_to_be_complete_is_walked_at_once_and_what_was_found_has_time() {
    let mut world = mirrored(&spec());
    for (state, expected) in [(State::Failed, 1), (State::Pending, 1), (State::InSync, 0)] {
        change(&mut world, |entry| (entry.checked, entry.state) = (None, state));
        assert_eq!(walks(&world, &spec()), expected, "{state:?}");
    }
    world.hours = 24;
    assert_eq!(walks(&world, &spec()), 1);
}

#[test]
fn everything_is_walked_where_that_is_asked_for_even_what_was_never_recorded() {
    let mut world = mirrored(&spec());
    world.deep = true;
    assert_eq!(rounds(&world, &spec())[1], [walk()]);
    world.records = Records::default();
    assert_eq!(rounds(&world, &spec())[1], [walk()]);
    // What is not as it is wanted is copied anyway.
    world.push("alpine:3", "new");
    assert_eq!(rounds(&world, &spec()).len(), 1);
}

#[test]
fn what_is_found_of_an_image_that_is_no_longer_shown_counts_for_nothing() {
    for moved in ["alpine:3", "r.example/a:3"] {
        let mut world = mirrored(&spec().replace(", tested", ""));
        world.deep = true;
        find(&mut world, broken());
        world.push(moved, "new");
        let plan = world.plan(&wanted(&spec().replace(", tested", "")));
        assert_eq!((lines(&plan), plan.deep_check), (vec!["~ r.example/a:3".to_owned()], None), "{moved}");
    }
}

#[test]
fn what_is_missing_is_sent_again_and_named() {
    let mut world = mirrored(&spec());
    world.deep = true;
    find(&mut world, broken());
    let plan = world.plan(&wanted(&spec()));
    assert_eq!(lines(&plan), ["^ r.example/a:3", "^ r.example/a:tested"]);
    assert_eq!(plan.actions[0].kind, Kind::Amend { origin: Origin::Written, repair: true });
    let reason = "a deep check found 5 missing on the target: blob sha256:0123456789ab, manifest sha256:ba9876543210 and 3 more";
    assert_eq!(plan.actions[0].reason, reason);
    assert!(plan.whole.is_empty());
    let text = plan.render();
    assert!(text.contains("deep check: 0 whole, 1 broken\n2 to amend, 0 in sync"), "{text}");
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["deepCheck"], serde_json::json!({"whole": 0, "broken": 1, "failed": 0}));
}

#[test]
fn what_could_not_be_seen_is_trouble_of_the_target() {
    let mut world = mirrored(&spec());
    world.deep = true;
    let until: Timestamp = "2026-01-02T04:00:00Z".parse().unwrap();
    for (class, until, expected) in [
        (Class::Unavailable, None, Kind::Failed { class: Class::Unavailable }),
        (Class::RateLimited, Some(until), Kind::Deferred { until }),
    ] {
        find(&mut world, Walked::Failed { class, message: "no luck".into(), until });
        let plan = world.plan(&wanted(&spec()));
        assert_eq!((&plan.actions[0].kind, plan.actions[0].reason.as_str()), (&expected, "no luck"));
    }
}

#[test]
fn an_immutable_tag_is_walked_without_a_look_at_its_source() {
    let spec = format!("images: [{{name: a, source: 'alpine:3', immutableTags: ['.*']}}]\n{TARGET}");
    let mut world = mirrored(&spec);
    assert_eq!(rounds(&world, &spec).len(), 0);
    world.hours = 24;
    let targets = vec!["t r.example/a:3".to_owned(), "t r.example/a:tested".to_owned()];
    assert_eq!(rounds(&world, &spec), [targets.clone(), vec![walk()]]);
    assert_eq!(lines(&world.plan(&wanted(&spec))), ["= r.example/a:3", "= r.example/a:tested"]);

    find(&mut world, broken());
    let by_digest = format!("source alpine:3@{}", digest("alpine:3"));
    assert_eq!(rounds(&world, &spec), [targets, vec![walk()], vec![by_digest]]);
    assert_eq!(lines(&world.plan(&wanted(&spec))), ["^ r.example/a:3", "^ r.example/a:tested"]);
}

#[test]
fn what_the_source_no_longer_has_is_not_repaired_and_stays() {
    let spec = format!(
        "images: [{{name: a, source: 'alpine@{}'}}]\n{}",
        digest("alpine:3"),
        "targets: [{name: t, repository: r.example/a}]"
    );
    let mut world = mirrored(&spec);
    world.deep = true;
    find(&mut world, broken());
    assert!(lines(&world.plan(&wanted(&spec)))[0].starts_with("^ "));
    world.holds.remove(&reference("alpine:3").repository.at_digest(digest("alpine:3")));
    let plan = world.plan(&wanted(&spec));
    assert_eq!(only(&plan).kind, Kind::Failed { class: Class::NotFound });
    assert!(only(&plan).reason.contains("5 missing on the target"), "{}", only(&plan).reason);
    assert!(only(&plan).reason.ends_with("so it cannot be repaired; what is on the target stays"));
    assert!(plan.stale.is_empty());
}

#[test]
fn a_run_comes_early_only_where_the_sources_are_looked_at_less_often_than_the_targets_are_walked() {
    for (interval, due) in [("1h", None), ("24h", None), ("48h", Some(24))] {
        let spec = format!("interval: {interval}\n{}", spec());
        let mut world = mirrored(&spec);
        world.hours = 2;
        let due = due.map(|hours| now() + jiff::SignedDuration::from_hours(hours));
        assert_eq!(world.plan(&wanted(&spec)).due, due, "{interval}");
    }
}
