//! Which ImageSync may write a tag that several want, and how it passes on.

use rstest::rstest;

use super::*;

const WANTS: &str = "images: [{name: a, source: 'alpine:3'}]\ntargets: [{name: t, repository: r.example/a}]";
/// The same target, and something else on it.
const ELSE: &str = "images: [{name: b, source: 'busybox:1'}]\ntargets: [{name: t, repository: r.example/a}]";

fn parse(metadata: &str, spec: &str) -> Wanted {
    Wanted::from_object(&named(metadata, spec)).unwrap()
}

/// What an object remembers that synced `spec` once.
fn records(spec: &str) -> Records {
    let mut world = World::with(&["alpine:3"]);
    let plan = world.plan(&wanted(spec));
    world.apply(&plan);
    world.records
}

/// The plan of `base` for [`WANTS`], where `other` is there too; nothing stands on the target.
fn plan_beside(claim: impl FnOnce(&mut Ownership)) -> Plan {
    let (wanted, mut world) = (wanted(WANTS), World::with(&["alpine:3"]));
    world.ownership.claim_selected(
        &wanted,
        &select(&wanted, &Listings::new(), &Records::default(), now()),
        &world.records,
    );
    claim(&mut world.ownership);
    world.plan(&wanted)
}

#[rstest]
#[case(
    "name: older, namespace: team, creationTimestamp: '2020-01-01T00:00:00Z'",
    Some("the ImageSync older")
)]
#[case("name: alpha, namespace: team", Some("the ImageSync alpha"))]
#[case("name: zeta, namespace: team", None)]
#[case("name: alpha, namespace: other", Some("an ImageSync in another namespace"))]
#[case("name: base, namespace: team", None)]
fn the_oldest_claim_owns_and_another_namespaces_owner_is_not_named(
    #[case] metadata: &str,
    #[case] owner: Option<&str>,
) {
    // One claims by its selection, the other one by what is recorded.
    let plan = plan_beside(|ownership| ownership.claim_recorded(&parse(metadata, WANTS), &records(WANTS)));
    match owner {
        Some(owner) => {
            assert_eq!(lines(&plan), ["Conflict r.example/a:3"]);
            let reason = &only(&plan).reason;
            assert!(reason.starts_with(&format!("{owner} owns it")), "{reason}");
        }
        None => assert_eq!(lines(&plan), ["+ r.example/a:3"]),
    }
}

#[test]
fn a_name_is_one_name_with_and_without_the_port_that_goes_without_saying() {
    let with_port = WANTS.replace("r.example", "r.example:443");
    let other = parse("name: alpha, namespace: team", &with_port);
    let plan = plan_beside(|ownership| ownership.claim_recorded(&other, &records(&with_port)));
    assert_eq!(lines(&plan), ["Conflict r.example/a:3"]);
    let reason = &only(&plan).reason;
    assert!(reason.contains("the ImageSync alpha owns it, coming first by name"), "{reason}");
}

#[test]
fn a_tag_passes_on_to_who_wants_it_when_the_older_object_wants_it_no_longer() {
    let older = parse("name: alpha, namespace: team", ELSE);
    let passes = |plan: &Plan| {
        assert_eq!(lines(plan), ["+ r.example/a:3"]);
        let reason = "is not there yet; the ImageSync alpha wrote it once and no longer wants it";
        assert_eq!(only(plan).reason, reason);
    };
    // Whether the older one takes part in the run, or is suspended or not due.
    let selection = select(&older, &Listings::new(), &Records::default(), now());
    passes(&plan_beside(|ownership| ownership.claim_selected(&older, &selection, &records(WANTS))));
    passes(&plan_beside(|ownership| ownership.claim_recorded(&older, &records(WANTS))));
}

#[test]
fn it_is_said_only_once_that_a_tag_passed_on() {
    let (wanted, mut world) = (wanted(WANTS), World::with(&["alpine:3"]));
    let older = parse("name: alpha, namespace: team", ELSE);
    world.ownership.claim_recorded(&older, &records(WANTS));
    let plan = world.plan(&wanted);
    world.apply(&plan);
    assert_eq!(only(&world.plan(&wanted)).reason, "up to date");
}

#[rstest]
#[case::chosen_still(&["3", "4"], "newest: 2", "Conflict r.example/a:3")]
#[case::not_chosen(&["3", "4"], "newest: 1", "+ r.example/a:3")]
#[case::cannot_be_listed(&[], "newest: 1", "Conflict r.example/a:3")]
fn what_a_listing_no_longer_has_is_not_claimed_unless_it_cannot_be_listed(
    #[case] tags: &[&str],
    #[case] newest: &str,
    #[case] expected: &str,
) {
    let spec = format!(
        "images: [{{name: a, source: alpine, select: {{{newest}}}}}]\ntargets: [{{name: t, repository: r.example/a}}]"
    );
    let older = parse("name: alpha, namespace: team", &spec);
    let mut listings = Listings::new();
    if !tags.is_empty() {
        let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        listings.insert("alpine".parse().unwrap(), Listed::Tags(tags));
    }
    let selection = select(&older, &listings, &Records::default(), now());
    let plan = plan_beside(|ownership| ownership.claim_selected(&older, &selection, &records(WANTS)));
    assert_eq!(lines(&plan), [expected]);
}

#[test]
fn what_is_recorded_as_unwanted_is_not_claimed_by_an_object_that_is_not_due() {
    let spec = "images: [{name: a, source: alpine, select: {newest: 1}}]\ntargets: [{name: t, repository: r.example/a}]";
    let older = parse("name: alpha, namespace: team", spec);
    let mut records = records(WANTS);
    let claims = |records: &Records| lines(&plan_beside(|owners| owners.claim_recorded(&older, records)));
    assert_eq!(claims(&records), ["Conflict r.example/a:3"]);
    let mut record = records.get("a", Some("3")).unwrap().clone();
    record.targets[0].unwanted_since = Some(now());
    records.put(record);
    assert_eq!(claims(&records), ["+ r.example/a:3"]);
}

#[test]
fn a_name_with_the_digest_in_it_is_claimed_as_it_was_last() {
    let spec = format!("{}}}]", WANTS.trim_end_matches("}]").to_owned() + ", tags: ['{shortDigest}']");
    let older = parse("name: alpha, namespace: team", &spec);
    let selection = select(&older, &Listings::new(), &Records::default(), now());
    let recorded = records(&spec);
    let (wanted, mut world) = (wanted(&spec), World::with(&["alpine:3"]));
    world.ownership.claim_selected(&older, &selection, &recorded);
    let short = digest("alpine:3").short().to_owned();
    assert_eq!(lines(&world.plan(&wanted)), [format!("Conflict r.example/a:{short}")]);
}

/// The claimant that an object with this metadata is.
fn claimant(metadata: &str) -> Claimant {
    Claimant::of(&named(metadata, "{images: []}"))
}

#[test]
fn age_is_creation_then_uid_then_name() {
    let by_age = [
        "name: d, creationTimestamp: '2020-01-01T00:00:00Z', uid: z",
        "name: c, creationTimestamp: '2021-01-01T00:00:00Z', uid: a",
        "name: a, creationTimestamp: '2021-01-01T00:00:00Z', uid: b",
        "name: b, namespace: a",
        "name: a, namespace: b",
        "name: b, namespace: b",
    ];
    let claimants: Vec<_> = by_age.iter().map(|metadata| claimant(metadata)).collect();
    assert!(claimants.is_sorted(), "{claimants:#?}");
}
