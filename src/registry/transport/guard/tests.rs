use std::{net::IpAddr, sync::Arc};

use http::{HeaderValue, Method};
use rstest::rstest;

use super::{Named, Reach};
use crate::registry::{
    account::Account,
    error::Cause,
    keychain::Credential,
    referrers::Memory,
    settings::Settings,
    tests::{
        fake::{Fake, reply},
        settings,
    },
    transport::{Budget, Clients, Endpoint, Ledger, Proxies, Request, Scopes, Transport, Wallet},
};

/// A way to a registry that nobody calls.
fn transport(registry: &str, settings: Settings) -> Transport {
    let timing = settings.timing;
    let settings = Arc::new(settings);
    let clients = Arc::new(Clients::new(Arc::clone(&settings), Proxies::new("", "", "")).unwrap());
    let endpoint = Arc::new(Endpoint::new(registry, &settings, clients));
    let (budget, wallet) = (Budget::new(None), Wallet::default());
    let (traffic, referrers) = (Arc::default(), Memory::default());
    let abilities = crate::registry::delete::Abilities::default();
    let ledger = Arc::new(Ledger { budget, wallet, traffic, abilities, referrers });
    Transport::new(endpoint, Account::new(registry, Credential::Anonymous), ledger, timing, 1)
}

/// Calls an address that a registry named.
async fn call(transport: &Transport, url: &str, by: Reach) -> Result<u16, Cause> {
    let named = Named { url: url.parse().unwrap(), by };
    let mut request = Request::to(Method::GET, named, Scopes::default());
    let secret = Some(HeaderValue::from_static("Bearer secret"));
    super::send(transport, &mut request, transport.endpoint.base()?, secret)
        .await
        .map(|response| response.status().as_u16())
}

#[tokio::test]
async fn the_internet_may_not_name_this_machine_by_number_or_by_name() {
    let fake = Fake::start(|_, _| reply(200)).await;
    let port = fake.address.port();
    // A plain registry, so that the scheme is not what is refused.
    let transport = transport("registry.example", plain("registry.example"));
    for host in ["127.0.0.1", "localhost", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{port}/token");
        let error = call(&transport, &url, Reach::Public).await.unwrap_err();
        assert!(matches!(error, Cause::Unsafe { .. }), "{host}: {error:?}");
    }
    assert!(fake.asked().is_empty());
    let here = format!("http://127.0.0.1:{port}/token");
    assert_eq!(call(&transport, &here, Reach::Loopback).await.unwrap(), 200);
}

#[tokio::test]
async fn an_address_that_the_administrator_listed_may_be_named() {
    let fake = Fake::start(|_, _| reply(200)).await;
    let host = fake.address.to_string();
    let text = format!(
        "registries: [{{host: '{host}', plainHttp: true}}, {{host: registry.example, plainHttp: true}}]"
    );
    let transport = transport("registry.example", Settings::parse(&text, "f".as_ref()).unwrap());
    assert_eq!(call(&transport, &format!("http://{host}/token"), Reach::Public).await.unwrap(), 200);
}

#[tokio::test]
async fn nothing_leads_from_tls_to_plain_http() {
    let transport = transport("registry.example", settings());
    for url in ["http://registry.example/v2/", "http://other.example/"] {
        let error = call(&transport, url, Reach::Public).await.unwrap_err();
        assert!(error.to_string().contains("without TLS"), "{error}");
    }
}

fn plain(registry: &str) -> Settings {
    let text = format!("registries: [{{host: {registry}, plainHttp: true}}]");
    Settings::parse(&text, "f".as_ref()).unwrap()
}

#[rstest]
#[case("8.8.8.8", Some(Reach::Public))]
#[case("2001:4860:4860::8888", Some(Reach::Public))]
#[case("172.32.0.1", Some(Reach::Public))]
#[case("10.1.2.3", Some(Reach::Site))]
#[case("172.16.0.1", Some(Reach::Site))]
#[case("192.168.1.1", Some(Reach::Site))]
#[case("100.64.0.1", Some(Reach::Site))]
#[case("198.18.0.1", Some(Reach::Site))]
#[case("fd12::1", Some(Reach::Site))]
#[case("::ffff:10.0.0.1", Some(Reach::Site))]
#[case("64:ff9b::a00:1", Some(Reach::Site))]
#[case("2002:a00:1::", Some(Reach::Site))]
#[case("::10.0.0.1", Some(Reach::Site))]
#[case("::8.8.8.8", Some(Reach::Public))]
#[case("fec0::1", Some(Reach::Site))]
#[case("feff::1", Some(Reach::Site))]
#[case("64:ff9b:1::a00:1", Some(Reach::Site))]
#[case("127.9.9.9", Some(Reach::Loopback))]
#[case("::1", Some(Reach::Loopback))]
#[case("::ffff:127.0.0.1", Some(Reach::Loopback))]
#[case("::127.0.0.1", Some(Reach::Loopback))]
#[case("169.254.169.254", None)]
#[case("::ffff:169.254.169.254", None)]
#[case("fe80::1", None)]
#[case("::169.254.169.254", None)]
#[case("fd00:ec2::254", None)]
#[case("100.100.100.200", None)]
#[case("168.63.129.16", None)]
#[case("0.0.0.0", None)]
#[case("::", None)]
#[case("224.0.0.1", None)]
#[case("255.255.255.255", None)]
#[case("ff02::1", None)]
fn an_address_is_where_it_is(#[case] address: IpAddr, #[case] expected: Option<Reach>) {
    assert_eq!(Reach::of(address), expected);
}

#[test]
fn who_is_further_away_may_not_name_who_is_nearer() {
    let (public, site, here) =
        ("8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap());
    assert!(Reach::Public.may_name(public) && !Reach::Public.may_name(site) && !Reach::Public.may_name(here));
    assert!(Reach::Site.may_name(public) && Reach::Site.may_name(site) && !Reach::Site.may_name(here));
    assert!(
        Reach::Loopback.may_name(public) && Reach::Loopback.may_name(site) && Reach::Loopback.may_name(here)
    );
}
