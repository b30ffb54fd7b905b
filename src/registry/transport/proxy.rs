//! The proxies of this process: what the environment says about them, read once, for all who must agree on it.

use std::{collections::HashSet, env};

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

/// No proxy can reach this machine as we do.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

/// Which proxy is called instead of which hosts.
pub(crate) struct Proxies {
    http: String,
    https: String,
    /// What `NO_PROXY` says, and this machine.
    direct: String,
    matcher: Matcher,
}

impl Proxies {
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case.
    pub(crate) fn from_env() -> Self {
        // In a CGI program a client's header `Proxy` would be read as `HTTP_PROXY`.
        if env::var_os("REQUEST_METHOD").is_some() {
            return Self::new("", "", "");
        }
        let read = |name: &str| env::var(name).or_else(|_| env::var(name.to_lowercase())).unwrap_or_default();
        let or_all = |text: String| if text.is_empty() { read("ALL_PROXY") } else { text };
        Self::new(&or_all(read("HTTP_PROXY")), &or_all(read("HTTPS_PROXY")), &read("NO_PROXY"))
    }

    /// A text that is empty is no proxy.
    pub(crate) fn new(http: &str, https: &str, direct: &str) -> Self {
        let direct = format!("{direct},{THIS_MACHINE}");
        let matcher =
            Matcher::builder().http(http.to_owned()).https(https.to_owned()).no(direct.clone()).build();
        Self { http: http.to_owned(), https: https.to_owned(), direct, matcher }
    }

    /// Whether a proxy is called for this address.
    pub(super) fn serve(&self, url: &Url) -> bool {
        url.as_str().parse::<Uri>().is_ok_and(|uri| self.matcher.intercept(&uri).is_some())
    }

    /// Makes a client use them, and no others.
    pub(super) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let direct = NoProxy::from_string(&self.direct);
        // What is no address, as nothing is, is no proxy.
        let proxies = [Proxy::http(self.http.as_str()), Proxy::https(self.https.as_str())];
        proxies
            .into_iter()
            .flatten()
            .fold(builder.no_proxy(), |builder, proxy| builder.proxy(proxy.no_proxy(direct.clone())))
    }

    /// The proxies' own names.
    pub(super) fn hosts(&self) -> HashSet<String> {
        let parse = |text: &String| {
            let url =
                if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
            url.ok()?.host_str().map(str::to_owned)
        };
        [&self.http, &self.https].into_iter().filter_map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://registry.example/v2/", true)]
    #[case("http://10.1.2.3/", true)]
    #[case("http://direct.example/", false)]
    #[case("https://registry.example/v2/", false)]
    #[case("http://localhost:5000/v2/", false)]
    #[case("http://127.9.9.9:5000/v2/", false)]
    #[case("http://[::1]:5000/v2/", false)]
    fn this_machine_and_what_the_environment_names_are_called_without_one(
        #[case] url: &str,
        #[case] expected: bool,
    ) {
        let proxies = Proxies::new("proxy.example:3128", "", "direct.example");
        assert_eq!(proxies.serve(&url.parse().unwrap()), expected);
    }
}
