//! Ten thousand tags.

use super::*;

#[test]
fn ten_thousand_tags_are_planned_synced_and_planned_again() {
    let wanted = wanted(
        "images: [{name: app, source: ghcr.io/team/app, select: {semver: '*', exclude: ['.*9']}, immutableTags: ['1\\..*']}]\n\
         targets:\n\
         - {name: one, repository: 'one.example/{path}', aliases: [{tag: newest, of: Newest}]}\n\
         - {name: two, repository: 'two.example/{path}', tags: ['{tag}-{shortDigest}']}",
    );
    let mut world = World::default();
    let tags = (0..10_000).map(|number| format!("{}.{}.{}", number / 5000, number / 100 % 50, number % 100));
    for tag in tags {
        world.holds.extend([(reference(&format!("ghcr.io/team/app:{tag}")), Seen::Digest(digest(&tag)))]);
    }
    let listed = world.holds.keys().filter_map(|reference| reference.tag.clone()).collect();
    world.listings.insert("ghcr.io/team/app".parse().unwrap(), Listed::Tags(listed));

    let plan = world.plan(&wanted);
    // A tenth is excluded; the newest has one name more.
    assert_eq!(plan.summary(), Summary { copy: 2 * 9_000 + 1, ..Summary::default() });
    assert_eq!(plan.actions[1].destination.to_string(), "one.example/team/app:newest");
    assert_eq!(plan.images[0].left_out, [LeftOutCount { reason: LeftOut::Excluded, count: 1_000 }]);
    world.apply(&plan);

    let selection = select(&wanted, &world.listings, &world.records, now());
    let questions = selection.questions(&world.records, &Observed::default());
    // Half of the tags never move: nothing is asked of them.
    assert_eq!((questions.sources.len(), questions.targets.len()), (4_500, 4_500));
    let again = world.plan(&wanted);
    assert_eq!(again.summary(), Summary { in_sync: plan.actions.len(), ..Summary::default() });
    assert_eq!(again.render().lines().count(), 7);
}

#[test]
fn a_hundred_thousand_records_are_pruned() {
    let wanted = wanted(
        "images: [{name: app, source: ghcr.io/team/app, select: {semver: '>=50'}}]\n\
         targets: [{name: t, repository: 't.example/{path}', prune: {mode: Enforce, grace: 1h, keepLast: 3, limit: 5%}}]",
    );
    let mut world = World::default();
    let mut tags = Vec::new();
    for number in 0..100_000_u32 {
        // Nine of ten are wanted.
        let tag = format!("{}.{}.0", if number % 10 == 0 { 1 } else { 50 }, number);
        let name = reference(&format!("t.example/team/app:{tag}"));
        let entry =
            TargetRecord::new("t", name.to_string(), digest(&tag), (Origin::Written, State::InSync), now());
        let is_old = number % 10 == 0;
        let since = is_old.then(|| now().checked_sub(jiff::SignedDuration::from_hours(2)).unwrap());
        let record = Record::new("app", Some(tag.clone()));
        world
            .records
            .put(Record { targets: vec![TargetRecord { unwanted_since: since, ..entry }], ..record });
        world.holds.insert(name, Seen::Digest(digest(&tag)));
        world.holds.insert(reference(&format!("ghcr.io/team/app:{tag}")), Seen::Digest(digest(&tag)));
        tags.push(tag.parse().unwrap());
    }
    world.listings.insert("ghcr.io/team/app".parse().unwrap(), Listed::Tags(tags));
    let mut plan = world.plan(&wanted);
    let selection = select(&wanted, &world.listings, &world.records, now());
    let mut wants = Wants::default();
    wants.add(&wanted, &world.records, Some(&selection));
    let around = Surroundings {
        wanted: &wanted,
        selection: Some(&selection),
        records: &world.records,
        wants: &wants,
        in_use: Some(&InUse::default()),
        approved: None,
        now: now(),
    };
    let observed = world.answer(plan.prune_questions(&around, &Observed::default()));
    assert_eq!(observed.targets.len(), 10_000);
    plan.prune(&around, &observed);
    // A tenth is unwanted, and twice as many as the limit allows.
    assert_eq!(plan.summary(), Summary { in_sync: 90_000, held: 10_000, ..Summary::default() });
}
