//! The gate before a registry: closed for everybody while the registry wants no requests.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use tokio::time::{Instant, sleep_until};

use crate::registry::error::Cause;

/// The longest that a gate is closed: nobody can tell what a header that says more would mean.
const LONGEST: Duration = Duration::from_hours(24);
/// The longest that it is closed where the registry does not say for how long.
const LONGEST_UNNAMED: Duration = Duration::from_mins(15);

/// When a gate opens, those who waited go through within this time.
const SPREAD: Duration = Duration::from_millis(250);

/// Closed until a moment, or open.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    until: Option<Instant>,
    /// When it was last closed without a time that the registry named.
    closed_at: Option<Instant>,
    /// How many times in a row that happened.
    strikes: u32,
}

impl Gate {
    /// Waits while the gate is closed.
    ///
    /// # Errors
    ///
    /// [`Cause::RateLimited`] at once if that takes longer than `longest`.
    pub(super) async fn pass(&self, registry: &str, longest: Duration) -> Result<(), Cause> {
        // It may be closed again while we wait.
        while let Some(until) = self.closed_until() {
            if until.saturating_duration_since(Instant::now()) > longest {
                return Err(limited(registry, until));
            }
            // Those who waited together do not come back together.
            sleep_until(until + SPREAD.mul_f64(fastrand::f64())).await;
        }
        Ok(())
    }

    /// Closes the gate for as long as the registry named.
    pub(super) fn close(&self, wait: Duration) {
        let mut state = self.state();
        let until = Instant::now() + wait.min(LONGEST);
        state.until = Some(state.until.map_or(until, |at| at.max(until)));
    }

    /// Closes the gate after a refusal that names no time, for twice as long as the last time. Requests that were on
    /// their way when it was last closed say nothing new.
    pub(super) fn close_unnamed(&self, began: Instant, first: Duration) {
        let mut state = self.state();
        if state.closed_at.is_some_and(|closed| began <= closed) {
            return;
        }
        let wait = (first * 2_u32.saturating_pow(state.strikes.min(16))).min(LONGEST_UNNAMED);
        let now = Instant::now();
        state.strikes += 1;
        state.closed_at = Some(now);
        state.until = Some(state.until.map_or(now + wait, |at| at.max(now + wait)));
    }

    /// A request that began after the last refusal was answered well.
    pub(super) fn relax(&self, began: Instant) {
        let mut state = self.state();
        if state.closed_at.is_none_or(|closed| began > closed) {
            state.strikes = 0;
        }
    }

    /// The error for what was refused: until the gate opens, or for `least`.
    pub(super) fn limited(&self, registry: &str, least: Duration) -> Cause {
        limited(registry, self.closed_until().unwrap_or_else(|| Instant::now() + least))
    }

    fn closed_until(&self) -> Option<Instant> {
        let now = Instant::now();
        self.state().until.filter(|until| *until > now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No change under the lock can stop half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error for what a host refuses until then.
pub(in crate::registry::transport) fn limited(registry: &str, until: Instant) -> Cause {
    let wait = until.saturating_duration_since(Instant::now());
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX).saturating_add(1);
    let until =
        Timestamp::now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    // Not a moment too early.
    let up = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil);
    Cause::RateLimited { registry: registry.to_owned(), until: until.round(up).unwrap_or(until) }
}
