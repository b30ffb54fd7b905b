//! Planning alone: the pure part of a run, with what the registries would answer in memory.

use std::time::Instant;

use imagesync::{
    api::{ImageSync, Origin, Record, State, TargetRecord},
    digest::Digest,
    plan::{
        InUse, Listed, Listings, Look, Observed, Ownership, Plan, Questions, Referring, Seen, Surroundings,
        Verdict, Wanted, Wants, decide, select,
    },
    records::Records,
    reference::{Repository, Tag},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::corpus::Corpus;

/// Seconds that it takes to plan the corpus towards an empty target: the middle of `runs`.
pub fn seconds(corpus: &Corpus, runs: usize) -> f64 {
    let object = object(corpus);
    let tags: Vec<Tag> = corpus.tags().iter().map(|tag| tag.parse().expect("these are tags")).collect();
    middle(runs, || {
        let start = Instant::now();
        let plan = plan(&object, &tags);
        let time = start.elapsed().as_secs_f64();
        assert_eq!(plan.actions.len(), corpus.repositories * corpus.tags);
        time
    })
}

fn middle(runs: usize, run: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = std::iter::repeat_with(run).take(runs.max(1)).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Records of which it is planned what is to be deleted.
pub const RECORDS: usize = 100_000;

/// Seconds that it takes to plan what is to be deleted, of [`RECORDS`] of which a tenth is unwanted: the middle of `runs`.
/// That all others are in sync is planned with it.
pub fn seconds_of_pruning(runs: usize) -> f64 {
    let object = json!({
        "apiVersion": "imagesync.dev/v1alpha1", "kind": "ImageSync", "metadata": {"name": "bench"},
        "spec": {
            "images": [{
                "name": "app", "source": "source.example/app", "select": {"semver": ">=2"},
                "immutableTags": [".*"], "referrers": "Exclude",
            }],
            "targets": [{
                "name": "target", "repository": "target.example/{path}",
                "prune": {"mode": "Enforce", "grace": "1h", "limit": "50%"},
            }],
        },
    });
    let object: ImageSync = serde_json::from_value(object).expect("the object is valid");
    let wanted = Wanted::from_object(&object).expect("the object is valid");
    let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("this is a time");
    let before = now - SignedDuration::from_hours(2);
    let (mut records, mut tags) = (Records::default(), Vec::new());
    for number in 0..RECORDS {
        let is_unwanted = number % 10 == 0;
        let tag = format!("{}.{number}.0", if is_unwanted { 1 } else { 2 });
        let (reference, digest) = (format!("target.example/app:{tag}"), Digest::sha256(tag.as_bytes()));
        let mut entry =
            TargetRecord::new("target", reference, digest.clone(), (Origin::Written, State::InSync), before);
        entry.checked = Some(now);
        entry.unwanted_since = is_unwanted.then_some(before);
        records.put(Record {
            source: Some("source.example/app".into()),
            source_digest: Some(digest),
            first_seen: Some(before),
            targets: vec![entry],
            ..Record::new("app", Some(tag.clone()))
        });
        tags.push(tag.parse::<Tag>().expect("these are tags"));
    }
    let listings: Listings =
        wanted.listings().into_iter().map(|repository| (repository, Listed::Tags(tags.clone()))).collect();
    middle(runs, || {
        let start = Instant::now();
        let plan = pruned(&wanted, &listings, &records, now);
        let time = start.elapsed().as_secs_f64();
        let deleted = plan.pruning.with(&Verdict::Delete).count();
        // Three of the versions that nothing wants would stay, if they were the highest.
        assert_eq!(deleted, RECORDS / 10);
        time
    })
}

fn pruned(wanted: &Wanted, listings: &Listings, records: &Records, now: Timestamp) -> Plan {
    let selection = select(wanted, listings, records, now);
    let mut ownership = Ownership::default();
    ownership.claim_selected(wanted, &selection, records);
    let mut observed = Observed::default();
    loop {
        let questions = selection.questions(records, &observed);
        if questions.is_empty() {
            break;
        }
        observed.extend(shown(questions));
    }
    let mut plan = decide(wanted, &selection, records, &observed, &ownership, now);
    let (mut wants, in_use) = (Wants::default(), InUse::default());
    wants.add(wanted, records, Some(&selection));
    let around = Surroundings {
        wanted,
        selection: Some(&selection),
        records,
        wants: &wants,
        in_use: Some(&in_use),
        approved: None,
        now,
    };
    observed.extend(shown(plan.prune_questions(&around, &observed)));
    plan.prune(&around, &observed);
    plan
}

/// Each tag shows the digest that its name stands for.
fn shown(questions: Questions) -> Observed {
    let seen =
        |tag: Option<&Tag>| Seen::Digest(Digest::sha256(tag.map(Tag::as_str).unwrap_or_default().as_bytes()));
    let mut answers = Observed::default();
    let sources = questions.sources.into_iter();
    answers.sources.extend(sources.map(|reference| (reference.clone(), seen(reference.tag.as_ref()))));
    let targets = questions.targets.into_iter();
    answers.targets.extend(targets.map(|(target, reference)| {
        let seen = seen(reference.tag.as_ref());
        ((target, reference), seen)
    }));
    answers
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
