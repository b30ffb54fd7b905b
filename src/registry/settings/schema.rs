//! The structure of a registries file.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::api::check::{self, Violation};

/// All that is wrong with the structure of `file`. Nulls are taken out of it.
pub(super) fn check(file: &mut Value) -> Vec<Violation> {
    static SCHEMA: LazyLock<Value> = LazyLock::new(schema);
    if file.is_null() {
        *file = json!({});
    }
    check::structure(&SCHEMA, file)
}

fn schema() -> Value {
    let text = |example: &str| json!({"type": "string", "description": format!("Example: `{example}`.")});
    let number = |example: u32| {
        let description = format!("Example: `{example}`.");
        json!({"type": "integer", "minimum": 1, "maximum": u32::MAX, "description": description})
    };
    let texts = |example: &str| {
        let description = format!("Example: `[{example}]`.");
        json!({"type": "array", "items": text(example), "description": description})
    };
    let boolean = json!({"type": "boolean"});
    let helper = json!({
        "type": "object",
        "required": ["name"],
        "properties": {"name": text("ecr-login"), "namespaces": texts("platform")},
        "description": "Example: `{name: ecr-login}`.",
    });
    let registry = json!({
        "type": "object",
        "required": ["host"],
        "properties": {
            "host": text("registry.corp.example"),
            "mirrors": texts("mirror.corp.example"),
            "concurrency": number(8),
            "requestsPerSecond": number(20),
            "caFile": text("/etc/imagesync/ca.pem"),
            "clientCert": text("/etc/imagesync/client.pem"),
            "clientKey": text("/etc/imagesync/client.key"),
            "plainHttp": boolean,
            "insecureSkipVerify": boolean,
            "credentialHelper": helper,
        },
        "description": "Example: `{host: registry.corp.example}`.",
    });
    let registries = json!({
        "type": "array",
        "items": registry,
        "description": "Example: `[{host: registry.corp.example}]`.",
    });
    let description = "Example: `registries: [{host: registry.corp.example}]`.";
    json!({"type": "object", "properties": {"registries": registries}, "description": description})
}
