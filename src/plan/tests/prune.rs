//! Each condition that keeps a name, alone: without it the name would go.

use jiff::ToSpan as _;
use rstest::rstest;

use super::*;
use crate::class::Class;

const SPEC: &str = "images: [{name: a, source: alpine, select: {newest: 1}}]\n\
                    targets: [{name: t, repository: 'r.example/{name}', prune: {mode: Enforce, grace: 24h, keepLast: 0, limit: 100%}}]";

fn long_ago() -> Timestamp {
    now().checked_sub(30.hours()).unwrap()
}

/// A name that was written and is unwanted for long enough.
fn unwanted(reference: &str, name: &str) -> TargetRecord {
    let entry = TargetRecord::new("t", reference, digest(name), (Origin::Written, State::InSync), long_ago());
    TargetRecord { unwanted_since: Some(long_ago()), ..entry }
}

/// What everything but the registries says.
struct Case {
    spec: String,
    world: World,
    wants: Wants,
    in_use: Option<InUse>,
    approved: Option<String>,
    now: Timestamp,
}

impl Case {
    /// `a:1` is unwanted for long enough, is there as it was written, and nothing else keeps it.
    fn new() -> Self {
        let mut world = World::default();
        for tag in ["1", "2", "3"] {
            world.push(&format!("alpine:{tag}"), tag);
        }
        let mut case = Self {
            spec: SPEC.to_owned(),
            world,
            wants: Wants::default(),
            in_use: None,
            approved: None,
            now: now(),
        };
        case.remember("a", "1", unwanted("r.example/a:1", "1"));
        case.world.set(reference("r.example/a:1"), Seen::Digest(digest("1")));
        case
    }

    fn remember(&mut self, image: &str, tag: &str, entry: TargetRecord) {
        let mut record = self.world.records.get_or_empty(image, Some(tag));
        record.targets.push(entry);
        self.world.records.put(record);
    }

    fn change(&mut self, change: impl FnOnce(&mut TargetRecord)) {
        let mut record = self.world.records.get("a", Some("1")).unwrap().clone();
        change(&mut record.targets[0]);
        self.world.records.put(record);
    }

    fn plan(&self) -> (Plan, Observed) {
        let wanted = wanted(&self.spec);
        let mut plan = self.world.plan(&wanted);
        let selection = select(&wanted, &self.world.listings, &self.world.records, now());
        let around = Surroundings {
            wanted: &wanted,
            selection: Some(&selection),
            records: &self.world.records,
            wants: &self.wants,
            in_use: self.in_use.as_ref(),
            approved: self.approved.as_deref(),
            now: self.now,
        };
        // What the target shows was seen for the plan, where it is wanted.
        let mut observed = Observed::default();
        loop {
            let questions = plan.prune_questions(&around, &observed);
            if questions.is_empty() {
                plan.prune(&around, &observed);
                return (plan, observed);
            }
            observed.extend(self.world.answer(questions));
        }
    }

    /// What becomes of `r.example/a:1`.
    fn verdict(&self) -> Verdict {
        self.judged().verdict
    }

    fn judged(&self) -> Judged {
        let (plan, _) = self.plan();
        let name = plan.pruning.names.iter().find(|name| name.tag.as_deref() == Some("1"));
        name.unwrap_or_else(|| panic!("{plan:#?}")).clone()
    }
}

#[test]
fn what_we_wrote_and_nothing_wants_for_long_enough_goes() {
    let case = Case::new();
    let (plan, observed) = case.plan();
    assert_eq!(case.verdict(), Verdict::Delete);
    assert_eq!(plan.summary().delete, 1);
    assert!(
        plan.render().contains("\n    - r.example/a:1  nothing wants it any more\n"),
        "{}",
        plan.render()
    );
    assert_eq!(observed.targets.len(), 1, "one look a name");
    assert!(observed.sources.is_empty());
}

#[rstest]
#[case::was_there_before(Origin::Found)]
#[case::may_have_been_written(Origin::Intended)]
fn what_we_did_not_write_stays(#[case] origin: Origin) {
    let mut case = Case::new();
    case.change(|entry| entry.origin = origin);
    let (plan, observed) = case.plan();
    assert!(plan.pruning.with(&Verdict::Delete).next().is_none());
    assert!(observed.targets.is_empty(), "nothing is asked of what stays anyway");
}

#[test]
fn what_has_no_tag_stays() {
    let mut case = Case::new();
    let by_digest = format!("r.example/a@{}", digest("1"));
    case.change(|entry| entry.reference = by_digest);
    assert_eq!(case.verdict(), Verdict::Keep);
}

#[test]
fn what_the_imagesync_wants_under_another_name_of_the_same_place_is_not_unwanted() {
    let mut case = Case::new();
    case.spec = SPEC.replace("r.example/", "r.example:443/").replace("newest: 1", "newest: 3");
    let (plan, _) = case.plan();
    assert!(plan.pruning.names.is_empty());
    // And it was never unwanted: its grace would begin anew.
    assert_eq!(plan.stale[0].fate, Fate::Moved { image: "a".into(), tag: Some("1".into()) });
}

#[test]
fn what_the_imagesync_itself_publishes_by_digest_keeps_the_tag_that_shows_it() {
    let mut case = Case::new();
    let by_digest = format!("{{name: b, source: 'alpine@{}'}}]\ntargets", digest("1"));
    case.spec = SPEC
        .replace("]\ntargets", &format!(", {by_digest}"))
        .replace("{name}', prune", "a', tags: ['{tag}'], prune");
    assert_eq!(case.verdict(), Verdict::Keep);
    assert!(case.judged().reason.contains("this ImageSync wants it"), "{}", case.judged().reason);
}

/// Other ImageSyncs that want `r.example/a:1`, each in its way.
#[rstest]
#[case::by_name("images: [{name: x, source: 'alpine:1'}]\ntargets: [{name: o, repository: r.example/a}]")]
#[case::with_the_port_written_out(
    "images: [{name: x, source: 'alpine:1'}]\ntargets: [{name: o, repository: 'r.example:443/a'}]"
)]
#[case::by_a_filter(
    "images: [{name: x, source: alpine, select: {patterns: ['[1-3]']}}]\ntargets: [{name: o, repository: r.example/a}]"
)]
#[case::that_is_suspended(
    "suspend: true\nimages: [{name: x, source: 'alpine:1'}]\ntargets: [{name: o, repository: r.example/a}]"
)]
#[case::under_a_template(
    "images: [{name: x, source: 'busybox:7'}]\ntargets: [{name: o, repository: r.example/a, tags: ['1']}]"
)]
fn what_another_imagesync_wants_stays(#[case] spec: &str, #[values(true, false)] takes_part: bool) {
    let mut case = Case::new();
    let other = Wanted::from_object(&named("name: other, namespace: elsewhere", spec)).unwrap();
    let selection = select(&other, &case.world.listings, &Records::default(), now());
    case.wants.add(&other, &Records::default(), takes_part.then_some(&selection));
    assert_eq!(case.verdict(), Verdict::Keep);
    // What is in another namespace is not named.
    assert!(
        case.judged().reason.contains("an ImageSync in another namespace wants it"),
        "{}",
        case.judged().reason
    );
}

#[test]
fn what_another_imagesync_may_want_whose_source_cannot_be_listed_stays() {
    let mut case = Case::new();
    let spec = "images: [{name: x, source: ghcr.io/x/y, select: {semver: '*'}}]\ntargets: [{name: o, repository: r.example/a}]";
    let other = Wanted::from_object(&named("name: other, namespace: team", spec)).unwrap();
    let failed = Listed::Failed { class: Class::Unauthorized, message: "no".into(), until: None };
    let listings = Listings::from([("ghcr.io/x/y".parse().unwrap(), failed)]);
    case.wants.add(&other, &Records::default(), Some(&select(&other, &listings, &Records::default(), now())));
    assert_eq!(case.verdict(), Verdict::Keep);
    // And where the listing is there and does not have the tag: a listing may lack what is there.
    let listings =
        Listings::from([("ghcr.io/x/y".parse().unwrap(), Listed::Tags(vec!["9".parse().unwrap()]))]);
    case.wants = Wants::default();
    case.wants.add(&other, &Records::default(), Some(&select(&other, &listings, &Records::default(), now())));
    assert_eq!(case.verdict(), Verdict::Keep);
    // What it lists and leaves out it does not want.
    let spec = spec.replace("semver: '*'", "newest: 1");
    let other = Wanted::from_object(&named("name: other, namespace: team", &spec)).unwrap();
    let listed = Listed::Tags(vec!["9".parse().unwrap(), "1".parse().unwrap()]);
    let listings = Listings::from([("ghcr.io/x/y".parse().unwrap(), listed)]);
    case.wants = Wants::default();
    case.wants.add(&other, &Records::default(), Some(&select(&other, &listings, &Records::default(), now())));
    assert_eq!(case.verdict(), Verdict::Delete);
}

#[test]
fn what_is_recorded_as_wanted_by_an_imagesync_of_which_nothing_else_is_known_stays() {
    let mut case = Case::new();
    let mut records = Records::default();
    let entry = TargetRecord { unwanted_since: None, ..unwanted("r.example:443/a:1", "1") };
    records.put(Record { targets: vec![entry.clone()], ..Record::new("x", Some("1".into())) });
    let other = std::sync::Arc::new(Claimant::recorded("team", "other"));
    case.wants.add_recorded(&other, &records);
    assert_eq!(case.verdict(), Verdict::Keep);
    // What it does not want any more keeps nothing.
    let entry = TargetRecord { unwanted_since: Some(now()), ..entry };
    records.put(Record { targets: vec![entry], ..Record::new("x", Some("1".into())) });
    case.wants = Wants::default();
    case.wants.add_recorded(&other, &records);
    assert_eq!(case.verdict(), Verdict::Delete);
}

#[test]
fn nothing_goes_while_an_imagesync_cannot_be_read() {
    let mut case = Case::new();
    case.wants.add_unreadable("what is recorded of team/other");
    assert_eq!(case.verdict(), Verdict::Keep);
}

#[test]
fn what_another_imagesync_publishes_by_digest_keeps_the_tag_that_shows_it() {
    let mut case = Case::new();
    let spec = format!(
        "images: [{{name: x, source: 'alpine@{}'}}]\ntargets: [{{name: o, repository: r.example/a, tags: ['x']}}]",
        digest("1")
    );
    let other = Wanted::from_object(&named("name: other, namespace: team", &spec)).unwrap();
    case.wants.add(
        &other,
        &Records::default(),
        Some(&select(&other, &Listings::new(), &Records::default(), now())),
    );
    assert_eq!(case.verdict(), Verdict::Keep);
}

#[rstest]
#[case::by_tag("'r.example/a:1'")]
#[case::by_a_filter("'r.example:443/a', select: {semver: '*'}")]
#[case::by_digest(&format!("'r.example/a@{}'", digest("1")))]
fn what_an_imagesync_reads_as_its_source_stays(#[case] source: &str) {
    let mut case = Case::new();
    let target = "targets: [{name: o, repository: next.example/x, tags: ['y']}]";
    let spec = format!(
        "images: [{{name: y, source: {source}}}]\n{}",
        if source.contains("select") { target.replace("['y']", "['{tag}']") } else { target.to_owned() }
    );
    let other = Wanted::from_object(&named("name: other, namespace: team", &spec)).unwrap();
    case.wants.add(&other, &Records::default(), None);
    assert_eq!(case.verdict(), Verdict::Keep);
}

#[rstest]
#[case("r.example/a:1")]
#[case("r.example:443/a:1")]
fn what_a_pod_references_stays(#[case] image: &str) {
    let by_digest = format!("r.example/a@{}", digest("1"));
    for image in [image, &by_digest] {
        let mut case = Case::new();
        case.in_use = Some(InUse::of([image]));
        assert_eq!(case.verdict(), Verdict::Keep, "{image}");
        case.spec = SPEC.replace("keepLast", "protectInUse: false, keepLast");
        assert_eq!(case.verdict(), Verdict::Delete, "{image}");
    }
    let mut case = Case::new();
    case.in_use = Some(InUse::of(["r.example/a:2", "r.example/b:1", "not a reference"]));
    assert_eq!(case.verdict(), Verdict::Delete);
}

#[test]
fn without_a_cluster_the_plan_says_that_protect_in_use_protects_nothing() {
    let mut case = Case::new();
    assert!(case.plan().0.render().contains("note: protectInUse protects nothing on t"));
    case.in_use = Some(InUse::default());
    assert!(!case.plan().0.render().contains("protectInUse"));
}

#[test]
fn what_is_among_the_highest_versions_stays_and_others_deletions_make_no_room() {
    let mut case = Case::new();
    case.spec = SPEC.replace("keepLast: 0", "keepLast: 2");
    case.remember("a", "0.9", unwanted("r.example/a:0.9", "0.9"));
    case.world.set(reference("r.example/a:0.9"), Seen::Digest(digest("0.9")));
    let verdicts = |case: &Case| -> Vec<(String, Verdict)> {
        let names = case.plan().0.pruning.names.into_iter();
        names.map(|name| (name.tag.unwrap(), name.verdict)).collect()
    };
    assert_eq!(verdicts(&case), [("0.9".to_owned(), Verdict::Keep), ("1".to_owned(), Verdict::Keep)]);
    case.spec = SPEC.replace("keepLast: 0", "keepLast: 1");
    assert_eq!(verdicts(&case), [("0.9".to_owned(), Verdict::Delete), ("1".to_owned(), Verdict::Keep)]);
    // Somebody deleted the highest: the next one is it now.
    case.world.set(reference("r.example/a:1"), Seen::Absent);
    assert_eq!(verdicts(&case), [("0.9".to_owned(), Verdict::Keep), ("1".to_owned(), Verdict::Forget)]);
}

#[test]
fn one_run_alone_finds_nothing_unwanted() {
    let mut case = Case::new();
    case.spec = SPEC.replace("grace: 24h", "grace: 0s");
    case.change(|entry| entry.unwanted_since = None);
    assert_eq!(case.verdict(), Verdict::Wait { until: Some(now()) });
    case.change(|entry| entry.unwanted_since = Some(now()));
    assert_eq!(case.verdict(), Verdict::Delete);
}

#[test]
fn what_is_unwanted_for_less_than_its_grace_waits() {
    let mut case = Case::new();
    let since = now().checked_sub(24.hours()).unwrap();
    case.change(|entry| entry.unwanted_since = Some(since.checked_add(1.second()).unwrap()));
    assert_eq!(case.verdict(), Verdict::Wait { until: Some(now().checked_add(1.second()).unwrap()) });
    case.change(|entry| entry.unwanted_since = Some(since));
    assert_eq!(case.verdict(), Verdict::Delete);
}

#[test]
fn what_somebody_else_wanted_until_now_gets_all_of_its_grace() {
    let mut case = Case::new();
    case.change(|entry| entry.wanted_elsewhere = true);
    assert_eq!(case.verdict(), Verdict::Wait { until: Some(now().checked_add(24.hours()).unwrap()) });
    assert!(!case.judged().is_wanted);
    case.wants.add_unreadable("what is recorded of team/other");
    assert!(case.judged().is_wanted);
}

#[test]
fn a_clock_that_goes_backwards_is_no_time_that_passed() {
    let mut case = Case::new();
    case.spec = SPEC.replace("grace: 24h", "grace: 0s");
    case.now = long_ago().checked_sub(1.second()).unwrap();
    assert_eq!(case.verdict(), Verdict::Wait { until: Some(long_ago()) });
}

#[test]
fn nothing_is_judged_of_an_image_that_cannot_be_listed_whatever_it_was_called() {
    let failed = || Listed::Failed { class: Class::Unavailable, message: "no".into(), until: None };
    for spec in [SPEC.to_owned(), SPEC.replace("name: a,", "name: b,").replace("{name}", "a")] {
        let mut case = Case::new();
        case.spec = spec;
        case.world.listings.insert("alpine".parse().unwrap(), failed());
        let (plan, _) = case.plan();
        assert!(plan.stale.is_empty() && plan.pruning.names.is_empty(), "{plan:#?}");
    }
}

#[test]
fn what_a_listing_lacks_is_looked_for_at_the_source() {
    let mut case = Case::new();
    case.spec = SPEC.replace("newest: 1", "semver: '*'");
    case.world.listings.insert("alpine".parse().unwrap(), Listed::Tags(vec!["2".parse().unwrap()]));
    assert_eq!(case.verdict(), Verdict::Keep, "the source has it");
    let failed = Seen::Failed { class: Class::Unauthorized, message: "no".into(), until: None };
    case.world.set(reference("alpine:1"), failed);
    assert_eq!(case.verdict(), Verdict::Wait { until: None });
    case.world.set(reference("alpine:1"), Seen::Absent);
    assert_eq!(case.verdict(), Verdict::Delete);
}

#[test]
fn what_another_image_would_get_if_its_source_listed_it_stays() {
    let mut case = Case::new();
    case.spec =
        SPEC.replace("name: a,", "name: b,").replace("{name}", "a").replace("newest: 1", "semver: '*'");
    case.world.listings.insert("alpine".parse().unwrap(), Listed::Tags(vec!["2".parse().unwrap()]));
    assert_eq!(case.verdict(), Verdict::Keep);
}

#[test]
fn a_target_that_keeps_images_elsewhere_now_abandons_what_it_had() {
    for elsewhere in ["new.example/{name}", "r.example/mirror/{name}"] {
        let mut case = Case::new();
        case.spec = SPEC.replace("r.example/{name}", elsewhere);
        assert_eq!(case.verdict(), Verdict::Keep, "{elsewhere}");
    }
    // A target that left the spec leaves no name to be judged.
    let mut case = Case::new();
    case.spec = SPEC.replace("name: t,", "name: u,");
    assert!(case.plan().0.pruning.names.is_empty());
}

#[test]
fn an_image_that_left_the_spec_is_pruned_where_its_target_kept_it() {
    let mut case = Case::new();
    case.spec = SPEC.replace("name: a,", "name: b,");
    assert_eq!(case.verdict(), Verdict::Delete);
}

#[rstest]
#[case::gone(Seen::Absent, Verdict::Forget)]
#[case::changed(Seen::Digest(Digest::sha256(b"theirs")), Verdict::Forget)]
#[case::unknown(Seen::Failed { class: Class::Unauthorized, message: "no".into(), until: None }, Verdict::Wait { until: None })]
fn what_does_not_show_what_we_wrote_stays(#[case] seen: Seen, #[case] expected: Verdict) {
    let mut case = Case::new();
    case.world.set(reference("r.example/a:1"), seen);
    assert_eq!(case.verdict(), expected);
}

#[test]
fn only_a_target_that_is_pruned_is_looked_at_for_others_who_want_its_names() {
    let mut case = Case::new();
    for (mode, is_judged) in [("Enforce", true), ("DryRun", true), ("Disabled", false)] {
        case.spec = SPEC.replace("Enforce", mode);
        assert_eq!(case.plan().0.stale[0].is_judged, is_judged, "{mode}");
    }
}

#[test]
fn the_mode_decides_whether_anything_is_done_or_said() {
    let mut case = Case::new();
    case.spec = SPEC.replace("Enforce", "DryRun");
    assert_eq!(case.verdict(), Verdict::WouldDelete);
    case.spec = SPEC.replace("Enforce", "Disabled");
    let (plan, observed) = case.plan();
    assert!(plan.pruning.names.is_empty() && observed.targets.is_empty());
}

#[test]
fn above_the_limit_all_of_a_target_is_held_until_exactly_that_is_approved() {
    let mut case = Case::new();
    for tag in ["0.1", "0.2", "0.3"] {
        case.remember("a", tag, unwanted(&format!("r.example/a:{tag}"), tag));
        case.world.set(reference(&format!("r.example/a:{tag}")), Seen::Digest(digest(tag)));
    }
    // Four of four names, and a limit of half of them.
    case.spec = SPEC.replace("100%", "50%");
    let (plan, _) = case.plan();
    assert_eq!(plan.pruning.with(&Verdict::Held).count(), 4);
    let held = plan.pruning.held.clone().unwrap();
    assert_eq!((held.targets[0].names, held.targets[0].limit), (4, 2));
    assert!(plan.render().contains(&held.approval) && !plan.pruning.is_change());

    case.approved = Some(held.approval);
    assert_eq!(case.plan().0.pruning.with(&Verdict::Delete).count(), 4);
    // One more, one less, or the same names another time are another plan.
    let mut more = case.world.records.get("a", Some("0.1")).unwrap().clone();
    more.targets[0].unwanted_since = Some(long_ago().checked_add(1.second()).unwrap());
    case.world.records.put(more);
    assert_eq!(case.plan().0.pruning.with(&Verdict::Held).count(), 4);
    case.world.set(reference("r.example/a:0.1"), Seen::Absent);
    assert_eq!(case.plan().0.pruning.with(&Verdict::Held).count(), 3);
    case.spec = SPEC.replace("100%", "3");
    assert_eq!(case.plan().0.pruning.with(&Verdict::Delete).count(), 3);
}

#[test]
fn a_deletion_that_was_recorded_counts_towards_the_limit_until_its_dummy_is_there() {
    let mut case = Case::new();
    case.spec = SPEC.replace("100%", "1");
    case.remember("a", "0.1", unwanted("r.example/a:0.1", "0.1"));
    case.world.set(reference("r.example/a:0.1"), Seen::Digest(digest("0.1")));
    case.change(|entry| {
        entry.previous_digest = Some(entry.digest.clone());
        (entry.origin, entry.digest) = (Origin::Deleting, digest("dummy"));
    });
    assert_eq!(case.plan().0.pruning.with(&Verdict::Held).count(), 2);
    case.world.set(reference("r.example/a:1"), Seen::Digest(digest("dummy")));
    assert_eq!(case.plan().0.pruning.with(&Verdict::Delete).count(), 2);
}

#[test]
fn what_is_held_at_a_dummy_is_ended_or_put_back() {
    let dummy = |case: &mut Case| {
        case.change(|entry| {
            entry.previous_digest = Some(entry.digest.clone());
            (entry.origin, entry.digest) = (Origin::Deleting, digest("dummy"));
        });
        case.world.set(reference("r.example/a:1"), Seen::Digest(digest("dummy")));
    };
    let mut case = Case::new();
    dummy(&mut case);
    assert_eq!(case.verdict(), Verdict::Delete);
    assert_eq!((case.judged().digest, case.judged().dummy), (digest("1"), Some(digest("dummy"))));
    // Whatever would keep the name puts back what it showed.
    case.in_use = Some(InUse::of(["r.example/a:1"]));
    assert_eq!(case.verdict(), Verdict::PutBack);
    case.in_use = None;
    for spec in [
        SPEC.replace("Enforce", "Disabled"),
        SPEC.replace("Enforce", "DryRun"),
        SPEC.replace("name: t,", "name: u,"),
    ] {
        case.spec = spec;
        assert_eq!(case.verdict(), Verdict::PutBack, "{}", case.spec);
    }
    case.spec = SPEC.to_owned();
    case.world.listings.clear();
    assert_eq!(case.verdict(), Verdict::PutBack, "it cannot be told whether it is wanted");
    // Whoever pushed since keeps what he pushed.
    case.world.set(reference("r.example/a:1"), Seen::Digest(digest("theirs")));
    assert_eq!(case.verdict(), Verdict::Forget);
}

#[test]
fn a_name_that_is_wanted_again_is_copied_over_its_dummy_even_if_it_may_not_be_overwritten() {
    let mut case = Case::new();
    case.spec = SPEC.replace("newest: 1", "names: ['1']").replace("prune:", "overwrite: Never, prune:");
    case.change(|entry| {
        entry.previous_digest = Some(entry.digest.clone());
        (entry.origin, entry.digest) = (Origin::Deleting, digest("dummy"));
    });
    case.world.set(reference("r.example/a:1"), Seen::Digest(digest("dummy")));
    let (plan, _) = case.plan();
    assert_eq!(plan.actions[0].kind, Kind::Copy { replaces: Some(digest("dummy")) });
    assert!(plan.pruning.names.is_empty());
}

#[test]
fn deleting_the_object_skips_grace_last_versions_and_limit_and_nothing_else() {
    let mut case = Case::new();
    case.spec =
        SPEC.replace("keepLast: 0, limit: 100%", "keepLast: 5, limit: 1").replace("Enforce", "Disabled");
    case.change(|entry| entry.unwanted_since = None);
    case.remember("a", "3", TargetRecord { unwanted_since: None, ..unwanted("r.example/a:3", "3") });
    case.world.set(reference("r.example/a:3"), Seen::Digest(digest("3")));
    let verdicts = |case: &Case| -> Vec<Verdict> {
        let wanted = wanted(&case.spec);
        let around = Surroundings {
            wanted: &wanted,
            selection: None,
            records: &case.world.records,
            wants: &case.wants,
            in_use: case.in_use.as_ref(),
            approved: None,
            now: now(),
        };
        let observed = case.world.answer(Pruning::questions_of_deleted(&around, &Observed::default()));
        Pruning::of_deleted(&around, &observed).names.into_iter().map(|name| name.verdict).collect()
    };
    assert_eq!(verdicts(&case), [Verdict::Delete, Verdict::Delete]);
    case.in_use = Some(InUse::of(["r.example/a:1"]));
    assert_eq!(verdicts(&case), [Verdict::Keep, Verdict::Delete]);
    case.in_use = None;
    case.change(|entry| entry.origin = Origin::Found);
    assert_eq!(verdicts(&case), [Verdict::Keep, Verdict::Delete]);
    case.change(|entry| entry.origin = Origin::Written);
    case.world.set(reference("r.example/a:3"), Seen::Digest(digest("theirs")));
    assert_eq!(verdicts(&case), [Verdict::Delete, Verdict::Forget]);
    case.wants.add_unreadable("another");
    assert_eq!(verdicts(&case), [Verdict::Keep, Verdict::Keep]);
    case.wants = Wants::default();
    // A target that is only tried is not touched.
    case.spec = case.spec.replace("Disabled", "DryRun");
    assert_eq!(verdicts(&case), [Verdict::Keep, Verdict::Keep]);
}
