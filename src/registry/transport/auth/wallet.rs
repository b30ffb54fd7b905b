//! What an account has at hand: its credential, and the tokens that it got for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

use super::{
    Scopes,
    token::{self, Token},
};
use crate::registry::{
    account::Account,
    error::Cause,
    keychain::{Credential, ask},
    redact,
    transport::{Transport, guard::Named},
};

/// What a helper gave is used for so long before it is asked again; ECR's lasts twelve hours, others' one.
const HELPED: Duration = Duration::from_mins(15);

type Fetching = Shared<BoxFuture<'static, Result<Token, Arc<Cause>>>>;

enum Slot {
    Here(Token),
    /// All that want the same token wait for one answer.
    Asked(Fetching),
}

/// An account's credential and tokens.
#[derive(Default)]
pub(crate) struct Wallet {
    tokens: Mutex<HashMap<Scopes, Slot>>,
    helped: tokio::sync::Mutex<()>,
    helper: Mutex<Option<(Credential, Instant)>>,
}

impl Wallet {
    /// The account's credential; a helper is asked for it, by one at a time.
    pub(super) async fn credential(&self, account: &Account) -> Result<Credential, Cause> {
        let Credential::Helper { name, server } = account.credential() else {
            return Ok(account.credential().clone());
        };
        if let Some(credential) = self.helped_by() {
            return Ok(credential);
        }
        let _turn = self.helped.lock().await;
        if let Some(credential) = self.helped_by() {
            return Ok(credential);
        }
        let credential = ask(name, server).await.map_err(|detail| Cause::Helper {
            helper: name.clone(),
            registry: account.registry().to_owned(),
            detail,
        })?;
        *self.helper.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((credential.clone(), Instant::now() + HELPED));
        Ok(credential)
    }

    fn helped_by(&self) -> Option<Credential> {
        let helper = self.helper.lock().unwrap_or_else(PoisonError::into_inner);
        helper.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(credential, _)| credential.clone())
    }

    /// The registry did not take what was shown: a helper is asked anew next time.
    pub(super) fn doubt(&self) {
        *self.helper.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A token that covers `scopes`: one that is here, or one that somebody waits for, or a new one.
    pub(super) async fn token(
        &self,
        transport: &Transport,
        credential: Credential,
        realm: Named,
        service: Option<String>,
        scopes: &Scopes,
    ) -> Result<Token, Cause> {
        let host = redact::host(&realm.url);
        let fetching = {
            let mut tokens = self.tokens();
            tokens.retain(|_, slot| !matches!(slot, Slot::Here(token) if !token.is_fresh()));
            let here = tokens.values().find_map(|slot| match slot {
                Slot::Here(token) if token.scopes().cover(scopes) => Some(token.clone()),
                _ => None,
            });
            if let Some(token) = here {
                return Ok(token);
            }
            if let Some(Slot::Asked(fetching)) = tokens.get(scopes) {
                fetching.clone()
            } else {
                let (transport, wanted) = (transport.clone(), scopes.clone());
                let fetching = async move {
                    let token = token::fetch(&transport, &credential, &realm, service.as_deref(), wanted);
                    token.await.map_err(Arc::new)
                };
                let fetching = fetching.boxed().shared();
                tokens.insert(scopes.clone(), Slot::Asked(fetching.clone()));
                fetching
            }
        };
        let result = fetching.clone().await;
        let mut tokens = self.tokens();
        if matches!(tokens.get(scopes), Some(Slot::Asked(asked)) if asked.ptr_eq(&fetching)) {
            match &result {
                Ok(token) => tokens.insert(scopes.clone(), Slot::Here(token.clone())),
                Err(_) => tokens.remove(scopes),
            };
        }
        drop(tokens);
        result.map_err(|source| Cause::Token { realm: host, source })
    }

    /// The registry did not take this token.
    pub(super) fn forget(&self, token: &Token) {
        self.tokens().retain(|_, slot| !matches!(slot, Slot::Here(here) if here.is(token)));
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<Scopes, Slot>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
