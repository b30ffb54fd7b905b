//! The layer that decides where a request may go: redirects are followed here, and addresses checked.

mod address;
mod resolve;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{
    HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, LOCATION},
};
use tokio::time::{Instant, timeout_at};
use url::Url;

pub(crate) use self::{
    address::Reach,
    resolve::{REFUSAL, Resolver},
};
use super::{
    Request, Response, Transport,
    request::{Body, Sent},
    timing::REDIRECTS,
};
use crate::registry::{error::Cause, redact};

/// What the client's error says when TLS does not come about.
const TLS: [&str; 4] =
    ["invalid peer certificate", "corrupt message", "received fatal alert", "peer is incompatible"];

/// An address that a registry named, and from where it did: what is named from the Internet must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) url: Url,
    pub(crate) by: Reach,
}

impl Named {
    /// An address that is in `response`; behind a proxy nobody knows where that is, so it counts as the Internet.
    pub(crate) fn in_response(mut url: Url, response: &Response) -> Self {
        // What is not there cannot end up in a log. Where this cannot be done there is no host either.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let by = response.peer().map_or(Some(Reach::Public), |peer| Reach::of(peer.ip()));
        Self { url, by: by.unwrap_or(Reach::Site) }
    }
}

/// Sends a request, and follows where the answer points.
///
/// `authorization` goes to the host of `home`, and to no other: the request's own URL may be one that the registry
/// named, an upload's session or a next page. Answers of other hosts are foreign.
///
/// # Errors
///
/// [`Cause::Unsafe`] and [`Cause::Redirects`] for where it must not go; what keeps an answer from coming.
pub(super) async fn send(
    transport: &Transport,
    request: &mut Request,
    home: &Url,
    authorization: Option<HeaderValue>,
) -> Result<Response, Cause> {
    let home = home.origin();
    let method = request.method.clone();
    let mut next =
        request.named.clone().unwrap_or_else(|| Named { url: request.url.clone(), by: Reach::Public });
    next.url.clone_from(&request.url);
    for _ in 0..=REDIRECTS {
        let client = transport.endpoint.client_for(&next)?;
        let mut hop = reqwest::Request::new(method.clone(), next.url.clone());
        *hop.headers_mut() = request.headers.clone();
        if let Some(authorization) = authorization.as_ref().filter(|_| next.url.origin() == home) {
            hop.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let (body, sent) = request.body.take();
        if method != Method::GET && method != Method::HEAD && body.as_bytes().is_some_and(<[u8]>::is_empty) {
            // The client leaves it out, and some servers then answer 411.
            hop.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        *hop.body_mut() = Some(body);
        transport.ledger.traffic.request();
        let response = execute(&client, hop, sent, transport.timing.answer(request.weight)).await?;
        let mut response = Response::new(response, next.url.origin() != home, transport.timing.idle);
        response.is_proxied = transport.endpoint.is_proxied(&next.url);
        let Some(target) = target(&response, &method).filter(|_| request.body.is_replayable()) else {
            return Ok(response);
        };
        if !response.is_foreign {
            // Whatever becomes of the other host, this one is there.
            transport.ledger.budget.answered();
        }
        if matches!(request.body, Body::Secret(_)) && target.origin() != home {
            let why = "an identity token goes to the token server, and to no other host";
            return Err(Cause::Unsafe { url: redact::url(&target), why });
        }
        next = Named::in_response(target, &response);
        response.finish().await;
    }
    Err(Cause::Redirects { limit: REDIRECTS, url: redact::url(&next.url) })
}

/// Where an answer redirects to, if it is a redirect that this method follows.
fn target(response: &Response, method: &Method) -> Option<Url> {
    let is_read = *method == Method::GET || *method == Method::HEAD;
    let is_followed = match response.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => is_read,
        _ => false,
    };
    let location = response.header(&LOCATION).filter(|_| is_followed)?;
    response.url().join(location).ok()
}

async fn execute(
    client: &reqwest::Client,
    hop: reqwest::Request,
    sent: Option<Sent>,
    patience: Duration,
) -> Result<reqwest::Response, Cause> {
    let host = redact::host(hop.url());
    let mut answer = std::pin::pin!(client.execute(hop));
    let mut until = Instant::now() + patience;
    loop {
        match timeout_at(until, &mut answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => {
                let source = sent.as_ref().and_then(Sent::error);
                return Err(source.map_or_else(|| unreachable(host, &error), Cause::Body));
            }
            Err(_) => {}
        }
        // As long as bytes are on their way, whoever sends them knows whether they move; the wait begins after the last.
        let now = Instant::now();
        until = match &sent {
            Some(sent) => sent.ended().unwrap_or(now) + patience,
            None => now,
        };
        if until <= now {
            return Err(Cause::Silent { host, awaited: "answer", after: patience });
        }
    }
}

fn unreachable(host: String, error: &reqwest::Error) -> Cause {
    if let Some(why) = resolve::refusal(error) {
        return Cause::Unsafe { url: host, why };
    }
    let reason = redact::reason(error);
    // The client says it in words only: a certificate, or bytes that are no TLS at all.
    if TLS.iter().any(|words| reason.contains(words)) {
        return Cause::Untrusted { host, reason };
    }
    Cause::Unreachable { host, reason }
}
