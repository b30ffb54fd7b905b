use std::path::Path;

use rstest::rstest;

use crate::{class::Class, registry::Settings};

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(text, Path::new("registries.yaml")).map_err(|error| {
        assert_eq!(error.class(), Class::InvalidSpec);
        error.to_string()
    })
}

#[test]
fn the_file_says_of_each_host_what_is_different() {
    let settings = parse(
        "registries:\n- host: docker.io\n  mirrors: [mirror.corp.example]\n  concurrency: 8\n  requestsPerSecond: 20\n\
         - host: registry.corp.example\n  caFile: /etc/imagesync/corp-ca.pem\n\
         - host: 123456789012.dkr.ecr.eu-west-1.amazonaws.com\n  credentialHelper: {name: ecr-login, namespaces: [platform]}\n",
    )
    .unwrap();
    let hub = settings.host("index.docker.io").unwrap();
    assert_eq!((hub.mirrors.as_slice(), hub.plain_http), (&["mirror.corp.example".to_owned()][..], false));
    let helper =
        settings.host("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap().credential_helper.clone();
    assert_eq!(helper.unwrap().namespaces, ["platform"]);
    assert!(settings.host("other.example").is_none());
}

#[test]
fn an_empty_file_says_nothing() {
    for text in ["", "\n", "registries: []", "{}", "# nothing yet\n"] {
        assert!(parse(text).is_ok(), "{text:?}");
    }
}

#[rstest]
#[case("registries:\n- host: a.example\n  plainHTTP: true\n", "line 3")]
#[case("registry: []\n", "registry")]
#[case("registries:\n- host: a.example\n  concurrency: 0\n", "line 3")]
#[case("registries:\n- host: a.example\n- host: A.example\n", "listed twice")]
#[case("registries:\n- host: docker.io\n- host: index.docker.io\n", "listed twice")]
#[case("registries: [{host: 'https://a.example'}]", "no scheme")]
#[case("registries: [{host: a.example/path}]", "no scheme or path")]
#[case("registries: [{host: a.example, mirrors: ['https://m.example']}]", "mirrors")]
#[case("registries: [{host: a.example, mirrors: [mirror]}]", "mirrors")]
#[case("registries: [{host: a.example, clientCert: c.pem}]", "need each other")]
#[case("registries: [{host: a.example, plainHttp: true, caFile: c.pem}]", "plainHttp")]
#[case("registries: [{host: a.example, credentialHelper: {name: ../sh}}]", "credentialHelper")]
fn a_mistake_is_said_with_its_place(#[case] text: &str, #[case] expected: &str) {
    let error = parse(text).unwrap_err();
    assert!(error.contains("registries.yaml") && error.contains(expected), "{error}");
}

#[test]
fn this_machine_alone_speaks_plain_http_unless_it_is_listed() {
    let settings =
        parse("registries: [{host: 'localhost:5001'}, {host: a.example, plainHttp: true}]").unwrap();
    for (registry, is_plain) in [
        ("localhost", true),
        ("localhost:5000", true),
        ("localhost:5001", false),
        ("127.0.0.1:5000", true),
        ("127.9.9.9", true),
        ("[::1]:5000", true),
        ("a.example", true),
        ("b.example", false),
        ("10.0.0.1:5000", false),
        ("localhost.example", false),
        ("127.0.0.1.example", false),
    ] {
        assert_eq!(settings.is_plain(registry), is_plain, "{registry}");
    }
}
