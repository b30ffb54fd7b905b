use super::{
    blob, class,
    fake::{Fake, refuse, reply},
    open, open_with, read, tag,
};
use crate::{
    class::Class,
    registry::{Keychain, message},
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
