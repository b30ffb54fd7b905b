use super::{
    blob, by, class,
    fake::{Fake, Reply, refuse, reply},
    image, quicken, read, tag,
};
use crate::{
    class::Class,
    digest::Digest,
    registry::{Keychain, Registries, Remote, Settings},
};

async fn host_and_mirror(
    mirror: impl Fn(&super::fake::Asked, usize) -> Reply + Send + Sync + 'static,
) -> (Fake, Fake) {
    let host = Fake::start(|asked, _| {
        if asked.path.contains("blobs") { reply(200).body("content") } else { reply(200).body(image()) }
    })
    .await;
    (host, Fake::start(mirror).await)
}

fn open(host: &Fake, mirror: &Fake, keychain: &Keychain) -> Remote {
    let text = format!(
        "registries:\n- host: '{}'\n  plainHttp: true\n  mirrors: ['{}/hub']\n",
        host.address, mirror.address
    );
    let mut settings = Settings::parse(&text, "registries.yaml".as_ref()).unwrap();
    quicken(&mut settings);
    Registries::new(settings).unwrap().open(&format!("{}/app", host.address).parse().unwrap(), keychain)
}

#[tokio::test]
async fn what_is_read_by_digest_comes_from_the_mirror_and_tags_from_the_host() {
    let (host, mirror) = host_and_mirror(|asked, _| {
        if asked.path.contains("blobs") { reply(200).body("content") } else { reply(200).body(image()) }
    })
    .await;
    let remote = open(&host, &mirror, &Keychain::default());
    remote.get_manifest(&tag("1")).await.unwrap();
    remote.get_manifest(&by(&Digest::sha256(&image()))).await.unwrap();
    assert_eq!(read(&remote, &blob(b"content")).await.unwrap(), b"content");
    assert_eq!(host.lines(), ["GET /v2/app/manifests/1"]);
    assert_eq!(
        mirror.lines(),
        [
            format!("GET /v2/hub/app/manifests/{}", Digest::sha256(&image())),
            format!("GET /v2/hub/app/blobs/{}", blob(b"content").digest),
        ]
    );
}

#[tokio::test]
async fn any_failure_of_a_mirror_falls_back_to_the_host() {
    let wrong = reply(200).body("no manifest");
    let failures =
        [reply(500), refuse(404, "MANIFEST_UNKNOWN"), reply(403), wrong, super::fake::hang_up(), reply(429)];
    for failure in failures {
        let (host, mirror) = host_and_mirror(move |_, _| failure.clone()).await;
        let remote = open(&host, &mirror, &Keychain::default());
        remote.get_manifest(&by(&Digest::sha256(&image()))).await.unwrap();
        assert_eq!((mirror.asked().len(), host.asked().len()), (1, 1));
    }
}

#[tokio::test]
async fn a_mirror_that_failed_is_left_alone_for_a_while() {
    let (host, mirror) = host_and_mirror(|_, _| reply(500)).await;
    let remote = open(&host, &mirror, &Keychain::default());
    for _ in 0..3 {
        remote.get_manifest(&by(&Digest::sha256(&image()))).await.unwrap();
    }
    assert_eq!((mirror.asked().len(), host.asked().len()), (1, 3));
}

#[tokio::test]
async fn a_blob_that_tears_at_the_mirror_goes_on_at_the_host() {
    let (host, mirror) = host_and_mirror(|_, _| reply(200).length(7).body("con").torn()).await;
    let remote = open(&host, &mirror, &Keychain::default());
    assert_eq!(read(&remote, &blob(b"content")).await.unwrap(), b"content");
    assert_eq!(host.asked()[0].header("range"), Some("bytes=3-"));
}

#[tokio::test]
async fn a_mirror_that_gives_wrong_bytes_is_not_asked_again() {
    let (host, mirror) = host_and_mirror(|_, _| reply(200).body("CONTENT")).await;
    let remote = open(&host, &mirror, &Keychain::default());
    assert_eq!(class(read(&remote, &blob(b"content")).await), Class::DigestMismatch);
    assert_eq!(read(&remote, &blob(b"content")).await.unwrap(), b"content");
    assert_eq!(mirror.asked().len(), 1);
}

#[tokio::test]
async fn a_mirror_never_sees_the_hosts_credential() {
    let (host, mirror) = host_and_mirror(|asked, _| match asked.header("authorization") {
        None => refuse(401, "UNAUTHORIZED").header("www-authenticate", "Basic realm=mirror"),
        Some(_) => reply(200).body(image()),
    })
    .await;
    let hosts = Keychain::password(&host.address.to_string(), "host", "secret");
    let at = by(&Digest::sha256(&image()));
    open(&host, &mirror, &hosts).get_manifest(&at).await.unwrap();
    assert!(mirror.asked().iter().all(|asked| asked.header("authorization").is_none()));
    // Its own it does.
    let both = hosts.merge(&Keychain::password(&mirror.address.to_string(), "m", "p"));
    open(&host, &mirror, &both).get_manifest(&at).await.unwrap();
    assert_eq!(mirror.asked().last().unwrap().header("authorization"), Some("Basic bTpw"));
}
