//! A token server (distribution's "token authentication"): real signatures, users with grants, and tokens that expire.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, body::Incoming};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::serve::Server;

/// What a token says about who it is for, and what the registry is told to expect.
pub const SERVICE: &str = "testbed";
/// Who a token says it is from.
pub const ISSUER: &str = "testbed-tokens";
/// The name of a token request without credentials.
pub const ANONYMOUS: &str = "";

/// The server.
pub struct TokenServer {
    server: Server,
    tokens: Tokens,
}

/// What signs the tokens. A clone is the same one.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

struct Shared {
    key: EcdsaKeyPair,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    users: BTreeMap<String, User>,
    requests: Vec<TokenRequest>,
    lifetime: Option<Duration>,
    issued_ago: Duration,
}

#[derive(Default)]
struct User {
    password: String,
    /// Repository or `prefix*`, and the actions allowed there.
    grants: Vec<(String, Vec<String>)>,
}

/// One request that the server has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// Who asked.
    pub user: String,
    /// What for: `repository:NAME:ACTIONS`, in the order in which they were asked for.
    pub scopes: Vec<String>,
    /// Whether it got a token.
    pub granted: bool,
}

impl TokenServer {
    /// A server that knows nobody; anonymous requests get tokens that allow nothing.
    pub async fn start() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key can be made");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).expect("it has just been made");
        let tokens = Tokens(Arc::new(Shared { key, state: Mutex::default() }));
        let answering = tokens.clone();
        let server = Server::start(move |request| {
            let tokens = answering.clone();
            async move { Ok(tokens.answer(request).await) }
        })
        .await;
        Self { server, tokens }
    }

    /// The address that a registry's challenge names.
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.server.address())
    }

    /// What signs the tokens.
    pub fn tokens(&self) -> Tokens {
        self.tokens.clone()
    }

    /// Makes a user known, or changes the password.
    pub fn user(&self, name: &str, password: &str) {
        self.tokens.state().users.entry(name.to_owned()).or_default().password = password.into();
    }

    /// Allows actions on a repository, or on all that begin with what stands before a final `*`.
    pub fn grant(&self, user: &str, repository: &str, actions: &[&str]) {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        self.tokens
            .state()
            .users
            .entry(user.to_owned())
            .or_default()
            .grants
            .push((repository.to_owned(), actions));
    }

    /// How long a token is good for, as it says itself: `expires_in`, 300 s if nothing is set, and the claim.
    pub fn lifetime(&self, lifetime: Duration) {
        self.tokens.state().lifetime = Some(lifetime);
    }

    /// Signs tokens as if that long ago, so that registries refuse them while `expires_in` says that they are good.
    /// Distribution allows a minute of difference between clocks.
    pub fn backdate(&self, ago: Duration) {
        self.tokens.state().issued_ago = ago;
    }

    /// What has been asked so far.
    pub fn requests(&self) -> Vec<TokenRequest> {
        self.tokens.state().requests.clone()
    }
}

impl Tokens {
    /// The key that a registry checks tokens with: a JSON Web Key Set.
    pub fn jwks(&self) -> String {
        let point = self.0.key.public_key().as_ref();
        // An uncompressed point: 4, x, y.
        let (x, y) = point[1..].split_at(32);
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": SERVICE,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]})
        .to_string()
    }

    /// A token for one repository, given without asking.
    pub fn mint(&self, repository: &str, actions: &[&str]) -> String {
        let access = json!([{"type": "repository", "name": repository, "actions": actions}]);
        self.sign("testbed", &access, Duration::from_mins(5), Duration::ZERO)
    }

    fn sign(&self, subject: &str, access: &Value, lifetime: Duration, ago: Duration) -> String {
        let now = (SystemTime::now() - ago).duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": SERVICE});
        let claims = json!({
            "iss": ISSUER, "aud": SERVICE, "sub": subject, "access": access,
            "iat": now.as_secs(), "nbf": now.as_secs(), "exp": (now + lifetime).as_secs(),
        });
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.0.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("the key signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics while it holds this")
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let mut query = pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let mut credentials = basic(&parts.headers);
        if parts.method == Method::POST {
            // The OAuth2 form of the same question.
            query = pairs(&body.collect().await.map(Collected::to_bytes).unwrap_or_default());
            let value =
                |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            credentials = value("username").zip(value("password"));
        }
        let asked = query.iter().filter(|(key, _)| key == "scope");
        let scopes: Vec<String> = asked
            .flat_map(|(_, value)| value.split(' '))
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect();

        let (user, password) = credentials.unwrap_or_default();
        let (access, lifetime, ago) = {
            let mut state = self.state();
            let known = state.users.get(&user);
            let granted = user == ANONYMOUS || known.is_some_and(|known| known.password == password);
            let access: Vec<Value> = scopes.iter().filter_map(|scope| allowed(known, scope)).collect();
            state.requests.push(TokenRequest { user: user.clone(), scopes, granted });
            if !granted {
                let error = json!({"errors": [{"code": "UNAUTHORIZED", "message": "unknown user or wrong password"}]});
                return reply(StatusCode::UNAUTHORIZED, &error);
            }
            (Value::from(access), state.lifetime.unwrap_or(Duration::from_mins(5)), state.issued_ago)
        };
        let token = self.sign(&user, &access, lifetime, ago);
        reply(
            StatusCode::OK,
            &json!({"token": token, "access_token": token, "expires_in": lifetime.as_secs()}),
        )
    }
}

/// The part of a scope that the user may have.
fn allowed(user: Option<&User>, scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let here = |grant: &str| match grant.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == grant,
    };
    let may = |action: &&str| {
        let mut grants = user.into_iter().flat_map(|user| &user.grants);
        grants.any(|(grant, actions)| here(grant) && actions.iter().any(|allowed| allowed == action))
    };
    let actions: Vec<&str> = actions.split(',').filter(may).collect();
    Some(json!({"type": kind, "name": name, "actions": actions}))
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers.get("authorization")?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn reply(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("these headers are valid")
}
