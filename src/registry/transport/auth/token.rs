//! Tokens: asked of the token server, kept until shortly before they expire.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;
use url::form_urlencoded;

use super::{Scopes, basic};
use crate::registry::{
    error::Cause,
    keychain::Credential,
    transport::{
        Request, Response, Transport,
        guard::{self, Named},
    },
};

/// What a token without `expires_in` lasts (distribution, "Token Authentication Specification").
const DEFAULT_LIFE: Duration = Duration::from_mins(1);
/// A token is renewed so long before its end, so that it does not end on the way.
const MARGIN: Duration = Duration::from_secs(10);
/// The largest answer that a token server may give, in bytes.
const LARGEST: u64 = 1024 * 1024;
/// What this program is called at a token server.
const CLIENT: &str = "imagesync";

/// A token, and what it allows. A clone costs a counter.
#[derive(Clone)]
pub(super) struct Token(Arc<Inner>);

struct Inner {
    header: HeaderValue,
    scopes: Scopes,
    renew: Instant,
}

#[derive(Deserialize)]
struct Granted {
    #[serde(default, deserialize_with = "secret")]
    token: Option<SecretString>,
    #[serde(default, deserialize_with = "secret")]
    access_token: Option<SecretString>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    issued_at: Option<String>,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Option::<String>::deserialize(from).map(|text| text.map(SecretString::from))
}

impl Token {
    pub(super) fn header(&self) -> HeaderValue {
        self.0.header.clone()
    }

    pub(super) fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.0.renew
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Asks the token server for a token.
///
/// # Errors
///
/// All that keeps us from one. A registry is never asked without the token that it wanted.
pub(super) async fn fetch(
    transport: &Transport,
    credential: &Credential,
    realm: &Named,
    service: Option<&str>,
    scopes: Scopes,
) -> Result<Token, Cause> {
    let asked = Instant::now();
    let mut request = match credential {
        Credential::Identity { token } => exchange(realm, service, &scopes, token),
        credential => get(realm, service, &scopes, credential),
    };
    let authorization = request.headers.remove(AUTHORIZATION);
    let response = guard::send(transport, &mut request, &realm.url, authorization).await?;
    let (status, host) = (response.status(), response.host());
    if !status.is_success() {
        return Err(refused(transport, response, asked).await);
    }
    if response.is_web_page() {
        return Err(Cause::WebPage { host });
    }
    let body = response.bytes("token", LARGEST).await?;
    let protocol = |detail: &str| Cause::Protocol { host: host.clone(), detail: detail.to_owned() };
    let granted: Granted =
        serde_json::from_slice(&body).map_err(|_| protocol("what the token server answers is not JSON"))?;
    let life = life(&granted, Timestamp::now());
    let given = |token: Option<SecretString>| token.filter(|token| !token.expose_secret().is_empty());
    let token = given(granted.token).or_else(|| given(granted.access_token));
    let token = token.ok_or_else(|| protocol("the token server's answer has no token"))?;
    let header = bearer(&token).ok_or_else(|| protocol("the token cannot be sent in a header"))?;
    Ok(Token(Arc::new(Inner { header, scopes, renew: asked + use_for(life) })))
}

/// How much of its life a token is used. One that ends at once is good for the request that it was asked for.
pub(super) fn use_for(life: Duration) -> Duration {
    life.saturating_sub(MARGIN.min(life / 4))
}

pub(super) fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn get(realm: &Named, service: Option<&str>, scopes: &Scopes, credential: &Credential) -> Request {
    let mut url = realm.url.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        for scope in scopes.texts() {
            query.append_pair("scope", &scope);
        }
        if let Credential::Password { username, .. } = credential {
            query.append_pair("account", username);
        }
    }
    let request = Request::to(Method::GET, Named { url, by: realm.by }, Scopes::default());
    match basic(credential) {
        Some(header) => request.header(AUTHORIZATION, header),
        None => request,
    }
}

/// OAuth2 (distribution, "Docker Registry v2 Bearer token specification", POST).
fn exchange(realm: &Named, service: Option<&str>, scopes: &Scopes, token: &SecretString) -> Request {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("client_id", CLIENT);
    if let Some(service) = service {
        form.append_pair("service", service);
    }
    form.append_pair("scope", &scopes.to_string()).append_pair("refresh_token", token.expose_secret());
    Request::to(Method::POST, realm.clone(), Scopes::default())
        .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .secret(Bytes::from(form.finish()))
}

/// How much of a token's life is left. Clocks that disagree are not believed.
fn life(granted: &Granted, now: Timestamp) -> Duration {
    let seconds = match &granted.expires_in {
        Some(serde_json::Value::Number(number)) => number.as_u64(),
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let life = seconds.map_or(DEFAULT_LIFE, |seconds| Duration::from_secs(seconds.min(7 * 24 * 3600)));
    let issued: Option<Timestamp> = granted.issued_at.as_ref().and_then(|text| text.parse().ok());
    let age = issued.and_then(|issued| Duration::try_from(now.duration_since(issued)).ok());
    age.and_then(|age| life.checked_sub(age)).filter(|left| !left.is_zero()).unwrap_or(life)
}

async fn refused(transport: &Transport, response: Response, asked: Instant) -> Cause {
    let (status, host) = (response.status(), response.host());
    let (registry, who) = (transport.registry().to_owned(), transport.account.who());
    let headers = response.headers().clone();
    let answer = response.answer().await;
    match status {
        StatusCode::UNAUTHORIZED => Cause::Unauthorized { registry, who, answer },
        StatusCode::FORBIDDEN => Cause::Forbidden { registry, who, answer },
        StatusCode::TOO_MANY_REQUESTS => {
            transport.observe(asked, status, &headers);
            transport.limited()
        }
        // OAuth2 says so when the refresh token is of no use any more.
        StatusCode::BAD_REQUEST if answer.text.contains("invalid_grant") => {
            Cause::Unauthorized { registry, who, answer }
        }
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Cause::Failed { host, answer }
        }
        // It says nothing about what the token was wanted for.
        StatusCode::NOT_FOUND => Cause::Unproven { answer },
        _ => Cause::Refused { answer },
    }
}
