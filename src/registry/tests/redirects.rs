use super::{
    blob, class,
    fake::{Asked, Fake, Reply, refuse, reply},
    image, open, open_with, read, tag,
};
use crate::{
    class::Class,
    registry::{Keychain, Remote, message},
};

#[tokio::test]
async fn a_blob_elsewhere_is_read_there_and_the_credential_stays_here() {
    let storage = Fake::start(|_, _| reply(200).body("content")).await;
    let there = storage.address;
    let fake = Fake::start(move |asked, _| match asked.header("authorization") {
        None => refuse(401, "UNAUTHORIZED").header("www-authenticate", "Basic realm=here"),
        Some(_) => reply(307).header("location", format!("http://{there}/store?X-Signature=s3cret")),
    })
    .await;
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    assert_eq!(read(&open_with(&fake, &keychain), &blob(b"content")).await.unwrap(), b"content");
    assert!(fake.asked()[1].header("authorization").is_some());
    assert!(storage.asked()[0].header("authorization").is_none());
    assert_eq!(storage.asked()[0].query("X-Signature"), "s3cret");
}

/// A registry that wants a password, and does what `answer` says for who shows it.
async fn with_password(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Fake, Remote) {
    let fake = Fake::start(move |asked, _| match asked.header("authorization") {
        None => refuse(401, "UNAUTHORIZED").header("www-authenticate", "Basic realm=here"),
        Some(_) => answer(asked),
    })
    .await;
    let remote = open_with(&fake, &Keychain::password(&fake.address.to_string(), "me", "secret"));
    (fake, remote)
}

#[tokio::test]
async fn an_upload_whose_session_is_at_another_host_goes_there_without_the_credential() {
    for size in [7, 200_000] {
        let storage = Fake::start(|asked, _| match asked.method.as_str() {
            "GET" => reply(204).header("range", "0-6"),
            _ => reply(201),
        })
        .await;
        let there = storage.address;
        let (_fake, remote) = with_password(move |_| {
            reply(202).header("location", format!("http://{there}/up?X-Signature=s3cret"))
        })
        .await;
        let content = vec![1; size];
        let mut upload = remote.start_upload().await.unwrap();
        assert_eq!(upload.offset().await.unwrap(), Some(7));
        let body = futures::stream::iter([Ok(bytes::Bytes::copy_from_slice(&content))]);
        upload.put(&blob(&content), 0, body).await.unwrap();
        let asked = storage.asked();
        assert_eq!(storage.lines(), ["GET /up", "PUT /up"]);
        assert!(asked.iter().all(|asked| asked.header("authorization").is_none()));
        assert_eq!((asked[1].query("X-Signature"), asked[1].body.len()), ("s3cret", size));
    }
}

#[tokio::test]
async fn a_session_at_another_host_is_still_a_session() {
    let storage = Fake::start(|asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", "/spoilt") => refuse(400, "DIGEST_INVALID"),
        (_, "/expired") => reply(403).body("<Error>expired</Error>"),
        _ => reply(404),
    })
    .await;
    let there = storage.address;
    let begin = async |path: &'static str| {
        let (_fake, remote) =
            with_password(move |_| reply(202).header("location", format!("http://{there}/{path}"))).await;
        remote.start_upload().await.unwrap()
    };
    let body = || futures::stream::iter([Ok(bytes::Bytes::from_static(b"x"))]);
    assert_eq!(class(begin("spoilt").await.put(&blob(b"x"), 0, body()).await), Class::DigestMismatch);
    for path in ["gone", "expired"] {
        let mut upload = begin(path).await;
        assert_eq!(upload.offset().await.unwrap(), None, "{path}");
        assert_eq!(class(upload.put(&blob(b"x"), 0, body()).await), Class::Unavailable, "{path}");
    }
    assert_eq!(storage.asked().len(), 5);
}

#[tokio::test]
async fn a_next_page_at_another_host_is_read_without_the_credential() {
    let other = Fake::start(|_, _| reply(200).body(r#"{"tags": ["b"]}"#)).await;
    let there = other.address;
    let (_fake, remote) = with_password(move |_| {
        let link = format!("<http://{there}/page?after=a>; rel=next");
        reply(200).header("link", link).body(r#"{"tags": ["a"]}"#)
    })
    .await;
    let tags: Vec<String> = remote.tags().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["a", "b"]);
    assert!(other.asked()[0].header("authorization").is_none());
}

#[tokio::test]
async fn what_another_host_wants_changes_nothing_for_the_registry() {
    // Its challenge is not learned, it gets no credential, and its limit closes no gate.
    let thief = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        "/limit" => refuse(429, "TOOMANYREQUESTS").header("retry-after", "3600"),
        _ => refuse(401, "UNAUTHORIZED")
            .header("www-authenticate", format!(r#"Bearer realm="{url}/token",service="s""#)),
    })
    .await;
    let there = thief.address;
    for path in ["challenge", "limit"] {
        let (fake, remote) = with_password(move |asked| match asked.method.as_str() {
            "POST" => reply(202).header("location", format!("http://{there}/{path}")),
            _ => reply(200).body(image()),
        })
        .await;
        let mut upload = remote.start_upload().await.unwrap();
        let body = futures::stream::iter([Ok(bytes::Bytes::from_static(b"x"))]);
        assert!(upload.put(&blob(b"x"), 0, body).await.is_err());
        remote.get_manifest(&tag("1")).await.unwrap();
        let shown = fake.asked().pop().unwrap();
        assert!(shown.header("authorization").unwrap().starts_with("Basic "));
    }
    assert!(thief.asked().iter().all(|asked| asked.header("authorization").is_none()));
    assert!(thief.lines().iter().all(|line| !line.ends_with("/token")), "{:?}", thief.lines());
}

#[tokio::test]
async fn an_identity_token_is_not_sent_on_to_another_host() {
    for status in [307, 308] {
        let thief = Fake::start(|_, _| reply(200).body(r#"{"access_token": "t"}"#)).await;
        let there = thief.address;
        let fake = Fake::start_at(move |url, asked, _| match asked.path.as_str() {
            "/token" => reply(status).header("location", "/moved"),
            "/moved" => reply(status).header("location", format!("http://{there}/token?sig=s3cret")),
            _ => refuse(401, "UNAUTHORIZED")
                .header("www-authenticate", format!(r#"Bearer realm="{url}/token""#)),
        })
        .await;
        let config = serde_json::json!({"auths": {fake.address.to_string(): {"identitytoken": "identity"}}})
            .to_string();
        let keychain = Keychain::from_secret(config.as_bytes()).unwrap();
        let error = open_with(&fake, &keychain).get_manifest(&tag("1")).await.unwrap_err();
        assert_eq!(error.class(), Class::Forbidden);
        assert!(message(&error).contains("identity token") && !message(&error).contains("s3cret"));
        assert!(thief.asked().is_empty());
        // On the same host it is.
        assert_eq!(fake.lines(), ["GET /v2/", "POST /token", "POST /moved"]);
    }
}

#[tokio::test]
async fn where_the_api_redirects_nobody_names_a_realm() {
    let thief = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        "/token" => reply(200).body(r#"{"token": "t"}"#),
        _ => refuse(401, "UNAUTHORIZED").header("www-authenticate", format!(r#"Bearer realm="{url}/token""#)),
    })
    .await;
    let there = thief.address;
    let fake = Fake::start(move |asked, _| match (asked.path.as_str(), asked.header("authorization")) {
        ("/v2/", _) => reply(307).header("location", format!("http://{there}/v2/")),
        (_, None) => refuse(401, "UNAUTHORIZED").header("www-authenticate", "Basic realm=here"),
        _ => reply(200).body(image()),
    })
    .await;
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    open_with(&fake, &keychain).get_manifest(&tag("1")).await.unwrap();
    assert_eq!(thief.lines(), ["GET /v2/"]);
    assert!(thief.asked()[0].header("authorization").is_none());
}

#[tokio::test]
async fn what_another_host_answers_says_nothing_about_the_registry() {
    for status in [401, 403, 404, 500] {
        let storage = Fake::start(move |_, _| reply(status)).await;
        let there = storage.address;
        let fake =
            Fake::start(move |_, _| reply(307).header("location", format!("http://{there}/x?sig=s3cret")))
                .await;
        let error = read(&open(&fake), &blob(b"content")).await.unwrap_err();
        assert_eq!(error.class(), Class::Unavailable);
        assert!(!message(&error).contains("s3cret"));
    }
}

#[tokio::test]
async fn a_signed_address_that_expired_is_asked_for_again() {
    let storage =
        Fake::start(|_, before| if before == 0 { reply(403) } else { reply(200).body("content") }).await;
    let there = storage.address;
    let fake = Fake::start(move |_, _| reply(307).header("location", format!("http://{there}/x"))).await;
    assert_eq!(read(&open(&fake), &blob(b"content")).await.unwrap(), b"content");
    assert_eq!(fake.asked().len(), 2);
}

/// A registry that sends everything on to `there`, as registry.k8s.io does.
async fn front_of(there: &Fake) -> Fake {
    let there = there.address;
    Fake::start(move |asked, _| reply(307).header("location", format!("http://{there}{}", asked.path))).await
}

#[tokio::test]
async fn a_registry_behind_the_registry_can_say_that_nothing_is_there() {
    for (answer, expected) in [
        (refuse(404, "MANIFEST_UNKNOWN"), Class::NotFound),
        // Not a registry's words.
        (reply(404).body("<Error>NoSuchKey</Error>"), Class::Unavailable),
    ] {
        let behind = Fake::start(move |_, _| answer.clone()).await;
        let remote = open(&front_of(&behind).await);
        assert!(remote.head_manifest(&tag("1")).await.unwrap().is_none());
        assert_eq!(class(remote.get_manifest(&tag("1")).await), expected);
        assert_eq!(class(remote.tags().await), expected);
        assert_eq!(behind.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_limit_behind_the_registry_puts_off_what_was_sent_there_and_nothing_else() {
    let behind = Fake::start(|asked, _| match asked.path.as_str() {
        "/v2/app/manifests/1" => refuse(429, "TOOMANYREQUESTS").header("retry-after", "3600"),
        _ => reply(200).body(image()),
    })
    .await;
    let remote = open(&front_of(&behind).await);
    let error = remote.get_manifest(&tag("1")).await.unwrap_err();
    assert_eq!(error.class(), Class::RateLimited);
    let wait = error.until().unwrap().duration_since(jiff::Timestamp::now());
    assert!(wait > jiff::SignedDuration::from_mins(59), "{wait:?}");
    assert_eq!(behind.asked().len(), 1);
    remote.get_manifest(&tag("2")).await.unwrap();
}

#[tokio::test]
async fn a_short_limit_behind_the_registry_is_waited_out() {
    for answer in [refuse(429, "TOOMANYREQUESTS"), refuse(429, "TOOMANYREQUESTS").header("retry-after", "1")]
    {
        let behind = Fake::start(move |_, before| match before {
            0 => answer.clone(),
            _ => reply(200).body(image()),
        })
        .await;
        open(&front_of(&behind).await).get_manifest(&tag("1")).await.unwrap();
        assert_eq!(behind.asked().len(), 2);
    }
}

#[tokio::test]
async fn redirects_that_never_end_do() {
    let fake = Fake::start(|_, before| reply(307).header("location", format!("/again/{before}"))).await;
    let error = open(&fake).get_manifest(&tag("1")).await.unwrap_err();
    assert_eq!(error.class(), Class::Forbidden);
    assert!(message(&error).contains("more than 10 redirects"), "{}", message(&error));
    assert_eq!(fake.asked().len(), 11);
}

#[tokio::test]
async fn addresses_that_no_registry_may_name_are_not_called() {
    for address in [
        "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0:1/",
        "file:///etc/passwd",
        "ftp://h/",
    ] {
        let fake = Fake::start(move |_, _| reply(307).header("location", address)).await;
        let error = open(&fake).get_manifest(&tag("1")).await.unwrap_err();
        assert_eq!(error.class(), Class::Forbidden, "{address}: {error:?}");
        assert_eq!(fake.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_realm_at_an_address_that_no_registry_may_name_gets_no_credential() {
    let fake = Fake::start(|_, _| {
        refuse(401, "UNAUTHORIZED")
            .header("www-authenticate", r#"Bearer realm="http://169.254.169.254/token""#)
    })
    .await;
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    let error = open_with(&fake, &keychain).get_manifest(&tag("1")).await.unwrap_err();
    assert_eq!(error.class(), Class::Forbidden);
    assert!(message(&error).contains("169.254.169.254"), "{}", message(&error));
}

#[tokio::test]
async fn an_upload_is_not_sent_to_an_address_that_no_registry_may_name() {
    let fake = Fake::start(|_, _| reply(202).header("location", "http://169.254.169.254/up")).await;
    let mut upload = open(&fake).start_upload().await.unwrap();
    let body = futures::stream::iter([Ok(bytes::Bytes::from_static(b"x"))]);
    assert_eq!(class(upload.put(&blob(b"x"), 0, body).await), Class::Forbidden);
}
