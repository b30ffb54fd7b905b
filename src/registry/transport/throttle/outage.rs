//! A registry that does not answer: after one request found that out in all its tries, those that wait need not.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::registry::{error::Cause, transport::Timing};

/// Whether the registry answers.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answered: Option<Instant>,
    over: Option<(Instant, String)>,
}

impl Outage {
    /// It answered, whatever it said.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        *state = State { answered: Some(Instant::now()), over: None };
    }

    /// All tries of a request that began at `began` came to nothing. If it answered others meanwhile, that is this
    /// request's trouble alone.
    pub(super) fn found(&self, began: Instant, cause: &Cause, timing: &Timing) {
        let mut state = self.state();
        if cause.is_silence() && state.answered.is_none_or(|answered| answered < began) {
            state.over = Some((Instant::now() + timing.outage_rest, cause.to_string()));
        }
    }

    /// # Errors
    ///
    /// [`Cause::Down`] if it was found not to answer a moment ago.
    pub(super) fn check(&self, registry: &str) -> Result<(), Cause> {
        match &self.state().over {
            Some((until, reason)) if *until > Instant::now() => {
                Err(Cause::Down { registry: registry.to_owned(), reason: reason.clone() })
            }
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No change under the lock can stop half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn silent() -> Cause {
        Cause::Silent { host: "r".to_owned(), awaited: "answer", after: Duration::from_mins(1) }
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_for_a_registry_that_does_not_answer_fail_at_once_for_a_while() {
        let (outage, timing) = (Outage::default(), Timing::default());
        let began = Instant::now();
        assert!(outage.check("r").is_ok());
        outage.found(began, &silent(), &timing);
        let error = outage.check("r").unwrap_err();
        assert!(error.to_string().contains("sent no answer for 60 s"), "{error}");
        advance(timing.outage_rest).await;
        assert!(outage.check("r").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_answers_others_is_not_down() {
        let (outage, timing) = (Outage::default(), Timing::default());
        let began = Instant::now();
        advance(Duration::from_secs(1)).await;
        outage.answered();
        outage.found(began, &silent(), &timing);
        assert!(outage.check("r").is_ok());
        outage.found(Instant::now() + Duration::from_secs(1), &silent(), &timing);
        assert!(outage.check("r").is_err());
        outage.answered();
        assert!(outage.check("r").is_ok());
    }
}
