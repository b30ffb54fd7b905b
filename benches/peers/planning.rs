//! Planning alone: the pure part of a run, with what the registries would answer in memory.

use std::time::Instant;

use imagesync::{
    api::ImageSync,
    digest::Digest,
    plan::{Listed, Look, Observed, Ownership, Plan, Referring, Seen, Wanted, decide, select},
    records::Records,
    reference::{Repository, Tag},
};
use jiff::Timestamp;
use serde_json::json;

use crate::corpus::Corpus;

/// Seconds that it takes to plan the corpus towards an empty target: the middle of `runs`.
pub fn seconds(corpus: &Corpus, runs: usize) -> f64 {
    let object = object(corpus);
    let tags: Vec<Tag> = corpus.tags().iter().map(|tag| tag.parse().expect("these are tags")).collect();
    let mut times: Vec<f64> = (0..runs.max(1))
        .map(|_| {
            let start = Instant::now();
            let plan = plan(&object, &tags);
            let time = start.elapsed().as_secs_f64();
            assert_eq!(plan.actions.len(), corpus.repositories * corpus.tags);
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn plan(object: &ImageSync, tags: &[Tag]) -> Plan {
    let wanted = Wanted::from_object(object).expect("the object is valid");
    let listed = |repository: Repository| (repository, Listed::Tags(tags.to_vec()));
    let (records, now) = (Records::default(), Timestamp::UNIX_EPOCH);
    let listings = wanted.listings().into_iter().map(listed).collect();
    let selection = select(&wanted, &listings, &records, now);
    let mut ownership = Ownership::default();
    ownership.claim_selected(&wanted, &selection, &records);
    let mut observed = Observed::default();
    loop {
        let questions = selection.questions(&records, &observed);
        if questions.is_empty() {
            break;
        }
        let mut answers = Observed::default();
        for reference in questions.sources {
            let digest = Digest::sha256(reference.to_string().as_bytes());
            answers.sources.insert(reference, Seen::Digest(digest));
        }
        answers.targets.extend(questions.targets.into_iter().map(|target| (target, Seen::Absent)));
        let none = |look: Look| (look.subject, Referring::found([], 0));
        answers.referrers.extend(questions.referrers.into_iter().map(none));
        observed.extend(answers);
    }
    decide(&wanted, &selection, &records, &observed, &ownership, now)
}

fn object(corpus: &Corpus) -> ImageSync {
    let image = |name: &String| json!({"name": name, "source": format!("source.example/{name}"), "select": {"patterns": [".*"]}});
    let images: Vec<_> = corpus.repositories().iter().map(image).collect();
    let object = json!({
        "apiVersion": "imagesync.dev/v1alpha1", "kind": "ImageSync", "metadata": {"name": "bench"},
        "spec": {"images": images, "targets": [{"name": "target", "repository": "target.example/{path}"}]},
    });
    serde_json::from_value(object).expect("the object is valid")
}
