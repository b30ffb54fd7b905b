//! Reads how long a registry wants to be left alone: `Retry-After` and `RateLimit-*`.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use jiff::{Timestamp, fmt::rfc2822};

/// A number of seconds above this is a Unix time: some send one in `RateLimit-Reset`.
const EPOCH: u64 = 1_000_000_000;

/// How long a registry wants no requests, if an answer says so.
pub(in crate::registry::transport) fn wait(
    status: StatusCode,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Duration> {
    let is_refusal = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
    if is_refusal && let Some(wait) = retry_after(headers, now) {
        return Some(wait);
    }
    // Docker Hub counts pulls only, and says how many remain without saying until when: other requests go on.
    if is_refusal || remaining(headers) == Some(0) { reset(headers, now) } else { None }
}

/// How long a registry takes on average to allow one more request, if it says so: `100;w=21600`.
pub(super) fn pace(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("ratelimit-limit")?.to_str().ok()?;
    let (limit, parameters) = text.split_once(';')?;
    let window = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("w="))?;
    let limit: u32 = limit.trim().parse().ok()?;
    let window: u32 = window.trim().parse().ok()?;
    Duration::from_secs(window.into()).checked_div(limit)
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(delta(seconds, now)),
        Err(_) => rfc2822::DateTimeParser::new()
            .relaxed_weekday(true)
            .parse_timestamp(text)
            .ok()
            .map(|at| until(at, now)),
    }
}

fn remaining(headers: &HeaderMap) -> Option<u64> {
    number(headers, "ratelimit-remaining")
}

fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    number(headers, "ratelimit-reset").map(|seconds| delta(seconds, now))
}

/// The number at the beginning of a header such as `98;w=21600`.
fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?;
    text.split([';', ',']).next()?.trim().parse().ok()
}

fn delta(seconds: u64, now: Timestamp) -> Duration {
    if seconds < EPOCH {
        return Duration::from_secs(seconds);
    }
    let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.map_or(Duration::ZERO, |at| until(at, now))
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    // A moment that has passed is no wait.
    at.duration_since(now).try_into().unwrap_or_default()
}
