//! The CRDs at a real apiserver: it takes them, takes what the command line takes, and refuses what it refuses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::testbed::cluster::ControlPlane;

/// The manifests in a folder of `tests/manifests`.
fn manifests(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("tests/manifests").join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    assert!(!found.is_empty(), "there are manifests");
    found
}

async fn plane_with_crds() -> ControlPlane {
    let plane = ControlPlane::start().await;
    plane.kubectl(&["create", "-f", "crds"], "").unwrap();
    plane.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], "").unwrap();
    plane.kubectl(&["create", "namespace", "platform"], "").unwrap();
    plane
}

/// What an apiserver makes of a manifest.
fn create(plane: &ControlPlane, manifest: &Path) -> Result<String, String> {
    let manifest = fs::read_to_string(manifest).unwrap();
    plane.kubectl(&["create", "--dry-run=server", "--validate=strict", "-f", "-"], &manifest)
}

#[tokio::test]
async fn an_apiserver_takes_what_the_command_line_takes_and_refuses_the_rest_for_the_same_reason() {
    let plane = plane_with_crds().await;
    let mut wrong = Vec::new();
    for manifest in manifests("valid") {
        if let Err(problem) = create(&plane, &manifest) {
            wrong.push(format!("{} is refused: {problem}", manifest.display()));
        }
    }
    for manifest in manifests("invalid/schema") {
        if create(&plane, &manifest).is_ok() {
            wrong.push(format!("{} is taken", manifest.display()));
        }
    }
    for manifest in manifests("invalid/rules") {
        let answer = create(&plane, &manifest).expect_err("it breaks a rule");
        // LINE: FIELD: REASON, as the command line says it.
        for said in fs::read_to_string(manifest.with_extension("txt")).unwrap().lines() {
            let reason = said.splitn(3, ": ").last().unwrap();
            if !answer.contains(reason) {
                wrong.push(format!("{}: not `{reason}`, but: {answer}", manifest.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
