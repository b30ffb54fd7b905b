//! The names that artifacts get on targets.

use rstest::rstest;

use super::*;

fn destinations(spec: &str) -> Vec<String> {
    let world = World::with(&["alpine:3.20", "alpine:3.19", "localhost:5000/team/app:1"]);
    world.plan(&wanted(spec)).actions.iter().map(|action| action.destination.to_string()).collect()
}

#[rstest]
#[case("r.example/{path}", "['{tag}']", &["r.example/library/alpine:3.20"])]
#[case("r.example/m/{registry}/{flatPath}", "['{tag}']", &["r.example/m/docker.io/library-alpine:3.20"])]
#[case("r.example/{name}", "['{tag}', 'stable', 'v{tag}']", &["r.example/a:3.20", "r.example/a:stable", "r.example/a:v3.20"])]
#[case("r.example/x", "['{name}-{tag}', '{name}-{tag}']", &["r.example/x:a-3.20"])]
#[case("docker.io/x", "['{tag}']", &["docker.io/library/x:3.20"])]
fn an_artifact_gets_all_its_tags_in_its_repository(
    #[case] repository: &str,
    #[case] tags: &str,
    #[case] expected: &[&str],
) {
    let spec = format!(
        "images: [{{name: a, source: 'alpine:3.20'}}]\ntargets: [{{name: t, repository: '{repository}', tags: {tags}}}]"
    );
    assert_eq!(destinations(&spec), expected);
}

#[test]
fn the_digest_in_a_name_is_the_sources() {
    let spec = "images: [{name: a, source: 'alpine:3.20'}]\n\
                targets: [{name: t, repository: r.example/a, tags: ['{tag}-{shortDigest}']}]";
    assert_eq!(destinations(spec), [format!("r.example/a:3.20-{}", digest("alpine:3.20").short())]);
}

#[test]
fn a_port_is_written_with_an_underscore() {
    let spec = "images: [{name: a, source: 'localhost:5000/team/app:1'}]\n\
                targets: [{name: t, repository: 'r.example/{registry}/{path}'}]";
    assert_eq!(destinations(spec), ["r.example/localhost_5000/team/app:1"]);
}

#[test]
fn an_alias_is_one_more_name_of_the_newest_version() {
    let spec = "images: [{name: a, source: alpine, select: {patterns: ['.*']}}]\n\
                targets: [{name: t, repository: r.example/a, aliases: [{tag: '{name}-stable', of: Newest}]}]";
    assert_eq!(destinations(spec), ["r.example/a:3.20", "r.example/a:a-stable", "r.example/a:3.19"]);
}

#[test]
fn what_is_pinned_by_digest_alone_is_published_by_digest_and_under_tags_that_need_none() {
    let digest = digest("alpine:3.20");
    let spec = format!(
        "images: [{{name: a, source: 'alpine@{digest}'}}]\n\
         targets: [{{name: t, repository: r.example/a, tags: ['{{tag}}', 'tested', 'is-{{shortDigest}}']}}]"
    );
    let expected = [format!("@{digest}"), ":tested".into(), format!(":is-{}", digest.short())]
        .map(|end| format!("r.example/a{end}"));
    assert_eq!(destinations(&spec), expected);
}

#[test]
fn what_is_pinned_by_tag_and_digest_keeps_its_tag() {
    let digest = digest("alpine:3.19");
    let spec = format!(
        "images: [{{name: a, source: 'alpine:3.20@{digest}'}}]\ntargets: [{{name: t, repository: r.example/a}}]"
    );
    let plan = World::with(&["alpine:3.20", "alpine:3.19"]).plan(&wanted(&spec));
    assert_eq!(lines(&plan), ["+ r.example/a:3.20"]);
    assert_eq!(only(&plan).digest, Some(digest));
}

#[test]
fn a_target_keeps_only_the_images_that_it_names() {
    let spec = "images: [{name: a, source: 'alpine:3.20'}, {name: b, source: 'alpine:3.19'}]\n\
                targets: [{name: t, repository: r.example/t, images: [b]}, {name: u, repository: r.example/u}]";
    assert_eq!(destinations(spec), ["r.example/u:3.20", "r.example/t:3.19", "r.example/u:3.19"]);
}

#[test]
fn a_name_that_no_registry_would_take_fails_by_itself() {
    let long = "9".repeat(120);
    let wanted = wanted(
        "images: [{name: a, source: alpine, select: {patterns: ['.*']}}]\n\
         targets: [{name: t, repository: r.example/a, tags: ['mirror-of-{tag}']}]",
    );
    let plan = World::with(&["alpine:3", &format!("alpine:{long}")]).plan(&wanted);
    assert_eq!(lines(&plan), ["+ r.example/a:mirror-of-3", "InvalidSpec r.example/a"]);
    assert!(plan.actions[1].reason.contains("is not a tag: it has 1 to 128"), "{}", plan.actions[1].reason);
}
