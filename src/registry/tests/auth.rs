use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::{
    blob, class,
    fake::{Asked, Fake, Reply, mute, refuse, reply},
    image, open, open_with, settings, tag,
};
use crate::{
    class::Class,
    registry::{Keychain, Mount, OCI_MANIFEST, Registries, message, transport::TRIES},
};

/// A manifest for who shows `authorization`, else a challenge for a token from `/token`.
fn guarded(url: &str, asked: &Asked, authorization: &str) -> Reply {
    if asked.header("authorization") == Some(authorization) {
        return reply(200).header("content-type", OCI_MANIFEST).body(image());
    }
    let scope = r#"scope="repository:app:pull""#;
    refuse(401, "UNAUTHORIZED")
        .header("www-authenticate", format!(r#"Bearer realm="{url}/token",service="the registry",{scope}"#))
}

fn token(token: &str) -> Reply {
    reply(200).body(serde_json::json!({"token": token, "expires_in": 300}).to_string())
}

#[tokio::test]
async fn an_anonymous_token_is_fetched_once_and_used_for_all_that_it_covers() {
    let fake = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        "/token" => token("t"),
        _ => guarded(url, asked, "Bearer t"),
    })
    .await;
    let remote = open(&fake);
    for _ in 0..3 {
        remote.get_manifest(&tag("1")).await.unwrap();
    }
    let manifest = "GET /v2/app/manifests/1";
    assert_eq!(fake.lines(), [manifest, "GET /token", manifest, manifest, manifest]);
    let asked = &fake.asked()[1];
    assert_eq!((asked.query("service"), asked.query("scope")), ("the registry", "repository:app:pull"));
    assert_eq!(asked.header("authorization"), None);
}

#[tokio::test]
async fn with_a_credential_the_registry_is_asked_first_how_it_wants_it() {
    let fake = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        // To strangers it says that nothing is there.
        "/v2/app/manifests/1" if asked.header("authorization").is_none() => refuse(404, "NAME_UNKNOWN"),
        "/token" => token("t"),
        _ => guarded(url, asked, "Bearer t"),
    })
    .await;
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    open_with(&fake, &keychain).get_manifest(&tag("1")).await.unwrap();
    assert_eq!(fake.lines(), ["GET /v2/", "GET /token", "GET /v2/app/manifests/1"]);
    let asked = &fake.asked()[1];
    assert_eq!(asked.header("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert_eq!(asked.query("account"), "me");
    assert!(fake.asked()[0].header("authorization").is_none());
}

#[tokio::test]
async fn a_password_is_sent_with_each_request_where_the_registry_wants_it_so() {
    let fake = Fake::start(|asked, _| match asked.header("authorization") {
        Some("Basic bWU6c2VjcmV0") => reply(200).body(image()),
        _ => refuse(401, "UNAUTHORIZED").header("www-authenticate", r#"Basic realm="here""#),
    })
    .await;
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    let remote = open_with(&fake, &keychain);
    remote.get_manifest(&tag("1")).await.unwrap();
    remote.get_manifest(&tag("1")).await.unwrap();
    assert_eq!(fake.asked().len(), 3);
    // And a stranger is told what is missing.
    let error = open(&fake).get_manifest(&tag("1")).await.unwrap_err();
    assert_eq!(error.class(), Class::Unauthorized);
    assert!(message(&error).contains("does not accept anonymous"), "{}", message(&error));
}

#[tokio::test]
async fn a_registry_that_never_accepts_the_token_is_asked_twice() {
    let fake = Fake::start_at(|url, asked, before| match asked.path.as_str() {
        "/token" => token(&format!("t{before}")),
        _ => guarded(url, asked, "Bearer never"),
    })
    .await;
    assert_eq!(class(open(&fake).get_manifest(&tag("1")).await), Class::Unauthorized);
    let manifest = "GET /v2/app/manifests/1";
    assert_eq!(fake.lines(), [manifest, "GET /token", manifest]);
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let revoked = Arc::new(AtomicBool::new(false));
    let fake = Fake::start_at({
        let revoked = Arc::clone(&revoked);
        move |url, asked, _| {
            let good = if revoked.load(Ordering::SeqCst) { "new" } else { "old" };
            match asked.path.as_str() {
                "/token" => token(good),
                _ => guarded(url, asked, &format!("Bearer {good}")),
            }
        }
    })
    .await;
    let remote = open(&fake);
    remote.get_manifest(&tag("1")).await.unwrap();
    revoked.store(true, Ordering::SeqCst);
    remote.get_manifest(&tag("1")).await.unwrap();
    assert_eq!(fake.lines().iter().filter(|line| *line == "GET /token").count(), 2);
}

#[tokio::test]
async fn a_token_that_ends_at_once_is_used_once() {
    let fake = Fake::start_at(|url, asked, before| match asked.path.as_str() {
        // Its life is over at once.
        "/token" => reply(200)
            .body(serde_json::json!({"access_token": format!("t{before}"), "expires_in": 0}).to_string()),
        _ if asked.header("authorization").is_some() => reply(200).body(image()),
        _ => guarded(url, asked, ""),
    })
    .await;
    let remote = open(&fake);
    remote.get_manifest(&tag("1")).await.unwrap();
    remote.get_manifest(&tag("1")).await.unwrap();
    let shown: Vec<_> =
        fake.asked().iter().filter_map(|asked| asked.headers.get("authorization").cloned()).collect();
    assert_eq!(shown, ["Bearer t1", "Bearer t3"]);
}

#[tokio::test]
async fn a_failed_token_is_an_error_and_never_an_anonymous_request() {
    for (answer, expected) in [
        (reply(401), Class::Unauthorized),
        (reply(403), Class::Forbidden),
        (reply(404), Class::Unavailable),
        (reply(500), Class::Unavailable),
        (refuse(429, "TOOMANYREQUESTS").header("retry-after", "3600"), Class::RateLimited),
        (reply(200).header("content-type", "text/html").body("<html>"), Class::Unsupported),
        (reply(200).body("{}"), Class::Unavailable),
        (reply(200).body("token=t"), Class::Unavailable),
        (reply(200).body(r#"{"token": "two\nlines"}"#), Class::Unavailable),
        (reply(200).body(vec![b' '; 65_536]).endless(), Class::TooLarge),
    ] {
        let fake = Fake::start_at(move |url, asked, _| match asked.path.as_str() {
            "/token" => answer.clone(),
            _ => guarded(url, asked, "Bearer t"),
        })
        .await;
        let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
        let result = open_with(&fake, &keychain).get_manifest(&tag("1")).await;
        let error = result.unwrap_err();
        assert_eq!(error.class(), expected, "{error:?}");
        assert!(!message(&error).contains("secret"));
        assert!(fake.lines().iter().all(|line| !line.contains("manifests")));
    }
}

#[tokio::test]
async fn a_token_server_that_fails_once_is_asked_again() {
    let fake = Fake::start_at(|url, asked, before| match (asked.path.as_str(), before) {
        ("/token", 1) => reply(503),
        ("/token", _) => token("t"),
        _ => guarded(url, asked, "Bearer t"),
    })
    .await;
    open(&fake).get_manifest(&tag("1")).await.unwrap();
}

#[tokio::test]
async fn requests_that_want_the_same_token_wait_for_one() {
    let fake = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        "/token" => token("t"),
        _ => guarded(url, asked, "Bearer t"),
    })
    .await;
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    let remote = open_with(&fake, &keychain);
    let gets =
        (0..20).map(|_| remote.clone()).map(|remote| async move { remote.get_manifest(&tag("1")).await });
    futures::future::try_join_all(gets).await.unwrap();
    let lines = fake.lines();
    let count = |line: &str| lines.iter().filter(|other| *other == line).count();
    assert_eq!((count("GET /v2/"), count("GET /token"), count("GET /v2/app/manifests/1")), (1, 1, 20));
}

#[tokio::test]
async fn who_gives_up_on_a_token_leaves_nothing_behind_for_others_to_wait_for() {
    let fake = Fake::start_at(|url, asked, before| match asked.path.as_str() {
        "/token" if before == 1 => mute(),
        "/token" => token("t"),
        _ => guarded(url, asked, "Bearer t"),
    })
    .await;
    let mut settings = settings();
    // Nothing is tried again.
    settings.timing.tries = Duration::ZERO;
    let patience = settings.timing.head;
    let registries = Registries::new(settings).unwrap();
    let remote = registries.open(&format!("{}/app", fake.address).parse().unwrap(), &Keychain::default());
    assert!(timeout(patience / 2, remote.get_manifest(&tag("1"))).await.is_err());
    sleep(patience).await;
    remote.get_manifest(&tag("1")).await.unwrap();
}

#[tokio::test]
async fn requests_to_a_registry_that_says_nothing_wait_for_it_together() {
    let fake = Fake::start(|_, _| mute()).await;
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    let remote = open_with(&fake, &keychain);
    let gets =
        (0..6).map(|_| remote.clone()).map(|remote| async move { remote.get_manifest(&tag("1")).await });
    for result in futures::future::join_all(gets).await {
        let error = result.unwrap_err();
        assert_eq!(error.class(), Class::Timeout);
        assert!(message(&error).contains("sent no answer"), "{}", message(&error));
    }
    assert_eq!(fake.lines(), ["GET /v2/"; TRIES]);
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_never_sent_to_the_registry() {
    let fake = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        "/token" => reply(200).body(r#"{"access_token": "t", "expires_in": 300}"#),
        _ => guarded(url, asked, "Bearer t"),
    })
    .await;
    let host = fake.address.to_string();
    let config = serde_json::json!({"auths": {host: {"identitytoken": "id&ent"}}}).to_string();
    let keychain = Keychain::from_secret(config.as_bytes()).unwrap();
    open_with(&fake, &keychain).get_manifest(&tag("1")).await.unwrap();
    let asked = &fake.asked()[1];
    assert_eq!(asked.line(), "POST /token");
    let body = String::from_utf8(asked.body.clone()).unwrap();
    for part in [
        "grant_type=refresh_token",
        "refresh_token=id%26ent",
        "service=the+registry",
        "repository%3Aapp%3Apull",
    ] {
        assert!(body.contains(part), "{body}");
    }
}

#[tokio::test]
async fn a_mounts_token_allows_to_write_here_and_to_read_there() {
    let fake = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        "/token" => token("t"),
        _ if asked.header("authorization").is_some() => reply(201),
        _ => guarded(url, asked, ""),
    })
    .await;
    let registries = Registries::new(settings()).unwrap();
    let open =
        |path| registries.open(&format!("{}/{path}", fake.address).parse().unwrap(), &Keychain::default());
    assert!(matches!(open("to").mount(&blob(b"x").digest, &open("from")).await, Ok(Mount::Mounted)));
    let mut scopes = fake.asked()[1].query["scope"].clone();
    scopes.sort();
    // The challenge's own is among them.
    assert_eq!(scopes, ["repository:app:pull", "repository:from:pull", "repository:to:pull,push"]);
}

#[tokio::test]
async fn a_token_that_is_good_and_not_enough_is_not_fetched_again() {
    let fake = Fake::start_at(|url, asked, _| {
        if asked.path == "/token" {
            token("t")
        } else {
            let challenge = format!(
                r#"Bearer realm="{url}/token",service="s",scope="repository:app:push,pull",error="insufficient_scope""#
            );
            refuse(401, "UNAUTHORIZED").header("www-authenticate", challenge)
        }
    })
    .await;
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    let remote = open_with(&fake, &keychain);
    assert_eq!(class(remote.start_upload().await), Class::Unauthorized);
    assert_eq!(fake.lines(), ["GET /v2/", "GET /token", "POST /v2/app/blobs/uploads/"]);
}

#[tokio::test]
async fn a_stream_that_meets_a_401_is_worth_another_try_with_a_new_token() {
    let fake = Fake::start_at(|url, asked, before| match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/token") => token(&format!("t{before}")),
        ("PUT", _) if asked.header("authorization") == Some("Bearer t1") => guarded(url, asked, ""),
        _ if asked.header("authorization").is_none() => guarded(url, asked, ""),
        ("POST", _) => reply(202).header("location", "/up"),
        ("GET", _) => reply(204).header("range", "0-99999"),
        _ => reply(201),
    })
    .await;
    let content = vec![1; 200_000];
    let body = |from: usize| {
        let bytes = bytes::Bytes::copy_from_slice(&content[from..]);
        futures::stream::iter([Ok::<_, std::io::Error>(bytes)])
    };
    let mut upload = open(&fake).start_upload().await.unwrap();
    assert_eq!(class(upload.put(&blob(&content), 0, body(0)).await), Class::Unavailable);
    let offset = upload.offset().await.unwrap().unwrap();
    assert_eq!(offset, 100_000);
    upload.put(&blob(&content), offset, body(100_000)).await.unwrap();
}

#[tokio::test]
async fn streams_that_meet_a_401_with_two_tokens_are_not_wanted_from_this_account() {
    let fake = Fake::start_at(|url, asked, before| match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/token") => token(&format!("t{before}")),
        _ if asked.header("authorization").is_none() => guarded(url, asked, ""),
        ("POST", _) => reply(202).header("location", "/up"),
        ("GET", _) => reply(204).header("range", "0-0"),
        _ => guarded(url, asked, ""),
    })
    .await;
    let content = vec![1; 200_000];
    let body = || {
        let bytes = bytes::Bytes::copy_from_slice(&content);
        futures::stream::iter([Ok::<_, std::io::Error>(bytes)])
    };
    let mut upload = open(&fake).start_upload().await.unwrap();
    assert_eq!(class(upload.put(&blob(&content), 0, body()).await), Class::Unavailable);
    assert_eq!(class(upload.put(&blob(&content), 0, body()).await), Class::Unauthorized);
}

#[tokio::test]
async fn two_credentials_of_one_registry_have_their_own_tokens() {
    let fake = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        "/token" => token(&asked.header("authorization").unwrap_or("Basic nobody").replace("Basic ", "")),
        "/v2/a/manifests/1" => guarded(url, asked, "Bearer YTpw"),
        "/v2/b/manifests/1" => guarded(url, asked, "Bearer Yjpw"),
        _ => guarded(url, asked, ""),
    })
    .await;
    let keychain = Keychain::password(&format!("{}/a", fake.address), "a", "p").merge(&Keychain::password(
        &format!("{}/b", fake.address),
        "b",
        "p",
    ));
    let registries = Registries::new(settings()).unwrap();
    for path in ["a", "b"] {
        let remote = registries.open(&format!("{}/{path}", fake.address).parse().unwrap(), &keychain);
        remote.get_manifest(&tag("1")).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_shown_only_for_what_it_allows() {
    let fake = Fake::start_at(|url, asked, _| match asked.path.as_str() {
        "/token" => token(&asked.query("scope").replace([':', ','], "_")),
        _ if asked.header("authorization").is_some() => reply(202).header("location", "/up").body(image()),
        // It names no scope, so that it is ours that counts.
        _ => refuse(401, "UNAUTHORIZED").header("www-authenticate", format!(r#"Bearer realm="{url}/token""#)),
    })
    .await;
    let registries = Registries::new(settings()).unwrap();
    let keychain = Keychain::password(&fake.address.to_string(), "me", "secret");
    let open = |path| registries.open(&format!("{}/{path}", fake.address).parse().unwrap(), &keychain);
    open("a").start_upload().await.unwrap();
    open("b").start_upload().await.unwrap();
    let reads =
        [open("a").head_blob(&blob(b"x").digest).await, open("c").head_blob(&blob(b"x").digest).await];
    assert!(reads.iter().all(Result::is_err), "202 is no answer to HEAD");
    let shown: Vec<_> =
        fake.asked().iter().filter_map(|asked| asked.headers.get("authorization").cloned()).collect();
    let tokens: Vec<_> = shown.iter().filter(|shown| shown.starts_with("Bearer")).collect();
    assert_eq!(
        tokens,
        [
            "Bearer repository_a_pull_push",
            "Bearer repository_b_pull_push",
            // What allows to write allows to read.
            "Bearer repository_a_pull_push",
            "Bearer repository_c_pull",
        ]
    );
}
