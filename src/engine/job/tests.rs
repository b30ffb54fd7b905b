//! Plans and the jobs they are divided into.

use super::*;
use crate::{
    api::{Origin, Overwrite},
    class::Class,
    platform::Platforms,
    reference::Reference,
};

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

fn copy() -> Kind {
    Kind::Copy { replaces: None }
}

fn in_sync() -> Kind {
    Kind::InSync { origin: Origin::Written }
}

fn content(platforms: &[&str]) -> Arc<Content> {
    let platforms = Platforms::new(platforms.iter().map(|text| text.parse().unwrap()));
    Arc::new(Content { platforms, ..Content::default() })
}

/// `source` is `repository=image`, where the image stands for its digest.
fn action(source: &str, target: &str, destination: &str, kind: Kind) -> Action {
    let (repository, image) = source.split_once('=').unwrap();
    let repository: Repository = repository.parse().unwrap();
    Action {
        image: "app".to_owned(),
        tag: None,
        source: Reference {
            digest: Some(digest(image)),
            ..Reference { repository, tag: None, digest: None }
        },
        digest: Some(digest(image)),
        target: target.to_owned(),
        destination: destination.parse().unwrap(),
        overwrite: Overwrite::Always,
        content: std::sync::Arc::default(),
        referrers: None,
        kind,
        reason: String::new(),
    }
}

/// The jobs of these actions: `repository=image` and, of each place, its repository, `!` if it is complete, and actions.
fn divided(actions: Vec<Action>) -> Vec<(String, Vec<String>)> {
    let images = ["one", "two"];
    let image = |of: &Digest| images.into_iter().find(|image| digest(image) == *of).unwrap();
    let jobs = jobs(&Plan { actions, ..Plan::default() });
    let places = |job: &Job| {
        let place = |place: &Place| {
            let complete = if place.complete { "!" } else { "" };
            format!("{}:{}{complete} {:?}", place.target, place.repository, place.actions)
        };
        job.places.iter().map(place).collect()
    };
    jobs.iter().map(|job| (format!("{}={}", job.source, image(&job.digest)), places(job))).collect()
}

#[test]
fn an_image_is_read_once_for_all_its_tags_on_all_its_targets() {
    let actions = vec![
        action("s.example/app=one", "a", "a.example/app:1", copy()),
        action("s.example/app=one", "b", "b.example/app:1", copy()),
        action("s.example/app=one", "a", "a.example/app:stable", copy()),
    ];
    let places = vec!["a:a.example/app [0, 2]".to_owned(), "b:b.example/app [1]".to_owned()];
    assert_eq!(divided(actions), [("s.example/app=one".to_owned(), places)]);
}

#[test]
fn images_and_sources_that_differ_are_jobs_of_their_own_in_the_order_of_the_plan() {
    let actions = vec![
        action("s.example/app=two", "a", "a.example/app:2", copy()),
        action("s.example/app=one", "a", "a.example/app:1", copy()),
        action("s.example/other=one", "a", "a.example/app:other", copy()),
        action("s.example/app=two", "a", "a.example/app:two", copy()),
    ];
    let jobs: Vec<String> = divided(actions).into_iter().map(|(job, _)| job).collect();
    assert_eq!(jobs, ["s.example/app=two", "s.example/app=one", "s.example/other=one"]);
}

#[test]
fn one_image_is_a_job_for_each_choice_of_its_platforms() {
    let actions = [&["linux/amd64"][..], &["linux/arm64"], &["linux/amd64"]].map(|platforms| Action {
        content: content(platforms),
        ..action("s.example/app=one", "a", "a.example/app:1", copy())
    });
    let of = |actions: &str| ("s.example/app=one".to_owned(), vec![format!("a:a.example/app {actions}")]);
    assert_eq!(divided(actions.to_vec()), [of("[0, 2]"), of("[1]")]);
}

#[test]
fn two_targets_of_one_repository_are_places_of_their_own_since_their_credentials_may_differ() {
    let actions = vec![
        action("s.example/app=one", "a", "a.example/app:1", copy()),
        action("s.example/app=one", "b", "a.example/app:also-1", copy()),
    ];
    let places = vec!["a:a.example/app [0]".to_owned(), "b:a.example/app [1]".to_owned()];
    assert_eq!(divided(actions), [("s.example/app=one".to_owned(), places)]);
}

#[test]
fn a_repository_that_shows_the_image_under_another_tag_has_all_of_it() {
    let complete = |other: Action| {
        let jobs = divided(vec![action("s.example/app=one", "a", "a.example/app:stable", copy()), other]);
        jobs[0].1[0].contains('!')
    };
    assert!(complete(action("s.example/app=one", "a", "a.example/app:1", in_sync())));
    assert!(!complete(action("s.example/app=two", "a", "a.example/app:2", in_sync())), "another image");
    assert!(!complete(action("s.example/app=one", "a", "a.example/web:1", in_sync())), "another repository");
    assert!(!complete(action("s.example/app=one", "b", "a.example/app:1", in_sync())), "another credential");
    assert!(!complete(action("s.example/app=one", "a", "a.example/app:1", copy())), "not yet");
    assert!(!complete(action("s.example/app=one", "a", "a.example/app:1", Kind::Conflict)), "nobody looked");
    let in_part = Action {
        content: content(&["linux/amd64"]),
        ..action("s.example/app=one", "a", "a.example/app:1", in_sync())
    };
    assert!(!complete(in_part), "other platforms");
}

#[test]
fn what_is_no_copy_is_no_job() {
    let until = "2026-01-02T03:04:05Z".parse().unwrap();
    let kinds =
        [in_sync(), Kind::Conflict, Kind::Failed { class: Class::NotFound }, Kind::Deferred { until }];
    let actions = kinds.map(|kind| action("s.example/app=one", "a", "a.example/app:1", kind));
    assert_eq!(divided(actions.to_vec()), []);
}
