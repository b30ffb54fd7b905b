//! What is done about each name, and the reason that a person reads.

use rstest::rstest;

use super::*;
use crate::class::Class;

const SOURCE: &str = "alpine:3";
const DESTINATION: &str = "r.example/a:3";

fn spec(target: &str) -> Wanted {
    wanted(&format!(
        "images: [{{name: a, source: 'alpine:3'}}]\ntargets: [{{name: t, repository: r.example/a{target}}}]"
    ))
}

/// A world in which the source shows `new`, the target what is said, and the record says what is said.
fn world(on_target: Option<&str>, recorded: Option<(&str, Origin, State)>) -> World {
    let mut world = World::default();
    world.push(SOURCE, "new");
    if let Some(name) = on_target {
        world.push(DESTINATION, name);
    }
    if let Some((name, origin, state)) = recorded {
        let action = only(&world.plan(&spec(""))).clone();
        world.remember(&action, &digest(name), origin, state);
    }
    world
}

const WRITTEN: Option<(&str, Origin, State)> = Some(("old", Origin::Written, State::InSync));

#[rstest]
#[case::nothing_there(None, None, "", "+", "is not there yet")]
#[case::tried_before(None, Some(("new", Origin::Intended, State::Pending)), "", "+", "is not there yet; it was tried before")]
#[case::gone(None, WRITTEN, "", "+", "was there, and is gone from the target")]
#[case::never_is_no_hindrance_where_nothing_is(None, None, ", overwrite: Never", "+", "is not there yet")]
#[case::up_to_date(Some("new"), Some(("new", Origin::Written, State::InSync)), "", "=", "up to date")]
#[case::crashed_after_writing(Some("new"), Some(("new", Origin::Intended, State::Pending)), "", "=", "up to date")]
#[case::gone_in_a_failed_run(None, Some(("old", Origin::Written, State::Failed)), "", "+", "was there, and is gone from the target")]
#[case::found(Some("new"), None, "", "= found", "was there already")]
#[case::found_again(Some("new"), Some(("new", Origin::Found, State::InSync)), "", "= found", "was there already")]
#[case::somebody_else_was_faster(Some("new"), WRITTEN, "", "= found", "was there already")]
#[case::adopted(Some("new"), None, ", adopt: true", "=", "was there already, and is adopted")]
#[case::never_and_the_same(Some("new"), None, ", overwrite: Never", "= found", "was there already")]
#[case::moved(Some("old"), WRITTEN, "", "~", "moved at the source from OLD to NEW")]
#[case::another(Some("other"), None, "", "~", "OTHER is there, and NEW at the source")]
#[case::tried_to_move(Some("old"), Some(("new", Origin::Intended, State::Failed)), "", "~", "OLD is there, and NEW at the source")]
#[case::changed_there(
    Some("other"),
    WRITTEN,
    "",
    "~",
    "was changed on the target by somebody else from OLD to OTHER"
)]
#[case::never_and_told_before(
    Some("other"),
    Some(("old", Origin::Written, State::Conflict)),
    ", overwrite: Never",
    "Conflict",
    "was changed on the target by somebody else from OLD to OTHER; the target's overwrite is Never"
)]
#[case::never(
    Some("other"),
    None,
    ", overwrite: Never",
    "Conflict",
    "OTHER is there, and NEW at the source; the target's overwrite is Never"
)]
#[case::never_and_moved(
    Some("old"),
    WRITTEN,
    ", overwrite: Never",
    "Conflict",
    "moved at the source from OLD to NEW; the target's overwrite is Never"
)]
fn what_is_there_and_what_is_recorded_decide(
    #[case] on_target: Option<&str>,
    #[case] recorded: Option<(&str, Origin, State)>,
    #[case] target: &str,
    #[case] expected: &str,
    #[case] reason: &str,
) {
    let plan = world(on_target, recorded).plan(&spec(target));
    let reason = ["old", "new", "other"]
        .iter()
        .fold(reason.to_owned(), |reason, name| reason.replace(&name.to_uppercase(), digest(name).short()));
    assert_eq!(lines(&plan), [format!("{expected} {DESTINATION}")]);
    assert_eq!(only(&plan).reason, reason);
}

#[test]
fn a_copy_says_what_it_copies_and_what_it_replaces() {
    let plan = world(Some("old"), None).plan(&spec(", overwrite: Always"));
    let action = only(&plan);
    assert_eq!(action.source, reference(&format!("alpine:3@{}", digest("new"))));
    assert_eq!(action.digest, Some(digest("new")));
    assert_eq!(action.kind, Kind::Copy { replaces: Some(digest("old")) });
}

#[rstest]
#[case(None, "alpine:3 is not at the source: write a tag or digest that is")]
#[case(WRITTEN, "alpine:3 is gone from the source; what is on the target stays as it is")]
fn a_source_that_is_gone_fails_and_the_target_stays(
    #[case] recorded: Option<(&str, Origin, State)>,
    #[case] reason: &str,
) {
    let mut world = world(Some("old"), recorded);
    world.set(reference(SOURCE), Seen::Absent);
    let plan = world.plan(&spec(""));
    assert_eq!(lines(&plan), ["NotFound r.example/a:3"]);
    assert_eq!(only(&plan).reason, reason);
    assert_eq!(only(&plan).digest, None);
}

#[test]
fn a_tag_that_is_listed_and_not_there_fails() {
    let wanted = wanted(
        "images: [{name: a, source: alpine, select: {newest: 1}}]\ntargets: [{name: t, repository: r.example/a}]",
    );
    let mut world = World::with(&[SOURCE]);
    world.set(reference(SOURCE), Seen::Absent);
    assert_eq!(only(&world.plan(&wanted)).reason, "alpine:3 is listed by the source, and not there");
}

fn failed(class: Class, until: Option<Timestamp>) -> Seen {
    Seen::Failed { class, message: "no luck".into(), until }
}

#[rstest]
#[case(SOURCE)]
#[case(DESTINATION)]
fn trouble_at_either_end_fails_or_puts_off_as_its_class_says(#[case] at: &str) {
    let later: Timestamp = "2026-01-02T04:00:00Z".parse().unwrap();
    let earlier: Timestamp = "2026-01-02T01:00:00Z".parse().unwrap();
    let minute: Timestamp = "2026-01-02T03:05:05Z".parse().unwrap();
    for (seen, expected) in [
        (failed(Class::Unauthorized, None), Kind::Failed { class: Class::Unauthorized }),
        (failed(Class::Unavailable, Some(later)), Kind::Failed { class: Class::Unavailable }),
        (failed(Class::RateLimited, Some(later)), Kind::Deferred { until: later }),
        (failed(Class::RateLimited, Some(earlier)), Kind::Deferred { until: now() }),
        (failed(Class::RateLimited, None), Kind::Deferred { until: minute }),
    ] {
        let mut world = world(Some("old"), WRITTEN);
        world.set(reference(at), seen);
        let plan = world.plan(&spec(""));
        assert_eq!(only(&plan).kind, expected);
        assert_eq!(only(&plan).reason, "no luck");
    }
}

#[test]
fn a_digest_that_is_on_the_target_needs_no_source() {
    let wanted = wanted(&format!(
        "images: [{{name: a, source: 'alpine:3@{}'}}]\n\
         targets: [{{name: t, repository: r.example/a, tags: ['{{tag}}', more]}}]",
        digest("new")
    ));
    let mut world = world(Some("new"), None);
    let source = reference(&format!("alpine:3@{}", digest("new")));
    let by_digest = source.repository.at_digest(digest("new"));
    world.holds.insert(by_digest.clone(), failed(Class::Forbidden, None));
    assert_eq!(lines(&world.plan(&wanted)), ["= found r.example/a:3", "Forbidden r.example/a:more"]);
    world.holds.insert(by_digest.clone(), Seen::Digest(digest("other")));
    assert_eq!(lines(&world.plan(&wanted))[1], "DigestMismatch r.example/a:more");
    world.holds.remove(&by_digest);
    assert_eq!(lines(&world.plan(&wanted))[1], "NotFound r.example/a:more");
}

#[test]
fn an_alias_moves_from_version_to_version_and_stays_ours() {
    let wanted = wanted(
        "images: [{name: a, source: alpine, select: {newest: 2}, immutableTags: ['.*']}]\n\
         targets: [{name: t, repository: r.example/a, aliases: [{tag: stable, of: Newest}]}]",
    );
    let mut world = World::with(&["alpine:3"]);
    for (tags, expected) in [
        (&["3"][..], vec!["+ r.example/a:3", "+ r.example/a:stable"]),
        (&["3"], vec!["= r.example/a:3", "= r.example/a:stable"]),
        (&["3", "4"], vec!["+ r.example/a:4", "~ r.example/a:stable", "= r.example/a:3"]),
        (&["3", "4"], vec!["= r.example/a:4", "= r.example/a:stable", "= r.example/a:3"]),
        // 4 was withdrawn: the record that 3 once had the alias must not be taken for what is there.
        (&["3"], vec!["= r.example/a:3", "~ r.example/a:stable"]),
        (&["3"], vec!["= r.example/a:3", "= r.example/a:stable"]),
    ] {
        world.listings.clear();
        for tag in tags {
            world.push(&format!("alpine:{tag}"), tag);
        }
        let plan = world.plan(&wanted);
        assert_eq!(lines(&plan), expected);
        if let Some(moved) =
            plan.actions.iter().find(|action| matches!(action.kind, Kind::Copy { replaces: Some(_) }))
        {
            let reasons = ["moves from a:3 to a:4", "moves from a:4 to a:3"];
            assert_eq!(moved.reason, reasons[usize::from(tags.len() == 1)]);
        }
        world.apply(&plan);
    }
}

#[test]
fn what_was_not_looked_at_is_never_taken_for_absent() {
    let wanted = spec("");
    let selection = select(&wanted, &Listings::new(), &Records::default(), now());
    let nothing = Records::default();
    let mut observed = Observed::default();
    let plan = |observed: &Observed| {
        lines(&decide(&wanted, &selection, &nothing, observed, &Ownership::default(), now()))
    };
    assert_eq!(plan(&observed), ["Internal r.example/a:3"]);
    observed.sources.insert(reference(SOURCE), Seen::Digest(digest("new")));
    assert_eq!(plan(&observed), ["Internal r.example/a:3"]);
}

#[test]
fn a_collision_is_told_before_anything_else() {
    let wanted = wanted(
        "images: [{name: a, source: a.b/x, select: {exclude: [z]}}, {name: b, source: a.b/y, select: {exclude: [z]}}]\n\
         targets: [{name: t, repository: r.example/x}]",
    );
    let mut world = World::with(&["a.b/x:1", "a.b/y:1"]);
    world.set(reference("a.b/x:1"), failed(Class::Forbidden, None));
    assert_eq!(lines(&world.plan(&wanted)), ["Conflict r.example/x:1", "Conflict r.example/x:1"]);
}

#[test]
fn an_immutable_tag_whose_deletion_began_and_that_is_wanted_again_is_looked_at() {
    let wanted = wanted(
        "images: [{name: a, source: 'alpine:3', immutableTags: ['.*']}]\n\
         targets: [{name: t, repository: r.example/a}]",
    );
    let mut world = World::with(&[SOURCE]);
    let first = world.plan(&wanted);
    world.apply(&first);
    assert_eq!(lines(&world.plan(&wanted)), [format!("= {DESTINATION}")]);
    let mut record = world.records.iter().next().unwrap().clone();
    record.targets[0].origin = Origin::Deleting;
    world.records.put(record);
    world.set(reference(DESTINATION), Seen::Absent);
    assert_eq!(lines(&world.plan(&wanted)), [format!("+ {DESTINATION}")]);
}

#[test]
fn an_immutable_tag_of_another_source_than_was_recorded_is_looked_at() {
    let spec = |source: &str| {
        wanted(&format!(
            "images: [{{name: a, source: {source}, select: {{names: ['3']}}, immutableTags: ['.*']}}]\n\
             targets: [{{name: t, repository: r.example/a}}]"
        ))
    };
    let mut world = World::with(&[SOURCE, "busybox:3"]);
    let first = world.plan(&spec("alpine"));
    world.apply(&first);
    world.set(reference("busybox:3"), Seen::Digest(digest("new")));
    let plan = world.plan(&spec("busybox"));
    assert_eq!(lines(&plan), [format!("~ {DESTINATION}")]);
    let (old, new) = (first.actions[0].digest.as_ref().unwrap().short().to_owned(), digest("new"));
    assert_eq!(
        only(&plan).reason,
        format!("comes from another source, busybox, with {} instead of {old}", new.short())
    );
    // Back at the old one: nothing is believed of the new one's record.
    world.set(reference("nowhere:3"), Seen::Absent);
    let plan = world.plan(&spec("nowhere"));
    assert_eq!(only(&plan).reason, "nowhere:3 is not at the source: write a tag or digest that is");
}
