//! What an account has at hand: its credential, and the tokens that it got for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::FutureExt as _;

use super::{
    Flight, Scopes,
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

/// All that want the same token wait for one answer.
type Fetching = Arc<Flight<Result<Token, Arc<Cause>>>>;

/// An account's credential and tokens.
#[derive(Default)]
pub(crate) struct Wallet {
    tokens: Mutex<HashMap<Scopes, Token>>,
    fetching: Mutex<HashMap<Scopes, Fetching>>,
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
        if let Some(token) = self.here(scopes) {
            return Ok(token);
        }
        let host = redact::host(&realm.url);
        let fetching = self.fetching(scopes);
        let fetched = fetching.join(|| {
            let (transport, scopes) = (transport.clone(), scopes.clone());
            async move {
                let wallet = &transport.ledger.wallet;
                // It may have come since it was not here.
                if let Some(token) = wallet.here(&scopes) {
                    return Ok(token);
                }
                let token = token::fetch(&transport, &credential, &realm, service.as_deref(), scopes.clone());
                let token = token.await.map_err(Arc::new)?;
                wallet.tokens().insert(scopes, token.clone());
                Ok(token)
            }
            .boxed()
        });
        fetched.await.map_err(|source| Cause::Token { realm: host, source })
    }

    /// A token that covers `scopes`, and that will for a while.
    fn here(&self, scopes: &Scopes) -> Option<Token> {
        let mut tokens = self.tokens();
        tokens.retain(|_, token| token.is_fresh());
        tokens.values().find(|token| token.scopes().cover(scopes)).cloned()
    }

    fn fetching(&self, scopes: &Scopes) -> Fetching {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(fetching.entry(scopes.clone()).or_default())
    }

    /// The registry did not take this token.
    pub(super) fn forget(&self, token: &Token) {
        self.tokens().retain(|_, here| !here.is(token));
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

    fn tokens(&self) -> MutexGuard<'_, HashMap<Scopes, Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
