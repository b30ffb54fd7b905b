//! A source and a target with one image between them, and rules for the wires to them.

#![allow(unreachable_pub, reason = "the other modules of the test binary use it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode, header::CONTENT_LENGTH, request::Parts};
use tokio::time::timeout;

use crate::{
    command::Desk,
    testbed::{
        images::{Blob, Image},
        proxy::Verdict,
        registry::{Options, Registry},
    },
};

/// Long enough for a busy machine; a test that passes never waits for it.
const PATIENCE: Duration = Duration::from_mins(2);

/// A source with one image of two platforms, and an empty target.
pub struct Pair {
    pub source: Registry,
    pub target: Registry,
    pub image: Image,
}

impl Pair {
    pub async fn start() -> Self {
        Self::with(Registry::v3(), Registry::v3()).await
    }

    pub async fn with(source: Options, target: Options) -> Self {
        let (source, target) = tokio::join!(source.start(), target.start());
        let image = Image::multi(1, &["linux/amd64", "linux/arm64"], &[300_000, 3_000]);
        source.push("team/app", "v1", &image).await;
        Self { source, target, image }
    }

    pub fn desk(source: &str, target: &str) -> Desk {
        Desk::new(&format!(
            "images:\n- name: app\n  source: {source}/team/app:v1\ntargets:\n- name: copy\n  repository: {target}/{{path}}"
        ))
    }

    /// One of the two layers that are sent in a stream; the other blobs are small.
    pub fn large(&self) -> &Blob {
        self.image.all_blobs().into_iter().find(|blob| blob.size > 200_000).unwrap()
    }

    /// A config.
    pub fn small(&self) -> &Blob {
        self.image.children[0].blobs.first().unwrap()
    }

    pub async fn assert_copied(&self) {
        assert_eq!(self.target.digest("team/app", "v1").await.as_ref(), Some(self.image.digest()));
        self.target.complete("team/app", "v1").await;
    }

    pub async fn assert_nothing_published(&self) {
        assert_eq!(self.target.digest("team/app", "v1").await, None);
    }
}

/// An answer in the registry's place.
pub fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Verdict {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Verdict::Answer(StatusCode::from_u16(status).unwrap(), headers, Bytes::copy_from_slice(body.as_bytes()))
}

/// Answers the first request that `step` is about with `verdict`, and lets the rest pass. The number is how many
/// requests there were that `step` is about.
pub fn once(
    step: impl Fn(&Parts) -> bool + Send + Sync + 'static,
    verdict: impl Fn() -> Verdict + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, impl Fn(&Parts) -> Verdict + Send + Sync + 'static) {
    let met = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&met);
    let rule = move |request: &Parts| {
        if step(request) && count.fetch_add(1, Ordering::SeqCst) == 0 { verdict() } else { Verdict::Pass }
    };
    (met, rule)
}

pub fn is(method: Method, part: &str) -> impl Fn(&Parts) -> bool + Send + Sync + Clone + 'static {
    let part = part.to_owned();
    move |request| request.method == method && request.uri.path().contains(&part)
}

/// The request that sends this blob whole, of which there is no other of the same size that is sent before.
pub fn sends(blob: &Blob) -> impl Fn(&Parts) -> bool + Send + Sync + Clone + 'static {
    let (hex, size) = (blob.digest.hex().to_owned(), blob.size.to_string());
    move |request| {
        request.method == Method::PUT
            && request.uri.query().is_some_and(|query| query.ends_with(&hex))
            && request.headers.get(CONTENT_LENGTH).is_some_and(|length| *length == *size)
    }
}

/// Returns when `condition` holds: for what shows only by asking again and again.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

/// What is done in time; a test that passes never waits for the end of the time.
pub async fn soon<F: Future>(what: &str, work: F) -> F::Output {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("it never came to this: {what}"))
}
