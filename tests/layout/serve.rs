//! `imagesync serve`: other clients pull from it, and the conformance suite judges it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use http::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::Child,
};

use super::complete;
use crate::{
    command::Desk,
    testbed::{
        http::Http,
        images::{Format, Image, Manifest},
        program,
        registry::Registry,
    },
};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// A running `imagesync serve`.
pub(crate) struct Served {
    process: Child,
    pub(crate) host: String,
    greeting: String,
}

impl Served {
    pub(crate) async fn start(desk: &Desk, dir: &str) -> Self {
        let mut command = desk.command(&["serve", dir, "--listen", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().expect("it says where it listens");
        let host = first.split_once("http://").unwrap().1.split(',').next().unwrap().to_owned();
        let example = if first.contains("no repository") { None } else { lines.next_line().await.unwrap() };
        Self { process, host, greeting: format!("{first}\n{}", example.unwrap_or_default()) }
    }

    fn http(&self) -> Http {
        Http::plain(&self.host)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.ask(Method::GET, path).await
    }

    async fn ask(&self, method: Method, path: &str) -> reqwest::Response {
        self.http().request(method, "", path).send().await.unwrap()
    }
}

/// What an artifact that refers to an image has in its manifest.
fn signature(of: &Image, kind: &str) -> Image {
    let mut image = Image::single(77, &[1_000]);
    let mut value: Value = serde_json::from_slice(&image.root.bytes).unwrap();
    value["artifactType"] = kind.into();
    value["subject"] = of.root.descriptor();
    image.root = Manifest::of(Format::Oci.manifest(), &value);
    image
}

/// A folder `out` with layouts that were synced, the image of `team/app:v1`, and what signs it.
async fn synced() -> (Desk, Image, Image) {
    let source = Registry::olareg().start().await;
    let image = Image::multi(1, &PLATFORMS, &[300_000, 3_000]);
    for tag in ["v1", "v2", "v10"] {
        source.push("team/app", tag, &image).await;
    }
    let signed = signature(&image, "application/vnd.test.signature");
    source.push_parts("team/app", &signed).await;
    source.put_manifest("team/app", signed.digest().as_str(), &signed.root).await;
    let desk = Desk::new(&format!(
        "images:\n- {{name: app, source: '{}/team/app', select: {{patterns: ['.*']}}}}\n\
         targets:\n- {{name: copy, repository: 'oci:out/{{path}}'}}",
        source.host()
    ));
    desk.synced().await;
    (desk, image, signed)
}

fn run(tool: impl AsRef<Path>, folder: &Path, arguments: &[&str]) {
    let tool = tool.as_ref();
    let output = Command::new(tool).args(arguments).current_dir(folder).env("HOME", folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?}: {text}", tool.display());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crane_skopeo_and_our_own_sync_pull_what_is_served() {
    let (desk, image, _) = synced().await;
    let served = Served::start(&desk, "out").await;
    let host = &served.host;
    assert!(
        served.greeting.starts_with("serving 1 repository below out at http://127.0.0.1:"),
        "{}",
        served.greeting
    );
    assert!(served.greeting.contains(&format!("docker pull {host}/team/app:v1")), "{}", served.greeting);
    assert_eq!(served.http().complete("team/app", "v1").await.manifests.len(), 3);

    run(
        program("crane"),
        desk.path(),
        &["pull", "--insecure", "--format=oci", &format!("{host}/team/app:v1"), "crane"],
    );
    run(
        program("crane"),
        desk.path(),
        &["validate", "--fast", "--insecure", "--remote", &format!("{host}/team/app:v1")],
    );
    let from = format!("docker://{host}/team/app:v1");
    run(
        "skopeo",
        desk.path(),
        &["copy", "--all", "--preserve-digests", "--src-tls-verify=false", &from, "oci:skopeo:v1"],
    );
    assert_eq!(complete(&desk.path().join("skopeo")).get("v1"), Some(image.digest()));
    complete(&desk.path().join("crane"));

    let other = Desk::new(&format!(
        "images:\n- {{name: app, source: '{host}/team/app', select: {{patterns: ['.*']}}}}\n\
         targets:\n- {{name: copy, repository: 'oci:{}/{{path}}'}}",
        desk.path().join("again").display()
    ));
    other.synced().await;
    assert_eq!(complete(&desk.path().join("again/team/app")), complete(&desk.path().join("out/team/app")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_as_a_registry_does_and_refuses_what_changes_something() {
    let (desk, image, _) = synced().await;
    let served = Served::start(&desk, "out").await;
    let base = served.get("/v2/").await;
    assert_eq!(base.status(), 200);
    assert_eq!(base.headers()["docker-distribution-api-version"], "registry/2.0");

    let head = served.ask(Method::HEAD, "/v2/team/app/manifests/v1").await;
    assert_eq!(head.headers()["docker-content-digest"], image.digest().as_str());
    assert_eq!(head.headers()["content-type"], Format::Oci.index());
    assert_eq!(head.headers()["content-length"], image.root.bytes.len().to_string().as_str());
    assert_eq!(head.bytes().await.unwrap().len(), 0);
    let again = served
        .http()
        .request(Method::GET, "", "/v2/team/app/manifests/v1")
        .header("if-none-match", format!("\"{}\"", image.digest()));
    assert_eq!(again.send().await.unwrap().status(), 304);

    let blob = image.all_blobs().into_iter().max_by_key(|blob| blob.size).unwrap();
    let at = format!("/v2/team/app/blobs/{}", blob.digest);
    let whole = served.get(&at).await;
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    let whole = whole.bytes().await.unwrap();
    assert!(blob.digest.matches(&whole));
    let ranged =
        |range: &'static str| served.http().request(Method::GET, "", &at).header("range", range).send();
    let part = ranged("bytes=100-150099").await.unwrap();
    assert_eq!((part.status().as_u16(), part.headers()["content-length"].to_str().unwrap()), (206, "150000"));
    let said = format!("bytes 100-150099/{}", whole.len());
    assert_eq!(part.headers()["content-range"], said.as_str());
    assert_eq!(part.bytes().await.unwrap(), whole.slice(100..150_100));
    assert_eq!(ranged("bytes=-7").await.unwrap().bytes().await.unwrap(), whole.slice(whole.len() - 7..));
    let beyond = ranged("bytes=99999999-").await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{}", whole.len()).as_str());

    for (method, path, status, code) in [
        (Method::GET, "/v2/team/app/manifests/nope", 404, "MANIFEST_UNKNOWN"),
        (Method::GET, "/v2/team/app/manifests/sha256:abc", 400, "DIGEST_INVALID"),
        (Method::GET, "/v2/team/other/manifests/v1", 404, "NAME_UNKNOWN"),
        (Method::GET, "/v2/team/other/tags/list", 404, "NAME_UNKNOWN"),
        (Method::GET, "/v2/team/app/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"),
        (Method::GET, "/v2/_catalog", 404, "UNSUPPORTED"),
        (Method::GET, "/", 404, "UNSUPPORTED"),
        (Method::PUT, "/v2/team/app/manifests/v1", 405, "UNSUPPORTED"),
        (Method::POST, "/v2/team/app/blobs/uploads/", 405, "UNSUPPORTED"),
        (Method::DELETE, "/v2/team/app/manifests/v1", 405, "UNSUPPORTED"),
    ] {
        let answer = served.ask(method.clone(), path).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body["errors"][0]["code"], code, "{method} {path}");
    }
    let missing = format!("/v2/team/app/blobs/sha256:{}", "0".repeat(64));
    assert_eq!(served.get(&missing).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_are_listed_in_pages_and_referrers_by_their_kind() {
    let (desk, image, signed) = synced().await;
    let served = Served::start(&desk, "out").await;
    let list = |path: String| async {
        let path = path;
        let answer = served.get(&path).await;
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (body["tags"].clone(), link)
    };
    assert_eq!(list("/v2/team/app/tags/list".into()).await, (json!(["v1", "v10", "v2"]), None));
    let (tags, link) = list("/v2/team/app/tags/list?n=2".into()).await;
    assert_eq!(tags, json!(["v1", "v10"]));
    let link = link.unwrap();
    assert_eq!(link, "</v2/team/app/tags/list?n=2&last=v10>; rel=\"next\"");
    let next = link[1..].split('>').next().unwrap().to_owned();
    assert_eq!(list(next).await, (json!(["v2"]), None));
    assert_eq!(list("/v2/team/app/tags/list?n=0".into()).await, (json!([]), None));

    let at = format!("/v2/team/app/referrers/{}", image.digest());
    let answer = served.get(&at).await;
    assert_eq!(answer.headers()["content-type"], Format::Oci.index());
    assert!(answer.headers().get("oci-filters-applied").is_none());
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(body["manifests"][0]["digest"], signed.digest().as_str());
    assert_eq!(body["manifests"][0]["artifactType"], "application/vnd.test.signature");
    let other = served.get(&format!("{at}?artifactType=application/other")).await;
    assert_eq!(other.headers()["oci-filters-applied"], "artifactType");
    let body: Value = serde_json::from_slice(&other.bytes().await.unwrap()).unwrap();
    assert_eq!(body["manifests"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outside_the_layouts_is_served() {
    let (desk, image, _) = synced().await;
    let at = |path: &str| desk.path().join(path);
    fs::rename(at("out/team/app"), at("outside")).unwrap();
    fs::create_dir_all(at("out/.hidden")).unwrap();
    fs::rename(at("out/team"), at("out/kept")).unwrap();
    symlink(at("outside"), at("out/linked")).unwrap();
    symlink(at("outside"), at("out/.hidden/app")).unwrap();
    let served = Served::start(&desk, "out").await;
    assert!(served.greeting.contains("no repository yet"), "{}", served.greeting);
    for name in [
        "linked",
        ".hidden/app",
        "../outside",
        "%2e%2e/outside",
        "kept/../../outside",
        "kept//..//../outside",
    ] {
        // As it is written: a client that knows URLs takes the dots out.
        let mut stream = tokio::net::TcpStream::connect(&served.host).await.unwrap();
        let request = format!("GET /v2/{name}/manifests/v1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{name}: {answer}");
        assert!(!answer.contains(image.digest().as_str()), "{name}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_was_damaged_never_comes_to_its_end() {
    let (desk, image, _) = synced().await;
    let blob = image.all_blobs().into_iter().max_by_key(|blob| blob.size).unwrap();
    let path = super::file(&desk.path().join("out/team/app"), &blob.digest);
    let mut bytes = fs::read(&path).unwrap();
    bytes[9] ^= 1;
    fs::write(&path, bytes).unwrap();
    let served = Served::start(&desk, "out").await;
    let at = format!("/v2/team/app/blobs/{}", blob.digest);
    let take = async |at: &str| served.http().request(Method::GET, "", at).send().await?.bytes().await;
    // The connection ends, perhaps before the beginning was sent.
    assert!(take(&at).await.is_err());
    for other in image.all_blobs().iter().filter(|other| other.digest != blob.digest) {
        let bytes = take(&format!("/v2/team/app/blobs/{}", other.digest)).await.unwrap();
        assert_eq!(bytes.len() as u64, other.size, "the others are served as before");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_when_it_is_asked_to_and_says_what_keeps_it_from_starting() {
    let (desk, ..) = synced().await;
    let mut served = Served::start(&desk, "out").await;
    let taken = desk.run(&["serve", "out", "--listen", &served.host]).await.expect(1);
    assert!(
        taken.stderr.contains(&format!("another program listens at {}", served.host)),
        "{}",
        taken.stderr
    );
    let itself = desk.run(&["serve", "out/team/app"]).await.expect(2);
    assert!(itself.stderr.contains("serve the directory that out/team/app is in"), "{}", itself.stderr);
    let nowhere = desk.run(&["serve", "nowhere"]).await.expect(2);
    assert!(nowhere.stderr.contains("there is no directory nowhere: name the one"), "{}", nowhere.stderr);

    let pid = served.process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(served.process.wait().await.unwrap().code(), Some(0));
}

/// The counts of the suite's own report.
fn counts(report: &str) -> BTreeMap<String, u64> {
    let (_, counts) = report.split_once("OCI Conformance Result:").expect("it reports");
    let lines = counts.lines().skip(1).take_while(|line| !line.trim().is_empty());
    let count = |line: &str| {
        let (name, count) = line.trim().rsplit_once(':')?;
        Some((name.trim_end_matches('.').to_owned(), count.trim().parse().ok()?))
    };
    lines.filter_map(count).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conformance_suite_finds_nothing_wrong() {
    let (desk, image, _) = synced().await;
    let served = Served::start(&desk, "out").await;

    let manifests: Vec<&str> =
        image.all_manifests().into_iter().map(|manifest| manifest.digest.as_str()).collect();
    let blobs: Vec<&str> = image.all_blobs().into_iter().map(|blob| blob.digest.as_str()).collect();
    let mut suite = tokio::process::Command::new(program("conformance"));
    suite
        .current_dir(desk.path())
        .env("OCI_REGISTRY", &served.host)
        .env("OCI_TLS", "disabled")
        .env("OCI_REPO1", "team/app")
        .env("OCI_REPO2", "team/app")
        .env("OCI_FILTER_TEST", "OCI Conformance Test/read-only")
        .env("OCI_RO_DATA_TAGS", "v1 v2 v10")
        .env("OCI_RO_DATA_MANIFESTS", manifests.join(" "))
        .env("OCI_RO_DATA_BLOBS", blobs.join(" "))
        .env("OCI_RO_DATA_REFERRERS", image.digest().as_str());
    for api in [
        "PUSH",
        "BLOBS_DELETE",
        "MANIFESTS_DELETE",
        "TAGS_DELETE",
        "BLOBS_ATOMIC",
        "MANIFESTS_ATOMIC",
        "TAGS_ATOMIC",
    ] {
        suite.env(format!("OCI_API_{api}"), "false");
    }
    // Of manifests whose content it was not given, this version of the suite does not look at the header.
    suite.env("OCI_API_BLOBS_DIGEST_HEADER", "true");
    let output = suite.output().await.unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let counts = counts(&report);
    println!("{counts:?}");
    assert!(output.status.success(), "{report}");
    assert_eq!(counts.get("FAIL"), Some(&0), "{report}");
    assert_eq!(counts.get("Error").copied().unwrap_or_default(), 0, "{report}");
    // A GET and a HEAD of each that was named, and more.
    let named = 2 * (3 + manifests.len() + blobs.len()) as u64;
    assert!(
        counts.get("Pass").is_some_and(|&passed| passed > named),
        "{named} were named: {counts:?}\n{report}"
    );
}
