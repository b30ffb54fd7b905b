//! When what refers to an image is looked for, and what follows from what is there.

use rstest::rstest;

use super::*;
use crate::class::Class;

const SOURCE: &str = "alpine:3";
const TARGET: &str = "targets: [{name: t, repository: r.example/a}]";

fn spec(image: &str) -> String {
    format!("images: [{{name: a, source: '{SOURCE}'{image}}}]\n{TARGET}")
}

/// Two at the root's, or as many as are named, each told by its name.
fn signed(names: &[&str]) -> Referring {
    let subject = digest(SOURCE);
    let one = |name: &&str| Referred { subject: subject.clone(), suffix: ".sig", digest: digest(name) };
    Referring::found(names.iter().map(one), names.len())
}

fn at_source() -> Reference {
    reference(SOURCE).repository.at_digest(digest(SOURCE))
}

/// What is asked in all rounds of a run.
fn asked(world: &World, spec: &str) -> Questions {
    let selection = world.select(&wanted(spec));
    let mut observed = Observed::at(world.now());
    let mut all = Questions::default();
    loop {
        let questions = selection.questions(&world.records, &observed);
        if questions.is_empty() {
            return all;
        }
        all.sources.extend(questions.sources.clone());
        all.targets.extend(questions.targets.clone());
        all.referrers.extend(questions.referrers.clone());
        observed.extend(world.answer(questions));
    }
}

/// How often sources, targets and referrers are asked.
fn counts(world: &World, spec: &str) -> (usize, usize, usize) {
    let Questions { sources, targets, referrers, .. } = asked(world, spec);
    (sources.len(), targets.len(), referrers.len())
}

/// The world after a run.
fn synced(spec: &str, referring: Referring) -> World {
    let mut world = World::with(&[SOURCE]);
    world.referrers.insert(at_source(), referring);
    world.sync(spec);
    world
}

impl World {
    fn sync(&mut self, spec: &str) -> Plan {
        let plan = self.plan(&wanted(spec));
        self.apply(&plan);
        plan
    }

    fn wait(&mut self, hours: i64, minutes: i64) -> &mut Self {
        self.later += SignedDuration::from_hours(hours) + SignedDuration::from_mins(minutes);
        self
    }
}

#[test]
fn referrers_are_looked_for_once_it_is_known_which_image_the_tag_shows() {
    let world = World::with(&[SOURCE]);
    let selection = world.select(&wanted(&spec("")));
    let mut observed = Observed::at(world.now());
    let first = selection.questions(&world.records, &observed);
    assert_eq!((first.sources.len(), first.targets.len(), first.referrers.len()), (1, 1, 0));
    observed.extend(world.answer(first));
    let second = selection.questions(&world.records, &observed);
    assert_eq!((second.sources.len(), second.targets.len()), (0, 0));
    let [look] = second.referrers.as_slice() else { panic!("{second:#?}") };
    assert_eq!((&look.subject.0, &look.near), (&at_source(), &None));
}

#[test]
fn an_image_that_a_target_shows_is_read_there() {
    for image in ["", ", immutableTags: ['.*']"] {
        let spec = spec(image);
        let world = synced(&spec, signed(&[]));
        let [look] = &asked(&world, &spec).referrers[..] else { panic!("it is asked once") };
        assert_eq!(look.near, Some(("t".to_owned(), "r.example/a".parse().unwrap())));
    }
}

#[test]
fn a_day_long_each_run_looks_and_afterwards_a_tag_costs_two_heads_and_nothing_else() {
    for image in ["", ", referrers: Require"] {
        let spec = spec(image);
        let mut world = synced(&spec, signed(&["a"]));
        assert_eq!(counts(&world, &spec), (1, 1, 1));
        assert_eq!(counts(world.wait(23, 59), &spec), (1, 1, 1));
        world.sync(&spec);
        assert_eq!(counts(world.wait(0, 1), &spec), (1, 1, 0));
        assert_eq!(counts(world.wait(23, 0), &spec), (1, 1, 0));
        // Then all that is on the target is walked, and what refers to it is looked for too.
        assert_eq!(counts(world.wait(1, 0), &spec), (1, 1, 1));
        world.sync(&spec);
        assert_eq!(counts(&world, &spec), (1, 1, 0));
        assert_eq!(counts(world.wait(24, 0), &spec), (1, 1, 1));
    }
}

#[test]
fn a_tag_that_never_moves_is_looked_at_for_a_day_and_then_costs_nothing_until_the_deep_interval() {
    let spec = spec(", immutableTags: ['.*']") + "\ndeepInterval: 48h";
    let mut world = synced(&spec, signed(&["a"]));
    assert_eq!(counts(&world, &spec), (0, 0, 1));
    assert_eq!(counts(world.wait(23, 59), &spec), (0, 0, 1));
    assert_eq!(counts(world.wait(0, 1), &spec), (0, 0, 0));
    assert_eq!(counts(world.wait(23, 59), &spec), (0, 0, 0));
    // Then its target is walked, too.
    assert_eq!(counts(world.wait(0, 1), &spec), (0, 1, 1));
    world.sync(&spec);
    assert_eq!(counts(world.wait(47, 59), &spec), (0, 0, 0));
}

#[test]
fn a_tag_that_moves_is_new_again() {
    let spec = spec("");
    let mut world = synced(&spec, signed(&["a"]));
    world.wait(25, 0).sync(&spec);
    assert_eq!(counts(&world, &spec), (1, 1, 0));
    world.push(SOURCE, "moved");
    assert_eq!(counts(&world, &spec), (1, 1, 1));
    world.sync(&spec);
    assert_eq!(counts(world.wait(23, 0), &spec), (1, 1, 1));
    world.sync(&spec);
    assert_eq!(counts(world.wait(1, 0), &spec), (1, 1, 0));
}

#[test]
fn what_is_excluded_is_never_looked_for() {
    let spec = spec(", referrers: Exclude");
    assert_eq!(counts(&World::with(&[SOURCE]), &spec), (1, 1, 0));
    let mut world = synced(&spec, signed(&["a"]));
    assert_eq!(counts(&world, &spec), (1, 1, 0));
    assert_eq!(counts(world.wait(500, 0), &spec), (1, 1, 0));
    assert_eq!(lines(&world.plan(&wanted(&spec))), ["= r.example/a:3"]);
    // Once they are wanted, they are looked for, however long the image has been there.
    let included = super::referrers::spec("");
    assert_eq!(counts(&world, &included), (1, 1, 1));
    assert_eq!(lines(&world.plan(&wanted(&included))), ["^ r.example/a:3"]);
}

#[test]
fn one_image_with_several_names_is_looked_at_once() {
    let spec = format!(
        "images: [{{name: a, source: '{SOURCE}'}}, {{name: b, source: '{SOURCE}'}}]\n\
         targets: [{{name: t, repository: 'r.example/{{name}}', tags: ['{{tag}}', more]}}, {{name: u, repository: 'u.example/{{name}}'}}]"
    );
    assert_eq!(counts(&World::with(&[SOURCE]), &spec), (1, 6, 1));
}

#[test]
fn nothing_is_looked_for_where_nothing_is_going_to_be_copied() {
    let spec = format!(
        "images: [{{name: a, source: '{SOURCE}'}}]\ntargets: [{{name: t, repository: r.example/a, overwrite: Never}}]"
    );
    let mut world = World::with(&[SOURCE]);
    world.push("r.example/a:3", "other");
    assert_eq!(counts(&world, &spec), (1, 1, 0));
    let failed = Seen::Failed { class: Class::Forbidden, message: "no".into(), until: None };
    world.set(reference("r.example/a:3"), failed.clone());
    assert_eq!(counts(&world, &spec), (1, 1, 0));
    world.set(reference(SOURCE), failed);
    assert_eq!(counts(&world, &spec), (1, 1, 0));
}

#[test]
fn a_signature_that_is_made_later_amends_what_is_there_and_then_it_is_in_sync() {
    for image in ["", ", referrers: Require", ", immutableTags: ['.*']"] {
        let spec = spec(image);
        let mut world = synced(&spec, signed(&["a"]));
        assert_eq!(lines(&world.plan(&wanted(&spec))), ["= r.example/a:3"]);
        world.referrers.insert(at_source(), signed(&["a", "b"]));
        let plan = world.sync(&spec);
        assert_eq!(only(&plan).kind, Kind::Amend { origin: Origin::Written, repair: false });
        assert_eq!(
            only(&plan).reason,
            "what refers to it changed at the source: 2 signatures or other referrers now"
        );
        assert_eq!(lines(&world.plan(&wanted(&spec))), ["= r.example/a:3"]);
    }
}

#[test]
fn an_amendment_that_was_not_carried_out_is_planned_again() {
    let spec = spec("");
    let mut world = synced(&spec, signed(&["a"]));
    world.referrers.insert(at_source(), signed(&["a", "b"]));
    let first = world.plan(&wanted(&spec));
    world.wait(1, 0);
    assert_eq!(lines(&first), lines(&world.plan(&wanted(&spec))));
}

#[test]
fn what_was_there_already_gets_what_refers_to_it_and_stays_found() {
    let mut world = World::with(&[SOURCE]);
    world.push("r.example/a:3", SOURCE);
    let spec = spec("");
    assert_eq!(
        lines(&world.plan(&wanted(&spec))),
        ["= found r.example/a:3"],
        "there is nothing to be brought"
    );
    world.referrers.insert(at_source(), signed(&["a"]));
    let plan = world.sync(&spec);
    assert_eq!(only(&plan).kind, Kind::Amend { origin: Origin::Found, repair: false });
    assert_eq!(
        only(&plan).reason,
        "1 signature or other referrer is at the source, and it is not known whether they were brought"
    );
    assert_eq!(lines(&world.plan(&wanted(&spec))), ["= found r.example/a:3"]);
}

#[test]
fn a_copy_says_how_much_comes_with_it() {
    let mut world = World::with(&[SOURCE]);
    world.referrers.insert(at_source(), signed(&["a", "b"]));
    let plan = world.plan(&wanted(&spec("")));
    assert_eq!(only(&plan).kind, Kind::Copy { replaces: None });
    assert_eq!(only(&plan).reason, "is not there yet; 2 signatures or other referrers are and come with it");
    assert_eq!(only(&plan).referrers.as_deref(), signed(&["a", "b"]).hash());
}

#[test]
fn an_image_without_a_signature_is_refused_where_one_is_required_until_it_has_one() {
    let spec = spec(", referrers: Require");
    let mut world = World::with(&[SOURCE]);
    let of_child = Referred { subject: digest("child"), suffix: "", digest: digest("sbom") };
    for unsigned in [signed(&[]), Referring::found([of_child], 0), Referring::Untold] {
        world.referrers.insert(at_source(), unsigned);
        let plan = world.sync(&spec);
        assert_eq!(only(&plan).kind, Kind::Failed { class: Class::NotFound });
        assert_eq!(
            only(&plan).reason,
            "alpine:3 has no signature and nothing else that refers to it, and `referrers: Require` holds it back until \
             it has"
        );
    }
    world.referrers.insert(at_source(), signed(&["a"]));
    assert_eq!(lines(&world.plan(&wanted(&spec))), ["+ r.example/a:3"]);
}

#[test]
fn what_was_mirrored_unsigned_is_told_once_signatures_are_required_and_stays() {
    let mut world = synced(&spec(""), signed(&[]));
    world.wait(30, 0).sync(&spec(""));
    let required = spec(", referrers: Require");
    let plan = world.plan(&wanted(&required));
    assert_eq!(only(&plan).kind, Kind::Failed { class: Class::NotFound });
    assert!(only(&plan).reason.ends_with("until it has; what is on the target stays as it is"));
    assert_eq!(lines(&world.plan(&wanted(&spec("")))), ["= r.example/a:3"]);
}

#[rstest]
#[case(Class::Unauthorized, None, "no luck; `referrers: Exclude` would mirror it without what signs it")]
#[case(Class::Unavailable, None, "no luck")]
#[case(Class::RateLimited, Some("2026-01-02T04:00:00Z"), "no luck")]
fn what_could_not_be_looked_at_is_never_taken_for_unsigned(
    #[case] class: Class,
    #[case] until: Option<&str>,
    #[case] reason: &str,
) {
    let until: Option<Timestamp> = until.map(|until| until.parse().unwrap());
    let failed = Referring::Failed { class, message: "no luck".into(), until };
    let expected = match until {
        Some(until) => Kind::Deferred { until },
        None => Kind::Failed { class },
    };
    for image in ["", ", referrers: Require", ", immutableTags: ['.*']"] {
        let spec = spec(image);
        let mut new = World::with(&[SOURCE]);
        new.referrers.insert(at_source(), failed.clone());
        let mut there = synced(&spec, signed(&["a"]));
        there.referrers.insert(at_source(), failed.clone());
        for world in [new, there] {
            let plan = world.plan(&wanted(&spec));
            assert_eq!(only(&plan).kind, expected);
            assert_eq!(only(&plan).reason, reason);
        }
    }
}

#[test]
fn a_source_that_has_lost_everything_takes_nothing_from_what_is_on_the_target() {
    let pinned = format!("images: [{{name: a, source: 'alpine:3@{}'}}]\n{TARGET}", digest(SOURCE));
    let mut world = synced(&pinned, signed(&["a"]));
    world.referrers.insert(at_source(), Referring::Untold);
    world.holds.retain(|at, _| at.repository.registry() == "r.example");
    assert_eq!(lines(&world.sync(&pinned)), ["= r.example/a:3"]);
    // What was brought is still known.
    world.referrers.insert(at_source(), signed(&["a"]));
    assert_eq!(lines(&world.plan(&wanted(&pinned))), ["= r.example/a:3"]);
}

#[test]
fn a_hash_tells_what_refers_to_what_and_not_in_which_order() {
    let one = |subject: &str, suffix, name: &str| Referred {
        subject: digest(subject),
        suffix,
        digest: digest(name),
    };
    let all = [one("a", "", "x"), one("a", ".sig", "y"), one("b", "", "z")];
    let hash = |found: &[Referred]| Referring::found(found.to_vec(), 0).hash().unwrap().to_owned();
    let mut turned = all.clone();
    turned.reverse();
    assert_eq!(hash(&all), hash(&turned));
    assert_eq!(hash(&all).len(), 16);
    for other in [one("b", "", "x"), one("a", ".att", "x"), one("a", "", "y")] {
        let mut changed = all.clone();
        changed[0] = other;
        assert_ne!(hash(&changed), hash(&all));
    }
}
