//! Some platforms of an image: what is in sync, what is missing, and what a person reads of it.

use rstest::rstest;

use super::*;

const SOURCE: &str = "alpine:3";
const DESTINATION: &str = "r.example/a:3";
const TWO: &str = "linux/amd64, linux/arm64";

fn spec(platforms: &str, target: &str) -> Wanted {
    spec_of(SOURCE, platforms, target)
}

fn spec_of(source: &str, platforms: &str, target: &str) -> Wanted {
    let platforms = if platforms.is_empty() { String::new() } else { format!(", platforms: [{platforms}]") };
    wanted(&format!(
        "images: [{{name: a, source: '{source}'{platforms}}}]\ntargets: [{{name: t, repository: r.example/a{target}}}]"
    ))
}

/// How the image came to the target, as the records say.
#[derive(Clone, Copy, Debug)]
enum Brought {
    AsItIs(Origin),
    Rewritten(Origin),
}

use Brought::{AsItIs, Rewritten};

/// A world in which the source shows `new`, and the target has it for these platforms, or `None` for all.
fn world(brought: Brought, platforms: Option<&str>) -> World {
    let mut world = World::with(&[]);
    world.push(SOURCE, "new");
    let action = only(&world.plan(&spec("", ""))).clone();
    let (shown, origin) = match brought {
        AsItIs(origin) => ("new", origin),
        Rewritten(origin) => ("rewritten", origin),
    };
    world.push(DESTINATION, shown);
    world.remember(&action, &digest("new"), origin, State::InSync);
    change(&mut world, |entry| {
        entry.digest = digest(shown);
        entry.source_digest = (shown == "rewritten").then(|| digest("new"));
        entry.platforms = platforms.map(|list| list.split(", ").map(str::to_owned).collect());
    });
    world
}

fn change(world: &mut World, change: impl Fn(&mut TargetRecord)) {
    let mut record = world.records.iter().next().unwrap().clone();
    change(&mut record.targets[0]);
    world.records.put(record);
}

#[rstest]
#[case::sparse(AsItIs(Origin::Written), Some(TWO), TWO, "=", "up to date")]
#[case::rewritten(Rewritten(Origin::Written), Some(TWO), TWO, "=", "up to date")]
#[case::rewritten_and_found(Rewritten(Origin::Found), Some(TWO), TWO, "= found", "was there already")]
#[case::crashed_after_writing(Rewritten(Origin::Intended), Some(TWO), TWO, "=", "up to date")]
#[case::in_another_order(
    AsItIs(Origin::Written),
    Some(TWO),
    "linux/arm64/v8, linux/amd64",
    "=",
    "up to date"
)]
#[case::narrower(AsItIs(Origin::Written), Some(TWO), "linux/arm64", "=", "up to date")]
#[case::narrower_rewritten(Rewritten(Origin::Written), Some(TWO), "linux/arm64", "=", "up to date")]
#[case::of_all(AsItIs(Origin::Written), None, "linux/arm64", "=", "up to date")]
#[case::one_more(AsItIs(Origin::Written), Some("linux/amd64"), TWO, "^", "linux/arm64 is wanted now")]
#[case::one_more_below_what_was_found(
    AsItIs(Origin::Found),
    Some("linux/amd64"),
    TWO,
    "^",
    "linux/arm64 is wanted now"
)]
#[case::one_more_rewritten(
    Rewritten(Origin::Written),
    Some("linux/amd64"),
    TWO,
    "~",
    "linux/arm64 is wanted now"
)]
#[case::one_more_rewritten_and_found(
    Rewritten(Origin::Found),
    Some("linux/amd64"),
    TWO,
    "~",
    "linux/arm64 is wanted now"
)]
#[case::two_more(
    AsItIs(Origin::Written),
    Some("linux/s390x"),
    TWO,
    "^",
    "linux/amd64, linux/arm64 are wanted now"
)]
#[case::every_variant(
    AsItIs(Origin::Written),
    Some("linux/arm/v7"),
    "linux/arm",
    "^",
    "linux/arm is wanted now"
)]
#[case::all(AsItIs(Origin::Written), Some(TWO), "", "^", "all platforms are wanted now")]
#[case::all_rewritten(Rewritten(Origin::Written), Some(TWO), "", "~", "all platforms are wanted now")]
fn what_was_brought_and_what_is_wanted_decide(
    #[case] brought: Brought,
    #[case] there: Option<&str>,
    #[case] wanted: &str,
    #[case] sign: &str,
    #[case] reason: &str,
) {
    let plan = world(brought, there).plan(&spec(wanted, ""));
    assert_eq!(lines(&plan), [format!("{sign} {DESTINATION}")]);
    assert_eq!(only(&plan).reason, reason);
}

#[test]
fn a_rewritten_index_is_not_what_a_tag_shows_that_somebody_else_moved() {
    let mut world = world(Rewritten(Origin::Written), Some(TWO));
    world.push(DESTINATION, "theirs");
    let plan = world.plan(&spec(TWO, ""));
    assert_eq!(only(&plan).kind, Kind::Copy { replaces: Some(digest("theirs")) });
    let (was, is) = (digest("rewritten"), digest("theirs"));
    let reason = format!("was changed on the target by somebody else from {} to {}", was.short(), is.short());
    assert_eq!(only(&plan).reason, reason);
}

#[test]
fn a_rewritten_index_that_is_held_at_a_dummy_is_written_again() {
    let mut world = world(Rewritten(Origin::Written), Some(TWO));
    change(&mut world, |entry| {
        entry.previous_digest = Some(entry.digest.clone());
        (entry.origin, entry.digest) = (Origin::Deleting, digest("dummy"));
    });
    world.push(DESTINATION, "dummy");
    let plan = world.plan(&spec(TWO, ""));
    assert_eq!(only(&plan).kind, Kind::Copy { replaces: Some(digest("dummy")) });
}

#[test]
fn a_source_that_moved_is_told_by_its_own_digests_where_the_index_is_rewritten() {
    let mut world = world(Rewritten(Origin::Written), Some(TWO));
    world.push(SOURCE, "newer");
    let plan = world.plan(&spec(TWO, ""));
    assert_eq!(only(&plan).kind, Kind::Copy { replaces: Some(digest("rewritten")) });
    let (old, new) = (digest("new"), digest("newer"));
    assert_eq!(only(&plan).reason, format!("moved at the source from {} to {}", old.short(), new.short()));
}

#[test]
fn with_overwrite_never_more_platforms_come_below_the_same_index_and_no_other_index_is_written() {
    let never = spec(TWO, ", overwrite: Never");
    let one = Some("linux/amd64");
    assert_eq!(lines(&world(AsItIs(Origin::Written), one).plan(&never)), [format!("^ {DESTINATION}")]);
    let plan = world(Rewritten(Origin::Written), one).plan(&never);
    assert_eq!(lines(&plan), [format!("Conflict {DESTINATION}")]);
    assert_eq!(only(&plan).reason, "linux/arm64 is wanted now; the target's overwrite is Never");
}

#[test]
fn a_source_that_is_gone_fails_where_more_of_it_is_wanted_and_not_where_all_that_is_wanted_is_there() {
    let digest = digest("new");
    for brought in [AsItIs(Origin::Written), Rewritten(Origin::Written)] {
        let mut world = world(brought, Some("linux/amd64"));
        world.holds.retain(|at, _| at.repository != reference(SOURCE).repository);
        // Pinned: the source is asked only where something of it is to be copied.
        let source = format!("{SOURCE}@{digest}");
        let pinned = |platforms| spec_of(&source, platforms, "");
        assert_eq!(lines(&world.plan(&pinned("linux/amd64"))), [format!("= {DESTINATION}")]);
        assert_eq!(lines(&world.plan(&pinned(TWO))), [format!("NotFound {DESTINATION}")]);
    }
}

#[test]
fn an_immutable_tag_of_which_more_is_wanted_is_looked_at_again() {
    let spec = |platforms: &str| {
        wanted(&format!(
            "images: [{{name: a, source: 'alpine:3', immutableTags: ['.*'], platforms: [{platforms}]}}]\n\
             targets: [{{name: t, repository: r.example/a}}]"
        ))
    };
    for (brought, sign) in [(AsItIs(Origin::Written), "^"), (Rewritten(Origin::Written), "~")] {
        let world = world(brought, Some("linux/amd64"));
        let asked = |wanted: &Wanted| {
            let questions = world.select(wanted).questions(&world.records, &Observed::default());
            !questions.sources.is_empty() || !questions.targets.is_empty()
        };
        assert!(!asked(&spec("linux/amd64")), "what is there for ever costs nothing");
        assert!(asked(&spec(TWO)));
        assert_eq!(lines(&world.plan(&spec(TWO))), [format!("{sign} {DESTINATION}")]);
    }
}

#[test]
fn two_images_pinned_to_one_digest_do_not_take_each_others_platforms_for_their_own() {
    let pinned = digest("new");
    let wanted = wanted(&format!(
        "images: [{{name: a, source: 'alpine@{pinned}', platforms: [linux/amd64]}}, \
         {{name: b, source: 'alpine@{pinned}', platforms: [linux/arm64]}}]\n\
         targets: [{{name: t, repository: r.example/a}}]"
    ));
    let mut world = World::with(&[]);
    world.push(SOURCE, "new");
    let plan = world.plan(&wanted);
    world.apply(&plan);
    for (image, platform) in [("a", "linux/amd64"), ("b", "linux/arm64")] {
        let mut record = world.records.get(image, None).unwrap().clone();
        record.targets[0].platforms = Some(vec![platform.to_owned()]);
        world.records.put(record);
    }
    let plan = world.plan(&wanted);
    assert!(lines(&plan).iter().all(|line| line.starts_with("= ")), "{:?}", lines(&plan));
}

#[test]
fn one_tag_for_other_platforms_of_the_same_digest_collides() {
    let pinned = digest("new");
    let spec = |platform: &str| {
        object(&format!(
            "images: [{{name: a, source: 'alpine:3@{pinned}', platforms: [linux/amd64]}}, \
             {{name: b, source: 'alpine:3@{pinned}', platforms: [{platform}]}}]\n\
             targets: [{{name: t, repository: r.example/a}}]"
        ))
    };
    assert!(Wanted::from_object(&spec("linux/amd64")).is_ok());
    let invalid = Wanted::from_object(&spec("linux/arm64")).unwrap_err();
    assert_eq!(invalid[0].path, "spec.targets[0]");
}

#[test]
fn the_plan_says_what_is_left_out_and_where_an_index_is_rewritten() {
    let note = |brought, platforms: &str| {
        let plan = world(brought, Some(TWO)).plan(&spec(platforms, ""));
        (plan.images[0].notes.join("\n"), plan.rewriting.len())
    };
    assert_eq!(note(AsItIs(Origin::Written), ""), (String::new(), 0));
    let only = "of its platforms only linux/amd64, linux/arm64";
    assert_eq!(note(AsItIs(Origin::Written), TWO), (only.to_owned(), 0));
    let (notes, rewriting) = note(Rewritten(Origin::Written), TWO);
    assert!(notes.starts_with(only) && notes.contains("for t the index is rewritten"), "{notes}");
    assert!(notes.contains("what signs the index itself stays behind"), "{notes}");
    assert_eq!(rewriting, 1);
}

#[test]
fn platforms_are_the_images_own_or_the_defaults_and_are_read_with_their_place() {
    let object = object(
        "defaults: {platforms: [linux/amd64]}\n\
         images: [{name: a, source: 'alpine:3'}, {name: b, source: 'busybox:1', platforms: [linux/arm64/v8]}]\n\
         targets: [{name: t, repository: 'r.example/{path}'}]",
    );
    let wanted = Wanted::from_object(&object).unwrap();
    let platforms: Vec<_> =
        wanted.images.iter().map(|image| image.content.platforms.as_ref().unwrap().to_string()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);

    let mut object = object;
    object.spec.images[1].platforms = Some(vec!["linux/arm64".to_owned(), "linux/x86_64".to_owned()]);
    let invalid = Wanted::from_object(&object).unwrap_err();
    assert_eq!(
        invalid[0].to_string(),
        "spec.images[1].platforms[1]: images do not call it `linux/x86_64`: write linux/amd64"
    );
}
