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
