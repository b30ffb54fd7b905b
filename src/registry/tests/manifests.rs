use super::{
    by, class,
    fake::{Asked, Fake, Reply, hang_up, refuse, reply},
    image, open, tag,
};
use crate::{
    class::Class,
    digest::Digest,
    registry::{Manifest, OCI_INDEX, OCI_MANIFEST},
};

fn serve(bytes: &[u8]) -> Reply {
    reply(200)
        .header("content-type", OCI_MANIFEST)
        .header("docker-content-digest", Digest::sha256(bytes))
        .body(bytes)
}

#[tokio::test]
async fn a_look_costs_one_head_with_all_types_in_accept() {
    let fake = Fake::start(|_, _| serve(&image())).await;
    let found = open(&fake).head_manifest(&tag("1")).await.unwrap().unwrap();
    assert_eq!((found.digest, found.size), (Digest::sha256(&image()), image().len() as u64));
    assert_eq!(found.media_type, OCI_MANIFEST);
    assert_eq!(fake.lines(), ["HEAD /v2/app/manifests/1"]);
    let accept = fake.asked()[0].headers["accept"].clone();
    for kind in [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ] {
        assert!(accept.contains(kind), "{kind}");
    }
    assert!(!accept.contains("*/*"));
}

#[tokio::test]
async fn a_head_without_a_digest_is_followed_by_a_get_and_hashed_even_where_one_request_is_allowed_at_a_time()
{
    let fake = Fake::start(|_, _| reply(200).header("content-type", OCI_MANIFEST).body(image())).await;
    let text = format!("registries: [{{host: '{}', plainHttp: true, concurrency: 1}}]", fake.address);
    let settings = crate::registry::Settings::parse(&text, "f".as_ref()).unwrap();
    let registries = crate::registry::Registries::new(settings).unwrap();
    let remote = registries.open(&format!("{}/app", fake.address).parse().unwrap(), &<_>::default());
    // If the second waited for the first, this would wait for ever.
    let found =
        tokio::time::timeout(std::time::Duration::from_mins(1), remote.head_manifest(&tag("1"))).await;
    assert_eq!(found.unwrap().unwrap().unwrap().digest, Digest::sha256(&image()));
    assert_eq!(fake.lines(), ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"]);
}

#[tokio::test]
async fn a_manifest_that_is_not_there_is_none_and_proven_by_its_code_only() {
    let fake = Fake::start(|_, _| refuse(404, "MANIFEST_UNKNOWN")).await;
    let remote = open(&fake);
    assert_eq!(remote.head_manifest(&tag("1")).await.unwrap(), None);
    assert!(remote.prove_absent(&tag("1")).await.unwrap());
    assert_eq!(class(remote.get_manifest(&tag("1")).await), Class::NotFound);

    let no_registry = Fake::start(|_, _| reply(404).body("404 page not found")).await;
    assert_eq!(class(open(&no_registry).prove_absent(&tag("1")).await), Class::Unavailable);

    let there = Fake::start(|_, _| serve(&image())).await;
    assert!(!open(&there).prove_absent(&tag("1")).await.unwrap());
}

#[tokio::test]
async fn neither_401_nor_403_nor_429_ever_says_that_something_is_gone() {
    for (status, expected) in [(401, Class::Unauthorized), (403, Class::Forbidden), (429, Class::RateLimited)]
    {
        let fake = Fake::start(move |_, _| refuse(status, "MANIFEST_UNKNOWN")).await;
        let remote = open(&fake);
        assert_eq!(class(remote.head_manifest(&tag("1")).await), expected);
        assert_eq!(class(remote.prove_absent(&tag("1")).await), expected);
    }
}

#[tokio::test]
async fn the_bytes_are_kept_as_they_came() {
    // Spaces and an order that no serialiser would choose.
    let bytes = String::from_utf8(image()).unwrap().replace(',', " ,\n");
    let served = bytes.clone();
    let fake = Fake::start(move |_, _| serve(served.as_bytes())).await;
    let manifest = open(&fake).get_manifest(&tag("1")).await.unwrap();
    assert_eq!(manifest.bytes, bytes.as_bytes());
    assert_eq!(manifest.digest, Digest::sha256(bytes.as_bytes()));
}

#[tokio::test]
async fn bytes_that_do_not_have_the_digest_are_refused() {
    let other = Digest::sha256(b"other");
    let digest = other.clone();
    let fake = Fake::start(move |_, _| {
        reply(200).header("content-type", OCI_MANIFEST).header("docker-content-digest", &digest).body(image())
    })
    .await;
    assert_eq!(class(open(&fake).get_manifest(&tag("1")).await), Class::DigestMismatch);
    // And what was asked for counts, whatever the header says.
    let fake = Fake::start(|_, _| serve(&image())).await;
    let remote = open(&fake);
    assert_eq!(class(remote.get_manifest(&by(&other)).await), Class::DigestMismatch);
    assert_eq!(class(remote.head_manifest(&by(&other)).await), Class::DigestMismatch);
}

#[tokio::test]
async fn a_manifest_of_ten_megabytes_is_not_read() {
    let fake = Fake::start(|_, _| reply(200).length(10 << 20).silent()).await;
    assert_eq!(class(open(&fake).get_manifest(&tag("1")).await), Class::TooLarge);
}

#[tokio::test]
async fn an_endless_manifest_is_cut_off() {
    let fake = Fake::start(|_, _| reply(200).body(vec![b' '; 65_536]).endless()).await;
    assert_eq!(class(open(&fake).get_manifest(&tag("1")).await), Class::TooLarge);
}

#[tokio::test]
async fn a_web_page_is_no_manifest_and_no_digest() {
    let fake =
        Fake::start(|_, _| reply(200).header("content-type", "text/html; charset=utf-8").body("<html>"))
            .await;
    let remote = open(&fake);
    for error in [
        remote.get_manifest(&tag("1")).await.unwrap_err(),
        remote.head_manifest(&tag("1")).await.unwrap_err(),
        remote.tags().await.unwrap_err(),
    ] {
        assert_eq!(error.class(), Class::Unsupported);
        assert!(crate::registry::message(&error).contains("web page"));
    }
}

#[tokio::test]
async fn schema_1_is_called_by_its_name() {
    let fake = Fake::start(|_, _| reply(200).body(r#"{"schemaVersion":1,"name":"app","fsLayers":[]}"#)).await;
    let error = open(&fake).get_manifest(&tag("1")).await.unwrap_err();
    assert_eq!(error.class(), Class::Unsupported);
    assert!(crate::registry::message(&error).contains("schema 1"));
}

fn manifest() -> Manifest {
    let bytes = image();
    let digest = Digest::sha256(&bytes);
    Manifest::parse(bytes.into(), None, digest).unwrap()
}

#[tokio::test]
async fn a_manifest_is_written_as_it_is_with_its_type() {
    let fake = Fake::start(|_, _| reply(201).header("docker-content-digest", Digest::sha256(&image()))).await;
    open(&fake).put_manifest(&tag("1"), &manifest()).await.unwrap();
    let asked: Vec<Asked> = fake.asked();
    assert_eq!(asked[0].line(), "PUT /v2/app/manifests/1");
    assert_eq!(asked[0].body, image());
    assert_eq!(asked[0].header("content-type"), Some(OCI_MANIFEST));
}

#[tokio::test]
async fn a_registry_that_stored_something_else_is_not_believed() {
    let fake = Fake::start(|_, _| reply(201).header("docker-content-digest", Digest::sha256(b"other"))).await;
    assert_eq!(class(open(&fake).put_manifest(&tag("1"), &manifest()).await), Class::DigestMismatch);
}

#[tokio::test]
async fn a_second_try_that_is_refused_because_the_first_was_done_is_a_success() {
    for (there, expected) in
        [(Digest::sha256(&image()), None), (Digest::sha256(b"other"), Some(Class::Unsupported))]
    {
        let fake = Fake::start(move |asked, number| match (asked.method.as_str(), number) {
            ("PUT", 0) => hang_up(),
            ("PUT", _) => refuse(409, "TAG_IMMUTABLE"),
            _ => reply(200).header("docker-content-digest", &there),
        })
        .await;
        let result = open(&fake).put_manifest(&tag("1"), &manifest()).await;
        assert_eq!(result.as_ref().err().map(crate::registry::Error::class), expected, "{result:?}");
        assert_eq!(fake.lines().last().unwrap(), "HEAD /v2/app/manifests/1");
    }
    // At the first try a refusal is one, and nothing more is asked.
    let fake = Fake::start(|_, _| refuse(409, "TAG_IMMUTABLE")).await;
    let error = open(&fake).put_manifest(&tag("1"), &manifest()).await.unwrap_err();
    assert!(error.is_refusal(), "{error:?}");
    assert_eq!(fake.lines(), ["PUT /v2/app/manifests/1"]);
}

#[tokio::test]
async fn missing_content_is_told_apart_from_other_refusals() {
    let named = Digest::sha256(b"{}");
    let prose =
        serde_json::json!({"errors": [{"code": "MANIFEST_INVALID", "message": format!("no {named}")}]});
    let lacks = [
        refuse(400, "MANIFEST_BLOB_UNKNOWN"),
        refuse(404, "BLOB_UNKNOWN"),
        refuse(404, "MANIFEST_UNKNOWN"),
        reply(400).body(prose.to_string()),
    ];
    for answer in lacks {
        let fake = Fake::start(move |_, _| answer.clone()).await;
        let error = open(&fake).put_manifest(&tag("1"), &manifest()).await.unwrap_err();
        assert!(error.is_missing_content(), "{error:?}");
    }
    for (answer, expected) in [
        (refuse(400, "MANIFEST_INVALID"), Class::Unsupported),
        (refuse(404, "NAME_UNKNOWN"), Class::NotFound),
        (refuse(413, "SIZE_INVALID"), Class::TooLarge),
        (refuse(403, "DENIED"), Class::Forbidden),
    ] {
        let fake = Fake::start(move |_, _| answer.clone()).await;
        let error = open(&fake).put_manifest(&tag("1"), &manifest()).await.unwrap_err();
        assert!(!error.is_missing_content(), "{error:?}");
        assert_eq!(error.class(), expected);
    }
}

#[tokio::test]
async fn every_digest_that_is_missing_is_known_however_a_registry_names_it() {
    let digest = |n: u32| Digest::sha256(&n.to_le_bytes());
    let many: Vec<_> = (0..40)
        .map(|n| serde_json::json!({"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown", "detail": digest(n)}))
        .collect();
    let object = serde_json::json!([{"code": "MANIFEST_BLOB_UNKNOWN", "detail": {"digest": digest(0)}}]);
    let prose = serde_json::json!([{"code": "MANIFEST_UNKNOWN", "message": format!("Sub-manifest \"{}\" not found", digest(0))}]);
    for (errors, count) in
        [(many.into(), 40), (object, 1), (prose, 1), (serde_json::json!([{"code": "BLOB_UNKNOWN"}]), 0)]
    {
        let body = serde_json::json!({"errors": errors}).to_string();
        let fake = Fake::start(move |_, _| reply(400).body(body.clone())).await;
        let error = open(&fake).put_manifest(&tag("1"), &manifest()).await.unwrap_err();
        let expected: Vec<_> = (0..count).map(digest).collect();
        assert_eq!(error.refused_over(), Some(expected.as_slice()), "{error:?}");
    }
}

#[tokio::test]
async fn a_delete_that_is_not_possible_is_unsupported() {
    let fake = Fake::start(|_, _| reply(202)).await;
    open(&fake).delete_manifest(&tag("1")).await.unwrap();
    assert_eq!(fake.lines(), ["DELETE /v2/app/manifests/1"]);
    let fake = Fake::start(|_, _| refuse(405, "UNSUPPORTED")).await;
    assert_eq!(class(open(&fake).delete_manifest(&tag("1")).await), Class::Unsupported);
}

#[tokio::test]
async fn an_index_names_its_children() {
    let child = Digest::sha256(&image());
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": child, "size": image().len()}],
    });
    let fake =
        Fake::start(move |_, _| reply(200).header("content-type", OCI_INDEX).body(index.to_string())).await;
    let manifest = open(&fake).get_manifest(&tag("1")).await.unwrap();
    assert!(manifest.is_index());
    assert_eq!(manifest.children()[0].digest, child);
    assert!(manifest.blobs().is_empty());
}

#[tokio::test]
async fn a_refusal_of_the_second_try_is_no_proof_that_the_first_did_nothing() {
    for second in
        [refuse(403, "DENIED"), reply(429).header("retry-after", "3600"), refuse(401, "UNAUTHORIZED")]
    {
        let fake = Fake::start(move |asked, before| match (asked.method.as_str(), before) {
            ("PUT", 0) => reply(502),
            ("PUT", _) => second.clone(),
            _ => reply(500),
        })
        .await;
        let error = open(&fake).put_manifest(&tag("1"), &manifest()).await.unwrap_err();
        assert!(!error.is_refusal(), "{error:?}");
    }
    let fake = Fake::start(|_, _| refuse(403, "DENIED")).await;
    assert!(open(&fake).put_manifest(&tag("1"), &manifest()).await.unwrap_err().is_refusal());
}
