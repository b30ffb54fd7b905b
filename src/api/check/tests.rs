use serde_json::{Value, json};

use super::*;

fn object() -> Value {
    json!({
        "apiVersion": "imagesync.dev/v1alpha1",
        "kind": "ImageSync",
        "metadata": {"name": "base-images"},
        "spec": {
            "images": [{"name": "alpine", "source": "alpine:3.20"}],
            "targets": [{"name": "corp", "repository": "registry.corp.example/{path}"}],
        },
    })
}

fn check(object: &Value) -> Result<ImageSync, Vec<String>> {
    let violations = image_sync(object.clone());
    violations.map_err(|violations| violations.iter().map(ToString::to_string).collect())
}

/// The object with a value put at a place where there is something or nothing.
fn with(pointer: &str, value: Value) -> Value {
    let mut object = object();
    if let Some(place) = object.pointer_mut(pointer) {
        *place = value;
    } else {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[key] = value;
    }
    object
}

#[test]
fn a_valid_object_gets_the_defaults() {
    let sync = check(&with("/spec/targets/0/overwrite", Value::Null)).unwrap();
    assert_eq!(sync.spec.targets[0].tags, ["{tag}"]);
    assert!(!sync.spec.suspend && !sync.spec.targets[0].adopt);
}

#[test]
fn a_status_is_not_looked_at() {
    assert_eq!(check(&with("/status", json!({"conditions": 5}))).unwrap().status, None);
}

#[test]
fn a_rule_that_cannot_read_what_is_wrong_already_says_nothing() {
    // Without a name, whether a target names the image cannot be told.
    let mut object = with("/spec/images/0", json!({"source": "alpine"}));
    object["spec"]["targets"][0]["images"] = json!(["alpine"]);
    assert_eq!(
        check(&object).unwrap_err(),
        ["spec.images[0]: `name` is missing: write it, such as name: postgres"]
    );
}

#[test]
fn a_rule_is_evaluated_beside_what_is_wrong_elsewhere() {
    let mut object = with("/spec/images/0/source", json!("https://alpine"));
    object["spec"]["targets"][0]["adopt"] = json!("yes");
    let violations = check(&object).unwrap_err();
    assert_eq!(violations.len(), 2, "{violations:?}");
}

#[test]
fn rules_are_not_evaluated_over_more_than_their_maxima() {
    let many: Vec<_> = (0..100_000).map(|i| json!(format!("i{i}"))).collect();
    let violations = check(&with("/spec/targets/0/images", json!(many))).unwrap_err();
    assert_eq!(
        violations,
        ["spec.targets[0].images: 100000 entries, and at most 64 are allowed: write fewer"]
    );
}

#[test]
fn names_and_namespaces_are_those_of_kubernetes() {
    for (pointer, bad) in
        [("/metadata/name", "Upper"), ("/metadata/name", "a/../b"), ("/metadata/namespace", "a.b")]
    {
        assert!(check(&with(pointer, json!(bad))).is_err(), "{bad}");
    }
    assert!(check(&with("/metadata/name", json!("a.b-c"))).is_ok());
    assert!(check(&with("/metadata/labels", json!({"a": 5}))).is_err());
    assert!(check(&with("/metadata/creationTimestamp", json!("yesterday"))).is_err());
}
