//! What was written is read back by other programs: crane, skopeo, oras, and the oci-client crate.

use std::{fmt::Write as _, process::Output};

use tokio::process::Command;

use crate::{
    command::Desk,
    testbed::{
        images::{Format, Image, layers},
        program,
        registry::Registry,
    },
};

async fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output().await.unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[tokio::test]
async fn crane_skopeo_oras_and_oci_client_read_what_was_written_and_find_it_valid() {
    for old in [false, true] {
        let source = Registry::v3().start().await;
        let target = if old { Registry::v2_8().start().await } else { Registry::v3().start().await };
        let images = [
            ("oci", Image::multi(1, &["linux/amd64", "linux/arm64"], &[90_000, 2_000])),
            ("docker", Image::of(Format::Docker, "linux/amd64", layers(2, &[80_000]))),
            ("single", Image::single(3, &[1_000, 70_000])),
        ];
        let mut spec = "images:\n".to_owned();
        for (name, image) in &images {
            source.push(&format!("team/{name}"), "v1", image).await;
            write!(spec, "- name: {name}\n  source: {}/team/{name}:v1\n", source.host()).unwrap();
        }
        write!(spec, "targets:\n- name: copy\n  repository: {}/mirror/{{name}}\n", target.host()).unwrap();
        let desk = Desk::new(&spec);
        desk.synced().await;

        for (name, image) in &images {
            let reference = format!("{}/mirror/{name}:v1", target.host());
            let pulled = desk.path().join(format!("{name}-crane"));
            run(
                program("crane"),
                &["pull", "--insecure", "--format=oci", &reference, pulled.to_str().unwrap()],
            )
            .await;
            let digest = run(program("crane"), &["digest", "--insecure", &reference]).await;
            assert_eq!(String::from_utf8_lossy(&digest.stdout).trim(), image.digest().as_str());

            let copy = format!("dir:{}", desk.path().join(name).display());
            run(
                "skopeo",
                &["copy", "--all", "--src-tls-verify=false", &format!("docker://{reference}"), &copy],
            )
            .await;

            let layout = desk.path().join(format!("{name}-layout"));
            let layout = format!("{}:v1", layout.display());
            run(program("oras"), &["cp", "--from-plain-http", "--to-oci-layout", &reference, &layout]).await;

            read_with_oci_client(&reference, image).await;
        }
    }
}

async fn read_with_oci_client(reference: &str, image: &Image) {
    use oci_client::{
        Client, Reference,
        client::{ClientConfig, ClientProtocol},
        secrets::RegistryAuth,
    };
    let config = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
    let client = Client::try_from(config).unwrap();
    let reference: Reference = reference.parse().unwrap();
    let digest = client.fetch_manifest_digest(&reference, &RegistryAuth::Anonymous).await.unwrap();
    assert_eq!(digest, image.digest().as_str());
    let accepted =
        vec!["application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"];
    // It chooses the platform that it runs on, and checks the digest of every layer.
    let pulled = client.pull(&reference, &RegistryAuth::Anonymous, accepted).await.unwrap();
    assert!(!pulled.layers.is_empty());
}
