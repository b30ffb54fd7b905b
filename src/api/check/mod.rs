//! The checks that the API server makes, without one: the schema, and the CEL rules in it.

mod evaluate;
mod path;
mod structure;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde_json::{Value, json};

pub use self::path::{FieldPath, Step};
use self::{evaluate::Rules, structure::Findings};
use super::{ImageSync, crds, rules};

/// What is wrong with one field, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The field; where one is missing, its parent; where one is unknown, that one.
    pub path: FieldPath,
    /// A sentence without the path.
    pub message: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Checks an object against the schema and the rules of [`ImageSync`]. What comes back has the defaults of the schema, and
/// no `status`: the API server takes one only by way of its subresource.
///
/// # Guarantees
///
/// What is refused here for a rule is refused by the API server with the same sentence. What is refused for
/// the schema is refused there too, in its own words (for unknown fields: with strict validation, `kubectl`'s
/// default).
///
/// # Errors
///
/// All that is wrong, in the order of the fields' paths.
pub fn image_sync(object: Value) -> Result<ImageSync, Vec<Violation>> {
    static CHECKER: LazyLock<Result<Checker, serde_json::Error>> = LazyLock::new(Checker::new);
    match &*CHECKER {
        Ok(checker) => checker.check(object),
        // A defect, and no reason to let everything pass.
        Err(error) => Err(vec![whole(format!("the schema cannot be written as JSON: {error}"))]),
    }
}

/// All that is wrong with the structure of something that is no object of ours, such as the registries file. Nulls
/// are taken out of it.
pub(crate) fn structure(schema: &Value, value: &mut Value) -> Vec<Violation> {
    let mut violations = structure::check(schema, value).violations;
    violations.sort();
    violations
}

struct Checker {
    schema: Value,
    rules: Rules,
}

impl Checker {
    fn new() -> Result<Self, serde_json::Error> {
        let schema = crds()
            .into_iter()
            .find(|crd| crd.spec.names.kind == "ImageSync")
            .and_then(|crd| crd.spec.versions.into_iter().next()?.schema?.open_api_v3_schema);
        let mut schema = serde_json::to_value(schema)?;
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("status".into(), json!({"x-kubernetes-preserve-unknown-fields": true}));
            properties.insert("metadata".into(), metadata());
            properties.insert("apiVersion".into(), json!({"type": "string"}));
            properties.insert("kind".into(), json!({"type": "string"}));
            for (name, example) in EXAMPLES {
                if let Some(property) = properties.get_mut(name) {
                    property["description"] = format!("Example: `{example}`.").into();
                }
            }
        }
        let rules = Rules::new(&schema);
        Ok(Self { schema, rules })
    }

    fn check(&self, mut object: Value) -> Result<ImageSync, Vec<Violation>> {
        self.forget_metadata(&mut object);
        let Findings { mut violations, oversized } = structure::check(&self.schema, &mut object);
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        if !oversized {
            let broken = self.rules.check(&object, &violations);
            violations.extend(broken.into_iter().map(|violation| narrowed(violation, &object)));
        }
        if violations.is_empty() {
            match serde_json::from_value(object) {
                Ok(sync) => return Ok(sync),
                Err(error) => violations.push(whole(error.to_string())),
            }
        }
        violations.sort();
        violations.dedup();
        Err(violations)
    }

    /// Takes out of the metadata what is nothing to us, such as `kubectl get -o yaml` prints: what stands there is the
    /// API server's to judge.
    fn forget_metadata(&self, object: &mut Value) {
        let read = self.schema.pointer("/properties/metadata/properties");
        if let Some(fields) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            fields.retain(|name, _| read.is_some_and(|read| read.get(name).is_some()));
        }
    }
}

/// For the fields at the top, whose documentation has no example.
const EXAMPLES: [(&str, &str); 2] = [
    ("metadata", "{name: base-images}"),
    (
        "spec",
        "{images: [{name: alpine, source: 'alpine:3.20'}], targets: [{name: corp, repository: \
         'registry.corp.example/mirror/{path}'}]}",
    ),
];

/// A rule names one field, whichever target it is about. Here the entry itself can be named.
fn narrowed(violation: Violation, object: &Value) -> Violation {
    if !violation.message.starts_with(rules::UNKNOWN_IMAGE) {
        return violation;
    }
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let spec = &object["spec"];
    let names: Vec<Value> = list(spec, "images").iter().map(|image| image["name"].clone()).collect();
    let unknown = list(spec, "targets").iter().enumerate().find_map(|(target, value)| {
        let entry = list(value, "images").iter().position(|name| !names.contains(name))?;
        Some(violation.path.index(target).key("images").index(entry))
    });
    Violation { path: unknown.unwrap_or(violation.path), ..violation }
}

fn whole(message: String) -> Violation {
    Violation { path: FieldPath::default(), message }
}

/// What is read of an object's metadata.
fn metadata() -> Value {
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {
                "type": "string",
                "maxLength": 253,
                "description": "Example: `base-images`.",
                "x-kubernetes-validations": [{
                    "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
                    "message": "not a name: write lower-case letters, digits, - and ., with a letter or digit at both \
                                ends of each part, such as base-images",
                }],
            },
            "namespace": {
                "type": "string",
                "maxLength": 63,
                "x-kubernetes-validations": [{
                    "rule": "self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                    "message": "not a namespace: write lower-case letters, digits and -, with a letter or digit at \
                                both ends, such as platform",
                }],
            },
            "labels": strings,
            "annotations": strings,
            "uid": {"type": "string"},
            "generation": {"type": "integer", "minimum": 0},
            "creationTimestamp": {"type": "string", "format": "date-time"},
        },
    })
}
