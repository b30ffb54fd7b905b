//! Plans as people and programs read them.

use super::*;
use crate::class::Class;

/// A plan with an action of every kind.
fn plan() -> Plan {
    let wanted = wanted(
        "images:\n\
         - {name: alpine, source: alpine, select: {semver: '>=3.18', exclude: ['.*-rc']}}\n\
         - {name: app, source: ghcr.io/team/app, select: {names: [edge, main], newest: 1}}\n\
         targets:\n\
         - {name: corp, repository: 'registry.corp.example/mirror/{path}', aliases: [{tag: stable, of: Newest}]}\n\
         - {name: edge, repository: 'edge.example/{name}', images: [app], overwrite: Never}",
    );
    let mut world = World::with(&[
        "alpine:3.17",
        "alpine:3.18",
        "alpine:3.19",
        "alpine:3.20",
        "alpine:3.21-rc",
        "alpine:latest",
        "ghcr.io/team/app:edge",
    ]);
    let first = world.plan(&wanted);
    world.apply(&first);
    world.push("alpine:3.20", "alpine:3.20 of today");
    world.push("alpine:3.22", "alpine:3.22");
    world.holds.remove(&reference("registry.corp.example/mirror/library/alpine:3.19"));
    world.push("edge.example/app:edge", "something else");
    let limited = Seen::Failed {
        class: Class::RateLimited,
        message: "HEAD ghcr.io/team/app:main: 429 Too Many Requests".into(),
        until: Some("2026-01-02T03:30:00Z".parse().unwrap()),
    };
    world.set(reference("ghcr.io/team/app:main"), limited);
    let listing = Listed::Failed {
        class: Class::Unauthorized,
        message: "listing the tags of ghcr.io/team/app: 401 Unauthorized; check pullSecrets".into(),
        until: None,
    };
    world.listings.insert("ghcr.io/team/app".parse().unwrap(), listing);
    world.plan(&wanted)
}

#[test]
fn a_plan_shows_what_changes_and_counts_what_does_not() {
    insta::assert_snapshot!(plan().render());
}

#[test]
fn a_plan_is_read_by_programs() {
    insta::assert_yaml_snapshot!(plan());
}

#[test]
fn the_numbers_of_nothing_say_so() {
    assert_eq!(Summary::default().to_string(), "0 in sync");
}
