//! The registry layer against real registries: tokens, passwords, mounts, torn uploads and long lists.

use std::{io, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use imagesync::{
    class::Class,
    digest::Digest,
    registry::{At, Blob, Error, Keychain, Manifest, Mount, Registries, Remote, Settings, message},
};

use crate::testbed::{images::Image, registry::Registry, tokens::TokenServer};

fn open(registry: &Registry, path: &str, keychain: &Keychain) -> Remote {
    let registries = Registries::new(Settings::default()).unwrap();
    registries.open(&format!("{}/{path}", registry.host()).parse().unwrap(), keychain)
}

fn tag(tag: &str) -> At {
    At::Tag(tag.parse().unwrap())
}

fn blob(bytes: &[u8]) -> Blob {
    Blob { digest: Digest::sha256(bytes), size: bytes.len() as u64 }
}

fn class<T>(result: Result<T, Error>) -> Class {
    result.err().expect("it must not work").class()
}

async fn push(remote: &Remote, bytes: &[u8]) -> Blob {
    let blob = blob(bytes);
    let mut upload = remote.start_upload().await.unwrap();
    upload.put(&blob, 0, stream::iter([Ok(Bytes::copy_from_slice(bytes))])).await.unwrap();
    blob
}

/// Reads an image and writes it to another repository, as a client without any cleverness would.
async fn copy(source: &Remote, target: &Remote, at: &At) {
    let root = source.get_manifest(at).await.unwrap();
    for child in root.children() {
        let at = At::Digest(child.digest.clone());
        let child = source.get_manifest(&at).await.unwrap();
        blobs(source, target, &child).await;
        target.put_manifest(&at, &child).await.unwrap();
    }
    blobs(source, target, &root).await;
    target.put_manifest(at, &root).await.unwrap();
}

async fn blobs(source: &Remote, target: &Remote, manifest: &Manifest) {
    for blob in manifest.blobs() {
        if target.head_blob(&blob.digest).await.unwrap() != Some(blob.size) {
            let bytes = source.read_blob(&blob).map_err(io::Error::other);
            target.start_upload().await.unwrap().put(&blob, 0, bytes).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_image_is_copied_between_all_kinds_of_registries() {
    let image = Image::multi(1, &["linux/amd64", "linux/arm64"], &[1_000, 300_000]);
    let keychain = Keychain::default();
    let (v3, v2, olareg) =
        tokio::join!(Registry::v3().start(), Registry::v2_8().start(), Registry::olareg().start());
    v3.push("team/app", "v1", &image).await;
    for (from, to) in [(&v3, &v2), (&v2, &olareg)] {
        let (source, target) = (open(from, "team/app", &keychain), open(to, "team/app", &keychain));
        assert_eq!(target.head_manifest(&tag("v1")).await.unwrap(), None);
        copy(&source, &target, &tag("v1")).await;
        to.complete("team/app", "v1").await;
        assert_eq!(&target.head_manifest(&tag("v1")).await.unwrap().unwrap().digest, image.digest());
    }
}

#[tokio::test]
async fn a_password_opens_what_it_should() {
    for registry in [Registry::v3(), Registry::v2_8()] {
        let registry = registry.user("me", "secret").start().await;
        registry.push("app", "1", &Image::single(1, &[100])).await;
        let with =
            |password: &str| open(&registry, "app", &Keychain::password(&registry.host(), "me", password));
        assert_eq!(with("secret").tags().await.unwrap().len(), 1);
        push(&with("secret"), b"content").await;
        assert_eq!(class(with("wrong").tags().await), Class::Unauthorized);
        assert_eq!(class(open(&registry, "app", &Keychain::default()).tags().await), Class::Unauthorized);
    }
}

#[tokio::test]
async fn tokens_allow_what_was_granted_and_a_mount_needs_one_for_both_repositories() {
    let server = TokenServer::start().await;
    server.user("me", "secret");
    for repository in ["source", "target"] {
        server.grant("me", repository, &["pull", "push", "delete"]);
    }
    let registry = Registry::v3().tokens(&server).start().await;
    let registries = Registries::new(Settings::default()).unwrap();
    let keychain = Keychain::password(&registry.host(), "me", "secret");
    let open =
        |path: &str| registries.open(&format!("{}/{path}", registry.host()).parse().unwrap(), &keychain);
    let (source, target, foreign) = (open("source"), open("target"), open("foreign"));

    let blob = push(&source, b"content").await;
    assert!(matches!(target.mount(&blob.digest, &source).await, Ok(Mount::Mounted)));
    let asked = server.requests();
    assert_eq!(asked.last().unwrap().scopes, ["repository:source:pull", "repository:target:pull,push"]);
    // What that token allows needs no other.
    assert_eq!(target.head_blob(&blob.digest).await.unwrap(), Some(blob.size));
    assert_eq!(server.requests().len(), asked.len());
    // What nobody granted is refused, and a mount of it is no error.
    assert_eq!(class(foreign.start_upload().await), Class::Unauthorized);
    assert!(matches!(target.mount(&blob.digest, &foreign).await, Ok(Mount::Refused)));
}

#[tokio::test]
async fn a_token_that_the_registry_takes_for_expired_is_not_shown_again() {
    let server = TokenServer::start().await;
    server.user("me", "secret");
    server.grant("me", "app", &["pull", "push"]);
    let registry = Registry::v3().tokens(&server).start().await;
    let remote = open(&registry, "app", &Keychain::password(&registry.host(), "me", "secret"));
    server.backdate(Duration::from_hours(1));
    assert_eq!(class(remote.start_upload().await), Class::Unauthorized);
    server.backdate(Duration::ZERO);
    push(&remote, b"content").await;
}

#[tokio::test]
async fn a_torn_upload_goes_on_where_the_registry_stands() {
    let content: Vec<u8> =
        (0..3_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    for (registry, can_resume) in [(Registry::v3(), true), (Registry::v2_8(), false)] {
        let registry = registry.start().await;
        let remote = open(&registry, "app", &Keychain::default());
        let blob = blob(&content);
        let mut upload = remote.start_upload().await.unwrap();
        let half = Bytes::copy_from_slice(&content[..2_000_000]);
        let torn = stream::iter([Ok(half)]).chain(stream::iter([Err(io::Error::other("torn"))]));
        let error = upload.put(&blob, 0, torn).await.unwrap_err();
        assert!(message(&error).ends_with("torn"), "{}", message(&error));
        // The registry may still be busy with what came, so where it stands can be out of date at once.
        let (mut offsets, mut asked) = (Vec::new(), 0);
        let sent = loop {
            asked += 1;
            let Some(offset) = upload.offset().await.unwrap() else {
                // A session that has nothing yet looks like one that is gone.
                if can_resume && asked < 100 {
                    continue;
                }
                break false;
            };
            offsets.push(offset);
            let rest = Bytes::copy_from_slice(&content[usize::try_from(offset).unwrap()..]);
            match upload.put(&blob, offset, stream::iter([Ok(rest)])).await {
                Err(error) if error.class() == Class::Unavailable && offsets.len() < 20 => {}
                sent => {
                    sent.unwrap();
                    break true;
                }
            }
        };
        // A later attempt can have left more there than the first.
        assert!(!can_resume || sent);
        assert!(offsets.first().is_none_or(|&offset| offset <= 2_000_000), "{offsets:?}");
        if !sent {
            push(&remote, &content).await;
        }
        assert_eq!(remote.head_blob(&blob.digest).await.unwrap(), Some(blob.size));
    }
}

#[tokio::test]
async fn bytes_that_do_not_have_the_digest_are_refused_by_both_ends() {
    let registry = Registry::v3().start().await;
    let remote = open(&registry, "app", &Keychain::default());
    let blob = blob(b"right");
    let mut upload = remote.start_upload().await.unwrap();
    let sent = upload.put(&blob, 0, stream::iter([Ok(Bytes::from_static(b"wrong"))])).await;
    assert_eq!(class(sent), Class::DigestMismatch);
    upload.cancel().await;
    assert_eq!(remote.head_blob(&blob.digest).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_of_more_tags_than_a_page_is_whole() {
    for registry in [Registry::v3(), Registry::v2_8()] {
        let registry = registry.start().await;
        let image = Image::single(1, &[100]);
        registry.push("app", "t0000", &image).await;
        let remote = open(&registry, "app", &Keychain::default());
        let manifest = remote.get_manifest(&tag("t0000")).await.unwrap();
        let puts = (1..1_205).map(|n| {
            let (remote, manifest) = (remote.clone(), manifest.clone());
            async move { remote.put_manifest(&tag(&format!("t{n:04}")), &manifest).await }
        });
        stream::iter(puts).buffer_unordered(16).try_collect::<()>().await.unwrap();
        let tags = remote.tags().await.unwrap();
        assert_eq!(tags.len(), 1_205);
        assert_eq!(tags.last().unwrap().as_str(), "t1204");
    }
}

#[tokio::test]
async fn absence_is_proven_and_missing_content_is_named() {
    for registry in [Registry::v3(), Registry::v2_8(), Registry::olareg()] {
        let registry = registry.start().await;
        let remote = open(&registry, "app", &Keychain::default());
        assert!(remote.prove_absent(&tag("nope")).await.unwrap());
        let config = serde_json::json!({
            "mediaType": "application/x", "digest": Digest::sha256(b"not there"), "size": 9,
        });
        let json = serde_json::json!({
            "schemaVersion": 2, "mediaType": imagesync::registry::OCI_MANIFEST, "config": config, "layers": [],
        });
        let bytes = Bytes::from(json.to_string());
        let digest = Digest::sha256(&bytes);
        let manifest = Manifest::parse(bytes, None, digest).unwrap();
        let error = remote.put_manifest(&tag("1"), &manifest).await.unwrap_err();
        assert!(error.is_missing_content(), "{}", message(&error));
    }
}

#[tokio::test]
async fn a_tag_is_deleted_where_the_registry_can() {
    let registry = Registry::v3().start().await;
    registry.push("app", "1", &Image::single(1, &[100])).await;
    let remote = open(&registry, "app", &Keychain::default());
    remote.delete_manifest(&tag("1")).await.unwrap();
    assert_eq!(remote.head_manifest(&tag("1")).await.unwrap(), None);
    let registry = Registry::v3().without_deletion().start().await;
    registry.push("app", "1", &Image::single(1, &[100])).await;
    let remote = open(&registry, "app", &Keychain::default());
    assert_eq!(class(remote.delete_manifest(&tag("1")).await), Class::Unsupported);
}
