//! Other tools: what they read of ours, and we of theirs.

use std::{os::unix::fs::MetadataExt as _, path::Path, process::Command};

use super::{complete, file};
use crate::{
    command::Desk,
    testbed::{
        images::{Format, Image, Layer},
        program,
        proxy::Proxy,
        registry::Registry,
    },
};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn spec(source: &str, target: &str) -> String {
    format!("images:\n- name: app\n  source: '{source}'\ntargets:\n- name: copy\n  repository: '{target}'")
}

/// Runs a tool, which has to succeed.
fn run(tool: impl AsRef<Path>, folder: &Path, arguments: &[&str]) {
    let tool = tool.as_ref();
    let output = Command::new(tool).args(arguments).current_dir(folder).env("HOME", folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?}: {text}", tool.display());
}

#[tokio::test]
async fn skopeo_crane_and_oras_read_what_was_written() {
    let (source, other) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let image = Image::multi(1, &PLATFORMS, &[200_000, 3_000]);
    source.push("team/app", "v1", &image).await;
    let desk = Desk::new(&spec(&format!("{}/team/app:v1", source.host()), "oci:out/{path}"));
    desk.synced().await;
    let layout = desk.path().join("out/team/app");
    assert_eq!(complete(&layout).get("v1"), Some(image.digest()));

    let host = other.host();
    run(
        "skopeo",
        desk.path(),
        &[
            "copy",
            "--all",
            "--preserve-digests",
            "--dest-tls-verify=false",
            "oci:out/team/app:v1",
            &format!("docker://{host}/skopeo:v1"),
        ],
    );
    run(program("crane"), desk.path(), &["push", "--insecure", "out/team/app", &format!("{host}/crane:v1")]);
    run(
        program("oras"),
        desk.path(),
        &["copy", "--from-oci-layout", "--to-plain-http", "out/team/app:v1", &format!("{host}/oras:v1")],
    );
    for tool in ["skopeo", "crane", "oras"] {
        assert_eq!(other.digest(tool, "v1").await.as_ref(), Some(image.digest()), "{tool}");
        assert_eq!(other.complete(tool, "v1").await.manifests.len(), 3, "{tool}");
    }
}

#[tokio::test]
async fn what_skopeo_crane_and_oras_wrote_is_read_without_credentials() {
    let (source, target) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let image = Image::multi(2, &PLATFORMS, &[100_000]);
    source.push("team/app", "v1", &image).await;
    let from = format!("{}/team/app:v1", source.host());
    let desk = Desk::new("");
    run(
        "skopeo",
        desk.path(),
        &[
            "copy",
            "--all",
            "--preserve-digests",
            "--src-tls-verify=false",
            &format!("docker://{from}"),
            "oci:skopeo:v1",
        ],
    );
    run(
        program("crane"),
        desk.path(),
        &["pull", "--insecure", "--format=oci", "--annotate-ref", &from, "crane"],
    );
    run(program("oras"), desk.path(), &["copy", "--from-plain-http", "--to-oci-layout", &from, "oras:v1"]);
    let tools = ["skopeo", "crane", "oras"];
    let images: String = tools
        .map(|tool| format!("- {{name: {tool}, source: 'oci:{tool}', select: {{patterns: ['.*']}}}}\n"))
        .concat();
    desk.manifest(&format!(
        "images:\n{images}targets:\n- {{name: copy, repository: '{}/from/{{path}}'}}",
        target.host()
    ));
    desk.synced().await;
    for tool in tools {
        assert_eq!(
            target.digest(&format!("from/{tool}"), "v1").await.as_ref(),
            Some(image.digest()),
            "{tool}"
        );
        target.complete(&format!("from/{tool}"), "v1").await;
    }
    assert!(desk.synced().await.stdout.contains("3 in sync"));
}

#[tokio::test]
async fn a_layout_is_copied_to_others_that_share_its_files_and_nothing_is_read_twice() {
    let source = Registry::v3().start().await;
    let base = Layer::new(7, 300_000);
    for (number, name) in ["a", "b"].into_iter().enumerate() {
        let own = Layer::new(100 + number as u64, 2_000);
        source.push(name, "v1", &Image::of(Format::Oci, "linux/amd64", vec![base.clone(), own])).await;
    }
    let from = Proxy::start(&source.host()).await;
    let images = |registry: &str| {
        format!("images:\n- {{name: a, source: '{registry}a:v1'}}\n- {{name: b, source: '{registry}b:v1'}}\n")
    };
    let desk = Desk::new("");
    let first = "targets:\n- {name: copy, repository: 'oci:out/{name}'}";
    desk.manifest(&(images(&format!("{}/", from.host())) + first));
    desk.synced().await;
    assert!(from.down() < 330_000, "{} bytes were read", from.down());
    desk.manifest(&(images("oci:out/") + "targets:\n- {name: copy, repository: 'oci:more/{name}'}"));
    desk.synced().await;

    let mut inodes = Vec::new();
    for folder in ["out/a", "out/b", "more/a", "more/b"] {
        let layout = desk.path().join(folder);
        let digest = complete(&layout)["v1"].clone();
        let manifest = std::fs::read_to_string(file(&layout, &digest)).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let largest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
        inodes.push(std::fs::metadata(file(&layout, &largest)).unwrap().ino());
    }
    assert!(inodes.windows(2).all(|pair| pair[0] == pair[1]), "{inodes:?}");
}

#[tokio::test]
async fn a_layout_that_was_carried_away_is_filled_again_even_with_tags_that_never_move() {
    let source = Registry::v3().start().await;
    let image = Image::single(3, &[5_000]);
    source.push("team/app", "1.0.0", &image).await;
    let desk = Desk::new(&format!(
        "images:\n- {{name: app, source: '{}/team/app:1.0.0', immutableTags: ['.*']}}\n\
         targets:\n- {{name: copy, repository: 'oci:out/{{path}}'}}",
        source.host()
    ));
    desk.synced().await;
    assert!(desk.synced().await.stdout.contains("1 in sync"));
    std::fs::rename(desk.path().join("out"), desk.path().join("carried")).unwrap();
    desk.synced().await;
    assert_eq!(complete(&desk.path().join("out/team/app")).get("1.0.0"), Some(image.digest()));
}

#[tokio::test]
async fn what_is_wrong_with_a_layout_is_said_in_words() {
    let desk = Desk::new(&spec("oci:nowhere/app:v1", "oci:out/{path}"));
    let ran = desk.sync().await.expect(1);
    assert!(ran.stdout.contains("NotFound"), "{}\n{}", ran.stdout, ran.stderr);
    std::fs::create_dir_all(desk.path().join("nowhere/app")).unwrap();
    desk.write("nowhere/app/oci-layout", r#"{"imageLayoutVersion":"7.0.0"}"#);
    let ran = desk.sync().await.expect(1);
    let said = ran.stdout + &ran.stderr;
    assert!(said.contains("nowhere/app is not an OCI image layout that can be used"), "{said}");
    assert!(said.contains("its version is `7.0.0`, and only 1.0.0 is known"), "{said}");
}
