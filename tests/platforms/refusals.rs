//! Indexes that a target refuses: what that is taken for, and what is refused to a person then.

use super::*;

/// Puts a signature beside an image, as cosign does where there is no referrers API.
async fn sign(registry: &Registry, name: &str, image: &Image) {
    let config = Blob::of("{}");
    registry.put_blob(name, &config).await;
    let oci = Format::Oci.manifest();
    let signature = Manifest::of(
        oci,
        &json!({
            "schemaVersion": 2, "mediaType": oci, "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.digest, "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.digest, "size": 2}],
            "subject": image.root.descriptor(),
        }),
    );
    registry.put_manifest(name, signature.digest.as_str(), &signature).await;
    let list =
        json!({"schemaVersion": 2, "mediaType": Format::Oci.index(), "manifests": [signature.descriptor()]});
    let list = Manifest::of(Format::Oci.index(), &list);
    registry.put_manifest(name, &format!("sha256-{}", image.digest().hex()), &list).await;
}

#[tokio::test]
async fn where_signatures_are_required_an_index_that_would_lose_them_is_refused() {
    let stand = Stand::new(Registry::v3(), "").await;
    sign(&stand.source, "team/app", &stand.image).await;
    stand.want_of("team/app:v1", "linux/amd64", "\n  referrers: Require");
    for _ in 0..2 {
        let ran = stand.desk.sync().await.expect(1);
        for part in
            ["Unsupported", "would lose its signatures", "validation.manifests.indexes.platforms: none"]
        {
            assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
        }
        assert_eq!(stand.target.digest(NAME, "v1").await, None);
    }

    let stand = Stand::new(Registry::v3().sparse_indexes(), "").await;
    sign(&stand.source, "team/app", &stand.image).await;
    stand.want_of("team/app:v1", "linux/amd64", "\n  referrers: Require");
    stand.desk.synced().await;
    assert_eq!(stand.target.digest(NAME, "v1").await.as_ref(), Some(stand.image.digest()));
}

#[tokio::test]
async fn a_digest_alone_is_a_name_for_the_index_as_it_is_only() {
    let stand = Stand::new(Registry::v3(), "").await;
    let source = format!("team/app@{}", stand.image.digest());
    stand.want_of(&source, "linux/amd64", "");
    let ran = stand.desk.sync().await.expect(1);
    assert!(ran.stdout.contains("Unsupported") && ran.stdout.contains("write a tag"), "{}", ran.stdout);

    let stand = Stand::new(Registry::v3().sparse_indexes(), "").await;
    let source = format!("team/app@{}", stand.image.digest());
    stand.want_of(&source, "linux/amd64", "");
    stand.desk.synced().await;
    let (_, there) = stand.there(stand.image.digest().as_str()).await;
    assert_eq!(there, digests(&stand.image, &["linux/amd64"]));
    stand.writes_nothing().await;
}

/// Answers the PUT of manifests of this size in the registry's place.
fn refuses(size: usize, status: u16, body: String) -> impl Fn(&Parts) -> Verdict + Send + Sync + 'static {
    move |request| {
        let length =
            request.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        if request.method == Method::PUT && request.uri.path().contains("/manifests/") && length == Some(size)
        {
            return answer(status, &[], &body);
        }
        Verdict::Pass
    }
}

#[rstest]
#[case(404, "MANIFEST_UNKNOWN")]
#[case(400, "MANIFEST_INVALID")]
#[tokio::test]
async fn a_refusal_that_names_nothing_is_understood_if_the_rewritten_index_is_taken(
    #[case] status: u16,
    #[case] code: &str,
) {
    let image = Image::attested(Format::Oci, 6, &EIGHT, &[30_000]);
    let refusal = json!({"errors": [{"code": code, "message": "no"}]}).to_string();
    let rule = refuses(image.root.bytes.len(), status, refusal);
    let stand = Stand::with(Registry::v3(), image, rule, "linux/amd64").await;
    stand.desk.synced().await;
    let expected = digests(&stand.image, &["linux/amd64"]);
    assert_eq!(stand.there("v1").await, (expected.clone(), expected));
    let wanted = bytes(&stand.image, &["linux/amd64"]);
    assert!(stand.from.down() <= wanted * 102 / 100, "nothing is read twice");
    stand.asks_two_heads().await;
}

#[tokio::test]
async fn a_target_that_takes_no_index_at_all_is_not_taken_for_one_that_wants_it_rewritten() {
    let refusal = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"no indexes here"}]}"#;
    let rule = move |request: &Parts| {
        let kind = request.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        if kind == Some(Format::Oci.index()) { answer(400, &[], refusal) } else { Verdict::Pass }
    };
    let image = Image::attested(Format::Oci, 8, &EIGHT, &[30_000]);
    let stand = Stand::with(Registry::v3(), image, rule, "linux/amd64").await;
    let ran = stand.desk.sync().await.expect(1);
    assert!(ran.stdout.contains("Unsupported") && ran.stdout.contains("no indexes here"), "{}", ran.stdout);
    assert_eq!(stand.desk.records(), Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_missing_and_was_not_left_out_is_no_refusal_of_the_index() {
    let image = Image::attested(Format::Oci, 7, &EIGHT, &[30_000]);
    let (kept, left_out) = (image.children[0].digest().clone(), image.children[1].digest().clone());
    let unknown = |digest: &Digest| json!({"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown", "detail": digest});
    let refusal = json!({"errors": [unknown(&left_out), unknown(&kept)]}).to_string();
    let rule = refuses(image.root.bytes.len(), 400, refusal);
    let stand = Stand::with(Registry::v3(), image, rule, "linux/amd64").await;
    let ran = stand.desk.sync().await.expect(1);
    assert!(ran.stdout.contains("does not have all that this manifest names"), "{}", ran.stdout);
    assert_eq!(stand.target.digest(NAME, "v1").await, None, "it was not rewritten");
}
