use std::io;

use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::{
    blob, class,
    fake::{Asked, Fake, mute, refuse, reply},
    open,
};
use crate::class::Class;

const LARGE: usize = 200_000;

fn chunks(bytes: &[u8]) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let chunks: Vec<_> = bytes.chunks(10_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

#[tokio::test]
async fn a_blob_costs_a_post_and_a_put_at_the_location_that_it_named() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "POST" => reply(202).header("location", "/v2/app/blobs/uploads/1?_state=a%2Bb"),
        _ => reply(201),
    })
    .await;
    for size in [0, 10, LARGE] {
        let content = vec![1; size];
        let mut upload = open(&fake).start_upload().await.unwrap();
        upload.put(&blob(&content), 0, chunks(&content)).await.unwrap();
        let put = fake.asked().pop().unwrap();
        assert_eq!(put.line(), "PUT /v2/app/blobs/uploads/1");
        assert_eq!((put.query("_state"), put.query("digest")), ("a+b", blob(&content).digest.as_str()));
        assert_eq!(put.header("content-length"), Some(size.to_string().as_str()));
        assert!(put.header("transfer-encoding").is_none());
        assert_eq!(put.body, content);
    }
    assert_eq!(fake.asked().len(), 6);
}

#[tokio::test]
async fn a_torn_upload_goes_on_at_the_offset_that_the_session_says() {
    let fake = Fake::start_at(|url, asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", _) => reply(202).header("location", format!("{url}/up/1")),
        ("PUT", "/up/1") => refuse(500, "UNKNOWN"),
        // Relative, absolute and anew at each answer.
        ("GET", "/up/1") => reply(204).header("location", "2").header("range", "0-119999"),
        ("PATCH", "/up/2") => reply(202).header("location", "/up/3").header("range", "0-199999"),
        ("PUT", "/up/3") => reply(201),
        _ => reply(418),
    })
    .await;
    let content: Vec<u8> = (0..LARGE).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let mut upload = open(&fake).start_upload().await.unwrap();
    let torn = upload.put(&blob(&content), 0, chunks(&content)).await;
    assert_eq!(class(torn), Class::Unavailable);
    assert_eq!(upload.offset().await.unwrap(), Some(120_000));
    upload.put(&blob(&content), 120_000, chunks(&content[120_000..])).await.unwrap();
    let asked: Vec<Asked> = fake.asked();
    assert_eq!(asked[3].line(), "PATCH /up/2");
    assert_eq!(asked[3].header("content-range"), Some("120000-199999"));
    assert_eq!(asked[3].body, content[120_000..]);
    assert_eq!((asked[4].line().as_str(), asked[4].body.len()), ("PUT /up/3", 0));
    assert_eq!(asked[4].query("digest"), blob(&content).digest.as_str());
}

#[tokio::test]
async fn a_session_that_has_all_bytes_is_only_closed() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "POST" => reply(202).header("location", "/up"),
        _ => reply(201),
    })
    .await;
    let content = vec![1; LARGE];
    let mut upload = open(&fake).start_upload().await.unwrap();
    upload.put(&blob(&content), content.len() as u64, chunks(&[])).await.unwrap();
    assert_eq!(fake.lines(), ["POST /v2/app/blobs/uploads/", "PUT /up"]);
}

#[tokio::test]
async fn a_session_that_is_forgotten_or_has_no_byte_for_sure_is_none() {
    for answer in [
        refuse(404, "BLOB_UPLOAD_UNKNOWN"),
        refuse(400, "BLOB_UPLOAD_INVALID"),
        reply(204).header("range", "0-0"),
        reply(204),
        reply(204).header("range", "nonsense"),
        reply(204).header("range", "0-18446744073709551615"),
    ] {
        let fake = Fake::start(move |asked, _| match asked.method.as_str() {
            "POST" => reply(202).header("location", "/up"),
            _ => answer.clone(),
        })
        .await;
        let mut upload = open(&fake).start_upload().await.unwrap();
        assert_eq!(upload.offset().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_session_that_is_lost_while_bytes_are_sent_is_worth_another_try_and_bad_bytes_are_known_as_such() {
    for (answer, expected) in [
        (refuse(404, "BLOB_UPLOAD_UNKNOWN"), Class::Unavailable),
        (refuse(416, "RANGE_INVALID"), Class::Unavailable),
        (refuse(400, "DIGEST_INVALID"), Class::DigestMismatch),
        (refuse(403, "DENIED"), Class::Forbidden),
        (refuse(413, "SIZE_INVALID"), Class::TooLarge),
    ] {
        let fake = Fake::start(move |asked, _| match asked.method.as_str() {
            "POST" => reply(202).header("location", "/up"),
            _ => answer.clone(),
        })
        .await;
        let content = vec![1; LARGE];
        let mut upload = open(&fake).start_upload().await.unwrap();
        assert_eq!(class(upload.put(&blob(&content), 0, chunks(&content)).await), expected);
    }
}

#[tokio::test]
async fn a_small_blob_is_sent_again_when_the_registry_fails() {
    let fake = Fake::start(|asked, before| match (asked.method.as_str(), before) {
        ("POST", _) => reply(202).header("location", "/up"),
        (_, 1) => reply(503),
        _ => reply(201),
    })
    .await;
    let mut upload = open(&fake).start_upload().await.unwrap();
    upload.put(&blob(b"little"), 0, chunks(b"little")).await.unwrap();
    assert_eq!(fake.asked()[2].body, b"little");
}

#[tokio::test]
async fn a_source_that_fails_is_not_the_registrys_fault() {
    let fake = Fake::start(|_, _| reply(202).header("location", "/up")).await;
    for size in [10, LARGE] {
        let content = vec![1; size];
        let mut upload = open(&fake).start_upload().await.unwrap();
        let body =
            chunks(&content[..size / 2]).chain(stream::iter([Err(io::Error::other("the source tore"))]));
        let error = upload.put(&blob(&content), 0, body).await.unwrap_err();
        assert_eq!(error.class(), Class::Unavailable);
        assert!(
            crate::registry::message(&error).ends_with("the bytes to be sent did not come: the source tore")
        );
    }
}

#[tokio::test]
async fn a_session_without_a_location_is_no_session() {
    let fake = Fake::start(|_, _| reply(202)).await;
    assert_eq!(class(open(&fake).start_upload().await), Class::Unavailable);
}

#[tokio::test]
async fn an_upload_is_cancelled_with_delete_and_a_registry_that_cannot_is_forgiven() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "POST" => reply(202).header("location", "/up"),
        _ => refuse(405, "UNSUPPORTED"),
    })
    .await;
    open(&fake).start_upload().await.unwrap().cancel().await;
    assert_eq!(fake.lines()[1], "DELETE /up");
}

#[tokio::test]
async fn a_registry_that_takes_all_and_says_nothing_is_a_timeout() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "POST" => reply(202).header("location", "/up"),
        _ => mute(),
    })
    .await;
    let content = vec![1; LARGE];
    let mut upload = open(&fake).start_upload().await.unwrap();
    assert_eq!(class(upload.put(&blob(&content), 0, chunks(&content)).await), Class::Timeout);
}

#[tokio::test]
async fn a_connection_that_breaks_while_bytes_are_sent_does_not_keep_the_session_from_being_asked() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "POST" => reply(202).header("location", "/up"),
        "PUT" => super::fake::hang_up(),
        _ => reply(204).header("range", "0-99999"),
    })
    .await;
    let mut settings = super::settings();
    settings.timing.outage_rest = std::time::Duration::from_mins(1);
    let remote = super::open_as(&fake, settings);
    let content = vec![1; LARGE];
    let mut upload = remote.start_upload().await.unwrap();
    assert_eq!(class(upload.put(&blob(&content), 0, chunks(&content)).await), Class::Unavailable);
    assert_eq!(upload.offset().await.unwrap(), Some(100_000));
}

#[tokio::test]
async fn a_patch_is_never_sent_twice_by_itself() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "POST" => reply(202).header("location", "/up"),
        _ => reply(503),
    })
    .await;
    let content = vec![1; LARGE];
    let mut upload = open(&fake).start_upload().await.unwrap();
    let from = LARGE - 10;
    let sent = upload.put(&blob(&content), from as u64, chunks(&content[from..])).await;
    assert_eq!(class(sent), Class::Unavailable);
    assert_eq!(fake.lines(), ["POST /v2/app/blobs/uploads/", "PATCH /up"]);
}
