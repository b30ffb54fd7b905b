//! The CRDs on a real API server: it takes them, and refuses what the command line refuses with the same sentences.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use crate::testbed::cluster::ControlPlane;

/// What an API server says of a refused object.
#[derive(Debug, Deserialize)]
struct Status {
    details: Details,
}

#[derive(Debug, Deserialize)]
struct Details {
    causes: Vec<Cause>,
}

#[derive(Clone, Debug, Deserialize)]
struct Cause {
    field: String,
    message: String,
}

/// A control plane with our CRDs, and the namespace that the manifests name.
async fn control_plane() -> ControlPlane {
    let plane = ControlPlane::start().await;
    plane.kubectl(&["create", "namespace", "platform"], "").unwrap();
    plane.kubectl(&["apply", "--filename", &in_clone("crds")], "").unwrap();
    let established = ["wait", "--for=condition=Established", "customresourcedefinitions", "--all"];
    plane.kubectl(&established, "").unwrap();
    plane
}

fn in_clone(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).to_str().unwrap().to_owned()
}

fn manifests(folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(in_clone(folder)).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect()
}

/// The `field: sentence` pairs that stand beside a manifest.
fn beside(manifest: &Path) -> Vec<(String, String)> {
    let lines = fs::read_to_string(manifest.with_extension("txt")).unwrap();
    let split = |line: &str| {
        let (_, rest) = line.split_once(": ").unwrap();
        let (field, sentence) = rest.split_once(": ").unwrap();
        (field.to_owned(), sentence.to_owned())
    };
    lines.lines().map(split).collect()
}

/// What kubectl tries without doing it.
fn tried(plane: &ControlPlane, path: &Path) -> Result<String, String> {
    plane.kubectl(&["create", "--dry-run=server", "--filename", path.to_str().unwrap()], "")
}

#[tokio::test]
async fn a_rule_is_broken_at_the_same_field_and_with_the_same_sentence_as_on_the_command_line() {
    let plane = control_plane().await;
    let config: Value = serde_saphyr::from_str(&fs::read_to_string(plane.kubeconfig()).unwrap()).unwrap();
    let token = config["users"][0]["user"]["token"].as_str().unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
    let url = format!(
        "{}/apis/imagesync.dev/v1alpha1/namespaces/platform/imagesyncs?dryRun=All&fieldValidation=Strict",
        plane.url()
    );
    for manifest in manifests("tests/manifests/invalid/rules") {
        let object: Value = serde_saphyr::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
        let request = client.post(&url).bearer_auth(token).header("content-type", "application/json");
        let answer = request.body(object.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{}", manifest.display());
        let Status { mut details } = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        // That a rule cannot be evaluated is left out by the command line where another rule says why.
        let (not_read, broken): (Vec<_>, Vec<_>) =
            details.causes.into_iter().partition(|cause| cause.message.contains(" evaluating rule: "));
        let unexplained = not_read.into_iter().filter(|cause| broken.iter().all(|b| b.field != cause.field));
        details.causes = unexplained.chain(broken.iter().cloned()).collect();

        let expected = beside(&manifest);
        assert_eq!(details.causes.len(), expected.len(), "{}: {details:#?}", manifest.display());
        for (field, sentence) in expected {
            // A rule of the API server names the list of targets where the command line names the entry in it.
            let is_at =
                |cause: &Cause| field == cause.field || field.starts_with(&format!("{}[", cause.field));
            let same = |cause: &Cause| is_at(cause) && cause.message.ends_with(&sentence);
            assert!(details.causes.iter().any(same), "{}: {field}: {details:#?}", manifest.display());
        }
    }
}

#[tokio::test]
async fn what_breaks_the_schema_is_refused_and_what_is_valid_is_taken() {
    let plane = control_plane().await;
    for manifest in manifests("tests/manifests/invalid/schema") {
        let refusal = tried(&plane, &manifest).unwrap_err();
        assert!(refusal.contains("invalid") || refusal.contains("unknown field"), "{refusal}");
    }
    for manifest in [manifests("tests/manifests/valid"), manifests("examples")].concat() {
        // The administrator's file, which is no manifest.
        if !manifest.ends_with("registries.yaml") {
            tried(&plane, &manifest).unwrap();
        }
    }
}

#[tokio::test]
async fn a_new_object_waits_to_be_looked_at_and_is_listed_without_the_slices() {
    let plane = control_plane().await;
    let file = in_clone("tests/manifests/valid/everything.yaml");
    plane.kubectl(&["create", "--filename", &file], "").unwrap();
    let slice = "{apiVersion: imagesync.dev/v1alpha1, kind: ImageSyncSlice, metadata: {name: a, namespace: platform}}";
    plane.kubectl(&["create", "--filename", "-"], slice).unwrap();

    let get = |arguments: &[&str]| {
        plane.kubectl(&[&["get", "--namespace=platform"], arguments].concat(), "").unwrap()
    };
    assert_eq!(get(&["isync", "--output=jsonpath={.items[*].status.observedGeneration}"]), "-1");
    assert_eq!(get(&["imagesync", "--output=name"]), "imagesync.imagesync.dev/everything");
    assert_eq!(get(&["imagesync-all", "--output=name"]).lines().count(), 2);
    let table = get(&["imagesync", "--output=wide"]);
    let header: Vec<_> =
        table.lines().next().unwrap().split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
    assert_eq!(header, ["NAME", "READY", "IN SYNC", "FAILED", "LAST SYNC", "AGE", "REASON", "NEXT SYNC"]);
}
