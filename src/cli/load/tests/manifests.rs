//! The manifests in `tests/manifests`, which are tried on a real API server too.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Input, faults, load, path, sync, text};
use crate::registry::{Keychain, Settings};

pub(super) fn manifests(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests").join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn valid_manifests_are_read() {
    for file in manifests("valid") {
        assert_eq!(faults(path(&file)), Vec::<String>::new(), "{}", file.display());
    }
}

/// `UPDATE=1` writes the sentences, for a person to read.
#[test]
fn invalid_manifests_are_refused_with_the_sentences_beside_them() {
    for file in [manifests("invalid/rules"), manifests("invalid/schema")].concat() {
        let beside = file.with_extension("txt");
        let found = faults(path(&file)).join("\n") + "\n";
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&beside, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&beside).unwrap_or_default(), "{}", file.display());
    }
}

#[test]
fn every_rule_of_the_crds_has_a_manifest_that_breaks_it() {
    fn sentences(schema: &Value, found: &mut Vec<String>) {
        for rule in schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
            let sentence =
                rule.get("message").or_else(|| rule.get("messageExpression")).unwrap().as_str().unwrap();
            // Of an expression, what it begins with.
            found.push(sentence.trim_start_matches('\'').split("' + ").next().unwrap().to_owned());
        }
        match schema {
            Value::Object(fields) => fields.values().for_each(|value| sentences(value, found)),
            Value::Array(items) => items.iter().for_each(|value| sentences(value, found)),
            _ => {}
        }
    }
    let mut rules = Vec::new();
    sentences(&serde_json::to_value(crate::api::crds()).unwrap(), &mut rules);
    rules.sort();
    rules.dedup();
    assert!(rules.len() > 20, "{rules:?}");
    let broken: String = manifests("invalid/rules")
        .iter()
        .map(|file| fs::read_to_string(file.with_extension("txt")).unwrap())
        .collect();
    for rule in rules {
        assert!(broken.contains(&rule), "no manifest breaks the rule: {rule}");
    }
}

/// What the rules let pass of cron can be carried out, but for names in the wrong order.
fn cron() -> impl Strategy<Value = String> {
    let field = |values: &'static str| {
        let entry = format!("({values})(-({values}))?(/[0-3]?[0-9])?|\\*(/[0-3]?[0-9])?");
        proptest::string::string_regex(&format!("({entry})(,({entry}))?")).unwrap()
    };

    let fields = (
        field("[0-6]?[0-9]"),
        field("[0-2]?[0-9]"),
        field("[0-3]?[0-9]"),
        field("1?[0-9]|JAN|feb|Dec"),
        field("[0-8]|sun|MON"),
    );
    fields.prop_map(|(a, b, c, d, e)| [a, b, c, d, e].join(" "))
}

proptest! {
    #[test]
    fn a_schedule_that_no_rule_refuses_can_be_carried_out(cron in cron()) {
        let sync = sync("a").replace("spec:\n", &format!("spec:\n  schedule: {{cron: '{cron}'}}\n"));
        for fault in faults(text(sync)) {
            let by_rule = fault.contains("not five fields") || fault.contains("a range ends before it begins");
            let names = cron.contains(|c: char| c.is_ascii_alphabetic());
            prop_assert!(by_rule || names, "{cron}: {fault}");
        }
    }
}

#[test]
fn the_examples_are_valid_as_they_stand() {
    let examples =
        load(&[Input::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"))], false, &mut io::empty());
    let examples = examples.unwrap();
    assert!(examples.syncs.len() >= 4);
    // The registries file is no manifest, and no Secret is missing.
    let notes: Vec<_> = examples.notes.iter().map(ToString::to_string).collect();
    assert!(notes.len() == 1 && notes[0].contains("registries.yaml:2: left out"), "{notes:?}");
    let registries = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/registries.yaml");
    Settings::parse(&fs::read_to_string(&registries).unwrap(), &registries).unwrap();
    for secret in examples.secrets.values() {
        Keychain::from_secret(secret.docker_config().unwrap().expose_secret().as_bytes()).unwrap();
    }
}
