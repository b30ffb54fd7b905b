//! The layer of good manners: one budget for all that one account does, whoever asked for it.

mod gate;
mod headers;
mod lane;
mod outage;
#[cfg(test)]
mod tests;

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

pub(crate) use self::{
    gate::Gate,
    lane::{Lane, Permit},
};
pub(super) use self::{gate::limited, headers::wait};
use super::{Request, Response, Timing, Transport, retry};
use crate::registry::{error::Cause, settings::HostSettings};

/// What an account may do at the same time and in a second.
pub(crate) struct Budget {
    lanes: lane::Lanes,
    rate: Option<RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>>,
    gate: Gate,
    outage: outage::Outage,
}

impl Budget {
    pub(crate) fn new(settings: Option<&HostSettings>) -> Self {
        let rate = settings.and_then(|host| host.requests_per_second).map(|per_second: NonZeroU32| {
            RateLimiter::direct_with_clock(Quota::per_second(per_second), TokioClock(Instant::now()))
        });
        Self {
            lanes: lane::Lanes::new(HostSettings::concurrency(settings)),
            rate,
            gate: Gate::default(),
            outage: outage::Outage::default(),
        }
    }

    /// Waits until a request may be sent: each try asks, the first and the others.
    pub(super) async fn pass(&self, registry: &str, timing: &Timing) -> Result<(), Cause> {
        self.gate.pass(registry, timing.longest_wait).await?;
        if let Some(rate) = &self.rate {
            while let Err(not_until) = rate.check() {
                tokio::time::sleep(not_until.wait_time_from(rate.clock().now())).await;
            }
        }
        Ok(())
    }

    /// Learns from an answer to what was sent at `began`.
    pub(super) fn observe(
        &self,
        lane: Lane,
        began: Instant,
        status: StatusCode,
        headers: &HeaderMap,
        timing: &Timing,
    ) {
        self.outage.answered();
        let now = jiff::Timestamp::now();
        let is_limit = status == StatusCode::TOO_MANY_REQUESTS;
        // No time at all, or one that has passed by our clock, is as good as none.
        match headers::wait(status, headers, now).filter(|wait| !wait.is_zero()) {
            Some(wait) => self.gate.close(wait),
            None if is_limit => {
                let pace = headers::pace(headers).unwrap_or_default();
                self.gate.close_unnamed(began, pace.max(timing.unnamed_wait));
            }
            None if status.is_success() => self.gate.relax(began),
            None => {}
        }
        if is_limit || status == StatusCode::SERVICE_UNAVAILABLE {
            self.lanes.less(lane, began);
        } else if status.is_success() {
            self.lanes.more(lane);
        }
    }

    /// The registry answered, if only to say where else the answer is.
    pub(super) fn answered(&self) {
        self.outage.answered();
    }

    /// Learns that nothing came of what was sent at `began`.
    pub(super) fn no_answer(&self, lane: Lane, began: Instant) {
        self.lanes.less(lane, began);
    }

    /// A 429, or what means the same.
    pub(super) fn limited(&self, registry: &str, timing: &Timing) -> Cause {
        self.gate.limited(registry, timing.unnamed_wait)
    }
}

pub(super) async fn send(transport: &Transport, request: &mut Request) -> Result<Response, Cause> {
    let budget = &transport.ledger.budget;
    let permit = budget.lanes.acquire(request.lane).await;
    budget.outage.check(transport.registry())?;
    let began = Instant::now();
    match retry::send(transport, request).await {
        Ok(mut response) => {
            response.permit = Some(permit);
            Ok(response)
        }
        Err(cause) => {
            // A body that comes by once had one try, and what another host does says nothing about this one.
            if request.body.is_replayable() && request.named.is_none() {
                budget.outage.found(began, &cause, &transport.timing);
            }
            Err(cause)
        }
    }
}

/// Tokio's clock, which tests can pause.
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
