use super::{
    fake::{Fake, refuse, reply},
    image, quicken, settings, tag,
};
use crate::{
    class::Class,
    registry::{Error, Keychain, Registries, Settings, message, transport::Proxies},
};

fn proxied_by(proxy: &Fake) -> Proxies {
    Proxies::new(&format!("http://{}", proxy.address), "", "")
}

fn challenge(realm: &str) -> super::fake::Reply {
    refuse(401, "UNAUTHORIZED").header("www-authenticate", format!(r#"Bearer realm="{realm}/token""#))
}

#[tokio::test]
async fn a_registry_on_this_machine_and_its_token_server_there_are_called_without_the_proxy() {
    let proxy = Fake::start(|_, _| reply(502)).await;
    let tokens = Fake::start(|_, _| reply(200).body(r#"{"token": "t"}"#)).await;
    let realm = format!("http://{}", tokens.address);
    let fake = Fake::start(move |asked, _| match asked.header("authorization") {
        None => challenge(&realm),
        Some(_) => reply(200).body(image()),
    })
    .await;
    let registries = Registries::behind(proxied_by(&proxy), settings()).unwrap();
    let repository = format!("{}/app", fake.address).parse().unwrap();
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    registries.open(&repository, &keychain).get_manifest(&tag("1")).await.unwrap();
    assert_eq!((tokens.asked().len(), proxy.asked().len()), (1, 0));
}

/// Reads a manifest of `registry.example`, which is behind the proxy and names a realm.
async fn read_behind(realm: &'static str) -> (Fake, Result<(), Error>) {
    let proxy = Fake::start(move |asked, _| match (asked.path.as_str(), asked.header("authorization")) {
        ("/token", _) => reply(200).body(r#"{"token": "t"}"#),
        (_, None) => challenge(realm),
        (_, Some(_)) => reply(200).body(image()),
    })
    .await;
    let text = "registries: [{host: registry.example, plainHttp: true}]";
    let mut settings = Settings::parse(text, "f".as_ref()).unwrap();
    quicken(&mut settings);
    let registries = Registries::behind(proxied_by(&proxy), settings).unwrap();
    let remote = registries.open(&"registry.example/app".parse().unwrap(), &Keychain::default());
    let read = remote.get_manifest(&tag("1")).await.map(drop);
    (proxy, read)
}

#[tokio::test]
async fn behind_a_proxy_a_registry_and_what_it_names_are_asked_through_it() {
    let (proxy, read) = read_behind("http://auth.example").await;
    read.unwrap();
    let hosts: Vec<_> = proxy.asked().iter().filter_map(|asked| asked.headers.get("host").cloned()).collect();
    assert_eq!(hosts, ["registry.example", "auth.example", "registry.example"]);
}

#[tokio::test]
async fn behind_a_proxy_no_registry_names_an_address_of_a_nearer_network() {
    // Nobody knows where a registry is that a proxy calls, so it counts as the Internet.
    for realm in ["http://127.0.0.1:1", "http://localhost:1", "http://10.0.0.1", "http://169.254.169.254"] {
        let (proxy, read) = read_behind(realm).await;
        let error = read.unwrap_err();
        assert_eq!(error.class(), Class::Forbidden, "{realm}: {}", message(&error));
        assert_eq!(proxy.asked().len(), 1);
    }
}
