//! Registries are asked what is needed, and nothing else.

use super::*;

const IMMUTABLE: &str = r"images: [{name: a, source: 'alpine:3.20', immutableTags: ['\d+\.\d+']}]";
const TARGET: &str = "targets: [{name: t, repository: r.example/a, tags: ['{tag}', tested]}]";

fn texts(questions: &Questions) -> Vec<String> {
    let sources = questions.sources.iter().map(|source| format!("source {}", source.familiar()));
    let targets = questions.targets.iter().map(|(target, reference)| format!("{target} {reference}"));
    let walks =
        questions.walks.iter().map(|walk| format!("walk {}@{}", walk.repository, walk.digest.short()));
    sources.chain(targets).chain(walks).collect()
}

/// What is asked round by round.
pub(super) fn rounds(world: &World, spec: &str) -> Vec<Vec<String>> {
    let wanted = wanted(spec);
    let selection = world.select(&wanted);
    let mut observed = Observed::default();
    let mut rounds = Vec::new();
    loop {
        let questions = selection.questions(&world.records, &observed);
        if questions.is_empty() {
            return rounds;
        }
        let asked = texts(&questions);
        // What refers to images has tests of its own.
        if !asked.is_empty() {
            rounds.push(asked);
        }
        observed.extend(world.answer(questions));
    }
}

fn synced(spec: &str) -> World {
    let mut world = World::with(&["alpine:3.20"]);
    let plan = world.plan(&wanted(spec));
    world.apply(&plan);
    world
}

#[test]
fn a_tag_costs_one_look_at_the_source_and_one_at_each_name() {
    let spec = format!("images: [{{name: a, source: 'alpine:3.20'}}]\n{TARGET}");
    let expected = [["source alpine:3.20", "t r.example/a:3.20", "t r.example/a:tested"]];
    assert_eq!(rounds(&synced(&spec), &spec), expected);
}

#[test]
fn a_tag_that_never_moves_costs_nothing_once_it_is_recorded() {
    let spec = format!("{IMMUTABLE}\n{TARGET}");
    assert_eq!(rounds(&World::with(&["alpine:3.20"]), &spec)[0].len(), 3);
    let world = synced(&spec);
    assert_eq!(rounds(&world, &spec), Vec::<Vec<String>>::new());
    let plan = world.plan(&wanted(&spec));
    assert_eq!(lines(&plan), ["= r.example/a:3.20", "= r.example/a:tested"]);
    assert_eq!(plan.actions[0].reason, "never moves, and was mirrored");
    assert_eq!(plan.actions[0].digest, Some(digest("alpine:3.20")));
}

#[test]
fn a_tag_that_never_moves_is_asked_for_again_when_a_name_is_added_or_not_in_sync() {
    let spec = format!("{IMMUTABLE}\n{TARGET}");
    let world = synced(&spec);
    assert_eq!(rounds(&world, &spec.replace("tested", "tested, more"))[0].len(), 4);
    let mut failed = world.clone();
    let plan = world.plan(&wanted(&spec));
    failed.remember(&plan.actions[0], &digest("alpine:3.20"), Origin::Written, State::Pending);
    assert_eq!(rounds(&failed, &spec)[0].len(), 3);
}

#[test]
fn a_tag_that_never_moves_and_is_pinned_anew_is_asked_for_again() {
    let pinned = |digest: &Digest| {
        format!("{}\n{TARGET}", IMMUTABLE.replace("alpine:3.20", &format!("alpine:3.20@{digest}")))
    };
    let spec = pinned(&digest("alpine:3.20"));
    let world = synced(&spec);
    assert_eq!(rounds(&world, &spec), Vec::<Vec<String>>::new());
    assert!(!rounds(&world, &pinned(&digest("other"))).is_empty());
}

#[test]
fn the_digest_in_a_name_is_asked_for_first() {
    let spec = "images: [{name: a, source: 'alpine:3.20'}]\n\
                targets: [{name: t, repository: r.example/a, tags: ['{shortDigest}', '{tag}']}]";
    let short = digest("alpine:3.20").short().to_owned();
    assert_eq!(
        rounds(&World::with(&["alpine:3.20"]), spec),
        [
            vec!["source alpine:3.20".to_owned(), "t r.example/a:3.20".into()],
            vec![format!("t r.example/a:{short}")]
        ]
    );
}

#[test]
fn a_source_that_is_pinned_is_asked_only_once_a_target_lacks_it() {
    let digest = digest("alpine:3.20");
    let spec = format!(
        "images: [{{name: a, source: 'alpine@{digest}'}}]\ntargets: [{{name: t, repository: r.example/a, tags: [x]}}]"
    );
    let target = [format!("t r.example/a@{digest}"), "t r.example/a:x".to_owned()];
    let source = [format!("source alpine@{digest}")];
    assert_eq!(rounds(&World::with(&["alpine:3.20"]), &spec), [target.to_vec(), source.to_vec()]);
    assert_eq!(rounds(&synced(&spec), &spec), [target]);
}

#[test]
fn what_several_images_read_is_asked_once_and_what_no_target_keeps_not_at_all() {
    let spec = "images: [{name: a, source: alpine}, {name: b, source: 'alpine:latest'}, {name: c, source: caddy}]\n\
                targets: [{name: t, repository: 'r.example/{name}', images: [a, b]}]";
    let expected = [["source alpine:latest", "t r.example/a:latest", "t r.example/b:latest"]];
    assert_eq!(rounds(&World::with(&["alpine:latest"]), spec), expected);
}
