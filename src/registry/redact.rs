//! URLs as they may be shown: signed ones carry secrets in their query.

use url::Url;

/// Query parameters of registries and token servers that say nothing secret.
const SHOWN: [&str; 8] = ["digest", "mount", "from", "n", "last", "service", "scope", "account"];

/// A URL without user, password and fragment, and without the values of query parameters that may be secret.
pub(crate) fn url(url: &Url) -> String {
    let mut text = format!("{}://{}{}", url.scheme(), host(url), url.path());
    for (index, (name, value)) in url.query_pairs().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(&name);
        text.push('=');
        text.push_str(if SHOWN.contains(&name.as_ref()) { &value } else { "…" });
    }
    text
}

/// The innermost reason of the HTTP client's error, which has no URL: what is around it says that a request failed.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut reason = String::from("the request failed");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reason = error.to_string();
        cause = error.source();
    }
    reason
}

/// A URL's host, with its port where it is not the usual one.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
