//! Some platforms of an image, on registries that take an index as it is although not all of it is there, and on those that
//! do not.

mod refusals;

use std::collections::BTreeSet;

use http::{Method, request::Parts};
use imagesync::digest::Digest;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    command::{Desk, Ran},
    pair::answer,
    testbed::{
        images::{Blob, Format, Image, Manifest, layers},
        program,
        proxy::{Proxy, Verdict},
        registry::{Options, Registry},
    },
};

const EIGHT: [&str; 8] = [
    "linux/amd64",
    "linux/386",
    "linux/arm64/v8",
    "linux/arm/v5",
    "linux/arm/v7",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
];
const NAME: &str = "mirror/team/app";

fn eight(seed: u64) -> Image {
    Image::attested(Format::Oci, seed, &EIGHT, &[1_500_000, 30_000])
}

/// A source with an image, a target, wires to both, and a folder to run in.
struct Stand {
    source: Registry,
    target: Registry,
    from: Proxy,
    to: Proxy,
    image: Image,
    desk: Desk,
}

impl Stand {
    async fn new(target: Options, platforms: &str) -> Self {
        Self::with(target, eight(1), |_| Verdict::Pass, platforms).await
    }

    async fn with(
        target: Options,
        image: Image,
        rule: impl Fn(&Parts) -> Verdict + Send + Sync + 'static,
        platforms: &str,
    ) -> Self {
        let (source, target) = tokio::join!(Registry::v3().start(), target.start());
        source.push("team/app", "v1", &image).await;
        let from = Proxy::start(&source.host()).await;
        let to = Proxy::with(&target.host(), rule).await;
        let stand = Self { source, target, from, to, image, desk: Desk::new("") };
        stand.want(platforms);
        stand
    }

    /// Wants these platforms of `v1`, as the elements of a list; none is all.
    fn want(&self, platforms: &str) {
        self.want_of("team/app:v1", platforms, "");
    }

    fn want_of(&self, source: &str, platforms: &str, more: &str) {
        let platforms =
            if platforms.is_empty() { String::new() } else { format!("\n  platforms: [{platforms}]") };
        let (from, to) = (self.from.host(), self.to.host());
        self.desk.manifest(&format!(
            "images:\n- name: app\n  source: {from}/{source}{platforms}{more}\ntargets:\n- name: copy\n  repository: {to}/mirror/{{path}}"
        ));
    }

    fn forget(&self) {
        std::fs::remove_dir_all(self.desk.state()).unwrap();
    }

    fn reset(&self) {
        self.from.reset();
        self.to.reset();
    }

    /// Runs, and sees that nothing was written to the target.
    async fn writes_nothing(&self) -> Ran {
        self.reset();
        let ran = self.desk.synced().await;
        assert_eq!(writes(&self.to), Vec::<String>::new());
        ran
    }

    /// Runs, and sees that nothing but one HEAD at either end was asked.
    async fn asks_two_heads(&self) {
        self.desk.a_day_later();
        let ran = self.writes_nothing().await;
        assert!(ran.stdout.contains("1 in sync"), "{}", ran.stdout);
        for proxy in [&self.from, &self.to] {
            let asked: Vec<_> = proxy.requests().into_iter().filter(|seen| seen.path != "/v2/").collect();
            let paths: Vec<_> = asked.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
            assert_eq!(paths.len(), 1, "{paths:?}");
            assert_eq!(asked[0].method, Method::HEAD);
        }
    }

    /// The children that the index names under the tag on the target, and those of them that are there, complete.
    async fn there(&self, tag: &str) -> (BTreeSet<Digest>, BTreeSet<Digest>) {
        let index = self.target.manifest(NAME, tag).await.unwrap();
        let index: Value = serde_json::from_slice(&index.bytes).unwrap();
        let named = index["manifests"].as_array().unwrap().iter();
        let named: BTreeSet<Digest> =
            named.map(|child| child["digest"].as_str().unwrap().parse().unwrap()).collect();
        let mut there = BTreeSet::new();
        for digest in &named {
            if self.target.manifest(NAME, digest.as_str()).await.is_some() {
                self.target.complete(NAME, digest.as_str()).await;
                there.insert(digest.clone());
            }
        }
        (named, there)
    }

    fn entry(&self) -> Value {
        let records = self.desk.records();
        assert_eq!(records.len(), 1);
        records[0]["targets"][0].clone()
    }
}

/// The requests that could have changed something.
fn writes(proxy: &Proxy) -> Vec<String> {
    let writes = proxy.requests().into_iter();
    let writes = writes.filter(|seen| seen.method != Method::HEAD && seen.method != Method::GET);
    writes.map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

/// The image for this platform in an index of [`EIGHT`], and its attestation.
fn child<'a>(image: &'a Image, platform: &str) -> [&'a Image; 2] {
    let place = EIGHT.iter().position(|other| *other == platform).unwrap();
    [&image.children[place], &image.children[place + EIGHT.len()]]
}

fn digests(image: &Image, platforms: &[&str]) -> BTreeSet<Digest> {
    let children = platforms.iter().flat_map(|platform| child(image, platform));
    children.map(|child| child.digest().clone()).collect()
}

/// All bytes of these platforms, manifests and attestations among them, and of the index.
fn bytes(image: &Image, platforms: &[&str]) -> u64 {
    let children = platforms.iter().flat_map(|platform| child(image, platform));
    let manifests = children.clone().map(|child| child.root.bytes.len() as u64).sum::<u64>();
    let blobs = children.flat_map(Image::all_blobs).map(|blob| blob.size).sum::<u64>();
    manifests + blobs + image.root.bytes.len() as u64
}

const TWO: [&str; 2] = ["linux/amd64", "linux/arm64/v8"];

#[tokio::test]
async fn a_target_that_takes_it_gets_the_index_as_it_is_and_only_what_is_wanted_below_it() {
    let stand = Stand::new(Registry::v3().sparse_indexes(), "linux/amd64, linux/arm64").await;
    stand.desk.synced().await;
    assert_eq!(stand.target.digest(NAME, "v1").await.as_ref(), Some(stand.image.digest()));
    let (named, there) = stand.there("v1").await;
    assert_eq!((named.len(), there), (16, digests(&stand.image, &TWO)));
    let wanted = bytes(&stand.image, &TWO);
    assert!(stand.from.down() <= wanted * 102 / 100, "{} of {wanted}", stand.from.down());
    assert!(stand.to.up() <= wanted * 102 / 100, "{} of {wanted}", stand.to.up());
    let entry = stand.entry();
    assert_eq!(entry["digest"], stand.image.digest().as_str());
    assert_eq!(entry["platforms"], json!(["linux/amd64", "linux/arm64"]));
    assert_eq!(entry["sourceDigest"], Value::Null);

    stand.asks_two_heads().await;
    stand.forget();
    stand.writes_nothing().await;
    assert_eq!(stand.entry()["origin"], "Found");
}

#[rstest]
#[case(Registry::v3())]
#[case(Registry::v2_8())]
#[case(Registry::olareg())]
#[tokio::test]
async fn a_target_that_does_not_gets_a_rewritten_index_and_later_runs_write_nothing(#[case] target: Options) {
    let stand = Stand::new(target, "linux/amd64, linux/arm64").await;
    stand.desk.synced().await;
    let rewritten = stand.target.digest(NAME, "v1").await.unwrap();
    assert_ne!(&rewritten, stand.image.digest());
    let expected = digests(&stand.image, &TWO);
    assert_eq!(stand.there("v1").await, (expected.clone(), expected));
    stand.target.complete(NAME, "v1").await;
    let wanted = bytes(&stand.image, &TWO);
    assert!(stand.from.down() <= wanted * 102 / 100, "{} of {wanted}", stand.from.down());
    let refused =
        stand.to.requests().into_iter().filter(|seen| seen.status() >= 400 && seen.method == Method::PUT);
    assert_eq!(refused.count(), 1, "the index was tried once as it is");

    let entry = stand.entry();
    assert_eq!(entry["digest"], rewritten.as_str());
    assert_eq!(entry["sourceDigest"], stand.image.digest().as_str());
    assert_eq!((&entry["origin"], &entry["state"]), (&json!("Written"), &json!("InSync")));

    stand.asks_two_heads().await;
    assert_eq!(stand.entry(), entry);
    stand.forget();
    stand.writes_nothing().await;
    assert_eq!(stand.entry()["sourceDigest"], stand.image.digest().as_str());
    assert_eq!(stand.entry()["origin"], "Found", "nobody knows any more who wrote it");
    stand.asks_two_heads().await;
    assert_eq!(stand.target.digest(NAME, "v1").await, Some(rewritten));
}

#[tokio::test]
async fn what_a_target_refused_is_not_tried_again_by_the_next_image_nor_by_the_next_run() {
    let stand = Stand::new(Registry::v3(), "").await;
    for (tag, seed) in [("v2", 2), ("v3", 3), ("v4", 4)] {
        stand.source.push("team/app", tag, &eight(seed)).await;
    }
    let refused = || {
        let puts = stand.to.requests().into_iter().filter(|seen| seen.method == Method::PUT);
        puts.filter(|seen| seen.status() >= 400).count()
    };
    stand.want_of("team/app", "linux/amd64", "\n  select: {names: [v1, v2]}");
    stand.desk.synced().await;
    assert_eq!(refused(), 1, "the images of one run ask once");
    stand.want_of("team/app", "linux/amd64", "\n  select: {names: [v1, v2, v3, v4]}");
    stand.reset();
    stand.desk.synced().await;
    assert_eq!(refused(), 0);
    for tag in ["v1", "v2", "v3", "v4"] {
        stand.target.complete(NAME, tag).await;
    }
    let plan = stand.desk.run(&["plan", "-f", "sync.yaml"]).await.expect(0);
    assert!(plan.stdout.contains("for copy the index is rewritten"), "{}", plan.stdout);
}

#[tokio::test]
async fn a_platform_that_is_wanted_besides_comes_below_the_same_index() {
    let stand = Stand::new(Registry::v3().sparse_indexes(), "linux/amd64").await;
    stand.desk.synced().await;
    stand.want("linux/amd64, linux/s390x");
    let plan = stand.desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
    assert!(plan.stdout.contains("linux/s390x is wanted now"), "{}", plan.stdout);

    stand.reset();
    stand.desk.synced().await;
    let (named, there) = stand.there("v1").await;
    assert_eq!((named.len(), there), (16, digests(&stand.image, &["linux/amd64", "linux/s390x"])));
    assert!(
        !writes(&stand.to).iter().any(|write| write.ends_with("/manifests/v1")),
        "the tag stays as it is"
    );
    let (more, index) = (bytes(&stand.image, &["linux/s390x"]), stand.image.root.bytes.len() as u64);
    assert!(stand.from.down() <= more * 102 / 100 + index, "{} of {more}", stand.from.down());
    assert_eq!(stand.entry()["platforms"], json!(["linux/amd64", "linux/s390x"]));
    stand.asks_two_heads().await;

    stand.want("");
    stand.desk.synced().await;
    stand.target.complete(NAME, "v1").await;
    assert_eq!(stand.entry()["platforms"], Value::Null);
    stand.asks_two_heads().await;
}

#[tokio::test]
async fn a_platform_that_is_wanted_besides_makes_another_rewritten_index() {
    let stand = Stand::new(Registry::v3(), "linux/amd64").await;
    stand.desk.synced().await;
    let first = stand.target.digest(NAME, "v1").await;
    stand.want("linux/amd64, linux/s390x");
    let plan = stand.desk.run(&["plan", "-f", "sync.yaml"]).await.expect(3);
    assert!(plan.stdout.contains("linux/s390x is wanted now"), "{}", plan.stdout);
    stand.desk.synced().await;
    assert_ne!(stand.target.digest(NAME, "v1").await, first);
    let expected = digests(&stand.image, &["linux/amd64", "linux/s390x"]);
    assert_eq!(stand.there("v1").await, (expected.clone(), expected));
    stand.asks_two_heads().await;

    // All of them: the index is the source's again.
    stand.want("");
    stand.desk.synced().await;
    assert_eq!(stand.target.digest(NAME, "v1").await.as_ref(), Some(stand.image.digest()));
    stand.target.complete(NAME, "v1").await;
    assert_eq!((&stand.entry()["sourceDigest"], &stand.entry()["platforms"]), (&Value::Null, &Value::Null));
    stand.asks_two_heads().await;
}

#[rstest]
#[case(Registry::v3())]
#[case(Registry::v3().sparse_indexes())]
#[tokio::test]
async fn fewer_platforms_take_nothing_from_the_target_and_are_recorded(#[case] target: Options) {
    let stand = Stand::new(target, "linux/amd64, linux/arm64").await;
    stand.desk.synced().await;
    let before = (stand.target.digest(NAME, "v1").await, stand.there("v1").await);
    stand.want("linux/arm64");
    stand.asks_two_heads().await;
    assert_eq!(stand.entry()["platforms"], json!(["linux/arm64"]));
    assert_eq!((stand.target.digest(NAME, "v1").await, stand.there("v1").await), before);
    // And again: what is there already is not sent again.
    stand.want("linux/amd64, linux/arm64");
    stand.reset();
    stand.desk.synced().await;
    let is_blob = |write: &String| write.starts_with("PUT ") && write.contains("/blobs/uploads/");
    assert!(!writes(&stand.to).iter().any(is_blob), "{:?}", writes(&stand.to));
    assert_eq!((stand.target.digest(NAME, "v1").await, stand.there("v1").await), before);
    stand.asks_two_heads().await;
}

#[rstest]
#[case(Registry::v3(), false)]
#[case(Registry::v3().sparse_indexes(), true)]
#[tokio::test]
async fn images_and_imagesyncs_that_want_other_platforms_share_a_repository(
    #[case] target: Options,
    #[case] takes_it: bool,
) {
    let stand = Stand::new(target, "").await;
    let (from, to) = (stand.from.host(), stand.to.host());
    let spec = |platforms: &str, tag: &str| {
        format!(
            "  images:\n  - name: app\n    source: {from}/team/app:v1\n    platforms: [{platforms}]\n  targets:\n  - name: copy\n    \
             repository: {to}/mirror/{{path}}\n    tags: [{tag}]\n"
        )
    };
    let object = |name: &str, spec: String| {
        format!(
            "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: {name}, namespace: team}}\nspec:\n{spec}"
        )
    };
    stand.desk.write(
        "sync.yaml",
        &[
            object("a", spec("linux/amd64", "a")),
            object("b", spec("linux/arm64, linux/s390x", "b")),
            object(
                "c",
                spec("linux/amd64, linux/arm64", "c")
                    .replace("platforms", "referrers")
                    .replace("[linux/amd64, linux/arm64]", "Exclude"),
            ),
        ]
        .join("---\n"),
    );
    stand.desk.synced().await;
    let all: BTreeSet<Digest> = stand.image.children.iter().map(|child| child.digest().clone()).collect();
    for (tag, platforms) in [("a", &["linux/amd64"][..]), ("b", &["linux/arm64/v8", "linux/s390x"])] {
        let (named, there) = stand.there(tag).await;
        assert!(there.is_superset(&digests(&stand.image, platforms)));
        if stand.target.digest(NAME, tag).await.as_ref() == Some(stand.image.digest()) {
            assert_eq!(named, all);
        } else {
            assert!(!takes_it, "{tag} was rewritten");
            assert_eq!(named, digests(&stand.image, platforms));
        }
    }
    assert_eq!(stand.target.digest(NAME, "c").await.as_ref(), Some(stand.image.digest()));
    stand.target.complete(NAME, "c").await;
    stand.writes_nothing().await;
    stand.forget();
    stand.writes_nothing().await;
}

#[tokio::test]
async fn what_is_no_index_or_has_only_what_is_wanted_is_copied_as_it_is() {
    for (image, wanted) in [
        (Image::single(1, &[20_000]), "linux/s390x"),
        (
            Image::multi(2, &["linux/amd64", "linux/arm64"], &[20_000]),
            "linux/amd64, linux/arm64, linux/s390x",
        ),
    ] {
        let stand = Stand::with(Registry::v3(), image, |_| Verdict::Pass, wanted).await;
        stand.desk.synced().await;
        assert_eq!(stand.target.digest(NAME, "v1").await.as_ref(), Some(stand.image.digest()));
        stand.target.complete(NAME, "v1").await;
        assert_eq!(stand.entry()["platforms"], Value::Null, "all that there is was brought");
        stand.want("linux/amd64, linux/arm64, linux/386");
        stand.asks_two_heads().await;
    }
}

#[tokio::test]
async fn an_image_that_has_none_of_the_platforms_is_not_found_and_the_message_says_what_there_is() {
    let stand = Stand::new(Registry::v3(), "windows/amd64").await;
    let ran = stand.desk.sync().await.expect(1);
    for part in ["NotFound", "windows/amd64", "linux/arm/v5, linux/arm/v7", "linux/s390x"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert_eq!(stand.target.digest(NAME, "v1").await, None);
    assert_eq!(writes(&stand.to), Vec::<String>::new());
}

#[tokio::test]
async fn docker_manifest_lists_are_cut_as_well_and_crane_and_skopeo_read_what_is_left() {
    for format in [Format::Docker, Format::Oci] {
        for target in [Registry::v3(), Registry::v3().sparse_indexes(), Registry::v2_8(), Registry::olareg()]
        {
            let image = Image::attested(format, 5, &EIGHT, &[30_000]);
            let stand = Stand::with(target, image, |_| Verdict::Pass, "linux/amd64, linux/arm64").await;
            stand.desk.synced().await;
            let index = stand.target.manifest(NAME, "v1").await.unwrap();
            assert_eq!(index.media_type, format.index());
            let reference = format!("{}/{NAME}:v1", stand.target.host());
            for platform in ["linux/amd64", "linux/arm64"] {
                let pulled = stand.desk.path().join(platform.replace('/', "-"));
                let crane = ["pull", "--insecure", "--platform", platform, "--format=oci", &reference];
                run(program("crane"), &[&crane[..], &[pulled.to_str().unwrap()]].concat()).await;
            }
            let manifest = run(program("crane"), &["manifest", "--insecure", &reference]).await;
            assert_eq!(manifest.trim_end(), String::from_utf8_lossy(&index.bytes).trim_end());
            let source = format!("docker://{reference}");
            let inspect =
                ["--override-os=linux", "--override-arch=arm64", "inspect", "--tls-verify=false", &source];
            let inspected: Value = serde_json::from_str(&run("skopeo", &inspect).await).unwrap();
            assert_eq!(inspected["Architecture"], "arm64");
        }
    }
}

async fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[rstest]
#[case(Registry::v3())]
#[case(Registry::v3().sparse_indexes())]
#[tokio::test]
async fn a_source_that_moves_is_followed_in_part(#[case] target: Options) {
    let stand = Stand::new(target, "linux/arm/v7").await;
    stand.desk.synced().await;
    let moved = eight(2);
    stand.source.push("team/app", "v1", &moved).await;
    stand.desk.synced().await;
    let (_, there) = stand.there("v1").await;
    assert_eq!(there, digests(&moved, &["linux/arm/v7"]));
    stand.asks_two_heads().await;

    // Only what is left out moved: the index that is rewritten stays what it is.
    let mut children = moved.children.clone();
    children[0] = Image::of(Format::Oci, "linux/amd64", layers(77, &[3_000]));
    let moved = Image::index(children);
    stand.source.push("team/app", "v1", &moved).await;
    let before = stand.target.digest(NAME, "v1").await;
    let is_rewritten = stand.entry()["sourceDigest"].is_string();
    stand.reset();
    stand.desk.synced().await;
    assert_eq!(stand.target.digest(NAME, "v1").await == before, is_rewritten);
    if is_rewritten {
        assert_eq!(writes(&stand.to), Vec::<String>::new());
        assert_eq!(stand.entry()["origin"], "Written");
        assert_eq!(stand.entry()["sourceDigest"], moved.digest().as_str());
    }
    stand.asks_two_heads().await;
}
