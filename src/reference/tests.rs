use proptest::prelude::*;
use rstest::rstest;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn full(text: &str) -> String {
    text.parse::<Reference>().unwrap().to_string()
}

#[rstest]
#[case("alpine", "docker.io/library/alpine:latest")]
#[case("alpine:3.20", "docker.io/library/alpine:3.20")]
#[case("grafana/grafana:11", "docker.io/grafana/grafana:11")]
#[case("docker.io/alpine", "docker.io/library/alpine:latest")]
#[case("Docker.IO/alpine", "docker.io/library/alpine:latest")]
#[case("index.docker.io/library/alpine:1", "docker.io/library/alpine:1")]
#[case("registry-1.docker.io/alpine:1", "docker.io/library/alpine:1")]
#[case("registry.corp.example/alpine", "registry.corp.example/alpine:latest")]
#[case("REGISTRY.corp.example:8443/a/b/c:V1", "registry.corp.example:8443/a/b/c:V1")]
#[case("localhost/alpine", "localhost/alpine:latest")]
#[case("localhost:5000/alpine", "localhost:5000/alpine:latest")]
#[case("localhost:5000", "docker.io/library/localhost:5000")]
#[case("[::1]:5000/alpine:3", "[::1]:5000/alpine:3")]
#[case("[::1]/alpine", "[::1]/alpine:latest")]
#[case("[0:0::00FF]:5000/alpine:3", "[::ff]:5000/alpine:3")]
#[case("127.0.0.1:5000/a__b/c-----d/e.f_g:x", "127.0.0.1:5000/a__b/c-----d/e.f_g:x")]
#[case("alpine:_-.", "docker.io/library/alpine:_-.")]
fn what_is_left_out_is_filled_in(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(full(text), expected);
}

#[test]
fn a_digest_is_kept_beside_the_tag_and_needs_none() {
    assert_eq!(full(&format!("alpine@{DIGEST}")), format!("docker.io/library/alpine@{DIGEST}"));
    assert_eq!(full(&format!("a.b/c:3@{DIGEST}")), format!("a.b/c:3@{DIGEST}"));
}

#[test]
fn what_the_text_named_itself_can_be_told_from_what_was_filled_in() {
    let named = |text: &str| text.parse::<Named>().unwrap();
    assert_eq!(named("alpine").tag, None);
    assert_eq!(named("alpine:latest").tag, Some(Tag::latest()));
    assert_eq!(named(&format!("alpine@{DIGEST}")).tag, None);
    assert_eq!(Reference::from(named("alpine")), Reference::from(named("alpine:latest")));
    assert_eq!(Reference::from(named(&format!("alpine@{DIGEST}"))).tag, None);
}

#[rstest]
#[case("", "names no repository")]
#[case(":3.20", "names no repository")]
#[case("https://registry.example/alpine", "write `registry.example/alpine`")]
#[case("docker://alpine", "write `alpine`")]
#[case("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "image's ID")]
#[case("[::1]:5000", "write [::1]:5000/repository")]
#[case("localhost:5000/", "write localhost:5000/repository")]
#[case("Alpine", "write `alpine`")]
#[case("corp.example/Team/App:1", "write `team/app`")]
#[case("Team/app", "write `team/app`")]
#[case("a//b", "`` in the repository `a//b`")]
#[case("/alpine", "is not allowed")]
#[case("alpine/", "is not allowed")]
#[case("-alpine", "is not allowed")]
#[case("al___pine", "is not allowed")]
#[case("al..pine", "is not allowed")]
#[case("al._pine", "is not allowed")]
#[case(" alpine", "is not allowed")]
#[case("älpine", "is not allowed")]
#[case("alpine:", "is not a tag")]
#[case("alpine:.x", "is not a tag")]
#[case("alpine:-x", "is not a tag")]
#[case("alpine:3.20+build", "is not a tag")]
#[case("alpine@", "is not a digest")]
#[case("alpine@sha256:abc", "64 lower-case hex digits")]
#[case("alpine@md5:abc", "is not supported")]
#[case("a_b.example/c", "is not a registry")]
#[case("a..example/c", "is not a registry")]
#[case("-a.example/c", "is not a registry")]
#[case("[::1/c", "is not a registry")]
#[case("[fe80::1%eth0]:5000/c", "is not a registry")]
#[case("::1:5000/c", "is not a registry")]
#[case("a.example:0/c", "the port of")]
#[case("a.example:080/c", "the port of")]
#[case("a.example:65536/c", "the port of")]
#[case("a.example:/c", "the port of")]
#[case("a.example:x/c", "the port of")]
fn what_is_refused_is_refused_with_what_to_write(#[case] text: &str, #[case] expected: &str) {
    let message = text.parse::<Reference>().unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[rstest]
#[case("oci:out", "oci:out:latest")]
#[case("oci:out/alpine:3.20", "oci:out/alpine:3.20")]
#[case("oci:./out//alpine/", "oci:out/alpine:latest")]
#[case("oci:/mnt/./usb/out", "oci:/mnt/usb/out:latest")]
#[case("oci:../out:1", "oci:../out:1")]
#[case("oci:a/../b", "oci:a/../b:latest")]
#[case("oci:.", "oci:.:latest")]
#[case("oci:./:1", "oci:.:1")]
#[case("oci:/", "oci:/:latest")]
#[case("oci:/home/me@corp/a:b/out:1", "oci:/home/me@corp/a:b/out:1")]
#[case("oci:My Images/Out_1", "oci:My Images/Out_1:latest")]
// Without a `:` it is an image, and with one it is a directory, whatever else it could be.
#[case("oci", "docker.io/library/oci:latest")]
#[case("oci:3.20", "oci:3.20:latest")]
#[case("oci:5000/alpine", "oci:5000/alpine:latest")]
fn a_directory_has_one_name_however_it_is_written(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(full(text), expected);
    assert_eq!(full(expected), expected);
}

#[test]
fn a_layout_is_told_from_a_repository_of_a_registry() {
    let named: Named = format!("oci:out/alpine:3@{DIGEST}").parse().unwrap();
    assert_eq!(named.repository.layout(), Some(std::path::Path::new("out/alpine")));
    assert_eq!((named.repository.registry(), named.repository.path()), ("oci", "out/alpine"));
    assert_eq!(named.repository.name(), "alpine");
    assert_eq!((named.tag, named.digest), (Some("3".parse().unwrap()), Some(DIGEST.parse().unwrap())));
    assert_eq!("alpine".parse::<Repository>().unwrap().layout(), None);
}

#[rstest]
#[case("oci:", "write oci:PATH")]
#[case("oci::3", "write oci:PATH")]
#[case("oci:~/out", "write the path out")]
#[case("oci:out/{path}", "no braces")]
#[case("oci:out\n", "no control characters")]
#[case("oci:out:", "is not a tag")]
#[case("oci:out:a:b", "is not a tag")]
#[case("oci:out@", "is not a digest")]
#[case("oci:a:b/", "the last folder has no :")]
#[case("oci:a@b/.", "the last folder has no :")]
#[case("oci://registry.example/chart", "write `registry.example/chart`")]
#[case("OCI:5000/alpine", "cannot be told from a directory")]
fn what_is_no_directory_is_refused_with_what_to_write(#[case] text: &str, #[case] expected: &str) {
    let message = text.parse::<Reference>().unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn the_registry_counts_towards_the_longest_name() {
    let longest = format!("a.example/{}", "x".repeat(245));
    assert!(longest.parse::<Repository>().is_ok());
    assert!(matches!(format!("{longest}x").parse::<Repository>(), Err(Error::TooLong { length: 256, .. })));
    // `docker.io/library/` is counted although it is not written.
    assert!("x".repeat(237).parse::<Repository>().is_ok());
    assert!("x".repeat(238).parse::<Repository>().is_err());
}

#[test]
fn a_tag_has_at_most_128_characters() {
    assert!("x".repeat(128).parse::<Tag>().is_ok());
    assert!("x".repeat(129).parse::<Tag>().is_err());
}

#[test]
fn a_long_text_does_not_make_a_long_message() {
    let message = "X!".repeat(100_000).parse::<Reference>().unwrap_err().to_string();
    assert!(message.len() < 1000, "{}", message.len());
}

#[test]
fn a_repository_has_neither_tag_nor_digest() {
    let message = "alpine:3".parse::<Repository>().unwrap_err().to_string();
    assert!(message.contains("write `alpine`"), "{message}");
    assert!(format!("alpine@{DIGEST}").parse::<Repository>().is_err());
    let repository: Repository = "alpine".parse().unwrap();
    assert_eq!(repository.registry(), "docker.io");
    assert_eq!(repository.path(), "library/alpine");
    assert_eq!(repository.name(), "alpine");
}

#[rstest]
#[case("docker.io/library/alpine:3", "alpine:3")]
#[case("docker.io/grafana/grafana:3", "grafana/grafana:3")]
#[case("ghcr.io/a/b:3", "ghcr.io/a/b:3")]
// Without `docker.io` this would be read as the registry a.b.
#[case("docker.io/a.b/c:3", "docker.io/a.b/c:3")]
// Without `library/` this would be read as the registry a.b.
#[case("docker.io/library/a.b/c:3", "docker.io/library/a.b/c:3")]
// Without `library/` this would be read as the namespace a.
#[case("docker.io/library/a/c:3", "docker.io/library/a/c:3")]
// Without `docker.io/library/` this would be read as the directory 3.
#[case("docker.io/library/oci:3", "docker.io/library/oci:3")]
#[case("oci:out/alpine:3", "oci:out/alpine:3")]
fn the_familiar_form_is_the_shortest_that_means_the_same(#[case] text: &str, #[case] expected: &str) {
    let reference: Reference = text.parse().unwrap();
    assert_eq!(reference.familiar(), expected);
    assert_eq!(expected.parse::<Reference>().unwrap(), reference);
}

#[test]
fn tags_that_belong_to_a_digest_are_told_from_versions() {
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let belongs = |text: String| text.parse::<Tag>().unwrap().belongs_to_digest();
    assert!(belongs(format!("sha256-{hex}")));
    assert!(belongs(format!("sha256-{hex}.sig")));
    assert!(belongs(format!("sha512-{hex}")));
    assert!(!belongs("sha256-e3b0c4".into()));
    assert!(!belongs(hex.into()));
    assert!(!belongs(format!("git-{hex}")));
}

#[test]
fn serde_reads_and_writes_text() {
    let reference: Reference = serde_json::from_str("\"alpine:3\"").unwrap();
    assert_eq!(serde_json::to_string(&reference).unwrap(), "\"docker.io/library/alpine:3\"");
    assert!(serde_json::from_str::<Tag>("\"a b\"").is_err());
}

prop_compose! {
    fn component()(text in "[a-z0-9]{1,8}((\\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}") -> String { text }
}

prop_compose! {
    fn written()(
        registry in proptest::option::of("(localhost|[a-zA-Z0-9]{1,8}\\.[a-z]{2,5}|\\[::[1-9a-f]{1,4}\\])(:[1-9][0-9]{0,3})?"),
        path in prop::collection::vec(component(), 1..4),
        tag in proptest::option::of("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}"),
        digest in any::<bool>(),
    ) -> String {
        let mut path = path;
        if registry.is_none() {
            // With a dot it would be a registry.
            path[0] = path[0].replace('.', "-");
        }
        let registry = registry.map(|r| r + "/").unwrap_or_default();
        let tag = tag.map(|t| format!(":{t}")).unwrap_or_default();
        let digest = if digest { format!("@{DIGEST}") } else { String::new() };
        format!("{registry}{}{tag}{digest}", path.join("/"))
    }
}

proptest! {
    #[test]
    fn parsing_what_was_printed_is_the_identity(text in written()) {
        let reference: Reference = text.parse().unwrap();
        prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
        prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        let _ = text.parse::<Reference>();
    }

    #[test]
    fn no_text_of_the_grammars_own_characters_makes_it_panic_or_print_otherwise(text in "[aA0:/@._\\[\\]-]{0,24}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
            prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
        }
    }

    #[test]
    fn a_layout_that_is_printed_is_read_as_the_same(text in "[oO]ci:(\\PC|[a-c/.:@~ ]){0,16}(:[a-z]{1,3})?") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
            prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
            let repository = &reference.repository;
            prop_assert_eq!(&repository.to_string().parse::<Repository>().unwrap(), repository);
            prop_assert!(repository.layout().is_some());
        }
    }

    #[test]
    fn a_directory_is_never_left_by_what_a_source_is_called(
        source in "(oci:[a-b./]{1,12}|[a-c]{1,3}\\.[a-c]/[a-c.]{1,5}(/[a-c._-]{1,5})?|\\[::[1-9]\\]:5/a|[a-c./]{1,9}):[a-c._]{1,3}",
        template in "oci:out/(\\{(registry|path|flatPath|name)\\}[/._-]?){1,3}",
    ) {
        let Ok(named) = source.parse::<Named>() else { return Ok(()) };
        let template = Template::parse(&template, Template::REPOSITORY).unwrap();
        let digest: Digest = DIGEST.parse().unwrap();
        let values = Values {
            name: "app",
            source: &named.repository,
            tag: named.tag.as_ref(),
            digest: Some(&digest),
        };
        let Ok(repository) = template.expand(&values).unwrap().parse::<Repository>() else { return Ok(()) };
        prop_assert!(repository.path() == "out" || repository.path().starts_with("out/"), "{}", repository);
        prop_assert!(repository.path().split('/').all(|part| part != ".."), "{}", repository);
    }
}
