//! The layer that tries again: what can be sent again, and only where that may help.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use http::{Method, StatusCode};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{Request, Response, Timing, Transport, auth, throttle};
use crate::{
    class::{Class, Retry},
    registry::{answer::Answer, error::Cause, redact},
};

/// The upper bounds of the waits between tries.
fn bounds(timing: &Timing, tries: usize) -> ExponentialBackoff {
    let builder =
        ExponentialBuilder::default().with_min_delay(timing.first_wait).with_max_delay(timing.most_wait);
    builder.with_factor(2.0).with_max_times(tries.saturating_sub(1)).build()
}

/// Full jitter: many who failed together do not come back together.
fn jitter(bound: Duration) -> Duration {
    bound.mul_f64(fastrand::f64())
}

/// A try that came to nothing.
struct Failure {
    cause: Box<Cause>,
    pause: Pause,
}

/// What is waited for before the next try.
enum Pause {
    /// Some time, as each failure in a row doubles it.
    Jitter,
    /// The gate: a limit is waited out there, together with everybody else.
    Gate,
    /// As long as a host wants that has no gate here.
    For(Duration),
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        // What another request met may be another account's limit, for which there is no gate here.
        let is_ours = cause.class() == Class::RateLimited && !matches!(cause, Cause::Shared(_));
        Self { cause: Box::new(cause), pause: if is_ours { Pause::Gate } else { Pause::Jitter } }
    }
}

/// Sends a request until it is answered, or it makes no sense to send it once more.
///
/// # Errors
///
/// What the lower layers say, [`Cause::RateLimited`] and [`Cause::Failed`]. Answers with other statuses are not
/// errors here.
pub(super) async fn send(transport: &Transport, request: &mut Request) -> Result<Response, Cause> {
    let mut bounds = bounds(&transport.timing, transport.tries);
    let began = Instant::now();
    let mut is_repeat = false;
    loop {
        transport.pass().await.map_err(|cause| unsure(request, is_repeat, cause))?;
        let Failure { cause, pause } = match attempt(transport, request).await {
            Ok(mut response) => {
                response.is_repeat = is_repeat;
                return Ok(response);
            }
            Err(failure) => failure,
        };
        is_repeat |= !cause.is_refusal();
        // A PATCH adds to an upload: sent again, it would add the same twice. What a DELETE was to delete may have become
        // something else while it was waited.
        let is_replayable =
            request.body.is_replayable() && !matches!(request.method, Method::PATCH | Method::DELETE);
        let is_too_long = matches!(pause, Pause::For(wait) if wait > transport.timing.longest_wait);
        let Some(bound) = bounds.next().filter(|_| {
            is_worth(&cause, request)
                && !is_too_long
                && is_replayable
                && began.elapsed() < transport.timing.tries
        }) else {
            return Err(unsure(request, is_repeat, *cause));
        };
        tracing::debug!(url = %redact::url(&request.url), error = %cause, "trying again");
        match pause {
            Pause::Gate => {}
            Pause::Jitter => sleep(jitter(bound)).await,
            Pause::For(wait) => sleep(wait + jitter(bound)).await,
        }
    }
}

/// A refusal of what was sent before says nothing of what became of the try before it.
fn unsure(request: &Request, is_repeat: bool, cause: Cause) -> Cause {
    let is_unsure = is_repeat && request.method == Method::PUT && cause.is_refusal();
    if is_unsure { Cause::Unsure(Arc::new(cause)) } else { cause }
}

async fn attempt(transport: &Transport, request: &mut Request) -> Result<Response, Failure> {
    let (budget, timing) = (&transport.ledger.budget, &transport.timing);
    let began = Instant::now();
    let response = match auth::send(transport, request).await {
        Ok(response) => response,
        Err(error) => {
            if error.is_silence() {
                budget.no_answer(request.lane, began);
            }
            return Err(error.into());
        }
    };
    if response.is_foreign {
        return elsewhere(transport, request, response);
    }
    let status = response.status();
    budget.observe(request.lane, began, status, response.headers(), timing);
    if !is_trouble(status) {
        return Ok(response);
    }
    let host = response.host();
    let answer = response.answer().await;
    if is_limit(&answer) {
        return Err(budget.limited(transport.registry(), timing).into());
    }
    Err(Cause::Failed { host, answer }.into())
}

/// What to make of another host's answer. Its limits are not this account's: who was sent there waits, and nobody else.
fn elsewhere(transport: &Transport, request: &Request, response: Response) -> Result<Response, Failure> {
    let (host, status) = (response.host(), response.status());
    if status == StatusCode::TOO_MANY_REQUESTS {
        let named = throttle::wait(status, response.headers(), Timestamp::now());
        let wait = named.unwrap_or(transport.timing.unnamed_wait);
        let cause = throttle::limited(&host, Instant::now() + wait);
        return Err(Failure { cause: Box::new(cause), pause: Pause::For(wait) });
    }
    if is_about_content(request, status) {
        return Ok(response);
    }
    Err(Cause::Elsewhere { host, status }.into())
}

/// Whether another host's answer says something of what was asked for, and not only of the way there.
fn is_about_content(request: &Request, status: StatusCode) -> bool {
    match status {
        StatusCode::RANGE_NOT_SATISFIABLE => true,
        // There a signed address is refused, and not this account.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::REQUEST_TIMEOUT => false,
        // Whoever asked looks whether the body is a registry's: without its words a 404 proves nothing.
        StatusCode::NOT_FOUND if is_kept_by_registries(&request.url) => true,
        // At an address that the registry named, an upload's session or a next page, its protocol is spoken.
        status if request.named.is_some() => status.is_success() || status.is_client_error(),
        status => status.is_success(),
    }
}

/// Manifests and lists of tags: where one registry redirects to another, as registry.k8s.io does, the other has them.
/// Blobs are also redirected to mere storage.
fn is_kept_by_registries(url: &Url) -> bool {
    matches!(url.path().rsplit('/').nth(1), Some("manifests" | "tags"))
}

fn is_trouble(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

fn is_limit(answer: &Answer) -> bool {
    answer.status == StatusCode::TOO_MANY_REQUESTS || answer.has(&["TOOMANYREQUESTS"])
}

/// Whether the same request can have another answer soon.
fn is_worth(error: &Cause, request: &Request) -> bool {
    match error {
        // Only whoever named the address can name another.
        Cause::Elsewhere { status, .. } if request.named.is_some() => !status.is_client_error(),
        Cause::Failed { answer, .. } => answer.status != StatusCode::NOT_IMPLEMENTED,
        // A certificate does not become valid by asking again.
        Cause::Protocol { .. } | Cause::Untrusted { .. } => false,
        Cause::Token { source, .. } | Cause::Shared(source) => is_worth(source, request),
        error => matches!(error.class().retry(), Retry::Transient | Retry::Deferred),
    }
}
