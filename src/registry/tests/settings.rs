use std::path::Path;

use rstest::rstest;

use crate::registry::Settings;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(text, Path::new("registries.yaml"))
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
#[case("registries: [{host: a.example, plainHTTP: true}]", "registries[0].plainHTTP")]
#[case("registry: []", "registry")]
#[case("registries: [{host: a.example, concurrency: 0}]", "registries[0].concurrency")]
#[case("registries: [{host: a.example}, {host: A.example}]", "registries[1].host")]
#[case("registries: [{host: docker.io}, {host: index.docker.io}]", "registries[1].host")]
#[case("registries: [{host: 'https://a.example'}]", "registries[0].host")]
#[case("registries: [{host: a.example/path}]", "registries[0].host")]
#[case("registries: [{host: a.example, mirrors: ['https://m.example']}]", "registries[0].mirrors[0]")]
#[case("registries: [{host: a.example, mirrors: [mirror]}]", "registries[0].mirrors[0]")]
#[case("registries: [{host: a.example, clientKey: c.pem}]", "registries[0].clientKey")]
#[case("registries: [{host: a.example, plainHttp: true, caFile: c.pem}]", "registries[0].plainHttp")]
#[case(
    "registries: [{host: a.example, credentialHelper: {name: ../sh}}]",
    "registries[0].credentialHelper.name"
)]
fn a_mistake_is_said_with_its_field_and_what_to_write(#[case] text: &str, #[case] field: &str) {
    let error = parse(text).unwrap_err();
    assert!(error.starts_with(&format!("registries.yaml: {field}: ")) && error.contains("write "), "{error}");
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
