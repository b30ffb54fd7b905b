//! The layer that tries again: what can be sent again, and only where that may help.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::{Request, Response, Timing, Transport, auth};
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

/// Sends a request until it is answered, or it makes no sense to send it once more.
///
/// # Errors
///
/// What the lower layers say, [`Cause::RateLimited`] and [`Cause::Failed`]. Answers with other statuses are not
/// errors here.
pub(super) async fn send(transport: &Transport, request: &mut Request) -> Result<Response, Cause> {
    let mut bounds = bounds(&transport.timing, transport.tries);
    let began = Instant::now();
    loop {
        transport.pass().await?;
        let error = match attempt(transport, request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let Some(bound) = bounds.next().filter(|_| {
            is_worth(&error, request) && request.body.is_replayable() && began.elapsed() < transport.timing.tries
        }) else {
            return Err(error);
        };
        tracing::debug!(url = %redact::url(&request.url), %error, "trying again");
        // A limit is waited out at the gate, together with everybody else.
        if error.class() != Class::RateLimited {
            sleep(jitter(bound)).await;
        }
    }
}

async fn attempt(transport: &Transport, request: &mut Request) -> Result<Response, Cause> {
    let (budget, timing) = (&transport.ledger.budget, &transport.timing);
    let began = Instant::now();
    let response = match auth::send(transport, request).await {
        Ok(response) => response,
        Err(error) => {
            if error.is_silence() {
                budget.no_answer(request.lane, began);
            }
            return Err(error);
        }
    };
    let status = response.status();
    // Another host's limits are not this account's.
    if !response.is_foreign {
        budget.observe(request.lane, began, status, response.headers(), timing);
    }
    if response.is_foreign && !is_about_content(request, status) {
        return Err(Cause::Elsewhere { host: response.host(), status });
    }
    if !is_trouble(status) {
        return Ok(response);
    }
    let host = response.host();
    let answer = response.answer().await;
    if is_limit(&answer) {
        return Err(budget.limited(transport.registry(), timing));
    }
    Err(Cause::Failed { host, answer })
}

/// Whether another host's answer says something of what was asked for, and not only of the way there.
fn is_about_content(request: &Request, status: StatusCode) -> bool {
    match status {
        StatusCode::RANGE_NOT_SATISFIABLE => true,
        // There a signed address is refused, and not this account.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => false,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => false,
        // At an address that the registry named, an upload's session or a next page, its protocol is spoken.
        status if request.named.is_some() => status.is_success() || status.is_client_error(),
        status => status.is_success(),
    }
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
