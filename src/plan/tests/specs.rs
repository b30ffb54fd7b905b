//! What is wrong with a spec is told: where, and what to write instead.

use rstest::rstest;

use super::*;

const TARGET: &str = "targets: [{name: corp, repository: 'r.example/{path}'}]\n";

/// All that is wrong with a spec, a line each.
fn faults(spec: &str) -> Vec<String> {
    match Wanted::from_object(&object(spec)) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.iter().map(ToString::to_string).collect(),
    }
}

#[rstest]
#[case("source: 'https://alpine'", "spec.images[0].source", "write `alpine`")]
#[case("source: 'Alpine'", "spec.images[0].source", "write `alpine`")]
#[case(
    "{source: 'alpine:3', select: {names: ['3']}}",
    "spec.images[0].source",
    "write alpine, or leave select out"
)]
#[case("{source: alpine, select: {}}", "spec.images[0].select", "patterns: ['.*']")]
#[case("{source: alpine, select: {names: [ok, '-']}}", "spec.images[0].select.names[1]", "is not a tag")]
#[case("{source: alpine, select: {semver: '>='}}", "spec.images[0].select.semver", "not a comparator")]
#[case("{source: alpine, select: {patterns: [a, '(']}}", "spec.images[0].select.patterns[1]", "not a regex")]
#[case("{source: alpine, select: {exclude: ['(']}}", "spec.images[0].select.exclude[0]", "not a regex")]
#[case(
    "{source: alpine, select: {extract: '.*'}}",
    "spec.images[0].select.extract",
    "no group named version"
)]
#[case("{source: alpine, select: {newest: 0}}", "spec.images[0].select.newest", "write a number from 1 on")]
#[case("{source: alpine, immutableTags: ['(']}", "spec.images[0].immutableTags[0]", "not a regex")]
fn a_field_of_an_image_is_refused(#[case] image: &str, #[case] path: &str, #[case] message: &str) {
    let image = image.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(image);
    let faults = faults(&format!("images: [{{name: a, {image}}}]\n{TARGET}"));
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with(&format!("{path}: ")), "{faults:?}");
    assert!(faults[0].contains(message), "{faults:?}");
}

#[rstest]
#[case("repository: 'mirror/{path}'", "repository", "it names no registry")]
#[case("repository: '{registry}/{path}'", "repository", "it names no registry")]
#[case("repository: 'r.example/{tag}'", "repository", "the words are {registry}, {path}, {flatPath}, {name}")]
#[case("repository: 'r.example/{path'", "repository", "a brace without the other one")]
#[case("repository: 'r.example/{path}:x'", "repository", "for the image a, ")]
#[case("repository: 'r.example/UP/{path}'", "repository", "upper-case letters")]
#[case("repository: r.example/x, images: [b]", "images[0]", "no image is named b: write one of a")]
#[case("repository: r.example/x, tags: ['{path}']", "tags[0]", "cannot be used here")]
#[case("repository: r.example/x, tags: [ok, '-{tag}']", "tags[1]", "is not a tag")]
#[case(
    "repository: r.example/x, aliases: [{tag: '{tag}', of: Newest}]",
    "aliases[0].tag",
    "cannot be used here"
)]
fn a_field_of_a_target_is_refused(#[case] target: &str, #[case] field: &str, #[case] message: &str) {
    let faults = faults(&format!("images: [{{name: a, source: alpine}}]\ntargets: [{{name: t, {target}}}]"));
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with(&format!("spec.targets[0].{field}: ")), "{faults:?}");
    assert!(faults[0].contains(message), "{faults:?}");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let faults = faults(
        "defaults: {select: {semver: two}, immutableTags: ['(']}\n\
         images: [{name: a, source: A}, {name: a, source: b}]\n\
         targets: [{name: t, repository: 'r.example/{x}'}, {name: t, repository: r.example/y}]",
    );
    let paths: Vec<_> = faults.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "spec.defaults.select.semver",
            "spec.defaults.immutableTags[0]",
            "spec.images[1].name",
            "spec.targets[1].name",
            "spec.images[0].source",
            "spec.targets[0].repository",
        ]
    );
}

#[test]
fn a_spec_without_targets_does_nothing_and_is_refused() {
    assert!(faults("images: [{name: a, source: alpine}]")[0].contains("spec.targets: "));
}

#[test]
fn tags_that_hold_signatures_are_neither_sources_nor_targets() {
    let tag = format!("sha256-{}", digest("x").hex());
    for spec in [
        format!("images: [{{name: a, source: 'alpine:{tag}'}}]\n{TARGET}"),
        format!("images: [{{name: a, source: alpine, select: {{names: ['{tag}']}}}}]\n{TARGET}"),
        format!(
            "images: [{{name: a, source: alpine}}]\ntargets: [{{name: t, repository: r.example/x, tags: ['{tag}']}}]"
        ),
    ] {
        assert!(faults(&spec)[0].contains("write another tag"), "{spec}");
    }
}

#[test]
fn only_repositories_whose_tags_are_chosen_are_listed() {
    let wanted = wanted(&format!(
        "images:\n\
         - {{name: a, source: 'alpine:3'}}\n\
         - {{name: b, source: busybox, select: {{names: ['1']}}}}\n\
         - {{name: c, source: caddy, select: {{newest: 1}}}}\n{TARGET}"
    ));
    let listings: Vec<_> = wanted.listings().iter().map(Repository::familiar).collect();
    assert_eq!(listings, ["caddy"]);
}

#[test]
fn defaults_hold_for_images_that_say_nothing_and_name_no_tag() {
    let wanted = wanted(&format!(
        "defaults: {{select: {{names: ['1']}}}}\n\
         images:\n\
         - {{name: a, source: 'alpine:3'}}\n\
         - {{name: b, source: busybox}}\n\
         - {{name: c, source: caddy, select: {{names: ['2']}}}}\n{TARGET}"
    ));
    let selection = select(&wanted, &Listings::new(), &Records::default(), now());
    let tags: Vec<_> = selection.artifacts.iter().map(|artifact| artifact.source().familiar()).collect();
    assert_eq!(tags, ["alpine:3", "busybox:1", "caddy:2"]);
}
