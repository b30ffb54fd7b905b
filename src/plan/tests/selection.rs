//! Which tags are selected, and why others are not.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    class::Class,
    plan::filter::{Age, Choice, Filter},
};

fn filter(select: &str) -> Filter {
    let mut check = invalid::Check::default();
    let select = serde_saphyr::from_str(select).unwrap();
    let filter = Filter::read(&select, "select", &mut check);
    check.pass(filter).unwrap()
}

fn tags(list: &str) -> Vec<Tag> {
    list.split_whitespace().map(|tag| tag.parse().unwrap()).collect()
}

fn names(choice: &Choice) -> String {
    choice.chosen.iter().map(|chosen| chosen.tag.as_str()).collect::<Vec<_>>().join(" ")
}

#[rstest]
#[case("{names: ['16', x]}", "15 16 17", "16 x")]
#[case("{semver: '>=16.0, <18'}", "15 16.1 16 17.2 18 latest 17-rc.1", "17.2 16.1 16")]
#[case("{semver: '>=16-0'}", "16-alpine 17-alpine 17 15-alpine", "17 17-alpine 16-alpine")]
#[case(r"{patterns: ['\d+\.\d+', latest]}", "1 1.2 1.2.3 latest x", "1.2 latest")]
#[case("{exclude: ['.*-rc.*']}", "1 2-rc1 b a", "1 a b")]
#[case("{newest: 2}", "1 3 2 latest v4", "v4 3")]
#[case("{newest: 1}", "16 16.0 16.0.0 15", "16.0.0")]
#[case("{newest: 1, names: ['1']}", "1 2 3", "3 1")]
#[case("{newest: 2, names: ['3']}", "1 2 3", "3 2")]
#[case("{extract: '(?P<version>.+)-bookworm', newest: 1}", "1-bookworm 2-bookworm 3-bullseye", "2-bookworm")]
#[case("{extract: '(?P<version>.+)-bookworm', semver: '~1'}", "1.9-bookworm 2-bookworm 1.9", "1.9-bookworm")]
#[case(
    "{patterns: ['.*-alpine'], extract: '(?P<version>[^-]+)-.*', semver: '>=2', newest: 2}",
    "1-alpine 2-alpine 3-alpine 4-alpine 5-slim",
    "4-alpine 3-alpine"
)]
fn tags_are_chosen_newest_first(#[case] select: &str, #[case] listing: &str, #[case] expected: &str) {
    assert_eq!(names(&filter(select).choose(&tags(listing), |_| Age::Enough)), expected);
}

#[test]
fn every_tag_that_is_left_out_is_counted_under_the_first_reason_that_holds() {
    let filter =
        filter("{patterns: ['v?[0-9].*'], exclude: ['.*-rc'], semver: '>=2, <5', newest: 1, names: ['1.0']}");
    let listing =
        format!("latest 2-rc 1.0 1.1 v2 3 4 4-alpine 2_x 9 sha256-{0} sha256-{0}.sig", digest("x").hex());
    let choice = filter.choose(&tags(&listing), |_| Age::Enough);
    assert_eq!(names(&choice), "4 1.0");
    let expected = [
        (LeftOut::BelongsToDigest, 2),
        (LeftOut::NoPattern, 1),
        (LeftOut::Excluded, 1),
        (LeftOut::NoVersion, 1),
        (LeftOut::PreRelease, 1),
        (LeftOut::OutOfRange, 2),
        (LeftOut::NotNewest, 2),
    ];
    assert_eq!(choice.left_out, expected.into());
}

#[test]
fn a_source_that_cannot_be_listed_fails_and_what_is_named_goes_on() {
    let wanted = wanted(
        "images: [{name: a, source: alpine, select: {names: ['3'], newest: 1}}]\n\
         targets: [{name: t, repository: r.example/a, aliases: [{tag: stable, of: Newest}]}]",
    );
    let mut world = World::with(&["alpine:3", "alpine:4"]);
    let failed = Listed::Failed {
        class: crate::class::Class::Unavailable,
        message: "gone fishing".into(),
        until: None,
    };
    world.listings.insert("alpine".parse().unwrap(), failed);
    let plan = world.plan(&wanted);
    // The alias is not moved to 3: there may be a newer version that nobody saw.
    assert_eq!(lines(&plan), ["+ r.example/a:3", "Unavailable r.example/a"]);
    assert_eq!(plan.actions[1].reason, "gone fishing");
    assert_eq!(
        plan.images[0].notes,
        ["the alias stable on t is left as it is: the newest version is not known"]
    );
}

#[test]
fn a_listing_under_a_limit_is_put_off() {
    let wanted = wanted(
        "images: [{name: a, source: alpine, select: {newest: 1}}]\ntargets: [{name: t, repository: r.example/a}]",
    );
    let mut world = World::default();
    let until = "2026-01-02T04:00:00Z".parse().unwrap();
    let limited = Listed::Failed {
        class: crate::class::Class::RateLimited,
        message: "slow down".into(),
        until: Some(until),
    };
    world.listings.insert("alpine".parse().unwrap(), limited);
    assert_eq!(only(&world.plan(&wanted)).kind, Kind::Deferred { until });
}

#[test]
fn what_is_on_no_target_and_what_has_no_alias_is_noted() {
    let wanted = wanted(
        "images: [{name: a, source: 'alpine:edge'}, {name: b, source: busybox}]\n\
         targets: [{name: t, repository: r.example/a, images: [a], aliases: [{tag: stable, of: Newest}]}]",
    );
    let plan = World::with(&["alpine:edge", "busybox:latest"]).plan(&wanted);
    assert_eq!(lines(&plan), ["+ r.example/a:edge"]);
    assert_eq!(
        plan.images[0].notes,
        ["the alias stable on t is left as it is: no tag that is selected is a version"]
    );
    assert_eq!(plan.images[1].notes, ["no target keeps it"]);
}

#[test]
fn a_name_that_is_not_at_the_source_does_not_hold_an_alias_back() {
    let wanted = wanted(
        "images: [{name: a, source: busybox, select: {names: ['3.0.0'], semver: '*'}}]\n\
         targets: [{name: t, repository: r.example/a, aliases: [{tag: stable, of: Newest}]}]",
    );
    let plan = World::with(&["busybox:1.0.0", "busybox:2.0.0"]).plan(&wanted);
    let stable: Vec<_> =
        plan.actions.iter().filter(|a| a.destination.to_string().ends_with(":stable")).collect();
    assert_eq!(stable.len(), 1, "{stable:#?}");
    assert_eq!(stable[0].tag.as_ref().unwrap().as_str(), "2.0.0");
    assert!(matches!(stable[0].kind, Kind::Copy { .. }), "{stable:#?}");
    let missing =
        plan.actions.iter().find(|a| a.tag.as_ref().is_some_and(|tag| tag.as_str() == "3.0.0")).unwrap();
    assert!(matches!(missing.kind, Kind::Failed { class: Class::NotFound }), "{missing:#?}");
}

prop_compose! {
    fn a_filter()(
        names in prop::collection::vec("[0-9]{1,2}", 0..3),
        semver in prop::option::of("(>=|<|~|\\^)[0-9](\\.[0-9])?(-0)?"),
        patterns in prop::collection::vec("[0-9v][0-9.]{0,2}.*", 0..2),
        exclude in prop::collection::vec("[0-9]\\..*|.*-a", 0..2),
        newest in prop::option::of(1_i32..4),
    ) -> Option<Filter> {
        let select = crate::api::Select { names, semver, patterns, exclude, newest, ..Default::default() };
        let mut check = invalid::Check::default();
        let filter = Filter::read(&select, "select", &mut check);
        check.pass(filter).ok()
    }
}

fn a_listing() -> impl Strategy<Value = Vec<Tag>> {
    prop::collection::vec(
        "v?[0-9]{1,2}(\\.[0-9]){0,2}(-[ab])?|latest|edge".prop_map(|tag| tag.parse().unwrap()),
        0..20,
    )
}

proptest! {
    #[test]
    fn the_order_of_a_listing_does_not_matter(filter in a_filter(), listing in a_listing(), seed in any::<u64>()) {
        let Some(filter) = filter else { return Ok(()) };
        let mut shuffled = listing.clone();
        shuffled.sort_by_key(|tag| digest(&format!("{seed}{tag}")));
        // A tag that is listed twice is the same tag.
        shuffled.extend(listing.first().cloned());
        prop_assert_eq!(filter.choose(&listing, |_| Age::Enough), filter.choose(&shuffled, |_| Age::Enough));
    }

    #[test]
    fn choosing_from_what_was_chosen_changes_nothing(filter in a_filter(), listing in a_listing()) {
        let Some(filter) = filter else { return Ok(()) };
        let chosen = filter.choose(&listing, |_| Age::Enough).chosen;
        // A name that the source does not have is chosen too, and still not listed.
        let again: Vec<Tag> = chosen.iter().map(|chosen| chosen.tag.clone()).filter(|tag| listing.contains(tag)).collect();
        let choice = filter.choose(&again, |_| Age::Enough);
        let names = |chosen: &[filter::Chosen]| chosen.iter().map(|chosen| chosen.tag.clone()).collect::<Vec<_>>();
        prop_assert_eq!(names(&choice.chosen), names(&chosen));
    }

    #[test]
    fn every_tag_is_either_chosen_or_left_out(filter in a_filter(), listing in a_listing()) {
        let Some(filter) = filter else { return Ok(()) };
        let distinct: std::collections::BTreeSet<_> = listing.iter().collect();
        let choice = filter.choose(&listing, |_| Age::Enough);
        if filter.lists() {
            let listed = choice.chosen.iter().filter(|chosen| distinct.contains(&chosen.tag)).count();
            prop_assert_eq!(listed + choice.left_out.values().sum::<usize>(), distinct.len());
        }
    }
}
