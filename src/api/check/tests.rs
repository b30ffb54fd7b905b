use serde_json::{Value, json};

use super::*;

fn check(spec: Value) -> Vec<String> {
    let object = json!({
        "apiVersion": "imagesync.dev/v1alpha1",
        "kind": "ImageSync",
        "metadata": {"name": "base-images"},
        "spec": spec,
    });
    match Checker::new().unwrap().check(object) {
        Ok(_) => Vec::new(),
        Err(violations) => violations.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_shortest_manifest_is_valid() {
    let spec = json!({"images": [{"name": "alpine", "source": "alpine:3.20"}], "targets": [{"name": "corp", "repository": "registry.corp.example/{path}"}]});
    assert_eq!(check(spec), Vec::<String>::new());
}

#[test]
fn dump() {
    let spec = json!({"interval": "5x", "schedule": {"cron": "a"}, "images": [{"name": "Alpine", "source": "https://alpine:3.20"}, {"name": "b", "source": "b:1", "select": {"patterns": ["a(b"], "newest": 0, "extract": "x"}}, {"source": 5}], "targets": [{"name": "corp", "repository": "registry.corp.example/{path}", "images": ["c"], "overwrit": 5, "overwrite": "always"}]});
    println!("{:#?}", check(spec));
    println!(
        "{:#?}",
        check(
            json!({"images": [{"name": "a", "source": "a"}], "targets": [{"name": "corp", "repository": "registry.corp.example/{path}", "images": ["c"]}]})
        )
    );
}
