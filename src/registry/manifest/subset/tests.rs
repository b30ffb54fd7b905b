//! Indexes, and what is left of them.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    Verdict::{Attests, AttestsUnwanted, NoPlatform, Unwanted, Wanted},
    *,
};
use crate::{
    platform::list,
    registry::{DOCKER_LIST, OCI_INDEX, OCI_MANIFEST},
};

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

fn platforms(texts: &[&str]) -> Platforms {
    Platforms::new(texts.iter().map(|text| text.parse().unwrap())).unwrap()
}

/// A child for `os/architecture[/variant]`.
fn image(platform: &str) -> Value {
    let parts: Vec<&str> = platform.split('/').collect();
    let mut value = json!({"os": parts[0], "architecture": parts[1]});
    if let Some(variant) = parts.get(2) {
        value["variant"] = json!(variant);
    }
    json!({"mediaType": OCI_MANIFEST, "digest": digest(platform), "size": 7, "platform": value})
}

/// What `BuildKit` adds for a child.
fn attestation(of: &str) -> Value {
    json!({
        "mediaType": OCI_MANIFEST, "digest": digest(&format!("attests {of}")), "size": 9,
        "annotations": {"vnd.docker.reference.digest": digest(of), "vnd.docker.reference.type": "attestation-manifest"},
        "platform": {"architecture": "unknown", "os": "unknown"},
    })
}

fn parse(text: &str) -> Manifest {
    let bytes = Bytes::from(text.to_owned());
    let digest = Digest::sha256(&bytes);
    Manifest::parse(bytes, None, digest).unwrap()
}

fn index(children: &[Value]) -> Manifest {
    parse(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}).to_string())
}

fn verdicts(index: &Manifest, wanted: &[&str]) -> Vec<Verdict> {
    let subset = index.subset(&platforms(wanted)).unwrap();
    subset.children().iter().map(|child| child.verdict).collect()
}

#[test]
fn children_of_wanted_platforms_are_kept_with_their_attestations() {
    let index = index(&[
        image("linux/amd64"),
        image("linux/arm/v6"),
        image("linux/arm64/v8"),
        attestation("linux/amd64"),
        attestation("linux/arm/v6"),
        attestation("linux/arm64/v8"),
    ]);
    let expected = [Wanted, Unwanted, Wanted, Attests, AttestsUnwanted, Attests];
    assert_eq!(verdicts(&index, &["linux/amd64", "linux/arm64"]), expected);
    let subset = index.subset(&platforms(&["linux/amd64"])).unwrap();
    assert_eq!(list(subset.platforms()), "linux/amd64, linux/arm/v6, linux/arm64");
    assert!(!subset.is_whole() && !subset.is_void());
}

#[test]
fn what_is_for_no_platform_is_kept_and_an_attestation_of_nothing_is_not() {
    let plain = json!({"mediaType": OCI_MANIFEST, "digest": digest("plain"), "size": 1});
    let nested = json!({"mediaType": OCI_INDEX, "digest": digest("nested"), "size": 1});
    let unknown =
        json!({"digest": digest("?"), "size": 1, "platform": {"os": "unknown", "architecture": "unknown"}});
    let index = index(&[image("linux/amd64"), plain, nested, unknown, attestation("elsewhere")]);
    let expected = [Wanted, NoPlatform, NoPlatform, NoPlatform, AttestsUnwanted];
    assert_eq!(verdicts(&index, &["linux/amd64"]), expected);
}

#[rstest]
#[case(json!(null))]
#[case(json!("linux/amd64"))]
#[case(json!(["linux", "amd64"]))]
#[case(json!({}))]
#[case(json!({"os": "linux"}))]
#[case(json!({"os": 7, "architecture": {}}))]
#[case(json!({"os": "", "architecture": ""}))]
#[case(json!({"os": "linux", "architecture": "s390x", "variant": 7}))]
fn a_platform_that_is_none_says_nothing(#[case] platform: Value) {
    let odd = json!({"digest": digest("odd"), "size": 1, "platform": platform, "annotations": "none"});
    let index = index(&[image("linux/amd64"), odd]);
    assert_eq!(verdicts(&index, &["linux/amd64"]), [Verdict::Wanted, Verdict::NoPlatform]);
}

#[test]
fn every_version_of_windows_is_the_same_platform() {
    let windows = |version: &str| {
        let mut child = image("windows/amd64");
        child["digest"] = json!(digest(version));
        child["platform"]["os.version"] = json!(version);
        child
    };
    let index = index(&[windows("10.0.17763"), windows("10.0.20348"), image("linux/amd64")]);
    assert_eq!(verdicts(&index, &["windows/amd64"]), [Wanted, Wanted, Unwanted]);
}

#[test]
fn a_child_that_is_there_for_two_platforms_is_not_left_out_while_one_is_wanted() {
    let mut twin = image("linux/arm/v5");
    twin["digest"] = json!(digest("linux/arm/v7"));
    let index = index(&[twin, image("linux/arm/v7"), image("linux/s390x")]);
    let subset = index.subset(&platforms(&["linux/arm/v7"])).unwrap();
    assert_eq!(subset.left_out(), [digest("linux/s390x")].into());
    assert_eq!(subset.kept(), [digest("linux/arm/v7")].into());
}

#[test]
fn an_index_without_any_wanted_platform_is_void_and_one_of_no_platforms_is_whole() {
    let plain = json!({"mediaType": OCI_MANIFEST, "digest": digest("plain"), "size": 1});
    let wanted = platforms(&["linux/riscv64"]);
    assert!(index(&[image("linux/amd64"), plain.clone()]).subset(&wanted).unwrap().is_void());
    let artifacts = index(&[plain]).subset(&wanted).unwrap();
    assert!(artifacts.is_whole() && !artifacts.is_void());
    assert!(index(&[]).subset(&wanted).unwrap().is_whole());
}

/// As a tool writes it: indented, with fields that nobody here knows, and numbers that no number type holds.
const PRETTY: &str = r#"{
  "schemaVersion": 2,
  "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
  "manifests": [
    {
      "digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "size": 1, "x": 1e999,
      "platform": {"os": "linux", "architecture": "amd64", "os.features": ["\u0041]}"]}
    },
    {
      "digest": "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
      "size": 1,
      "platform": {"os": "linux", "architecture": "s390x", "os.version": 1e999}
    },
    {
      "digest": "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
      "size": 1,
      "platform": {"os": "linux", "architecture": "arm64"}
    }
  ],
  "annotations": {"b": "2", "a": "1"},
  "unheard-of": [0.10, -0]
}
"#;

#[rstest]
#[case(&["linux/amd64", "linux/arm64"], "adf00b9d2b07")]
#[case(&["linux/s390x"], "8d7a4f20a831")]
#[case(&["linux/arm64"], "cecfdfcdc90f")]
fn a_rewritten_index_has_these_very_bytes(#[case] wanted: &[&str], #[case] golden: &str) {
    let list = parse(PRETTY);
    let rewritten = list.rewritten(&list.subset(&platforms(wanted)).unwrap()).unwrap();
    assert_eq!(rewritten.media_type, DOCKER_LIST);
    assert_eq!(rewritten.digest.short(), golden, "{}", String::from_utf8_lossy(&rewritten.bytes));
}

#[test]
fn nothing_but_the_entry_is_cut_out_of_an_index() {
    let list = parse(PRETTY);
    let rewritten =
        list.rewritten(&list.subset(&platforms(&["linux/amd64", "linux/arm64"])).unwrap()).unwrap();
    let (from, to) = (
        PRETTY.find("    {\n      \"digest\": \"sha256:b").unwrap(),
        PRETTY.find("    {\n      \"digest\": \"sha256:c").unwrap(),
    );
    let expected = format!("{}{}", &PRETTY[..from], &PRETTY[to..]);
    assert_eq!(String::from_utf8_lossy(&rewritten.bytes), expected);
}

#[test]
fn an_index_of_which_all_is_wanted_is_rewritten_to_itself() {
    let list = parse(PRETTY);
    let all = list.subset(&platforms(&["linux/amd64", "linux/arm64", "linux/s390x"])).unwrap();
    assert!(all.is_whole());
    assert_eq!(list.rewritten(&all).unwrap(), list);
}

#[test]
fn the_type_of_an_index_that_names_none_stays_what_it_was_sent_with() {
    let text =
        json!({"schemaVersion": 2, "manifests": [image("linux/amd64"), image("linux/s390x")]}).to_string();
    let bytes = Bytes::from(text);
    let digest = Digest::sha256(&bytes);
    let index = Manifest::parse(bytes, Some(DOCKER_LIST), digest).unwrap();
    let rewritten = index.rewritten(&index.subset(&platforms(&["linux/s390x"])).unwrap()).unwrap();
    assert_eq!(rewritten.media_type, DOCKER_LIST);
}

const SOME: [&str; 6] =
    ["linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "windows/amd64", "linux/s390x"];

fn any_child() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(SOME.to_vec()).prop_map(image),
        prop::sample::select(SOME.to_vec()).prop_map(attestation),
        (0_u8..4).prop_map(|n| json!({"digest": digest(&n.to_string()), "size": n})),
        Just(json!({"digest": digest("odd"), "size": 1, "platform": "linux/amd64"})),
    ]
}

fn any_index() -> impl Strategy<Value = (Vec<Value>, bool)> {
    (prop::collection::vec((any_child(), "[a-z\\\\\"\\]},{:é]{0,9}"), 0..9), any::<bool>()).prop_map(
        |(children, pretty)| {
            let unknown = |(mut child, text): (Value, String)| {
                child["org.example.unknown"] = json!({"text": text, "more": [1, null]});
                child
            };
            (children.into_iter().map(unknown).collect(), pretty)
        },
    )
}

proptest! {
    #[test]
    fn rewriting_keeps_each_kept_child_as_it_is_and_no_other(
        (children, pretty) in any_index(),
        wanted in prop::sample::subsequence(SOME.to_vec(), 1..4),
    ) {
        let value = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children, "annotations": {"a": "é"}});
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let index = parse(&text.unwrap());
        let subset = index.subset(&platforms(&wanted)).unwrap();
        let rewritten = index.rewritten(&subset).unwrap();
        prop_assert_eq!(&index.rewritten(&subset).unwrap().bytes, &rewritten.bytes);
        prop_assert!(rewritten.digest.matches(&rewritten.bytes));

        let mut expected = value;
        let kept = children.iter().zip(subset.children()).filter(|(_, child)| child.verdict.is_kept());
        expected["manifests"] = kept.map(|(value, _)| value.clone()).collect();
        let found: Value = serde_json::from_slice(&rewritten.bytes).unwrap();
        prop_assert_eq!(found, expected);

        let left_out = subset.left_out();
        prop_assert!(rewritten.children().iter().all(|child| !left_out.contains(&child.digest)));
        prop_assert_eq!(subset.is_whole(), rewritten.digest == index.digest);
    }
}
