//! What is held back until it is old enough.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::class::Class;

const NAMED: &str = "images: [{name: a, source: alpine, select: {names: [latest], minAge: 72h}}]";
const NEWEST: &str = "images: [{name: a, source: alpine, select: {newest: 2, minAge: 72h}}]";
const TARGET: &str = "targets: [{name: t, repository: r.example/a}]";

fn with(images: &str, targets: &str) -> Wanted {
    wanted(&format!("{images}\n{targets}"))
}

fn gone(world: &mut World, name: &str) {
    world.holds.remove(&reference("alpine:x").repository.at_digest(digest(name)));
}

/// Plans and applies at this hour; gives the plan.
fn run(world: &mut World, hour: i64, wanted: &Wanted) -> Plan {
    world.hours = hour;
    let plan = world.plan(wanted);
    world.apply(&plan);
    plan
}

fn left_out(plan: &Plan) -> Vec<String> {
    plan.images[0].left_out.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_too_young_is_looked_at_counted_and_not_mirrored() {
    let wanted = with(NAMED, TARGET);
    let mut world = World::with(&["alpine:latest"]);
    world.hours = 5;
    let selection = select(&wanted, &world.listings, &world.records, world.now());
    let questions = selection.questions(&world.records, &Observed::default());
    assert_eq!((questions.sources.len(), questions.targets.len()), (1, 0), "the target does not matter yet");
    let plan = run(&mut world, 5, &wanted);
    assert_eq!(lines(&plan), [""; 0]);
    assert_eq!(left_out(&plan), ["1 too young"]);
    assert_eq!(plan.images[0].selected, 0);
    let until = now() + jiff::SignedDuration::from_hours(77);
    assert_eq!(plan.due, Some(until));
    let text = plan.render();
    assert!(
        text.contains(&format!("waiting: 1 tag shows what is not 72h old yet; the first is at {until}")),
        "{text}"
    );
    assert!(text.contains("ages count from this sync on"), "{text}");

    let plan = run(&mut world, 76, &wanted);
    assert_eq!((lines(&plan), plan.due), (vec![], Some(until)));
    assert!(plan.images[0].notes.is_empty(), "something is remembered: {:?}", plan.images[0].notes);
    assert_eq!(lines(&run(&mut world, 77, &wanted)), ["+ r.example/a:latest"]);
    let plan = run(&mut world, 78, &wanted);
    assert_eq!((lines(&plan), plan.due), (vec!["= r.example/a:latest".to_owned()], None));
    assert_eq!(left_out(&plan), [""; 0]);
}

#[test]
fn a_plan_alone_makes_nothing_older() {
    let wanted = with(NAMED, TARGET);
    let mut world = World::with(&["alpine:latest"]);
    for hour in [0, 100, 200] {
        world.hours = hour;
        let plan = world.plan(&wanted);
        assert_eq!(lines(&plan), [""; 0]);
        assert!(plan.images[0].notes[0].ends_with("a plan remembers nothing"));
    }
}

#[test]
fn a_tag_that_moved_is_mirrored_by_digest_as_it_was() {
    let wanted = with(NAMED, TARGET);
    let mut world = World::default();
    for (hour, shown) in [(0, "one"), (24, "two"), (48, "three"), (72, "four")] {
        world.push("alpine:latest", shown);
        run(&mut world, hour, &wanted);
    }
    assert_eq!(world.see(&reference("r.example/a:latest")), Seen::Digest(digest("one")));
    world.push("alpine:latest", "five");
    let plan = run(&mut world, 96, &wanted);
    assert_eq!(lines(&plan), ["~ r.example/a:latest"]);
    assert_eq!(only(&plan).source, reference(&format!("alpine:latest@{}", digest("two"))));
    assert_eq!(only(&plan).digest, Some(digest("two")));
    let plan = run(&mut world, 97, &wanted);
    assert_eq!(lines(&plan), ["= r.example/a:latest"], "the source shows another, and this is right");
    assert_eq!(plan.images[0].waiting.unwrap().count, 1);
}

#[test]
fn what_is_gone_from_the_source_is_passed_over_for_the_next_older_and_stays_where_it_is() {
    let two = "targets: [{name: t, repository: r.example/a}, {name: u, repository: u.example/a}]";
    let mut world = World::default();
    for (hour, shown) in [(0, "one"), (10, "two"), (20, "three")] {
        world.push("alpine:latest", shown);
        run(&mut world, hour, &with(NAMED, TARGET));
    }
    run(&mut world, 85, &with(NAMED, TARGET));
    assert_eq!(world.see(&reference("r.example/a:latest")), Seen::Digest(digest("two")));
    gone(&mut world, "two");
    let plan = run(&mut world, 86, &with(NAMED, two));
    assert_eq!(lines(&plan), ["= r.example/a:latest", "+ u.example/a:latest"]);
    assert_eq!(plan.actions[0].digest, Some(digest("two")), "what is there is newer, and stays");
    assert_eq!(plan.actions[1].digest, Some(digest("one")));

    gone(&mut world, "one");
    world.holds.remove(&reference("u.example/a:latest"));
    let plan = run(&mut world, 87, &with(NAMED, two));
    assert_eq!(lines(&plan), ["= r.example/a:latest"], "nothing is left that is old enough");
    assert_eq!(
        lines(&run(&mut world, 92, &with(NAMED, two))),
        ["~ r.example/a:latest", "+ u.example/a:latest"]
    );
}

#[test]
fn what_cannot_be_seen_at_the_source_is_not_passed_over() {
    let mut world = World::default();
    for (hour, shown) in [(0, "one"), (10, "two"), (20, "three")] {
        world.push("alpine:latest", shown);
        run(&mut world, hour, &with(NAMED, TARGET));
    }
    let at = reference("alpine:x").repository.at_digest(digest("two"));
    world.set(at, Seen::Failed { class: Class::Unavailable, message: "no luck".into(), until: None });
    let plan = run(&mut world, 85, &with(NAMED, TARGET));
    assert_eq!(lines(&plan), ["Unavailable r.example/a:latest"]);
}

#[test]
fn a_version_that_is_too_young_does_not_count_as_one_of_the_newest() {
    let wanted =
        with(NEWEST, "targets: [{name: t, repository: r.example/a, aliases: [{tag: stable, of: Newest}]}]");
    let mut world = World::with(&["alpine:1", "alpine:2", "alpine:3"]);
    run(&mut world, 0, &wanted);
    assert_eq!(
        lines(&run(&mut world, 72, &wanted)),
        ["+ r.example/a:3", "+ r.example/a:stable", "+ r.example/a:2"]
    );
    world.push("alpine:4", "4");
    let plan = run(&mut world, 73, &wanted);
    assert_eq!(lines(&plan), ["= r.example/a:3", "= r.example/a:stable", "= r.example/a:2"]);
    assert_eq!(left_out(&plan), ["1 older than the newest", "1 too young"]);
    assert_eq!(plan.stale, [], "nothing is unwanted because of what is too young");
    let plan = run(&mut world, 145, &wanted);
    assert_eq!(lines(&plan), ["+ r.example/a:4", "~ r.example/a:stable", "= r.example/a:3"]);
    assert_eq!(plan.stale.iter().filter(|stale| stale.fate == Fate::Unwanted).count(), 1);
}

#[test]
fn of_a_thousand_tags_only_as_many_begin_to_get_older_as_may_be_needed() {
    let wanted = with(NEWEST, TARGET);
    let tags: Vec<String> = (0..1_000).map(|number| format!("alpine:1.{number}")).collect();
    let world = World::with(&tags.iter().map(String::as_str).collect::<Vec<_>>());
    let selection = select(&wanted, &world.listings, &world.records, world.now());
    assert_eq!(selection.questions(&world.records, &Observed::default()).sources.len(), 2);
}

#[test]
fn what_gets_older_goes_on_doing_so_when_newer_versions_come() {
    let wanted = with(NEWEST, TARGET);
    let mut world = World::with(&["alpine:1", "alpine:2"]);
    run(&mut world, 0, &wanted);
    for (hour, tag) in [(24, "alpine:3"), (48, "alpine:4")] {
        world.push(tag, tag);
        run(&mut world, hour, &wanted);
    }
    assert_eq!(lines(&run(&mut world, 72, &wanted)), ["+ r.example/a:2", "+ r.example/a:1"]);
    assert_eq!(lines(&run(&mut world, 96, &wanted)), ["+ r.example/a:3", "= r.example/a:2"]);
}

#[test]
fn what_is_named_and_not_there_or_cannot_be_seen_fails_at_once() {
    let wanted = with(NAMED, TARGET);
    let mut world = World::default();
    assert_eq!(lines(&run(&mut world, 0, &wanted)), ["NotFound r.example/a:latest"]);
    let seen = Seen::Failed { class: Class::Forbidden, message: "no luck".into(), until: None };
    world.set(reference("alpine:latest"), seen);
    assert_eq!(lines(&run(&mut world, 0, &wanted)), ["Forbidden r.example/a:latest"]);
    assert!(world.records.is_empty());
}

#[test]
fn what_left_the_selection_is_forgotten_but_not_because_a_listing_failed() {
    let wanted = with(NEWEST, TARGET);
    let mut world = World::with(&["alpine:1", "alpine:2"]);
    run(&mut world, 0, &wanted);
    assert_eq!(world.records.len(), 2);
    let whole = world.listings.clone();
    let failed = Listed::Failed { class: Class::Unavailable, message: "no luck".into(), until: None };
    world.listings.insert("alpine".parse().unwrap(), failed);
    run(&mut world, 1, &wanted);
    assert_eq!(world.records.len(), 2);
    world.listings = whole;
    let Some(Listed::Tags(tags)) = world.listings.get_mut(&"alpine".parse::<Repository>().unwrap()) else {
        panic!()
    };
    tags.retain(|tag| tag.as_str() != "1");
    run(&mut world, 2, &wanted);
    assert_eq!(world.records.iter().map(|record| record.tag.as_deref().unwrap()).collect::<Vec<_>>(), ["2"]);
    run(&mut world, 3, &with("images: [{name: b, source: busybox}]", TARGET));
    assert!(world.records.is_empty(), "{:?}", world.records);
}

#[test]
fn what_was_mirrored_stays_when_a_longer_age_is_asked_for_and_goes_nowhere_else() {
    let short = NAMED.replace("72h", "1h");
    let mut world = World::with(&["alpine:latest"]);
    run(&mut world, 0, &with(&short, TARGET));
    assert_eq!(lines(&run(&mut world, 1, &with(&short, TARGET))), ["+ r.example/a:latest"]);
    let two =
        with(NAMED, "targets: [{name: t, repository: r.example/a}, {name: u, repository: u.example/a}]");
    let plan = run(&mut world, 2, &two);
    assert_eq!((lines(&plan), plan.stale.len()), (vec!["= r.example/a:latest".to_owned()], 0));
    assert_eq!(lines(&run(&mut world, 72, &two)), ["= r.example/a:latest", "+ u.example/a:latest"]);
}

#[test]
fn what_was_mirrored_before_there_was_a_minimum_age_is_as_old_as_it_is() {
    let mut world = World::with(&["alpine:latest"]);
    run(&mut world, 0, &with("images: [{name: a, source: 'alpine:latest'}]", TARGET));
    world.push("alpine:latest", "new");
    let plan = run(&mut world, 80, &with(NAMED, TARGET));
    assert_eq!(lines(&plan), ["= r.example/a:latest"]);
    assert_eq!(plan.images[0].notes, [""; 0]);
    assert_eq!(lines(&run(&mut world, 152, &with(NAMED, TARGET))), ["~ r.example/a:latest"]);
}

#[test]
fn an_immutable_tag_that_was_mirrored_costs_no_request() {
    let wanted = with(&NAMED.replace("}}]", "}, immutableTags: ['.*']}]"), TARGET);
    let mut world = World::with(&["alpine:latest"]);
    run(&mut world, 0, &wanted);
    assert_eq!(lines(&run(&mut world, 72, &wanted)), ["+ r.example/a:latest"]);
    world.hours = 73;
    let selection = select(&wanted, &world.listings, &world.records, world.now());
    let questions = selection.questions(&world.records, &Observed::default());
    assert_eq!((questions.sources.len(), questions.targets.len()), (0, 0));
    assert_eq!(lines(&run(&mut world, 73, &wanted)), ["= r.example/a:latest"]);
}

#[test]
fn an_age_selects_nothing_by_itself() {
    let spec = format!("images: [{{name: a, source: alpine, select: {{minAge: 1h}}}}]\n{TARGET}");
    let invalid = Wanted::from_object(&object(&spec)).unwrap_err().remove(0);
    assert!(invalid.message.starts_with("it selects nothing"), "{invalid}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Tags that come, move and go, digests that are deleted, a person who changes the age.
    #[test]
    fn nothing_is_copied_before_its_age_whatever_happens(
        steps in prop::collection::vec((0..30_i64, 1..4_u8, 0..9_u8, 0..8_u8), 1..40),
    ) {
        let image = |age: i64| format!("images: [{{name: a, source: alpine, select: {{names: ['1'], newest: 1, minAge: {age}h}}}}]");
        let targets = "targets: [{name: t, repository: r.example/a, tags: ['{tag}', '{tag}-{shortDigest}'], aliases: [{tag: s, of: Newest}]}]";
        let mut world = World::default();
        world.listings.insert("alpine".parse().unwrap(), Listed::Tags(Vec::new()));
        let mut first: HashMap<(String, Digest), i64> = HashMap::new();
        let (mut hour, mut age, mut there) = (0, 24, BTreeSet::new());
        for (wait, tag, name, what) in steps {
            hour += wait;
            let (at, name) = (format!("alpine:{tag}"), name.to_string());
            match what {
                0 => gone(&mut world, &name),
                1 => age = if age == 24 { 72 } else { 24 },
                2 => drop(world.holds.remove(&reference(&at))),
                _ => {
                    world.push(&at, &name);
                    there.insert(tag.to_string());
                }
            }
            let plan = run(&mut world, hour, &with(&image(age), targets));
            for action in plan.actions.iter().filter(|action| action.kind.is_change()) {
                let tag = action.tag.as_ref().unwrap().to_string();
                let seen = first.get(&(tag, action.digest.clone().unwrap())).copied();
                prop_assert!(seen.is_some_and(|seen| hour - seen >= age), "{seen:?} {hour}\n{}", plan.render());
            }
            for Aged { tag, candidates, .. } in plan.aged.clone() {
                for candidate in candidates {
                    first.entry((tag.clone().unwrap(), candidate.digest)).or_insert(hour);
                }
            }
            let internal = |action: &Action| action.kind == Kind::Failed { class: Class::Internal };
            prop_assert!(!plan.actions.iter().any(internal), "{}", plan.render());
        }
    }
}
