//! Two artifacts under one name, and images over their own source.

use rstest::rstest;

use super::{
    super::collision::{Place, name_of, one_name, parts, parts_of},
    *,
};

/// The sentence of the first fault.
fn fault(spec: &str) -> Option<String> {
    Some(Wanted::from_object(&object(spec)).err()?.remove(0).to_string())
}

const TWO: &str = "images: [{name: a, source: 'alpine:1'}, {name: b, source: 'busybox:1'}]\n";
const ALL: &str = "images: [{name: a, source: r.example/a, select: {patterns: ['.*']}}]\n";

#[rstest]
#[case::two_images(
    &[TWO, "targets: [{name: t, repository: r.example/x}]"],
    "spec.targets[0]: r.example/x:1 would be both the image a and the image b"
)]
#[case::two_names_of_one_image(
    &["images: [{name: a, source: alpine, select: {names: ['1', '2']}}]\n",
      "targets: [{name: t, repository: r.example/x, tags: [stable]}]"],
    "r.example/x:stable would be both"
)]
#[case::two_targets(
    &["images: [{name: a, source: 'alpine:1'}]\n",
      "targets: [{name: t, repository: r.example/x}, {name: u, repository: 'r.example:443/x'}]"],
    "is a name on the target"
)]
#[case::an_alias_and_a_tag(
    &["images: [{name: a, source: alpine, select: {names: ['1', '2']}}]\n",
      "targets: [{name: t, repository: r.example/x, aliases: [{tag: '1', of: Newest}]}]"],
    "r.example/x:1 would be both"
)]
#[case::its_own_source(
    &["images: [{name: a, source: 'R.example:443/a:1'}]\n", "targets: [{name: t, repository: r.example/a}]"],
    "spec.targets[0]: r.example:443/a:1 would be written over itself"
)]
#[case::its_own_source_pinned(
    &["images: [{name: a, source: 'r.example/a:1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}]\n",
      "targets: [{name: t, repository: r.example/a}]"],
    "r.example/a:1 would be written over itself"
)]
#[case::its_own_source_listed(
    &[ALL, "targets: [{name: t, repository: r.example/a}]"],
    "spec.targets[0].tags: the image a would be written over its own source"
)]
#[case::a_constant_name_of_two_listed_images(
    &["images: [{name: a, source: a.b/x, select: {newest: 1}}, {name: b, source: a.b/y, select: {newest: 1}}]\n",
      "targets: [{name: t, repository: r.example/x, tags: [latest]}]"],
    "the image b on the target t would have the same name as the image a on the target t"
)]
#[case::an_alias_of_two_listed_images(
    &["images: [{name: a, source: a.b/x, select: {newest: 1}}, {name: b, source: a.b/y, select: {newest: 1}}]\n",
      "targets: [{name: t, repository: r.example/x, tags: ['{name}-{tag}'], aliases: [{tag: stable, of: Newest}]}]"],
    "spec.targets[0].aliases: "
)]
#[case::one_listed_image_on_two_targets(
    &["images: [{name: a, source: a.b/x, select: {newest: 1}}]\n",
      "targets: [{name: t, repository: r.example/x}, {name: u, repository: r.example/x}]"],
    "spec.targets[1].tags: "
)]
#[case::a_loop_over_two_images(
    &["images: [{name: a, source: 'r.example/a:1'}, {name: b, source: 's.example/a:1'}]\n",
      "targets: [{name: t, repository: s.example/a, images: [a]}, {name: u, repository: r.example/a, images: [b]}]"],
    "s.example/a:1 is read by the image b, which comes back to the image a"
)]
#[case::a_name_that_would_be_selected_in_turn(
    &["images: [{name: a, source: r.example/a, select: {names: ['1'], patterns: ['.*']}}]\n",
      "targets: [{name: t, repository: r.example/a, tags: ['{tag}-x']}]"],
    "r.example/a:1-x is selected by the image a itself"
)]
fn what_the_spec_alone_shows_makes_it_invalid(#[case] spec: &[&str], #[case] expected: &str) {
    let sentence = fault(&spec.concat()).expect("a fault");
    assert!(sentence.contains(expected), "{sentence}");
}

#[rstest]
#[case::repositories_of_their_own(&[TWO, "targets: [{name: t, repository: 'r.example/{path}'}]"])]
#[case::tags_of_their_own(&[TWO, "targets: [{name: t, repository: r.example/x, tags: ['{name}-{tag}']}]"])]
#[case::another_tag_of_the_same_repository(
    &["images: [{name: a, source: 'r.example/a:1'}]\n", "targets: [{name: t, repository: r.example/a, tags: [tested]}]"]
)]
#[case::a_chain(
    &["images: [{name: a, source: 'r.example/a:1'}, {name: b, source: 's.example/a:1'}]\n",
      "targets: [{name: t, repository: s.example/a, images: [a]}, {name: u, repository: t.example/a, images: [b]}]"]
)]
#[case::there_and_back_under_another_name(
    &["images: [{name: a, source: 'r.example/a:1'}, {name: b, source: 's.example/a:1'}]\n",
      "targets: [{name: t, repository: s.example/a, images: [a]}, \
       {name: u, repository: r.example/a, images: [b], tags: [back]}]"]
)]
#[case::an_alias_that_only_one_image_can_have(
    &["images: [{name: a, source: a.b/x, select: {newest: 1}}, {name: b, source: 'a.b/y:edge'}]\n",
      "targets: [{name: t, repository: r.example/x, tags: ['{name}-{tag}'], aliases: [{tag: stable, of: Newest}]}]"]
)]
#[case::listed_images_that_may_or_may_not_meet(
    &["images: [{name: a, source: a.b/x, select: {newest: 1}}, {name: b, source: a.b/y, select: {newest: 1}}]\n",
      "targets: [{name: t, repository: r.example/x}]"]
)]
fn what_does_not_collide_is_fine(#[case] spec: &[&str]) {
    assert_eq!(fault(&spec.concat()), None);
}

#[test]
fn the_same_pinned_digest_under_one_name_is_no_collision() {
    let (one, two) = (digest("one"), digest("two"));
    let spec = |a: &Digest, b: &Digest| {
        format!(
            "images: [{{name: a, source: 'alpine:1@{a}'}}, {{name: b, source: 'busybox:1@{b}'}}]\n\
             targets: [{{name: t, repository: r.example/x}}]"
        )
    };
    assert_eq!(fault(&spec(&one, &one)), None);
    assert!(fault(&spec(&one, &two)).is_some());
}

#[test]
fn what_only_the_sources_tags_bring_together_is_in_conflict_and_the_rest_goes_on() {
    let wanted = wanted(
        "images:\n\
         - {name: a, source: a.b/x, select: {patterns: ['.*']}}\n\
         - {name: b, source: a.b/y, select: {patterns: ['.*']}}\n\
         targets: [{name: t, repository: r.example/x}]",
    );
    let mut world = World::with(&["a.b/x:1", "a.b/x:2", "a.b/y:2", "a.b/y:3"]);
    // The same digest today is no promise for tomorrow.
    world.push("a.b/y:2", "a.b/x:2");
    let plan = world.plan(&wanted);
    assert_eq!(
        lines(&plan),
        ["Conflict r.example/x:2", "+ r.example/x:1", "+ r.example/x:3", "Conflict r.example/x:2"]
    );
    assert!(plan.actions[0].reason.starts_with("r.example/x:2 would be both the image a and the image b"));
    assert!(plan.actions[3].reason.starts_with("r.example/x:2 would be both the image b and the image a"));
}

#[test]
fn a_tag_that_would_be_mirrored_again_and_again_is_in_conflict() {
    let spec = format!("{ALL}targets: [{{name: t, repository: r.example/a, tags: ['{{tag}}-x']}}]");
    let plan = World::with(&["r.example/a:1"]).plan(&wanted(&spec));
    assert_eq!(lines(&plan), ["Conflict r.example/a:1-x"]);
    let excluded = spec.replace("patterns: ['.*']", "exclude: ['.*-x']");
    let mut world = World::with(&["r.example/a:1"]);
    let wanted = wanted(&excluded);
    for expected in ["+ r.example/a:1-x", "= r.example/a:1-x"] {
        let plan = world.plan(&wanted);
        assert_eq!(lines(&plan), [expected]);
        world.apply(&plan);
    }
}

#[rstest]
#[case("alpine:3", ("docker.io", "library/alpine", "3"))]
#[case("r.example/a/b:3", ("r.example", "a/b", "3"))]
#[case("r.example:443/a:3", ("r.example", "a", "3"))]
#[case("r.example:5000/a:3", ("r.example:5000", "a", "3"))]
#[case("[::1]:5000/a:3", ("[::1]:5000", "a", "3"))]
#[case("r.example/a", ("r.example", "a", "latest"))]
#[case("oci:out/a@b/c:3", ("oci", "out/a@b/c", "3"))]
#[case("oci:r.example:443/a:3", ("oci", "r.example:443/a", "3"))]
#[case("oci:/out", ("oci", "/out", "latest"))]
fn a_name_has_one_form_in_parts_and_one_as_a_text(#[case] text: &str, #[case] expected: Place<'_>) {
    let name: Reference = text.parse().unwrap();
    assert_eq!((parts(&name), parts_of(&name.to_string())), (expected, expected));
    assert_eq!(name_of(&name), one_name(&name.to_string()));
    let by_digest = name.repository.at_digest(digest("x"));
    assert_eq!(parts(&by_digest), (expected.0, expected.1, digest("x").as_str()));
    assert_eq!(parts(&by_digest), parts_of(&by_digest.to_string()));
    assert_eq!(name_of(&by_digest), one_name(&by_digest.to_string()));
}
