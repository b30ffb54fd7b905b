use futures::StreamExt as _;

use super::{
    all, blob, class,
    fake::{Asked, Fake, Reply, refuse, reply},
    open, read,
};
use crate::{class::Class, digest::Digest, registry::Blob};

fn content() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// The bytes from where they are asked for.
fn ranged(asked: &Asked, content: &[u8]) -> Reply {
    match first(asked) {
        Some(first) => reply(206)
            .header("content-range", format!("bytes {first}-{}/{}", content.len() - 1, content.len()))
            .body(&content[first..]),
        None => reply(200).body(content),
    }
}

fn first(asked: &Asked) -> Option<usize> {
    asked.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// Cuts an answer short, and closes the connection.
fn cut(whole: Reply, content: &[u8], from: usize, bytes: usize) -> Reply {
    whole.length((content.len() - from) as u64).body(&content[from..from + bytes]).torn()
}

#[tokio::test]
async fn a_blob_comes_whole_with_one_request() {
    let content = content();
    let fake = Fake::start({
        let content = content.clone();
        move |asked, _| ranged(asked, &content)
    })
    .await;
    assert_eq!(read(&open(&fake), &blob(&content)).await.unwrap(), content);
    assert_eq!(fake.lines(), [format!("GET /v2/app/blobs/{}", blob(&content).digest)]);
}

#[tokio::test]
async fn what_was_read_is_hardly_read_again_to_go_on_from_the_middle() {
    let content: Vec<u8> = content().into_iter().cycle().take(3 << 20).collect();
    let fake = Fake::start({
        let content = content.clone();
        move |asked, _| ranged(asked, &content)
    })
    .await;
    let reading = open(&fake).reading(&blob(&content));
    assert_eq!(all(reading.from(0)).await.unwrap(), content);
    let from = (5 << 20) / 2;
    assert_eq!(all(reading.from(from as u64)).await.unwrap(), content[from..]);
    let begins = first(&fake.asked()[1]).unwrap();
    assert!(begins <= from && begins > from - (2 << 20), "{begins}");
}

#[tokio::test]
async fn wrong_bytes_are_found_although_they_come_before_the_place_where_it_goes_on() {
    let content = content();
    let fake = Fake::start({
        let mut content = content.clone();
        content[5] ^= 1;
        move |asked, _| ranged(asked, &content)
    })
    .await;
    let reading = open(&fake).reading(&blob(&content));
    assert_eq!(class(all(reading.from(1000)).await), Class::DigestMismatch);
}

#[tokio::test]
async fn a_torn_body_goes_on_where_it_tore() {
    let content = content();
    let fake = Fake::start({
        let content = content.clone();
        move |asked, before| match before {
            0 => cut(ranged(asked, &content), &content, 0, 70_000),
            1 => cut(ranged(asked, &content), &content, first(asked).unwrap(), 1),
            _ => ranged(asked, &content),
        }
    })
    .await;
    assert_eq!(read(&open(&fake), &blob(&content)).await.unwrap(), content);
    let ranges: Vec<_> = fake.asked().iter().map(first).collect();
    assert_eq!(ranges, [None, Some(70_000), Some(70_001)]);
}

#[tokio::test]
async fn a_host_that_does_no_ranges_sends_again_what_is_skipped() {
    let content = content();
    let fake = Fake::start({
        let content = content.clone();
        move |_, before| match before {
            0 => cut(reply(200), &content, 0, 70_000),
            _ => reply(200).body(&content),
        }
    })
    .await;
    assert_eq!(read(&open(&fake), &blob(&content)).await.unwrap(), content);
}

#[tokio::test]
async fn another_range_than_was_asked_for_is_refused() {
    let content = content();
    let fake = Fake::start({
        let content = content.clone();
        move |asked, before| match before {
            0 => cut(ranged(asked, &content), &content, 0, 1000),
            _ => reply(206).header("content-range", "bytes 0-9/10").body(&content[1000..]),
        }
    })
    .await;
    assert_eq!(class(read(&open(&fake), &blob(&content)).await), Class::Unavailable);
}

#[tokio::test]
async fn a_host_that_tears_every_connection_is_given_up() {
    let content = content();
    let fake = Fake::start({
        let content = content.clone();
        move |asked, _| cut(ranged(asked, &content), &content, first(asked).unwrap_or(0), 10)
    })
    .await;
    assert_eq!(class(read(&open(&fake), &blob(&content)).await), Class::Unavailable);
    assert_eq!(fake.asked().len(), 5);
}

#[tokio::test]
async fn a_host_that_falls_silent_is_a_timeout() {
    let content = content();
    let fake = Fake::start({
        let content = content.clone();
        move |_, _| reply(200).length(content.len() as u64).body(&content[..10]).silent()
    })
    .await;
    let remote = open(&fake);
    assert_eq!(class(read(&remote, &blob(&content)).await), Class::Timeout);
}

#[tokio::test]
async fn wrong_bytes_never_come_to_their_end() {
    let content = content();
    let fake = Fake::start({
        let mut content = content.clone();
        content[5] ^= 1;
        move |asked, _| ranged(asked, &content)
    })
    .await;
    let mut stream = open(&fake).read_blob(&blob(&content)).boxed();
    let (mut came, mut error) = (0, None);
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => came += chunk.len(),
            Err(failed) => error = Some(failed),
        }
    }
    assert!(came < content.len(), "a consumer would have had them all");
    assert_eq!(error.unwrap().class(), Class::DigestMismatch);
}

#[tokio::test]
async fn a_length_other_than_promised_is_refused_before_a_byte_is_taken() {
    let content = content();
    for length in [0, content.len() - 1, content.len() + 1] {
        let fake = Fake::start(move |_, _| reply(200).body(vec![7; length])).await;
        let mut stream = open(&fake).read_blob(&blob(&content)).boxed();
        assert_eq!(stream.next().await.unwrap().unwrap_err().class(), Class::DigestMismatch);
        assert!(stream.next().await.is_none());
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_off_at_its_length() {
    let fake = Fake::start(|_, _| reply(200).body(vec![7; 1000]).endless()).await;
    let promised = blob(&vec![7; 150_000]);
    assert_eq!(class(read(&open(&fake), &promised).await), Class::DigestMismatch);
}

#[tokio::test]
async fn a_blob_whose_head_says_it_is_there_and_whose_get_says_otherwise_is_an_error() {
    let content = content();
    let fake = Fake::start({
        let length = content.len() as u64;
        move |asked, _| match asked.method.as_str() {
            "HEAD" => reply(200).length(length),
            _ => refuse(404, "BLOB_UNKNOWN"),
        }
    })
    .await;
    let remote = open(&fake);
    assert_eq!(remote.head_blob(&blob(&content).digest).await.unwrap(), Some(content.len() as u64));
    assert_eq!(class(read(&remote, &blob(&content)).await), Class::NotFound);
    // What a registry sends whose cache remembers a blob that garbage collection took.
    let fake = Fake::start({
        let length = content.len() as u64;
        move |_, _| reply(200).length(length).torn()
    })
    .await;
    assert_eq!(class(read(&open(&fake), &blob(&content)).await), Class::Unavailable);
}

#[tokio::test]
async fn an_empty_blob_needs_no_request_and_its_digest_is_still_checked() {
    let fake = Fake::start(|_, _| reply(500)).await;
    let remote = open(&fake);
    assert_eq!(read(&remote, &blob(b"")).await.unwrap(), b"");
    let lie = Blob { digest: Digest::sha256(b"x"), size: 0 };
    assert_eq!(class(read(&remote, &lie).await), Class::DigestMismatch);
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_blob_that_is_not_there_is_none() {
    let fake = Fake::start(|_, _| refuse(404, "BLOB_UNKNOWN")).await;
    assert_eq!(open(&fake).head_blob(&blob(b"x").digest).await.unwrap(), None);
}

#[tokio::test]
async fn a_host_from_which_hardly_anything_comes_is_given_up_although_it_is_never_silent() {
    let content = content();
    let fake = Fake::start({
        let content = content.clone();
        move |_, _| reply(200).length(content.len() as u64).body(&content[..100]).dripping()
    })
    .await;
    let mut settings = super::settings();
    settings.timing.idle = std::time::Duration::from_millis(50);
    let remote = super::open_as(&fake, settings);
    assert_eq!(class(read(&remote, &blob(&content)).await), Class::Unavailable);
}

#[tokio::test]
async fn what_others_found_to_be_wrong_is_not_gone_on_with() {
    let content: Vec<u8> = content().into_iter().cycle().take(3 << 20).collect();
    let fake = Fake::start({
        let content = content.clone();
        move |asked, before| {
            let mut content = content.clone();
            content[5] ^= u8::from(before == 0);
            ranged(asked, &content)
        }
    })
    .await;
    let reading = open(&fake).reading(&blob(&content));
    let mut first = reading.from(0).boxed();
    first.next().await.unwrap().unwrap();
    let others = reading.clone();
    assert_eq!(class(all(first).await), Class::DigestMismatch);
    // They took some of it; the bytes that come now are right, and do not belong to those.
    assert_eq!(class(all(others.from(2 << 20)).await), Class::DigestMismatch);
    assert_eq!(all(others.from(0)).await.unwrap(), content);
    assert_eq!(all(others.from(2 << 20)).await.unwrap(), content[2 << 20..]);
}
