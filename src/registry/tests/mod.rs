//! Registries that lie, tear, limit and loop, and what becomes of it.

mod auth;
mod blobs;
pub(crate) mod fake;
mod limits;
mod manifests;
mod mirrors;
mod mounts;
mod proxies;
mod redirects;
mod referrers;
mod settings;
mod tags;
mod texts;
mod tls;
mod uploads;

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};

use self::fake::Fake;
use super::{Blob, Error, Keychain, Registries, Remote, Settings};
use crate::{class::Class, digest::Digest};

/// Settings with which waits are short.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    quicken(&mut settings);
    settings
}

fn quicken(settings: &mut Settings) {
    let timing = &mut settings.timing;
    timing.first_wait = Duration::from_millis(1);
    timing.most_wait = Duration::from_millis(2);
    timing.unnamed_wait = Duration::from_millis(1);
    timing.idle = Duration::from_millis(300);
    timing.head = Duration::from_millis(300);
    timing.outage_rest = Duration::ZERO;
}

pub(crate) fn open(fake: &Fake) -> Remote {
    open_path(fake, "app")
}

pub(crate) fn open_path(fake: &Fake, path: &str) -> Remote {
    let registries = Registries::new(settings()).unwrap();
    registries.open(&format!("{}/{path}", fake.address).parse().unwrap(), &Keychain::default())
}

fn open_as(fake: &Fake, settings: Settings) -> Remote {
    let registries = Registries::new(settings).unwrap();
    registries.open(&format!("{}/app", fake.address).parse().unwrap(), &Keychain::default())
}

/// To a registry that is asked for one thing at a time.
pub(crate) fn open_one_at_a_time(fake: &Fake) -> Remote {
    let text = format!("registries: [{{host: '{}', plainHttp: true, concurrency: 1}}]", fake.address);
    let mut settings = Settings::parse(&text, "f".as_ref()).unwrap();
    quicken(&mut settings);
    open_as(fake, settings)
}

fn open_with(fake: &Fake, keychain: &Keychain) -> Remote {
    let registries = Registries::new(settings()).unwrap();
    registries.open(&format!("{}/app", fake.address).parse().unwrap(), keychain)
}

fn tag(tag: &str) -> super::At {
    super::At::Tag(tag.parse().unwrap())
}

fn by(digest: &Digest) -> super::At {
    super::At::Digest(digest.clone())
}

pub(crate) fn blob(bytes: &[u8]) -> Blob {
    Blob { digest: Digest::sha256(bytes), size: bytes.len() as u64 }
}

/// An image without layers.
fn image() -> Vec<u8> {
    let empty = Digest::sha256(b"{}");
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": super::OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
        "layers": [],
    });
    manifest.to_string().into_bytes()
}

async fn read(remote: &Remote, blob: &Blob) -> Result<Vec<u8>, Error> {
    all(remote.read_blob(blob)).await
}

async fn all(chunks: impl Stream<Item = Result<Bytes, Error>>) -> Result<Vec<u8>, Error> {
    let append = |mut all: Vec<u8>, chunk: Bytes| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    };
    chunks.try_fold(Vec::new(), append).await
}

#[track_caller]
fn class<T: std::fmt::Debug>(result: Result<T, Error>) -> Class {
    result.expect_err("it must not work").class()
}

#[tokio::test]
async fn an_error_says_what_was_done_to_what_and_why_it_failed() {
    let fake = Fake::start(|_, _| fake::refuse(403, "DENIED")).await;
    let error = open(&fake).get_manifest(&tag("1")).await.unwrap_err();
    let address = fake.address;
    assert_eq!(
        super::message(&error),
        format!(
            "cannot read the manifest {address}/app:1: {address} does not permit this to anonymous \
             (403 Forbidden, DENIED: DENIED it is); ask its administrator for access"
        )
    );
}

#[tokio::test]
async fn a_host_without_a_server_is_unavailable_and_says_why() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let registries = Registries::new(settings()).unwrap();
    let remote = registries.open(&format!("{nobody}/app").parse().unwrap(), &Keychain::default());
    let error = remote.tags().await.unwrap_err();
    assert_eq!(error.class(), Class::Unavailable);
    assert!(super::message(&error).contains("Connection refused"), "{}", super::message(&error));
}

#[test]
fn nothing_that_is_shared_shows_a_secret_when_it_is_printed() {
    let keychain = Keychain::password("registry.example", "me", "hunter2");
    let registries = Registries::new(settings()).unwrap();
    let remote = registries.open(&"registry.example/app".parse().unwrap(), &keychain);
    let texts = [
        format!("{keychain:?}"),
        format!("{remote:?}"),
        format!("{:?} {}", remote.account(), remote.account()),
    ];
    assert!(texts.iter().all(|text| !text.contains("hunter2")), "{texts:?}");
    assert!(texts.iter().all(|text| text.contains("me")), "{texts:?}");
}
