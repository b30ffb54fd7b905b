//! Secrets: what is read of them, and that nothing of it is shown.

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::hostile::{broken, harm};
use super::{CANARY, SECRET, fault, faults, sync, text};

#[test]
fn a_secret_is_read_from_data_and_from_string_data() {
    let config = r#"{"auths": {}}"#;
    for data in [
        "data: {.dockerconfigjson: eyJhdXRocyI6IHt9fQ==}",
        "data:\n  .dockerconfigjson: |\n    eyJhdXRo\n    cyI6IHt9fQ==",
        "data: {.dockerconfigjson: '%%'}\nstringData: {.dockerconfigjson: '{\"auths\": {}}'}",
    ] {
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: hub}}\ntype: kubernetes.io/dockerconfigjson\n{data}\n---\n"
        );
        let manifests = text(secret + &sync("a")).unwrap();
        let secret = manifests.secret("default", "hub").unwrap();
        assert_eq!(secret.docker_config().unwrap().expose_secret(), config);
    }
}

#[test]
fn a_secret_without_a_docker_config_that_can_be_used_is_refused() {
    let secret = |data: &str| {
        fault(format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: hub}}\ntype: kubernetes.io/dockerconfigjson\n{data}\n"
        ))
    };
    assert!(secret("").starts_with("1: data: `.dockerconfigjson` is missing"));
    assert!(
        secret("data: {.dockerconfigjson: '%%'}")
            .starts_with("5: data: `.dockerconfigjson` is not text in base64")
    );
    assert!(secret("data: {.dockerconfigjson: 5}").starts_with("5: data: `.dockerconfigjson` is not text: "));
    for no_config in ["", "{", "[]", "{}", "5", r#"{"auths": []}"#, r#"{"auths": {"r": "text"}}"#] {
        let fault = secret(&format!("stringData: {{.dockerconfigjson: '{no_config}'}}"));
        assert!(fault.starts_with("5: stringData: `.dockerconfigjson` is not a Docker config"), "{fault}");
    }
    let damaged = format!(r#"{{"auths": {{"{CANARY}": {{"auth": "!!!"}}}}}}"#);
    let fault = secret(&format!("stringData: {{.dockerconfigjson: '{damaged}'}}"));
    assert!(
        fault.starts_with("5: stringData: an `auth` in `.dockerconfigjson` is not user:password"),
        "{fault}"
    );
    assert!(!fault.contains(CANARY), "{fault}");
}

#[test]
fn a_secret_needs_a_name_and_may_leave_its_namespace_out() {
    let secret = |metadata: &str| {
        text(format!("apiVersion: v1\nkind: Secret\nmetadata: {metadata}\n---\n{}", sync("a")))
    };
    for metadata in
        ["{}", "5", "{name: ''}", "{name: a b}", "{name: a, namespace: a b}", "{name: a, namespace: 5}"]
    {
        let faults = faults(secret(metadata));
        assert!(faults[0].starts_with("3: metadata: the Secret"), "{metadata}: {faults:?}");
    }
    for metadata in ["{name: hub}", "{name: hub, namespace: null}", "{name: hub, namespace: default}"] {
        assert!(secret(metadata).unwrap().secret("default", "hub").is_some(), "{metadata}");
    }
}

#[test]
fn a_secret_that_is_named_must_be_of_the_right_type_and_may_be_missing() {
    let opaque = "apiVersion: v1\nkind: Secret\nmetadata: {name: hub, namespace: platform}\n---\n";
    let fault = fault(opaque.to_owned() + &sync("a"));
    assert!(fault.starts_with("9: spec.pullSecrets[0].name: the Secret hub is of type Opaque"), "{fault}");
    assert!(text(opaque.to_owned() + &sync("a").replace("platform", "other")).is_ok());
    let note = text(sync("a")).unwrap().notes.to_string();
    assert!(
        note.starts_with("<stdin>:5: spec.pullSecrets[0].name: there is no Secret platform/hub"),
        "{note}"
    );
}

#[test]
fn a_secret_that_the_text_of_another_field_has_swallowed_is_not_shown() {
    for field in ["apiVersion", "kind", "type", "metadata"] {
        let value = SECRET.lines().find(|line| line.starts_with(field)).unwrap();
        let swallow = match field {
            "metadata" => "metadata:\n namespace: platform\n name: |".to_owned(),
            field => format!("{field}: |"),
        };
        let (before, after) = SECRET.split_once(value).unwrap();
        let swallowed = format!("{before}{swallow}{}\n---\n{}", after.replace('\n', "\n  "), sync("a"));
        let shown = format!("{:?}", text(swallowed));
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

proptest! {
    #[test]
    fn however_a_secret_is_broken_its_value_is_never_shown(harms in prop::collection::vec(harm(), 0..4)) {
        let read = text(format!("{}\n---\n{}", broken(SECRET, &harms), sync("a")));
        let (plain, debug) = match &read {
            Ok(manifests) => (format!("{:?}", manifests.notes), format!("{manifests:#?}")),
            Err(refused) => (refused.to_string(), format!("{refused:#?}")),
        };
        prop_assert!(!plain.contains(CANARY) && !debug.contains(CANARY), "{plain}\n{debug}");
    }
}
