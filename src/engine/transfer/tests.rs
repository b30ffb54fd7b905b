//! What moves, and what does not, against registries that do what a test tells them.

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, future::join_all, stream};

use super::*;
use crate::{
    class::Class,
    engine::wants::{Answers, PATIENCE},
    registry::tests::{
        self as registry, blob,
        fake::{Asked, Fake, Reply, hang_up, mute, refuse, reply},
    },
};

fn open(fake: &Fake) -> Store {
    registry::open(fake).into()
}

fn open_path(fake: &Fake, path: &str) -> Store {
    registry::open_path(fake, path).into()
}

fn open_one_at_a_time(fake: &Fake) -> Store {
    registry::open_one_at_a_time(fake).into()
}

const LARGE: usize = 200_000;

fn content() -> Vec<u8> {
    (0..LARGE).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

async fn source() -> Fake {
    let content = content();
    Fake::start(move |_, _| reply(200).body(&content)).await
}

/// Takes every upload, and says of blobs and mounts what `says` does.
fn taking(says: impl Fn(&Asked) -> Option<Reply>) -> impl Fn(&Asked, usize) -> Reply {
    move |asked, _| {
        says(asked).unwrap_or_else(|| match asked.method.as_str() {
            "HEAD" => reply(404),
            "POST" => reply(202).header("location", "/up/1"),
            "PUT" => reply(201),
            _ => reply(204),
        })
    }
}

/// Brings the large blob to the targets, and returns each one's answer.
async fn ensure(
    transfers: &Transfers,
    source: &Fake,
    targets: &[Store],
    trust: Trust,
) -> Vec<Result<(), Error>> {
    let (blob, source) = (blob(&content()), open(source));
    let errand = Errand { blob: &blob, source: &source, trust };
    let (wants, answers): (Vec<_>, Vec<_>) = targets.iter().map(Want::new).unzip();
    let (answers, ()) =
        tokio::join!(join_all(answers.into_iter().map(Answers::all)), transfers.ensure(errand, wants));
    answers
}

fn transfers() -> Transfers {
    Transfers::new(Progress::silent())
}

fn puts(fake: &Fake) -> usize {
    fake.asked().iter().filter(|asked| asked.method == "PUT").count()
}

#[tokio::test]
async fn a_blob_is_read_once_for_all_targets() {
    let source = source().await;
    let targets = [Fake::start(taking(|_| None)).await, Fake::start(taking(|_| None)).await];
    let remotes: Vec<Store> = targets.iter().map(open).collect();
    let answers = ensure(&transfers(), &source, &remotes, Trust::Answers).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(source.asked().len(), 1);
    for target in &targets {
        assert_eq!(target.asked().last().unwrap().body, content());
    }
}

#[tokio::test]
async fn a_target_is_served_while_another_one_says_nothing() {
    let source = source().await;
    for silent_at in ["HEAD", "POST", "PUT"] {
        let silent = Fake::start(taking(move |asked| (asked.method == silent_at).then(mute))).await;
        let target = Fake::start(taking(|_| None)).await;
        let (transfers, blob) = (transfers(), blob(&content()));
        let (source, silent, remote) = (open(&source), open(&silent), open(&target));
        let errand = Errand { blob: &blob, source: &source, trust: Trust::Answers };
        let ((want, answers), (waiting, other)) = (Want::new(&remote), Want::new(&silent));
        let other = other.all();
        tokio::pin!(other);
        let served = async { tokio::join!(transfers.ensure(errand, vec![want, waiting]), answers.all()).1 };
        tokio::select! {
            served = served => served.unwrap(),
            answer = &mut other => panic!("the silent one answered first at {silent_at}: {answer:?}"),
        }
        assert_eq!(target.asked().last().unwrap().body, content(), "{silent_at}");
        assert!(other.now_or_never().is_none(), "{silent_at}");
    }
}

#[tokio::test]
async fn a_large_blob_that_is_there_is_not_sent_although_the_registry_does_not_mount() {
    let source = source().await;
    let there =
        Fake::start(taking(|asked| (asked.method == "HEAD").then(|| reply(200).length(LARGE as u64)))).await;
    let (transfers, target) = (transfers(), open(&there));
    // It is known to be in another repository of the registry, from where it is not mounted.
    transfers.known.seen(&blob(&content()).digest, &open_path(&there, "other"));
    ensure(&transfers, &source, &[target], Trust::Answers).await.remove(0).unwrap();
    assert_eq!((puts(&there), source.asked().len()), (0, 0));
    let lines = there.lines();
    assert_eq!(lines.last().unwrap(), "DELETE /up/1", "the session is given back: {lines:?}");
}

#[tokio::test]
async fn a_registry_that_never_mounts_is_not_asked_to_for_ever() {
    let source = source().await;
    let target = Fake::start(taking(|_| None)).await;
    let transfers = transfers();
    for n in 0..6 {
        let remote = open_path(&target, &format!("app{n}"));
        ensure(&transfers, &source, &[remote], Trust::Answers).await.remove(0).unwrap();
    }
    let mounts = target.asked().iter().filter(|asked| asked.query.contains_key("mount")).count();
    assert_eq!((mounts, puts(&target)), (3, 6));
}

#[tokio::test]
async fn without_trust_only_what_was_sent_since_counts() {
    let source = source().await;
    let liar = Fake::start(taking(|asked| match asked.method.as_str() {
        "HEAD" => Some(reply(200).length(LARGE as u64)),
        _ => None,
    }))
    .await;
    let (transfers, remotes) = (transfers(), [open(&liar)]);
    ensure(&transfers, &source, &remotes, Trust::Answers).await.remove(0).unwrap();
    assert_eq!(puts(&liar), 0);
    for _ in 0..2 {
        ensure(&transfers, &source, &remotes, Trust::Nothing).await.remove(0).unwrap();
        assert_eq!(puts(&liar), 1);
    }
}

#[tokio::test]
async fn a_blob_that_waits_apart_in_the_middle_of_a_request_holds_up_no_other_for_ever() {
    let blobs: Vec<Vec<u8>> = (0..30_u8).map(|n| vec![n; 100]).collect();
    let source = Fake::start({
        let blobs = blobs.clone();
        move |asked, _| {
            let named = blobs.iter().find(|bytes| asked.path.ends_with(blob(bytes).digest.as_str()));
            reply(200).body(named.unwrap())
        }
    })
    .await;
    // The first blob is there, so that the ninth is looked at a moment later than the eight whose turn takes too long: it
    // is let go last, when it stands in the line before the registry, which is asked for one thing at a time.
    let other = taking(|_| None);
    let target = Fake::start(move |asked, before| match before {
        0 => reply(201),
        1 => other(asked, before).after(PATIENCE + Duration::from_millis(60)),
        _ => other(asked, before),
    })
    .await;
    let (transfers, source, remote) = (transfers(), open(&source), open_one_at_a_time(&target));
    let blobs: Vec<Blob> = blobs.iter().map(|bytes| blob(bytes)).collect();
    let (want, answers) = Want::new(&remote);
    let ensured = async {
        let want = want;
        let errands = blobs.iter().map(|blob| Errand { blob, source: &source, trust: Trust::Answers });
        let works = errands.map(|errand| transfers.ensure(errand, vec![want.clone()]));
        stream::iter(works).buffer_unordered(8).collect::<()>().await;
    };
    let ended = async { tokio::join!(ensured, answers.all()).1 };
    tokio::time::timeout(Duration::from_mins(1), ended).await.expect("they wait for each other").unwrap();
    assert_eq!(puts(&target), 29);
}

#[tokio::test]
async fn one_target_that_refuses_fails_alone() {
    let source = source().await;
    let refusing = Fake::start(taking(|asked| (asked.method == "PUT").then(|| refuse(403, "DENIED")))).await;
    let target = Fake::start(taking(|_| None)).await;
    let remotes = [open(&refusing), open(&target)];
    let mut answers = ensure(&transfers(), &source, &remotes, Trust::Answers).await;
    assert!(answers.pop().unwrap().is_ok());
    assert_eq!(answers.pop().unwrap().unwrap_err().class(), Class::Forbidden);
}

#[tokio::test]
async fn a_registry_that_takes_no_rest_of_a_blob_gets_all_of_it_again() {
    let source = source().await;
    let others = taking(|_| None);
    let target = Fake::start(move |asked, before| match asked.method.as_str() {
        "PUT" if asked.body.len() < LARGE => hang_up(),
        "PUT" if before < 4 => hang_up(),
        "GET" => reply(204).header("location", "/up/1").header("range", "0-99999"),
        "PATCH" => refuse(405, "UNSUPPORTED"),
        _ => others(asked, before),
    })
    .await;
    let mut answers = ensure(&transfers(), &source, &[open(&target)], Trust::Answers).await;
    answers.pop().unwrap().unwrap();
    assert!(target.lines().iter().any(|line| line.starts_with("PATCH")), "{:#?}", target.lines());
    assert_eq!(target.asked().iter().rfind(|asked| asked.method == "PUT").unwrap().body.len(), LARGE);
}
