use std::{
    future::Future as _,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use proptest::prelude::*;
use rstest::rstest;
use tokio::time::{Instant, advance};

use super::{
    Budget, Gate, Lane, headers,
    lane::{Lanes, Permit},
};
use crate::{
    class::Class,
    registry::{settings::Settings, transport::Timing},
};

fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    pairs.collect()
}

fn wait(status: u16, pairs: &[(&'static str, &str)]) -> Option<u64> {
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    headers::wait(StatusCode::from_u16(status).unwrap(), &map(pairs), now).map(|wait| wait.as_secs())
}

#[rstest]
#[case(429, &[("retry-after", "7")], Some(7))]
#[case(503, &[("retry-after", "7")], Some(7))]
#[case(429, &[("retry-after", "Tue, 24 Nov 2026 12:01:00 GMT")], Some(60))]
#[case(429, &[("retry-after", "Tue, 24 Nov 2026 11:00:00 GMT")], Some(0))]
#[case(429, &[("retry-after", "soon"), ("ratelimit-reset", "9")], Some(9))]
#[case(429, &[("ratelimit-reset", "1795521630")], Some(30))]
#[case(429, &[], None)]
#[case(200, &[("ratelimit-remaining", "0;w=60"), ("ratelimit-reset", "9")], Some(9))]
#[case(200, &[("ratelimit-remaining", "1;w=60"), ("ratelimit-reset", "9")], None)]
#[case(200, &[("ratelimit-remaining", "0;w=21600"), ("ratelimit-limit", "100;w=21600")], None)]
#[case(200, &[("retry-after", "7")], None)]
fn a_registry_says_how_long(
    #[case] status: u16,
    #[case] pairs: &[(&'static str, &str)],
    #[case] expected: Option<u64>,
) {
    assert_eq!(wait(status, pairs), expected);
}

#[test]
fn a_window_says_how_fast() {
    let pace = |text| headers::pace(&map(&[("ratelimit-limit", text)]));
    assert_eq!(pace("100;w=21600"), Some(Duration::from_secs(216)));
    assert_eq!(pace("0;w=21600"), None);
    assert_eq!(pace("100"), None);
}

proptest! {
    #[test]
    fn no_header_makes_the_reader_panic(text in "[ -~]{0,40}") {
        for name in ["retry-after", "ratelimit-reset", "ratelimit-remaining", "ratelimit-limit"] {
            let headers = map(&[(name, &text), ("ratelimit-remaining", "0")]);
            let _ = headers::wait(StatusCode::TOO_MANY_REQUESTS, &headers, Timestamp::now());
            let _ = headers::pace(&headers);
        }
    }
}

const LONGEST: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_short_limit_is_waited_out() {
    let gate = Gate::default();
    gate.close(Duration::from_secs(20));
    let began = Instant::now();
    gate.pass("r", LONGEST).await.unwrap();
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(20) && waited < Duration::from_secs(21), "{waited:?}");
    gate.pass("r", LONGEST).await.unwrap();
    assert_eq!(began.elapsed(), waited);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_over_by_our_clock_is_obeyed_all_the_same() {
    let budget = Budget::new(None);
    for retry_after in ["0", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        advance(Duration::from_mins(1)).await;
        let (began, timing) = (Instant::now(), Timing::default());
        let headers = map(&[("retry-after", retry_after)]);
        budget.observe(Lane::Small, began, StatusCode::TOO_MANY_REQUESTS, &headers, &timing);
        budget.pass("r", &timing).await.unwrap();
        assert!(began.elapsed() >= timing.unnamed_wait, "{retry_after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_limit_is_an_error_at_once() {
    let gate = Gate::default();
    gate.close(Duration::from_secs(31));
    let began = Instant::now();
    let error = gate.pass("r", LONGEST).await.unwrap_err();
    assert_eq!(error.class(), Class::RateLimited);
    assert!(error.until().is_some());
    assert!(began.elapsed().is_zero());
    // A shorter limit afterwards does not shorten it.
    gate.close(Duration::from_secs(1));
    assert!(gate.pass("r", LONGEST).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn refusals_without_a_time_double_the_wait_and_those_on_their_way_count_once() {
    let gate = Gate::default();
    let first = Duration::from_secs(2);
    let mut waits = Vec::new();
    for _ in 0..4 {
        advance(Duration::from_millis(1)).await;
        let began = Instant::now();
        gate.close_unnamed(began, first);
        gate.close_unnamed(began, first);
        gate.pass("r", LONGEST).await.unwrap();
        waits.push(began.elapsed().as_secs());
    }
    assert_eq!(waits, [2, 4, 8, 16]);
    advance(Duration::from_millis(1)).await;
    gate.relax(Instant::now());
    let began = Instant::now();
    gate.close_unnamed(began, first);
    gate.pass("r", LONGEST).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 2);
}

/// A permit, if there is one now.
fn now(lanes: &Lanes, lane: Lane) -> Option<Permit> {
    let acquired = pin!(lanes.acquire(lane));
    match acquired.poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(permit) => Some(permit),
        std::task::Poll::Pending => None,
    }
}

fn all(lanes: &Lanes, lane: Lane) -> Vec<Permit> {
    std::iter::from_fn(|| now(lanes, lane)).collect()
}

#[tokio::test]
async fn small_requests_never_wait_for_blobs() {
    let lanes = Lanes::new(32);
    let reads = all(&lanes, Lane::Read);
    let writes = all(&lanes, Lane::Write);
    assert_eq!((reads.len(), writes.len()), (8, 8));
    assert_eq!(all(&lanes, Lane::Small).len(), 32);
    assert!(all(&Lanes::new(1), Lane::Read).len() == 1);
}

#[tokio::test(start_paused = true)]
async fn trouble_halves_what_is_on_its_way_and_good_answers_bring_it_back_one_by_one() {
    let lanes = Lanes::new(8);
    let held = all(&lanes, Lane::Small);
    let began = Instant::now();
    advance(Duration::from_millis(1)).await;
    lanes.less(Lane::Small, began);
    // What was on its way at that time says nothing new.
    lanes.less(Lane::Small, began);
    drop(held);
    assert_eq!(all(&lanes, Lane::Small).len(), 4);
    for _ in 0..4 {
        lanes.more(Lane::Small);
    }
    assert_eq!(all(&lanes, Lane::Small).len(), 5);
    for _ in 0..5 {
        advance(Duration::from_millis(1)).await;
        lanes.less(Lane::Small, Instant::now());
    }
    assert_eq!(all(&lanes, Lane::Small).len(), 1);
    for _ in 0..1_000 {
        lanes.more(Lane::Small);
    }
    assert_eq!(all(&lanes, Lane::Small).len(), 8);
}

#[tokio::test(start_paused = true)]
async fn requests_in_a_second_are_limited() {
    let text = "registries: [{host: r.example, requestsPerSecond: 10}]";
    let settings = Settings::parse(text, "f".as_ref()).unwrap();
    let budget = Budget::new(settings.host("r.example"));
    let began = Instant::now();
    for _ in 0..25 {
        budget.pass("r.example", &Timing::default()).await.unwrap();
    }
    // Ten at once, and then one every tenth of a second.
    assert_eq!(began.elapsed().as_millis() / 100, 15);
}
