//! What must hold for the schemas as a whole.

use std::{collections::BTreeSet, fs, path::Path};

use regex::Regex;
use serde_json::Value;

use super::*;

/// Every field of a kind, with its path as in `docs/api.md` and its schema.
fn fields(kind: &str) -> Vec<(String, Value)> {
    fn walk(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            found.push((path.clone(), field.clone()));
            walk(&path, field, found);
            walk(&format!("{path}[]"), &field["items"], found);
        }
    }
    let crds = serde_json::to_value(crds()).unwrap();
    let crd = crds.as_array().unwrap().iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap();
    let mut found = Vec::new();
    walk("", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut found);
    found
}

fn spec() -> impl Iterator<Item = (String, Value)> {
    fields("ImageSync").into_iter().filter(|(path, _)| path.starts_with("spec."))
}

#[test]
fn every_field_is_documented_in_api_md_and_none_that_is_not_there() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).unwrap();
    let row = Regex::new(r"(?m)^\| `((?:spec|status|records)\b[^`]*)` \|").unwrap();
    let documented: BTreeSet<String> = row.captures_iter(&page).map(|row| row[1].to_owned()).collect();
    let both = fields("ImageSync").into_iter().chain(fields("ImageSyncSlice")).map(|(path, _)| path);
    // Said once, for spec.images[].select.
    let once =
        |path: &String| !path.starts_with("spec.defaults.select.") && path != "spec" && path != "status";
    assert_eq!(documented, both.filter(once).collect());
}

#[test]
fn every_field_says_what_it_means_and_those_of_the_spec_give_an_example() {
    for (path, schema) in fields("ImageSync").into_iter().chain(fields("ImageSyncSlice")) {
        let text = schema["description"].as_str().unwrap_or_default();
        // Rust's links are nothing to `kubectl explain`.
        assert!(text.ends_with('.') && !text.contains("[`"), "{path}: {text}");
    }
    for (path, schema) in spec() {
        assert!(schema["description"].as_str().unwrap().contains("Example: `"), "{path}");
    }
}

#[test]
fn every_string_and_list_of_the_spec_has_a_maximum() {
    for (path, schema) in spec() {
        for (path, schema) in [(format!("{path}[]"), &schema["items"]), (path, &schema)] {
            let bounded = match schema["type"].as_str() {
                Some("string") => schema.get("maxLength").or_else(|| schema.get("enum")),
                Some("array") => schema.get("maxItems"),
                _ => continue,
            };
            assert!(bounded.is_some(), "{path}");
        }
    }
}

#[test]
fn no_choice_reads_as_a_boolean_in_yaml_1_1() {
    let booleans = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    for (path, schema) in fields("ImageSync").into_iter().chain(fields("ImageSyncSlice")) {
        for choice in schema["enum"].as_array().into_iter().flatten() {
            let choice = choice.as_str().unwrap().to_lowercase();
            assert!(!booleans.contains(&choice.as_str()), "{path}: {choice}");
        }
    }
}

#[test]
fn a_null_is_not_a_value_of_any_field() {
    for (path, schema) in fields("ImageSync").into_iter().chain(fields("ImageSyncSlice")) {
        assert_eq!(schema.get("nullable"), None, "{path}");
    }
}

#[test]
fn tools_that_wait_see_that_nobody_has_looked_at_a_new_object() {
    let (_, status) = fields("ImageSync").into_iter().find(|(path, _)| path == "status").unwrap();
    assert_eq!(status["default"]["observedGeneration"], -1);
}

#[test]
fn records_stand_at_the_top_of_a_slice() {
    let slice = ImageSyncSlice::new("a", Records::default());
    assert_eq!(serde_json::to_value(slice).unwrap()["records"], serde_json::json!([]));
}
