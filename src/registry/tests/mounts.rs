use super::{
    blob, class,
    fake::{Fake, Reply, refuse, reply},
    open, settings,
};
use crate::{
    class::Class,
    registry::{Keychain, Mount, Registries, Remote},
};

async fn fake(answer: Reply) -> (Fake, Remote, Remote) {
    let fake = Fake::start(move |_, _| answer.clone()).await;
    let registries = Registries::new(settings()).unwrap();
    let open =
        |path| registries.open(&format!("{}/{path}", fake.address).parse().unwrap(), &Keychain::default());
    let (to, from) = (open("to"), open("from/here"));
    (fake, to, from)
}

#[tokio::test]
async fn a_mount_that_works_costs_one_request() {
    let (fake, to, from) = fake(reply(201)).await;
    assert!(matches!(to.mount(&blob(b"x").digest, &from).await, Ok(Mount::Mounted)));
    let asked = &fake.asked()[0];
    assert_eq!(asked.line(), "POST /v2/to/blobs/uploads/");
    assert_eq!((asked.query("mount"), asked.query("from")), (blob(b"x").digest.as_str(), "from/here"));
}

#[tokio::test]
async fn a_session_that_comes_instead_is_used() {
    let (fake, to, from) = fake(reply(202).header("location", "/up")).await;
    let Ok(Mount::Upload(upload)) = to.mount(&blob(b"x").digest, &from).await else { panic!("no session") };
    upload.cancel().await;
    assert_eq!(fake.lines()[1], "DELETE /up");
}

#[tokio::test]
async fn what_a_registry_does_not_mount_is_uploaded() {
    for status in [400, 401, 403, 404, 405, 500] {
        let (_fake, to, from) = fake(refuse(status, "WHATEVER")).await;
        assert!(matches!(to.mount(&blob(b"x").digest, &from).await, Ok(Mount::Refused)), "{status}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_no_refusal() {
    let (_fake, to, from) = fake(refuse(429, "TOOMANYREQUESTS").header("retry-after", "3600")).await;
    assert_eq!(class(to.mount(&blob(b"x").digest, &from).await), Class::RateLimited);
}

#[tokio::test]
async fn another_registrys_blob_is_not_asked_for() {
    let (fake, to, _) = fake(reply(201)).await;
    let other = Fake::start(|_, _| reply(201)).await;
    assert!(matches!(to.mount(&blob(b"x").digest, &open(&other)).await, Ok(Mount::Refused)));
    assert!(fake.asked().is_empty());
}
