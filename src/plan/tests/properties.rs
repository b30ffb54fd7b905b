//! What holds of every plan, whatever the spec, the registries and the records.

use proptest::prelude::*;

use super::*;
use crate::class::Class;

const REPOSITORIES: [&str; 3] = ["a.b/x", "a.b/y", "r.example/x"];

prop_compose! {
    fn an_image()(
        source in prop::sample::select(REPOSITORIES.to_vec()),
        which in prop::sample::select(vec![
            "'", ":1'", ":2'", ":latest'",
            "', select: {names: ['1', '3']}",
            "', select: {patterns: ['.*']}",
            "', select: {newest: 2}",
            "', select: {names: [latest], semver: '>=1'}",
        ]),
        pinned in any::<bool>(),
        immutable in any::<bool>(),
    ) -> String {
        let which = match (pinned, which) {
            (true, ":1'") => format!(":1@{}'", digest("1")),
            (true, "'") => format!("@{}'", digest("2")),
            (_, which) => which.to_owned(),
        };
        let immutable = if immutable { ", immutableTags: ['[12]']" } else { "" };
        format!("source: '{source}{which}{immutable}")
    }
}

prop_compose! {
    fn a_target()(
        repository in prop::sample::select(vec!["t.example/{path}", "t.example/{name}", "r.example/x", "a.b/{name}"]),
        tags in prop::sample::select(vec!["'{tag}'", "'{name}-{tag}'", "'{tag}', '{shortDigest}'", "stable", "'{tag}-x'"]),
        alias in any::<bool>(),
        never in any::<bool>(),
        adopt in any::<bool>(),
    ) -> String {
        let alias = if alias { ", aliases: [{tag: newest, of: Newest}]" } else { "" };
        let overwrite = if never { "Never" } else { "Always" };
        format!("repository: '{repository}', tags: [{tags}]{alias}, overwrite: {overwrite}, adopt: {adopt}")
    }
}

fn a_spec() -> impl Strategy<Value = String> {
    let lists = (prop::collection::vec(an_image(), 1..4), prop::collection::vec(a_target(), 1..3));
    lists.prop_map(|(images, targets)| {
        let list = |list: &[String], prefix: &str| {
            let items =
                list.iter().enumerate().map(|(index, item)| format!("- {{name: {prefix}{index}, {item}}}\n"));
            items.collect::<String>()
        };
        format!("images:\n{}targets:\n{}", list(&images, "i"), list(&targets, "t"))
    })
}

fn a_world() -> impl Strategy<Value = World> {
    let tags = ["1", "2", "3", "latest", "1-x", "newest", "stable"];
    let seen = prop_oneof![
        4 => (1..4_u8).prop_map(|n| Seen::Digest(digest(&n.to_string()))),
        1 => Just(Seen::Absent),
        1 => prop::sample::select(vec![Class::Forbidden, Class::RateLimited])
            .prop_map(|class| Seen::Failed { class, message: "no luck".into(), until: None }),
    ];
    let places: Vec<String> = ["a.b/x", "a.b/y", "r.example/x", "t.example/x", "t.example/i0", "a.b/i0"]
        .iter()
        .flat_map(|repository| tags.map(|tag| format!("{repository}:{tag}")))
        .collect();
    prop::collection::vec((prop::sample::select(places), seen), 0..30).prop_map(|entries| {
        let mut world = World::default();
        for repository in REPOSITORIES {
            world.listings.insert(repository.parse().unwrap(), Listed::Tags(Vec::new()));
        }
        for (place, seen) in entries {
            world.push(&place, "1");
            world.set(reference(&place), seen);
        }
        world
    })
}

fn is_copy(action: &Action) -> bool {
    action.kind.is_change()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn once_a_plan_is_applied_the_next_one_finds_nothing_to_copy(spec in a_spec(), world in a_world()) {
        let Ok(wanted) = Wanted::from_object(&object(&spec)) else { return Ok(()) };
        let mut world = world;
        let first = world.plan(&wanted);
        world.apply(&first);
        // What one image writes, another one may read; a chain has at most as many links as there are images.
        let mut plan = world.plan(&wanted);
        for _ in 0..wanted.image_count() {
            world.apply(&plan);
            plan = world.plan(&wanted);
        }
        let copies: Vec<_> = plan.actions.iter().filter(|action| is_copy(action)).collect();
        prop_assert!(copies.is_empty(), "{spec}\n{}\n{}", first.render(), plan.render());
        // And what was copied is ours.
        for action in first.actions.iter().filter(|action| is_copy(action)) {
            let again = plan.actions.iter().find(|again| again.destination == action.destination);
            let Some(Action { kind: Kind::InSync { origin }, digest, .. }) = again else { continue };
            prop_assert!(*origin == Origin::Written || *digest != action.digest, "{spec}\n{}", plan.render());
        }
    }

    #[test]
    fn no_two_copies_write_different_digests_under_one_name(spec in a_spec(), world in a_world()) {
        let Ok(wanted) = Wanted::from_object(&object(&spec)) else { return Ok(()) };
        let plan = world.plan(&wanted);
        let mut digests: HashMap<&Reference, &Digest> = HashMap::new();
        for action in plan.actions.iter().filter(|action| is_copy(action)) {
            let digest = action.digest.as_ref().unwrap();
            let first = *digests.entry(&action.destination).or_insert(digest);
            prop_assert_eq!(first, digest, "{}\n{}", spec, plan.render());
        }
    }

    #[test]
    fn no_copy_writes_over_what_an_image_reads_of_its_own_source(spec in a_spec(), world in a_world()) {
        let Ok(wanted) = Wanted::from_object(&object(&spec)) else { return Ok(()) };
        let plan = world.plan(&wanted);
        for action in plan.actions.iter().filter(|action| is_copy(action)) {
            prop_assert_ne!(&action.destination.to_string(), &Reference { digest: None, ..action.source.clone() }.to_string());
        }
    }

    #[test]
    fn every_name_has_one_action_with_a_reason(spec in a_spec(), world in a_world()) {
        let Ok(wanted) = Wanted::from_object(&object(&spec)) else { return Ok(()) };
        let plan = world.plan(&wanted);
        prop_assert!(plan.actions.iter().all(|action| !action.reason.is_empty()));
        let Summary { copy, replace, amend, in_sync, conflict, failed, deferred, .. } = plan.summary();
        prop_assert_eq!(copy + replace + amend + in_sync + conflict + failed + deferred, plan.actions.len());
        // Everything was asked that had to be.
        let internal = |action: &Action| action.kind == Kind::Failed { class: Class::Internal };
        prop_assert!(!plan.actions.iter().any(internal), "{}\n{}", spec, plan.render());
    }

    #[test]
    fn no_spec_makes_it_panic(
        source in ".{0,12}",
        repository in "[r./{}a-z]{0,16}|.{0,12}",
        tag in "[{}a-z.-]{0,8}",
        pattern in ".{0,8}",
    ) {
        let mut object = ImageSync::default();
        object.spec.images = vec![crate::api::Image {
            name: "a".into(),
            source,
            select: Some(crate::api::Select {
                names: vec![tag.clone()],
                semver: Some(pattern.clone()),
                patterns: vec![pattern.clone()],
                extract: Some(pattern),
                newest: Some(-1),
                ..Default::default()
            }),
            ..Default::default()
        }];
        object.spec.targets =
            vec![crate::api::Target { name: "t".into(), repository, tags: vec![tag], ..Default::default() }];
        let _ = Wanted::from_object(&object);
    }
}
