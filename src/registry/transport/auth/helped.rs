//! What a credential helper said, and how long that counts.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::flight::Flight;
use crate::registry::keychain::Credential;

/// What a helper gave is used for so long before it is asked again; ECR's lasts twelve hours, others' one.
const LIFE: Duration = Duration::from_mins(15);
/// A registry that refuses what a helper gave no longer ago than this would refuse what it gave now.
const YOUTH: Duration = Duration::from_mins(1);
/// A helper that failed is not run again so soon.
const REST: Duration = Duration::from_secs(10);

/// A credential, or what went wrong.
type Said = Result<Credential, String>;

/// What an account's helper said last.
#[derive(Default)]
pub(super) struct Helped {
    asking: Flight<Said>,
    last: Mutex<Option<(Said, Instant)>>,
}

impl Helped {
    /// What the helper gives; `ask` runs it where that is not known, for all who want to know at the time.
    pub(super) async fn get(&self, ask: impl FnOnce() -> BoxFuture<'static, Said>) -> Said {
        if let Some((said, at)) = self.last().as_ref()
            && at.elapsed() < if said.is_ok() { LIFE } else { REST }
        {
            return said.clone();
        }
        let said = self.asking.join(ask).await;
        *self.last() = Some((said.clone(), Instant::now()));
        said
    }

    /// The registry did not take what it gave.
    pub(super) fn doubt(&self) {
        self.last().take_if(|(said, at)| said.is_ok() && at.elapsed() >= YOUTH);
    }

    fn last(&self) -> MutexGuard<'_, Option<(Said, Instant)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use futures::{FutureExt as _, future::join_all};
    use tokio::time::{advance, sleep};

    use super::*;

    /// A helper that takes two seconds and is counted.
    async fn get(helped: &Helped, runs: &Cell<u32>, says: Said) -> Said {
        let ask = || {
            runs.set(runs.get() + 1);
            async move {
                sleep(Duration::from_secs(2)).await;
                says
            }
            .boxed()
        };
        helped.get(ask).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_everybodys_and_counts_for_a_while() {
        let (helped, runs) = (Helped::default(), Cell::new(0));
        let failure = || Err("locked".to_owned());
        let said = join_all((0..8).map(|_| get(&helped, &runs, failure()))).await;
        assert!(said.iter().all(|said| *said == failure()));
        assert_eq!(get(&helped, &runs, failure()).await, failure());
        assert_eq!(runs.get(), 1);
        advance(REST).await;
        assert!(get(&helped, &runs, Ok(Credential::Anonymous)).await.is_ok());
        assert_eq!(runs.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_gave_is_used_until_it_is_old_or_is_refused_and_not_new() {
        let (helped, runs) = (Helped::default(), Cell::new(0));
        let again = async || {
            get(&helped, &runs, Ok(Credential::Anonymous)).await.unwrap();
            runs.get()
        };
        assert_eq!((again().await, again().await), (1, 1));
        helped.doubt();
        assert_eq!(again().await, 1);
        advance(YOUTH).await;
        assert_eq!(again().await, 1);
        helped.doubt();
        assert_eq!(again().await, 2);
        advance(LIFE).await;
        assert_eq!(again().await, 3);
    }
}
