//! The testbed's own tests: what it makes is real to others, and what it says it does happens.

use std::{process::Command, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::testbed::{
    cluster::ControlPlane,
    http::{Credential, Http},
    images::{Format, Image, layers},
    program,
    proxy::{Proxy, Verdict},
    registry::Registry,
    tls::Authority,
    tokens::TokenServer,
    toxiproxy::{Toxiproxy, Way},
};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64/v8"];

async fn run(mut command: Command) -> Result<String, String> {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

async fn crane(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program("crane"));
    command.args(arguments);
    run(command).await
}

#[tokio::test]
async fn a_pushed_image_is_read_back_by_crane_and_by_skopeo() {
    for registry in [Registry::v3(), Registry::v2_8(), Registry::olareg()] {
        let registry = registry.start().await;
        let image = Image::multi(1, &PLATFORMS, &[1_000, 70_000]);
        registry.push("library/app", "1.0", &image).await;

        let reference = format!("{}/library/app:1.0", registry.host());
        assert_eq!(crane(&["digest", &reference]).await.unwrap(), image.digest().as_str());
        let folder = tempfile::tempdir().unwrap();
        let layout = folder.path().join("by-crane");
        crane(&["pull", "--format=oci", &reference, layout.to_str().unwrap()]).await.unwrap();
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "--all", "--preserve-digests", "--src-tls-verify=false"]);
        skopeo
            .arg(format!("docker://{reference}"))
            .arg(format!("oci:{}/by-skopeo:1.0", folder.path().display()));
        run(skopeo).await.unwrap();
        for blob in image.all_blobs() {
            for tool in ["by-crane", "by-skopeo"] {
                assert!(folder.path().join(tool).join("blobs/sha256").join(blob.digest.hex()).exists());
            }
        }
    }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_image_and_another_seed_another() {
    let digest = |seed| Image::multi(seed, &PLATFORMS, &[5_000]).digest().clone();
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
    assert_eq!(Image::single(7, &[1]).blobs[1].size, 1024, "the smallest layer is one header and one block");
}

#[tokio::test]
async fn docker_images_are_taken_and_read_back_as_docker_images() {
    let registry = Registry::v2_8().start().await;
    let child = |platform, seed| Image::of(Format::Docker, platform, layers(seed, &[2_048]));
    let image = Image::index(vec![child("linux/amd64", 1), child("linux/arm64", 2)]);
    registry.push("app", "1", &image).await;
    let read = registry.manifest("app", "1").await.unwrap();
    assert_eq!((read.bytes, read.media_type.as_str()), (image.root.bytes, Format::Docker.index()));
}

#[tokio::test]
async fn a_walk_finds_everything_and_says_what_is_missing() {
    let registry = Registry::v3().start().await;
    let image = Image::multi(3, &PLATFORMS, &[3_000, 4_000]);
    registry.push("app", "1", &image).await;
    let contents = registry.complete("app", "1").await;
    assert_eq!((contents.manifests.len(), contents.blobs.len()), (3, 6));

    let hex = image.all_blobs()[1].digest.hex();
    let blob = registry.storage().join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex);
    std::fs::remove_dir_all(blob).unwrap();
    let problem = registry.walk("app", "1").await.unwrap_err();
    assert!(problem.contains(hex), "{problem}");
    assert!(registry.walk("app", "2").await.unwrap_err().contains("no manifest 2"));
}

#[tokio::test]
async fn tags_are_listed_over_all_pages_and_can_be_deleted() {
    let registry = Registry::v3().start().await;
    let image = Image::single(4, &[1_024]);
    registry.push_parts("app", &image).await;
    for n in 0..1_005 {
        registry.put_manifest("app", &format!("v{n}"), &image.root).await;
    }
    assert_eq!(registry.tags("app").await.len(), 1_005);
    registry.delete("app", "v7").await;
    assert_eq!(registry.digest("app", "v7").await, None);
    assert_eq!(registry.digest("app", "v8").await.as_ref(), Some(image.digest()));
    assert!(registry.tags("nothing").await.is_empty());
}

#[tokio::test]
async fn a_registry_keeps_its_port_and_its_images_over_a_crash() {
    let mut registry = Registry::v3().start().await;
    registry.push("app", "1", &Image::single(5, &[1_024])).await;
    let host = registry.host();
    registry.stop();
    assert!(!registry.answers().await);
    registry.start_again().await;
    assert_eq!(registry.host(), host);
    registry.complete("app", "1").await;
}

#[tokio::test]
async fn a_registry_with_passwords_lets_in_who_has_one() {
    let registry = Registry::v3().user("alice", "wonder:land").user("bob", "builder").start().await;
    registry.push("app", "1", &Image::single(6, &[1_024])).await;
    let status = async |credential| {
        let http = Http { credential, ..(*registry).clone() };
        http.request(Method::GET, "app", "tags/list").send().await.unwrap().status()
    };
    assert_eq!(status(Credential::Anonymous).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(Credential::Basic("bob".into(), "wrong".into())).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(Credential::Basic("bob".into(), "builder".into())).await, StatusCode::OK);
}

#[tokio::test]
async fn tokens_open_what_the_user_was_granted_and_nothing_else() {
    let server = TokenServer::start().await;
    server.user("alice", "secret");
    server.grant("alice", "mirror/*", &["pull", "push"]);
    server.grant("", "public", &["pull"]);
    let registry = Registry::v3().tokens(&server).start().await;
    let image = Image::single(7, &[1_024]);
    for name in ["mirror/app", "private", "public"] {
        registry.push(name, "1", &image).await;
    }

    let config = tempfile::tempdir().unwrap();
    let login = json!({"auths": {registry.host(): {"auth": STANDARD.encode("alice:secret")}}}).to_string();
    std::fs::write(config.path().join("config.json"), login).unwrap();
    let read = async |name: &str, logged_in: bool| {
        let mut skopeo = Command::new("skopeo");
        skopeo
            .args(["inspect", "--raw", "--tls-verify=false"])
            .arg(format!("docker://{}/{name}:1", registry.host()));
        if logged_in {
            skopeo.arg("--authfile").arg(config.path().join("config.json"));
        }
        run(skopeo).await
    };
    assert_eq!(read("mirror/app", true).await.unwrap().as_bytes(), image.root.bytes);
    assert_eq!(read("public", false).await.unwrap().as_bytes(), image.root.bytes);
    assert!(read("private", true).await.is_err());
    assert!(read("mirror/app", false).await.is_err());
    let asked = server.requests();
    assert!(
        asked.iter().any(|r| r.user == "alice" && r.scopes == ["repository:mirror/app:pull"] && r.granted)
    );

    server.backdate(Duration::from_hours(1));
    assert!(read("public", false).await.is_err(), "an expired token opens nothing");
}

#[tokio::test]
async fn a_registry_with_tls_asks_for_the_certificates_it_was_told_to() {
    let (authority, other) = (Authority::new(), Authority::new());
    for registry in [Registry::v3(), Registry::v2_8()] {
        let registry = registry.tls(&authority).client_certificates(&other).start().await;
        registry.push("app", "1", &Image::single(8, &[1_024])).await;
        registry.complete("app", "1").await;
        let stranger = reqwest::Client::builder().no_proxy();
        let pem = std::fs::read(authority.file()).unwrap();
        let stranger =
            stranger.tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()]).build().unwrap();
        let http = Http { client: stranger, ..(*registry).clone() };
        assert!(!http.answers().await, "no client certificate, no answer");
    }
    let registry = Registry::olareg().tls(&authority).start().await;
    registry.push("app", "1", &Image::single(8, &[1_024])).await;
    registry.complete("app", "1").await;
}

#[tokio::test]
async fn the_proxy_counts_requests_and_bytes_both_ways() {
    let registry = Registry::v3().start().await;
    let proxy = Proxy::start(&registry.host()).await;
    let http = Http::plain(&proxy.host());
    let image = Image::single(9, &[300_000]);
    http.push("app", "1", &image).await;
    assert_eq!(
        proxy.count(&Method::PUT, "/blobs/uploads/"),
        2,
        "the upload's address leads through the proxy"
    );
    assert_eq!(proxy.count(&Method::PUT, "/v2/app/manifests/1"), 1);
    let size: u64 = image.blobs.iter().map(|blob| blob.size).sum::<u64>() + image.root.bytes.len() as u64;
    assert_eq!(proxy.up(), size);

    proxy.reset();
    assert_eq!(http.complete("app", "1").await.bytes, size);
    assert_eq!((proxy.up(), proxy.down()), (0, size));
    assert!(proxy.requests().iter().all(|seen| seen.status() == 200));
}

#[tokio::test]
async fn a_credulous_wire_takes_what_lacks_content_and_the_registry_serves_it_as_it_is() {
    let registry = Registry::v3().sparse_indexes().start().await;
    let wire = Proxy::credulous(&registry, |_| Verdict::Pass).await;
    let image = Image::multi(12, &PLATFORMS, &[1_000]);
    let child = &image.children[0];
    let (wired, strict) = (Http::plain(&wire.host()), Http::plain(&registry.host()));
    wired.put_manifest("app", "1", &image.root).await;
    assert_eq!(wire.believed(), 0, "an index without its children is taken by the registry itself");
    wired.put_manifest("app", "amd64", &child.root).await;
    wired.put_manifest("app", child.digest().as_str(), &child.root).await;
    assert_eq!(wire.believed(), 2);
    assert_eq!(strict.digest("app", "amd64").await.as_ref(), Some(child.digest()));
    assert!(registry.tags("app").await.contains(&"amd64".to_owned()));
    let problem = registry.walk("app", "amd64").await.unwrap_err();
    assert!(problem.contains("blob sha256:"), "{problem}");

    for blob in image.all_blobs() {
        wired.put_blob("app", blob).await;
    }
    registry.complete("app", "amd64").await;
}

#[tokio::test]
async fn the_proxy_answers_tears_and_holds_where_it_is_told_to() {
    let registry = Registry::v3().start().await;
    let image = Image::single(10, &[300_000]);
    registry.push("app", "1", &image).await;
    let layer = image.blobs[1].digest.clone();
    let gate = Arc::new(Semaphore::new(0));
    let proxy = {
        let (layer, gate) = (layer.to_string(), Arc::clone(&gate));
        Proxy::with(&registry.host(), move |request| match request.uri.path() {
            "/v2/app/tags/list" => Verdict::Answer(
                StatusCode::TOO_MANY_REQUESTS,
                vec![("retry-after", "7".into())],
                "slow".into(),
            ),
            "/v2/" => Verdict::Hold(Arc::clone(&gate)),
            path if path.ends_with(&layer) => Verdict::TearResponse(100_000),
            _ if request.method == Method::PUT => Verdict::TearRequest(10),
            _ => Verdict::Pass,
        })
        .await
    };
    let http = Http::plain(&proxy.host());

    let limited = http.request(Method::GET, "app", "tags/list").send().await.unwrap();
    assert_eq!(
        (limited.status(), &limited.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"7".parse().unwrap())
    );
    let problem = http.walk("app", "1").await.unwrap_err();
    assert!(problem.contains(layer.as_str()), "{problem}");
    assert_eq!(
        proxy.requests().iter().find(|seen| seen.path.ends_with(layer.as_str())).unwrap().down(),
        100_000
    );
    let put = http.request(Method::PUT, "app", "manifests/2").body("a body that is longer than ten bytes");
    assert!(put.send().await.is_err());

    let waiting = tokio::spawn(async move { http.answers().await });
    while proxy.count(&Method::GET, "/v2/") < 1 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    gate.add_permits(1);
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn a_wire_can_be_slow_short_and_cut_and_is_good_again_afterwards() {
    let (registry, toxiproxy) = (Registry::v3().start().await, Toxiproxy::start().await);
    let wire = toxiproxy.wire(&registry.host()).await;
    let http = Http::plain(wire.host());
    http.push("app", "1", &Image::single(11, &[300_000])).await;
    wire.latency(1).await;
    wire.bandwidth(Way::Down, 100_000).await;
    http.complete("app", "1").await;
    wire.limit(Way::Down, 50_000).await;
    assert!(Http::plain(wire.host()).walk("app", "1").await.is_err());
    wire.up().await;
    wire.down().await;
    assert!(!Http::plain(wire.host()).answers().await);
    wire.up().await;
    Http::plain(wire.host()).complete("app", "1").await;
}

#[tokio::test]
async fn a_control_plane_takes_objects_and_knows_who_may_do_what() {
    let plane = ControlPlane::start().await;
    let map = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"key":"value"}}"#;
    plane.kubectl(&["create", "namespace", "team"], "").unwrap();
    plane.kubectl(&["apply", "-n", "team", "-f", "-"], map).unwrap();
    let read = plane.kubectl(&["get", "-n", "team", "configmap", "a", "-o", "jsonpath={.data.key}"], "");
    assert_eq!(read.as_deref(), Ok("value"));
    let stranger = ["get", "configmaps", "-n", "team", "--as=system:serviceaccount:team:default"];
    assert!(plane.kubectl(&stranger, "").unwrap_err().contains("forbidden"));
}
