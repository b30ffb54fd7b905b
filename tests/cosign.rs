//! cosign verifies on a target what it signed at the source, in both of the forms in which it keeps signatures.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use futures::{StreamExt as _, stream};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    command::Desk,
    layout::serve::Served,
    testbed::{images::Image, program, registry::Registry},
};

/// Each run takes a second of a processor before it begins.
const AT_ONCE: usize = 4;
/// What makes cosign keep signatures under the tags `.sig` and `.att`.
const OLD: &str = "--new-bundle-format=false";
const OFFLINE: [&str; 3] = ["--use-signing-config=false", "--tlog-upload=false", "-y"];

/// cosign with a pair of keys.
struct Cosign {
    folder: TempDir,
}

impl Cosign {
    async fn new() -> Self {
        let cosign = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(cosign.path().join("predicate.json"), r#"{"built": "by hand"}"#).unwrap();
        expect(&cosign.run(&["generate-key-pair"]).await, 0);
        cosign
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("cosign"));
        command.args(arguments).current_dir(self.path()).env_clear().env("HOME", self.path());
        command.env("COSIGN_PASSWORD", "").stdin(Stdio::null()).kill_on_drop(true);
        command.output().await.unwrap()
    }

    /// Signs and attests an image.
    async fn sign(&self, image: &str, is_old: bool) {
        let form = is_old.then_some(OLD);
        let sign = [&["sign", "--key", "cosign.key"][..], &OFFLINE].concat();
        let attest = ["attest", "--key", "cosign.key", "--type", "custom", "--predicate", "predicate.json"];
        for command in [sign, [&attest[..], &OFFLINE].concat()] {
            let arguments: Vec<&str> = command.into_iter().chain(form).chain([image]).collect();
            expect(&self.run(&arguments).await, 0);
        }
    }

    /// Whether the image is signed, and attested.
    async fn verify(&self, image: &str, is_old: bool) -> (bool, bool) {
        let verify = ["verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true"];
        let attestation =
            ["verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--type", "custom"];
        let form = is_old.then_some(OLD);
        let run = async |command: &[&str]| {
            let arguments: Vec<&str> = command.iter().copied().chain(form).chain([image]).collect();
            self.run(&arguments).await.status.success()
        };
        tokio::join!(run(&verify), run(&attestation))
    }
}

fn expect(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn what_cosign_signed_and_attested_verifies_on_every_kind_of_target() {
    let (cosign, v3, olareg) =
        tokio::join!(Cosign::new(), Registry::v3().start(), Registry::olareg().start());
    let targets = tokio::join!(Registry::v3().start(), Registry::v2_8().start(), Registry::olareg().start());
    let targets = [&targets.0, &targets.1, &targets.2];
    let (mut images, mut signs) = (Vec::new(), Vec::new());
    let mut names = Vec::new();
    for (source, of) in [(&v3, "v3"), (&olareg, "olareg")] {
        for is_old in [false, true] {
            let form = if is_old { "tags" } else { "bundles" };
            let (name, image) = (
                format!("{of}/{form}"),
                Image::multi(names.len() as u64, &["linux/amd64", "linux/arm64"], &[2_000]),
            );
            source.push(&name, "v1", &image).await;
            images.push(format!(
                "- {{name: {of}-{form}, source: '{}/{name}:v1', referrers: Require}}",
                source.host()
            ));
            signs.push((format!("{}/{name}@{}", source.host(), image.digest()), is_old));
            names.push((name, is_old));
        }
    }
    let signs = signs.iter().map(|(image, is_old)| cosign.sign(image, *is_old));
    stream::iter(signs).buffer_unordered(AT_ONCE).collect::<()>().await;
    for (name, is_old) in names.iter().filter(|(name, _)| name.starts_with("v3")) {
        let tags = v3.tags(name).await;
        let has = |suffix: &str| tags.iter().any(|tag| tag.starts_with("sha256-") && tag.ends_with(suffix));
        assert_eq!((has(".sig"), has(".att")), (*is_old, *is_old), "{tags:?}");
    }
    let mut hosts: Vec<String> = targets.iter().map(|target| target.host()).collect();
    let places: Vec<String> = hosts
        .iter()
        .map(String::as_str)
        .chain(["oci:out"])
        .enumerate()
        .map(|(n, place)| format!("- {{name: t{n}, repository: '{place}/{{path}}'}}"))
        .collect();
    let desk = Desk::new(&format!("images:\n{}\ntargets:\n{}", images.join("\n"), places.join("\n")));
    desk.synced().await;
    let served = Served::start(&desk, "out").await;
    hosts.push(served.host.clone());
    // An image that came without what signs it does not verify, so the others do for what came with them.
    let (bare, is_old) = &names[0];
    let image = v3.manifest(bare, "v1").await.unwrap();
    let alone = Image::multi(0, &["linux/amd64", "linux/arm64"], &[2_000]);
    assert_eq!(&image.digest, alone.digest());
    targets[0].push("alone", "v1", &alone).await;
    let of_alone = (format!("{}/alone:v1", targets[0].host()), *is_old, (false, false));
    let all = hosts.iter().flat_map(|host| {
        names.iter().map(move |(name, is_old)| (format!("{host}/{name}:v1"), *is_old, (true, true)))
    });
    let checks = all.chain([of_alone]).map(|(image, is_old, expected)| {
        let cosign = &cosign;
        async move { assert_eq!(cosign.verify(&image, is_old).await, expected, "{image}") }
    });
    stream::iter(checks).buffer_unordered(AT_ONCE).collect::<()>().await;
}

#[tokio::test]
async fn of_some_platforms_a_sparse_index_stays_signed_and_of_a_rewritten_one_its_images_do() {
    let (cosign, source, sparse, strict) = tokio::join!(
        Cosign::new(),
        Registry::v3().start(),
        Registry::v3().sparse_indexes().start(),
        Registry::v3().start()
    );
    let image = Image::multi(1, &["linux/amd64", "linux/arm64"], &[2_000]);
    let child = image.children[0].digest();
    let forms = [("bundles", false), ("tags", true)];
    for (name, is_old) in forms {
        source.push(name, "v1", &image).await;
        for digest in [image.digest(), child] {
            cosign.sign(&format!("{}/{name}@{digest}", source.host()), is_old).await;
        }
    }
    let images = forms.map(|(name, _)| format!("- {{name: {name}, source: '{}/{name}:v1'}}", source.host()));
    Desk::new(&format!(
        "defaults: {{platforms: [linux/amd64]}}\nimages:\n{}\ntargets:\n\
         - {{name: sparse, repository: '{}/{{path}}'}}\n- {{name: strict, repository: '{}/{{path}}'}}",
        images.join("\n"),
        sparse.host(),
        strict.host()
    ))
    .synced()
    .await;
    for (name, is_old) in forms {
        for (target, is_signed) in [(&sparse, true), (&strict, false)] {
            let at = format!("{}/{name}", target.host());
            let (by_tag, by_digest) = (format!("{at}:v1"), format!("{at}@{child}"));
            let shown = target.digest(name, "v1").await;
            assert_eq!(shown.as_ref() == Some(image.digest()), is_signed, "the index as it is, or rewritten");
            let (index, of_child) =
                tokio::join!(cosign.verify(&by_tag, is_old), cosign.verify(&by_digest, is_old));
            assert_eq!((index, of_child), ((is_signed, is_signed), (true, true)), "{at}");
        }
    }
}
