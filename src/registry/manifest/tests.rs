use bytes::Bytes;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn parse_as(content_type: Option<&str>, json: &Value) -> Result<Manifest, ManifestError> {
    let bytes = Bytes::from(json.to_string());
    let digest = Digest::sha256(&bytes);
    Manifest::parse(bytes, content_type, digest)
}

fn parse(json: &Value) -> Result<Manifest, ManifestError> {
    parse_as(None, json)
}

fn digests(manifest: &Manifest) -> Vec<String> {
    manifest.blobs().iter().map(|blob| blob.digest.to_string()).collect()
}

#[rstest]
#[case(OCI_MANIFEST, "application/vnd.oci.image.layer.v1.tar+zstd")]
#[case(DOCKER_MANIFEST, "application/vnd.docker.image.rootfs.diff.tar.gzip")]
#[case("application/vnd.example.new+json", "application/vnd.example.layer")]
fn an_image_is_its_config_and_its_layers_whatever_their_types(#[case] kind: &str, #[case] layer: &str) {
    let manifest = parse(&json!({
        "schemaVersion": 2, "mediaType": kind,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": A, "size": 2},
        "layers": [{"mediaType": layer, "digest": B, "size": 3}, {"mediaType": layer, "digest": B, "size": 3}],
    }))
    .unwrap();
    assert_eq!((manifest.media_type.as_str(), manifest.is_index()), (kind, false));
    assert_eq!(digests(&manifest), [A, B]);
    assert!(manifest.children().is_empty());
}

#[rstest]
#[case(OCI_INDEX)]
#[case(DOCKER_LIST)]
fn an_index_is_its_manifests_and_they_may_be_indexes(#[case] kind: &str) {
    let manifest = parse(&json!({
        "schemaVersion": 2, "mediaType": kind,
        "manifests": [
            {"mediaType": OCI_MANIFEST, "digest": A, "size": 1, "platform": {"os": "linux", "architecture": "amd64"}},
            {"mediaType": OCI_INDEX, "digest": B, "size": 2},
        ],
    }))
    .unwrap();
    assert!(manifest.is_index() && manifest.blobs().is_empty());
    let children: Vec<_> =
        manifest.children().iter().map(|child| (child.digest.as_str(), child.size)).collect();
    assert_eq!(children, [(A, 1), (B, 2)]);
}

#[test]
fn the_type_is_the_bytes_own_then_the_headers_then_a_guess() {
    let image = json!({"schemaVersion": 2, "config": {"digest": A, "size": 2}, "layers": []});
    let kind = |content_type: Option<&str>| parse_as(content_type, &image).unwrap().media_type;
    assert_eq!(
        kind(Some("application/vnd.docker.distribution.manifest.v2+json; charset=utf-8")),
        DOCKER_MANIFEST
    );
    assert_eq!(kind(Some("application/octet-stream")), OCI_MANIFEST);
    assert_eq!(kind(None), OCI_MANIFEST);
    let index = json!({"schemaVersion": 2, "manifests": []});
    assert_eq!(parse_as(Some("text/plain"), &index).unwrap().media_type, OCI_INDEX);
    let named = json!({"mediaType": OCI_MANIFEST, "config": {"digest": A, "size": 2}});
    assert_eq!(parse_as(Some(DOCKER_MANIFEST), &named).unwrap().media_type, OCI_MANIFEST);
}

#[test]
fn artifacts_are_images_with_an_empty_config_or_of_the_old_kind() {
    let new = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/x",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": A, "size": 2, "data": "e30="},
        "layers": [{"mediaType": "application/x", "digest": B, "size": 0}],
        "subject": {"mediaType": OCI_MANIFEST, "digest": A, "size": 7},
    });
    assert_eq!(digests(&parse(&new).unwrap()), [A, B]);
    let old = json!({"mediaType": OCI_ARTIFACT, "artifactType": "x", "blobs": [{"digest": B, "size": 1}]});
    assert_eq!(digests(&parse(&old).unwrap()), [B]);
    assert!(parse(&json!({"mediaType": OCI_ARTIFACT, "artifactType": "x"})).unwrap().blobs().is_empty());
}

#[test]
fn layers_that_are_kept_elsewhere_are_not_among_the_blobs() {
    let manifest = parse(&json!({
        "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": {"digest": A, "size": 2},
        "layers": [
            {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": B, "size": 1,
             "urls": ["https://example.com/layer"]},
            {"mediaType": "application/x", "digest": B.replace('b', "c"), "size": 1, "urls": []},
            {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
             "digest": B.replace('b', "d"), "size": 1},
        ],
    }))
    .unwrap();
    // Without a place elsewhere it is in the registry, whatever its type is called.
    assert_eq!(digests(&manifest), [A.to_owned(), B.replace('b', "c"), B.replace('b', "d")]);
}

#[test]
fn sha512_is_a_digest_as_well() {
    let long = format!("sha512:{}", "a".repeat(128));
    let manifest = parse(&json!({"schemaVersion": 2, "config": {"digest": long, "size": 2}, "layers": null}));
    assert_eq!(digests(&manifest.unwrap()), [long]);
}

#[rstest]
#[case(json!({"schemaVersion": 1, "name": "x", "fsLayers": []}))]
#[case(json!({"schemaVersion": 1}))]
fn schema_1_is_unsupported_by_name(#[case] json: Value) {
    let error = parse(&json).unwrap_err();
    assert!(matches!(error, ManifestError::Schema1));
    assert_eq!(error.class(), Class::Unsupported);
}

#[rstest]
#[case(json!({"manifests": [], "layers": []}))]
#[case(json!({"mediaType": OCI_INDEX, "manifests": [], "config": {"digest": A, "size": 1}}))]
#[case(json!({"mediaType": OCI_MANIFEST, "manifests": []}))]
#[case(json!({"mediaType": OCI_INDEX, "layers": []}))]
fn what_two_programs_could_read_in_two_ways_is_refused(#[case] json: Value) {
    assert!(matches!(parse(&json), Err(ManifestError::Ambiguous)), "{json}");
}

#[rstest]
#[case(json!(-1))]
#[case(json!(1.5))]
#[case(json!(18_446_744_073_709_551_615_u64))]
#[case(json!(1e300))]
#[case(json!("12"))]
#[case(json!(null))]
fn a_size_that_is_none_is_refused(#[case] size: Value) {
    let image = json!({"schemaVersion": 2, "config": {"digest": A, "size": size}, "layers": []});
    assert_eq!(parse(&image).unwrap_err().class(), Class::Unsupported);
}

#[rstest]
#[case("{}")]
#[case("[]")]
#[case(r#"[2, "application/vnd.oci.image.index.v1+json", []]"#)]
#[case(
    r#"{"manifests": [["x", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1]]}"#
)]
#[case("")]
#[case("null")]
#[case(r#"{"config": {"digest": "sha256:x", "size": 1}}"#)]
#[case(r#"{"config": {"digest": "md5:d41d8cd98f00b204e9800998ecf8427e", "size": 1}}"#)]
#[case(r#"{"mediaType": "a", "mediaType": "b", "layers": []}"#)]
fn what_is_no_manifest_is_refused(#[case] text: &str) {
    let result = Manifest::parse(Bytes::from(text.to_owned()), None, Digest::sha256(b""));
    assert_eq!(result.unwrap_err().class(), Class::Unsupported);
}

#[test]
fn more_content_than_any_real_image_has_is_too_large() {
    let child = json!({"digest": A, "size": 1});
    let index = json!({"mediaType": OCI_INDEX, "manifests": vec![child.clone(); 2_001]});
    assert_eq!(parse(&index).unwrap_err().class(), Class::TooLarge);
    let image = json!({"mediaType": OCI_MANIFEST, "layers": vec![child; 4_001]});
    assert_eq!(parse(&image).unwrap_err().class(), Class::TooLarge);
}

/// JSON that is near enough to a manifest to reach all of the parser.
fn near_manifests() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(|n| json!(n)),
        prop::sample::select(vec![A, B, OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, "x"])
            .prop_map(|text| json!(text)),
    ];
    let keys = [
        "schemaVersion",
        "mediaType",
        "manifests",
        "config",
        "layers",
        "blobs",
        "fsLayers",
        "digest",
        "size",
        "urls",
        "platform",
        "os",
        "architecture",
        "annotations",
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(
                prop::sample::select(keys.to_vec()).prop_map(str::to_owned),
                inner,
                0..6
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in ".{0,40}") {
        let _ = Manifest::parse(bytes.into(), Some(&kind), Digest::sha256(b""));
    }

    #[test]
    fn nothing_like_a_manifest_makes_the_parser_panic(json in near_manifests()) {
        if let Ok(manifest) = parse(&json) {
            prop_assert!(manifest.is_index() || manifest.children().is_empty());
            prop_assert!(!manifest.is_index() || manifest.blobs().is_empty());
            let wanted = crate::platform::Platforms::new(["linux/amd64".parse().unwrap()]).unwrap();
            let subset = manifest.subset(&wanted).unwrap();
            prop_assert_eq!(subset.children().len(), manifest.children().len());
            prop_assert!(manifest.rewritten(&subset).is_ok());
        }
    }
}
