use std::{collections::HashMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};

use super::{
    blob, class,
    fake::{Fake, Reply, hang_up, refuse, reply},
    image, open, open_with, settings, tag,
};
use crate::{
    class::Class,
    digest::Digest,
    registry::{Keychain, Manifest, Registries},
};

#[tokio::test]
async fn failures_of_the_registry_are_tried_again_at_each_step() {
    for failure in [
        refuse(500, "UNKNOWN"),
        reply(502),
        reply(503),
        reply(408),
        hang_up(),
        refuse(429, "TOOMANYREQUESTS"),
    ] {
        let step = failure.clone();
        let fake = Fake::start(move |_, before| match before {
            0 | 1 => step.clone(),
            _ => reply(200).body(image()),
        })
        .await;
        open(&fake).get_manifest(&tag("1")).await.unwrap();
        assert_eq!(fake.asked().len(), 3);
        // Of tokens there are two, one that allows to read and one that allows to write.
        assert_eq!(steps(move || failure.clone()).await, [2, 3, 2, 2, 2, 2, 2]);
    }
}

/// All that is done to copy an image, each request of which fails once; how many came of each.
async fn steps(failure: impl Fn() -> Reply + Send + Sync + 'static) -> [usize; 7] {
    let seen: Mutex<HashMap<String, usize>> = Mutex::default();
    let fake = Fake::start_at(move |url, asked, _| {
        let step = format!("{} {}", asked.line(), asked.header("authorization").is_some());
        let mut seen = seen.lock().unwrap();
        let times = seen.entry(step).or_default();
        *times += 1;
        if *times == 1 {
            return failure();
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            (_, "/token") => reply(200).body(r#"{"token": "t"}"#),
            _ if asked.header("authorization").is_none() => refuse(401, "UNAUTHORIZED")
                .header("www-authenticate", format!(r#"Bearer realm="{url}/token""#)),
            ("GET", "/v2/app/tags/list") => reply(200).body(r#"{"tags": ["1"]}"#),
            ("HEAD", _) => reply(200).header("content-length", 1),
            ("POST", _) => reply(202).header("location", "/up"),
            _ => reply(201),
        }
    })
    .await;
    let remote = open_with(&fake, &Keychain::password(&fake.address.to_string(), "me", "secret"));
    remote.tags().await.unwrap();
    remote.head_blob(&blob(b"x").digest).await.unwrap();
    let mut upload = remote.start_upload().await.unwrap();
    let body = futures::stream::iter([Ok(bytes::Bytes::from_static(b"x"))]);
    upload.put(&blob(b"x"), 0, body).await.unwrap();
    let manifest = Manifest::parse(bytes::Bytes::from(image()), None, Digest::sha256(&image())).unwrap();
    remote.put_manifest(&tag("1"), &manifest).await.unwrap();
    let lines = fake.lines();
    let paths =
        ["GET /v2/", "GET /token", "GET /v2/app/tags", "HEAD ", "POST ", "PUT /up", "PUT /v2/app/manifests"];
    paths.map(|path| {
        let is_it =
            |line: &&String| if path.ends_with("/v2/") { *line == path } else { line.starts_with(path) };
        lines.iter().filter(is_it).count()
    })
}

#[tokio::test]
async fn a_registry_that_goes_on_failing_is_given_up_with_what_it_said() {
    let fake = Fake::start(|_, _| refuse(500, "UNKNOWN")).await;
    let error = open(&fake).get_manifest(&tag("1")).await.unwrap_err();
    assert_eq!(error.class(), Class::Unavailable);
    assert!(crate::registry::message(&error).contains("UNKNOWN it is"));
    assert_eq!(fake.asked().len(), 5);
}

#[tokio::test]
async fn what_will_not_change_is_not_tried_again() {
    for (status, expected) in [
        (400, Class::Unsupported),
        (403, Class::Forbidden),
        (404, Class::NotFound),
        (501, Class::Unavailable),
    ] {
        let fake = Fake::start(move |_, _| refuse(status, "MANIFEST_UNKNOWN")).await;
        assert_eq!(class(open(&fake).get_manifest(&tag("1")).await), expected);
        assert_eq!(fake.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_registry_that_says_nothing_is_a_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let registries = Registries::new(settings()).unwrap();
    let remote = registries.open(&format!("{address}/app").parse().unwrap(), &Keychain::default());
    assert_eq!(class(remote.tags().await), Class::Timeout);
}

#[tokio::test]
async fn a_long_limit_puts_off_everybody_at_once_until_the_time_it_names() {
    let date =
        (Timestamp::now() + SignedDuration::from_hours(2)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for after in ["7200".to_owned(), date] {
        let fake =
            Fake::start(move |_, _| refuse(429, "TOOMANYREQUESTS").header("retry-after", &after)).await;
        let registries = Registries::new(settings()).unwrap();
        let open = |path| {
            registries.open(&format!("{}/{path}", fake.address).parse().unwrap(), &Keychain::default())
        };
        let first = open("one").get_manifest(&tag("1")).await.unwrap_err();
        // Another repository of the same account.
        let second = open("two").tags().await.unwrap_err();
        for error in [first, second] {
            assert_eq!(error.class(), Class::RateLimited);
            let wait = error.until().unwrap().duration_since(Timestamp::now());
            assert!(
                wait > SignedDuration::from_mins(119) && wait < SignedDuration::from_mins(121),
                "{wait:?}"
            );
        }
        assert_eq!(fake.asked().len(), 1);
        // Another account is another budget.
        let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
        let remote = registries.open(&format!("{}/one", fake.address).parse().unwrap(), &keychain);
        assert_eq!(class(remote.tags().await), Class::RateLimited);
        assert!(fake.asked().len() > 1);
    }
}

#[tokio::test]
async fn a_limit_that_is_announced_is_obeyed_before_it_is_hit() {
    let fake = Fake::start(|_, _| {
        reply(200).body(image()).header("ratelimit-remaining", "0;w=60").header("ratelimit-reset", "3600")
    })
    .await;
    let remote = open(&fake);
    remote.get_manifest(&tag("1")).await.unwrap();
    let error = remote.get_manifest(&tag("1")).await.unwrap_err();
    assert_eq!(error.class(), Class::RateLimited);
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_limit_without_a_time_is_put_off_at_last() {
    let fake = Fake::start(|_, _| refuse(429, "TOOMANYREQUESTS")).await;
    let error = open(&fake).get_manifest(&tag("1")).await.unwrap_err();
    assert_eq!(error.class(), Class::RateLimited);
    assert!(error.until().is_some());
    assert_eq!(fake.asked().len(), 5);
    // One that says how slow it wants us is not tried again so soon.
    let fake =
        Fake::start(|_, _| refuse(429, "TOOMANYREQUESTS").header("ratelimit-limit", "100;w=21600")).await;
    let error = open(&fake).get_manifest(&tag("1")).await.unwrap_err();
    assert!(error.until().unwrap().duration_since(Timestamp::now()) > SignedDuration::from_secs(200));
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn an_error_body_is_read_to_its_limit_only() {
    let fake = Fake::start(|_, _| reply(400).body(vec![b'x'; 65_536]).endless()).await;
    assert_eq!(class(open(&fake).get_manifest(&tag("1")).await), Class::Unsupported);
}

#[tokio::test]
async fn what_passed_is_counted_by_account() {
    let fake = Fake::start(|_, _| reply(200).body(image())).await;
    let registries = Registries::new(settings()).unwrap();
    let remote = registries.open(&format!("{}/app", fake.address).parse().unwrap(), &Keychain::default());
    remote.get_manifest(&tag("1")).await.unwrap();
    remote.get_manifest(&tag("1")).await.unwrap();
    let counters = registries.counters();
    assert_eq!(counters.len(), 1);
    assert_eq!(counters[0].0, *remote.account());
    assert_eq!((counters[0].1.requests, counters[0].1.received), (2, 2 * image().len() as u64));
}
