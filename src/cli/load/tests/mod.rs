//! Reading: which documents are taken from which files.

mod hostile;
mod manifests;
mod registries;
mod secrets;

use std::{fs, io, path::Path};

use secrecy::ExposeSecret;
use serde_json::Value;

use super::*;

const SYNC: &str = "\
apiVersion: imagesync.dev/v1alpha1
kind: ImageSync
metadata: {name: NAME, namespace: platform}
spec:
  pullSecrets: [{name: hub}]
  images: [{name: alpine, source: 'alpine:3.20'}]
  targets: [{name: corp, repository: 'registry.corp.example/{path}'}]
";
/// What no output may show.
const CANARY: &str = "dXNlcjpzZWNyZXQtY2FuYXJ5";
const SECRET: &str = r#"apiVersion: v1
kind: Secret
metadata: {name: hub, namespace: platform}
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{"auths": {"docker.io": {"auth": "dXNlcjpzZWNyZXQtY2FuYXJ5"}}}'
"#;

fn text(text: impl AsRef<[u8]>) -> Result<Manifests, Refused> {
    load(&[Input::Stdin], false, &mut text.as_ref())
}

fn path(path: &Path) -> Result<Manifests, Refused> {
    load(&[Input::Path(path.to_owned())], false, &mut io::empty())
}

fn sync(name: &str) -> String {
    SYNC.replace("NAME", name)
}

fn names(manifests: &Manifests) -> Vec<&str> {
    manifests.syncs.iter().map(|manifest| manifest.object.metadata.name.as_deref().unwrap()).collect()
}

/// What is wrong, without the file's name.
fn faults<T>(read: Result<T, Refused>) -> Vec<String> {
    let refused = read.err().map(|refused| refused.to_string()).unwrap_or_default();
    refused.lines().map(|line| line.split_once(':').unwrap().1.to_owned()).collect()
}

fn fault(of: impl AsRef<[u8]>) -> String {
    faults(text(of)).join("\n")
}

#[test]
fn a_file_may_hold_documents_lists_and_json() {
    let json =
        serde_json::to_string_pretty(&serde_saphyr::from_str::<Value>(&sync("in-json")).unwrap()).unwrap();
    let list = sync("in-list").replace('\n', "\n    ");
    let all = format!(
        "# nothing here\n---\n{}---\napiVersion: v1\nkind: List\nitems:\n  - {list}\n---\n{}\n---\n{SECRET}",
        sync("plain"),
        json.replace("  ", "\t"),
    );
    let manifests = text(all).unwrap();
    assert_eq!(names(&manifests), ["plain", "in-list", "in-json"]);
    assert!(manifests.notes.is_empty());
    let secret = manifests.secret("platform", "hub").unwrap().docker_config().unwrap();
    assert!(secret.expose_secret().contains(CANARY));
}

#[test]
fn an_object_without_a_namespace_is_in_default() {
    for namespace in ["", ", namespace: ''", ", namespace: null"] {
        let manifests = text(sync("a").replace(", namespace: platform", namespace)).unwrap();
        assert_eq!(manifests.syncs[0].object.metadata.namespace.as_deref(), Some("default"));
    }
}

#[test]
fn what_kubectl_prints_is_read() {
    let metadata = "metadata: {name: a, uid: 7a0c, resourceVersion: '5', generation: 2, creationTimestamp: \
                    '2026-01-31T12:00:00Z', managedFields: [{manager: kubectl, operation: Apply}]}";
    let manifest = sync("a").replace("metadata: {name: a, namespace: platform}", metadata)
        + "status: {observedGeneration: 2, anything: [else]}\n";
    let manifests = text(manifest).unwrap();
    let object = &manifests.syncs[0].object;
    assert_eq!(object.metadata.uid.as_deref(), Some("7a0c"));
    assert!(object.metadata.creation_timestamp.is_some());
    assert_eq!(object.status, None);
}

#[test]
fn metadata_that_is_not_read_is_not_judged_and_what_is_read_is_named_with_its_line() {
    let with = |metadata: &str| sync("a").replace("{name: a,", &format!("{{name: a, {metadata},"));
    for unread in ["finalizers: 5", "managedFields: x", "ownerReferences: {}", "generateName: [a]"] {
        assert!(text(with(unread)).is_ok(), "{unread}");
    }
    for (number, least) in [("18446744073709551615", true), ("99999999999999999999", true), ("2", false)] {
        let faults = fault(with(&format!("generation: {number}")));
        let expected = "3: metadata.generation: out of range: write a number from 0 to 9223372036854775807";
        assert_eq!(faults, if least { expected } else { "" });
    }
}

#[test]
fn after_a_document_with_a_fault_the_next_ones_are_read_and_all_faults_are_told() {
    let all = format!(
        "{}---\na: 1\na: 2\n---\n{}---\n{}---\nkind: ImageSync\n",
        sync("Upper"),
        sync("fine"),
        sync("a").replace("alpine:3.20", "Alpine")
    );
    let faults = faults(text(all));
    assert_eq!(faults.len(), 4, "{faults:#?}");
    assert!(faults[0].starts_with("3: metadata.name: not a name: write lower-case"), "{}", faults[0]);
    assert!(faults[1].starts_with("10: this key is in the mapping already"), "{}", faults[1]);
    assert!(faults[2].starts_with("25: spec.images[0].source: not an image reference"), "{}", faults[2]);
    assert!(faults[3].starts_with("28: not a Kubernetes object: write apiVersion"), "{}", faults[3]);
}

#[test]
fn a_field_of_an_item_of_a_list_is_found_where_it_stands() {
    let list = sync("a").replace("alpine:3.20", "Alpine").replace('\n', "\n  ");
    let faults = fault(format!("apiVersion: v1\nkind: List\nitems:\n- {list}\n"));
    assert!(faults.starts_with("9: items[0].spec.images[0].source: not an image reference"), "{faults}");
}

#[test]
fn a_remark_about_a_field_names_its_line_or_that_of_what_it_would_be_in() {
    let manifests = text(sync("a")).unwrap();
    let line = |field: &str| manifests.syncs[0].remark(&field.into(), "x").place.unwrap().line;
    assert_eq!(
        [line("spec.images[0].source"), line("spec.targets[0].tags[3]"), line("spec.nosuch")],
        [6, 7, 4]
    );
    assert_eq!(line(""), 1);
}

#[test]
fn the_same_object_twice_is_refused_and_the_first_place_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("1.yaml"), sync("a")).unwrap();
    fs::write(dir.path().join("2.yml"), format!("{SECRET}---\n{SECRET}---\n{}", sync("a"))).unwrap();
    let refused = path(dir.path()).unwrap_err().to_string();
    let expected = format!(
        "{0}/2.yml:10: metadata.name: the Secret platform/hub is in {0}/2.yml:1 already: write another name or namespace\n\
         {0}/2.yml:17: metadata.name: the ImageSync platform/a is in {0}/1.yaml:1 already: write another name or namespace",
        dir.path().display()
    );
    assert_eq!(refused, expected);
}

#[test]
fn a_folder_is_read_in_order_with_its_folders_only_if_told_so_and_without_hidden_ones() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    };
    write("b.json", &sync("b"));
    write("a.yaml", &sync("a"));
    write("notes.txt", "not: [yaml");
    write("deeper/c.yml", &sync("c"));
    write(".git/d.yaml", &sync("d"));
    write("values.yaml", "replicas: 2\n");
    let read = |recursive| load(&[Input::Path(dir.path().to_owned())], recursive, &mut io::empty()).unwrap();
    assert_eq!(names(&read(false)), ["a", "b"]);
    assert_eq!(names(&read(true)), ["a", "b", "c"]);
    let notes: Vec<_> = read(false).notes.iter().map(ToString::to_string).collect();
    assert!(notes[0].contains("values.yaml:1: left out: not a Kubernetes object"), "{notes:?}");
}

#[test]
fn a_named_file_that_holds_no_object_is_refused() {
    assert!(fault("replicas: 2\n").starts_with("1: not a Kubernetes object: write apiVersion"));
    assert!(fault("just text\n").starts_with("1: not a Kubernetes object"));
    assert!(fault("").starts_with(" no ImageSync there: write one"));
}

#[test]
fn objects_of_other_groups_are_left_out_with_a_note() {
    let manifests = text(format!("apiVersion: apps/v1\nkind: Deployment\n---\n{}", sync("a"))).unwrap();
    let note = manifests.notes.iter().next().unwrap().to_string();
    assert_eq!(note, "<stdin>:1: Deployment of apps/v1 is left out: it is nothing to ImageSync");
}

#[test]
fn slices_are_left_out_with_a_note_since_kubectl_prints_them_beside_the_rest() {
    let slice =
        "{apiVersion: imagesync.dev/v1alpha1, kind: ImageSyncSlice, metadata: {name: a}, records: []}";
    let manifests = text(format!("{slice}\n---\n{}", sync("a"))).unwrap();
    let note = manifests.notes.iter().next().unwrap().to_string();
    assert!(note.starts_with("<stdin>:1: ImageSyncSlice is left out: records are read from"), "{note}");
}

#[test]
fn other_kinds_and_versions_of_our_group_are_refused_with_what_is_supported() {
    for (version, kind) in [("v1alpha1", "NodeImagePolicy"), ("v1", "ImageSync")] {
        let fault = fault(format!("apiVersion: imagesync.dev/{version}\nkind: {kind}\n"));
        let expected = format!(
            "2: kind: {kind} of imagesync.dev/{version} is not read: write ImageSync of imagesync.dev/v1alpha1, which \
             with Secret is what this version reads, or leave it out"
        );
        assert_eq!(fault, expected);
    }
}

#[test]
fn what_only_the_plan_can_tell_is_refused_at_its_field_too() {
    let onto_itself = sync("a").replace("registry.corp.example/{path}", "docker.io/{path}");
    assert!(fault(onto_itself).starts_with("7: spec.targets[0]: "));
    let pattern = sync("a").replace("'alpine:3.20'", "alpine, select: {patterns: ['\\p{Greek}']}");
    assert!(fault(pattern).starts_with("6: spec.images[0].select.patterns[0]: "));
}
