//! What an account has at hand: its credential, and the tokens that it got for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};

use super::{
    Scopes,
    helped::Helped,
    token::{self, Token},
};
use crate::registry::{
    account::Account,
    error::Cause,
    keychain::{Credential, ask},
    redact,
    transport::{Transport, guard::Named},
};

type Fetching = BoxFuture<'static, Result<Token, Arc<Cause>>>;

enum Slot {
    Here(Token),
    /// All that want the same token wait for one answer; if none of them does any more, nobody asks.
    Asked(WeakShared<Fetching>),
}

/// An account's credential and tokens.
#[derive(Default)]
pub(crate) struct Wallet {
    tokens: Mutex<HashMap<Scopes, Slot>>,
    /// With which token a stream was last refused, by what it wanted, as long as none was taken since.
    refused: Mutex<HashMap<Scopes, Token>>,
    helped: Helped,
}

impl Wallet {
    /// The account's credential; a helper is asked for it, by one at a time.
    pub(super) async fn credential(&self, account: &Account) -> Result<Credential, Cause> {
        let Credential::Helper { name, server } = account.credential() else {
            return Ok(account.credential().clone());
        };
        let asked = self.helped.get(|| {
            let (name, server) = (name.clone(), server.clone());
            async move { ask(&name, &server).await }.boxed()
        });
        asked.await.map_err(|detail| Cause::Helper {
            helper: name.clone(),
            registry: account.registry().to_owned(),
            detail,
        })
    }

    /// The registry did not take what was shown.
    pub(super) fn doubt(&self) {
        self.helped.doubt();
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
            if let Some(fetching) = asked(&tokens, scopes) {
                fetching
            } else {
                let (transport, wanted) = (transport.clone(), scopes.clone());
                let fetching = async move {
                    let token = token::fetch(&transport, &credential, &realm, service.as_deref(), wanted);
                    token.await.map_err(Arc::new)
                };
                let fetching = fetching.boxed().shared();
                tokens.extend(fetching.downgrade().map(|asked| (scopes.clone(), Slot::Asked(asked))));
                fetching
            }
        };
        let result = fetching.clone().await;
        let mut tokens = self.tokens();
        if asked(&tokens, scopes).is_some_and(|asked| asked.ptr_eq(&fetching)) {
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

    /// A body that cannot be sent again was refused with this token. Says whether that happened with another one before.
    pub(super) fn stream_refused(&self, scopes: &Scopes, token: &Token) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let before = refused.insert(scopes.clone(), token.clone());
        before.is_some_and(|before| !before.is(token))
    }

    /// A body that cannot be sent again was taken.
    pub(super) fn stream_taken(&self, scopes: &Scopes) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(scopes);
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<Scopes, Slot>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is being asked for.
fn asked(tokens: &HashMap<Scopes, Slot>, scopes: &Scopes) -> Option<Shared<Fetching>> {
    match tokens.get(scopes) {
        Some(Slot::Asked(fetching)) => fetching.upgrade(),
        _ => None,
    }
}
