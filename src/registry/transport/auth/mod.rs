//! The layer that shows who we are.
//!
//! 1. Is it known how the registry wants its requests signed? With a credential, an unknown one is asked (`GET /v2/`),
//!    because some say 404 to strangers. Without a credential, the request itself asks.
//! 2. The request goes out, signed that way: with nothing, a password, or a token that covers its scopes.
//! 3. A 401 has a challenge. The token is thrown away, one is fetched for the challenge's scopes and ours, and the
//!    request goes out again, once.

mod challenge;
mod flight;
mod helped;
mod scope;
#[cfg(test)]
mod tests;
mod token;
mod wallet;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::FutureExt as _;
use http::{HeaderValue, Method, StatusCode};
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use self::{challenge::Challenge, token::Token};
pub(crate) use self::{challenge::Scheme, flight::Flight, scope::Scopes, wallet::Wallet};
use super::{Request, Response, Transport, guard};
use crate::registry::{error::Cause, keychain::Credential};

/// What is shown with a request.
#[derive(Default)]
struct Shown {
    header: Option<HeaderValue>,
    token: Option<Token>,
}

pub(super) async fn send(transport: &Transport, request: &mut Request) -> Result<Response, Cause> {
    let home = transport.endpoint.base()?;
    // Nothing is shown to other hosts, so nothing is fetched to be shown there.
    let is_home = request.url.origin() == home.origin();
    let shown = if is_home { show(transport, &request.scopes).await? } else { Shown::default() };
    let response = guard::send(transport, request, home, shown.header.clone()).await?;
    if response.status() != StatusCode::UNAUTHORIZED || response.is_foreign {
        if !request.body.is_replayable() && response.status().is_success() {
            transport.ledger.wallet.stream_taken(&request.scopes);
        }
        return Ok(response);
    }
    let Some(challenge) = challenge(&response) else {
        return Err(unauthorized(transport, response).await);
    };
    let scopes = request.scopes.clone().and(&challenge.scopes);
    transport.endpoint.learn(challenge.scheme);
    if let Some(token) = &shown.token {
        if challenge.is_insufficient && token.scopes().cover(&scopes) {
            // Another token for the same would be the same.
            return Err(unauthorized(transport, response).await);
        }
        transport.ledger.wallet.forget(token);
    }
    if !request.body.is_replayable() {
        // Another token may be taken, and what is not a token stays the same.
        let is_final = match &shown.token {
            Some(token) => transport.ledger.wallet.stream_refused(&request.scopes, token),
            None => shown.header.is_some(),
        };
        if is_final {
            return Err(unauthorized(transport, response).await);
        }
        return Err(Cause::Expired { registry: transport.registry().to_owned() });
    }
    let again = show(transport, &scopes).await?;
    if again.header.is_none() || (again.token.is_none() && again.header == shown.header) {
        return Err(unauthorized(transport, response).await);
    }
    response.finish().await;
    transport.pass().await?;
    let response = guard::send(transport, request, home, again.header).await?;
    if response.status() == StatusCode::UNAUTHORIZED && !response.is_foreign {
        if let Some(token) = &again.token {
            transport.ledger.wallet.forget(token);
        }
        return Err(unauthorized(transport, response).await);
    }
    Ok(response)
}

/// What the registry wants to be shown, as far as it is known.
async fn show(transport: &Transport, scopes: &Scopes) -> Result<Shown, Cause> {
    let credential = transport.ledger.wallet.credential(transport.account()).await?;
    if let Credential::Bearer { token } = &credential {
        return Ok(Shown { header: token::bearer(token), token: None });
    }
    if !credential.is_anonymous() && !transport.endpoint.is_known() {
        pinged(transport).await?;
    }
    match transport.endpoint.scheme() {
        None => Ok(Shown::default()),
        Some(Scheme::Basic) => Ok(Shown { header: basic(&credential), token: None }),
        Some(Scheme::Bearer { realm, service }) => {
            let token = transport.ledger.wallet.token(transport, credential, realm, service, scopes).await?;
            Ok(Shown { header: Some(token.header()), token: Some(token) })
        }
    }
}

/// Asks how requests have to be signed; whoever comes meanwhile gets the same answer, or the same failure.
async fn pinged(transport: &Transport) -> Result<(), Cause> {
    let asked = transport.endpoint.ping.join(|| {
        let transport = transport.clone();
        async move { ping(&transport).await.map_err(Arc::new) }.boxed()
    });
    asked.await.map_err(Cause::Shared)
}

async fn ping(transport: &Transport) -> Result<(), Cause> {
    let mut request = Request::new(Method::GET, transport.endpoint.url("")?, Scopes::default());
    let began = Instant::now();
    let response = guard::send(transport, &mut request, transport.endpoint.base()?, None).await?;
    let status = response.status();
    if response.is_foreign {
        // What another host wants is not what the registry wants, and its realm is nobody that the credential is for:
        // the request itself will tell.
        transport.endpoint.is_open();
        response.finish().await;
        return Ok(());
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        transport.observe(began, status, response.headers());
        return Err(transport.limited());
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        let host = response.host();
        return Err(Cause::Failed { host, answer: response.answer().await });
    }
    match challenge(&response).filter(|_| status == StatusCode::UNAUTHORIZED) {
        Some(challenge) => transport.endpoint.learn(challenge.scheme),
        None => transport.endpoint.is_open(),
    }
    response.finish().await;
    Ok(())
}

fn challenge(response: &Response) -> Option<Challenge> {
    Challenge::of(response.headers(), |realm| guard::Named::in_response(realm, response))
}

fn basic(credential: &Credential) -> Option<HeaderValue> {
    let Credential::Password { username, password } = credential else { return None };
    let pair = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
    let mut header = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

async fn unauthorized(transport: &Transport, response: Response) -> Cause {
    transport.ledger.wallet.doubt();
    Cause::Unauthorized {
        registry: transport.registry().to_owned(),
        who: transport.account.who(),
        answer: response.answer().await,
    }
}

/// Reads challenges as an answer's are read, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn read_challenges(headers: &http::HeaderMap) {
    let _ = Challenge::of(headers, |url| guard::Named { url, by: guard::Reach::Public });
}
