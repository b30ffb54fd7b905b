//! The CEL rules of a schema, evaluated by kube's evaluator.

use std::collections::HashMap;

use kube::core::cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::Value;

use super::{FieldPath, Violation};

/// The rules of one schema, compiled.
pub(super) struct Rules {
    compiled: CompiledSchema,
    validator: Validator,
    written: HashMap<String, Written>,
}

/// What the schema says beside a rule.
struct Written {
    message: Option<String>,
    field: FieldPath,
}

impl Rules {
    pub(super) fn new(schema: &Value) -> Self {
        let mut written = HashMap::new();
        collect(schema, &mut written);
        Self { compiled: compile_schema(schema), validator: Validator::new(), written }
    }

    /// The rules that `object` breaks. A rule that cannot read what is in `violations` already says nothing new.
    pub(super) fn check(&self, object: &Value, violations: &[Violation]) -> Vec<Violation> {
        let Err(errors) = self.validator.validate_compiled(&self.compiled, object, None) else {
            return Vec::new();
        };
        let (broken, not_read): (Vec<_>, Vec<_>) =
            errors.into_iter().partition(|error| error.kind == ErrorKind::ValidationFailure);
        let mut found: Vec<_> =
            broken.into_iter().filter_map(|error| self.violation(error, violations)).collect();
        // Where another rule says why, that a rule cannot be evaluated says nothing new either.
        let known = [violations, &found].concat();
        found.extend(not_read.into_iter().filter_map(|error| self.violation(error, &known)));
        found
    }

    fn violation(&self, error: ValidationError, known: &[Violation]) -> Option<Violation> {
        let path = FieldPath::from(error.field_path.as_str());
        let written = self.written.get(&error.rule);
        if error.kind == ErrorKind::ValidationFailure {
            return Some(Violation { path, message: error.message });
        }
        let reads = written.map_or_else(|| path.clone(), |written| path.without(&written.field));
        if known.iter().any(|violation| reads.contains(&violation.path)) {
            return None;
        }
        // A regex that is none, say: the rule's sentence says so, and the evaluator's words would not help.
        let message = written.and_then(|written| written.message.clone()).unwrap_or(error.message);
        Some(Violation { path, message })
    }
}

fn collect(schema: &Value, written: &mut HashMap<String, Written>) {
    let text = |rule: &Value, key| rule.get(key).and_then(Value::as_str).map(str::to_owned);
    for rule in schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
        if let Some(cel) = text(rule, "rule") {
            let field = FieldPath::from(text(rule, "fieldPath").unwrap_or_default().as_str());
            written.insert(cel, Written { message: text(rule, "message"), field });
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let children =
        properties.into_iter().flat_map(|properties| properties.values()).chain(schema.get("items"));
    children.for_each(|child| collect(child, written));
}
