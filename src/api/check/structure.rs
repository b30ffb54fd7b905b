//! The schema of a CRD, as far as it is about structure: types, required and unknown fields, lengths, ranges, lists.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::{FieldPath, Violation};
use crate::text::beginning;

/// What is wrong with the structure of an object.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) violations: Vec<Violation>,
    /// Whether a list or a string is larger than its maximum. What rules cost is bounded only below that.
    pub(super) oversized: bool,
}

/// All that is wrong with `value`. Nulls are taken out of it, as the API server does where a schema does not allow
/// them.
pub(super) fn check(schema: &Value, value: &mut Value) -> Findings {
    let mut findings = Findings::default();
    findings.node(schema, value, &FieldPath::default());
    findings
}

impl Findings {
    fn refuse(&mut self, path: &FieldPath, message: impl Into<String>) {
        self.violations.push(Violation { path: path.clone(), message: message.into() });
    }

    fn node(&mut self, schema: &Value, value: &mut Value, path: &FieldPath) {
        match (text(schema, "type"), &mut *value) {
            (Some("object"), Value::Object(fields)) => self.object(schema, fields, path),
            (Some("array"), Value::Array(items)) => self.list(schema, items, path),
            (Some("string"), Value::String(string)) => self.string(schema, string, path),
            (Some("integer"), Value::Number(number)) if is_whole(number) => {
                self.integer(schema, number, path);
            }
            (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some(wanted), value) => self.refuse(path, wrong_type(schema, wanted, value)),
        }
    }

    fn object(&mut self, schema: &Value, fields: &mut Map<String, Value>, path: &FieldPath) {
        fields.retain(|_, value| !value.is_null());
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                let such_as = known.get(name).and_then(example).map(|e| format!(", such as {name}: {e}"));
                self.refuse(path, format!("`{name}` is missing: write it{}", such_as.unwrap_or_default()));
            }
        }
        let others = schema.get("additionalProperties").filter(|schema| schema.is_object());
        let anything = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
        for (name, value) in fields {
            let path = path.key(name);
            match known.get(name).or(others) {
                Some(schema) => self.node(schema, value, &path),
                None if anything => {}
                None => self.refuse(&path, unknown_field(name, known.keys().map(String::as_str))),
            }
        }
    }

    fn list(&mut self, schema: &Value, items: &mut [Value], path: &FieldPath) {
        let (least, most) = (limit(schema, "minItems"), limit(schema, "maxItems"));
        if least.is_some_and(|least| items.len() < least) {
            let or = if text(schema, "description").is_some_and(|d| d.contains("Default:")) {
                ", or leave the field out"
            } else {
                ""
            };
            self.refuse(path, format!("the list is empty: write at least one entry{or}"));
        }
        if let Some(most) = most.filter(|most| items.len() > *most) {
            self.oversized = true;
            self.refuse(
                path,
                format!("{} entries, and at most {most} are allowed: write fewer", items.len()),
            );
            return;
        }
        if let Some(item) = schema.get("items") {
            for (position, value) in items.iter_mut().enumerate() {
                self.node(item, value, &path.index(position));
            }
        }
        self.duplicates(schema, items, path);
    }

    /// Lists that are sets or maps to the API server have each entry, or each key, once.
    fn duplicates(&mut self, schema: &Value, items: &[Value], path: &FieldPath) {
        let key = match text(schema, "x-kubernetes-list-type") {
            Some("set") => None,
            Some("map") => schema.pointer("/x-kubernetes-list-map-keys/0").and_then(Value::as_str),
            _ => return,
        };
        let mut earlier = BTreeSet::new();
        for (position, item) in items.iter().enumerate() {
            let name = key.map_or(Some(item), |key| item.get(key)).and_then(Value::as_str);
            if let Some(name) = name.filter(|name| !earlier.insert(*name)) {
                let (at, name) = (path.index(position), excerpt(name));
                let (at, message) = match key {
                    Some(key) => (at.key(key), format!("`{name}` is there already: write another {key}")),
                    None => (at, format!("`{name}` is in the list already: leave it out")),
                };
                self.refuse(&at, message);
            }
        }
    }

    fn string(&mut self, schema: &Value, string: &str, path: &FieldPath) {
        let length = string.chars().count();
        if let Some(most) = limit(schema, "maxLength").filter(|most| length > *most) {
            self.oversized = true;
            self.refuse(
                path,
                format!("{length} characters long, and at most {most} are allowed: write less"),
            );
        }
        let choices = schema.get("enum").and_then(Value::as_array);
        if let Some(choices) = choices.filter(|choices| !choices.iter().any(|choice| choice == string)) {
            let choices = choices.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ");
            self.refuse(path, format!("`{}` is none of its values: write {choices}", excerpt(string)));
        }
        if text(schema, "format") == Some("date-time") && string.parse::<jiff::Timestamp>().is_err() {
            self.refuse(path, "not a point in time: write it as in 2026-01-31T12:00:00Z");
        }
    }

    fn integer(&mut self, schema: &Value, number: &Number, path: &FieldPath) {
        let bound = |key| schema.get(key).and_then(Value::as_f64);
        let (least, most) = (bound("minimum"), bound("maximum"));
        let value = number.as_f64().unwrap_or_default();
        let is_beyond = least.is_some_and(|least| value < least) || most.is_some_and(|most| value > most);
        // The API server's integers have 64 bits.
        if is_beyond || number.as_i64().is_none() {
            let least = least.map_or_else(|| i64::MIN.to_string(), |least| least.to_string());
            let most = most.map_or_else(|| i64::MAX.to_string(), |most| most.to_string());
            self.refuse(path, format!("out of range: write a number from {least} to {most}"));
        }
    }
}

/// Whether it is no fraction. Integers of more than 64 bits are read as floating-point numbers, which are none either
/// at that size.
fn is_whole(number: &Number) -> bool {
    const LARGE: f64 = 9_223_372_036_854_775_808.0;
    !number.is_f64() || number.as_f64().is_some_and(|number| number.abs() >= LARGE)
}

fn text<'a>(schema: &'a Value, key: &str) -> Option<&'a str> {
    schema.get(key).and_then(Value::as_str)
}

fn limit(schema: &Value, key: &str) -> Option<usize> {
    schema.get(key).and_then(Value::as_u64).and_then(|limit| limit.try_into().ok())
}

/// The example that a field's documentation ends with.
fn example(schema: &Value) -> Option<&str> {
    text(schema, "description")?.rsplit_once("Example: `")?.1.split('`').next()
}

fn wrong_type(schema: &Value, wanted: &str, found: &Value) -> String {
    let name = |of: &str| match of {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a string",
        "integer" => "a whole number",
        "boolean" => "a boolean",
        _ => "another type",
    };
    let found_name = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) if wanted == "integer" => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    let fix = match (wanted, found) {
        ("string", Value::Bool(_) | Value::Number(_)) => example(schema)
            .map_or_else(|| "write it in quotes".into(), |e| format!("write a string, such as '{e}'")),
        ("boolean", _) => "write true or false".to_owned(),
        (_, Value::Null) => "write a value, or leave it out".to_owned(),
        _ => example(schema)
            .map_or_else(|| format!("write {}", name(wanted)), |e| format!("write it as in {e}")),
    };
    format!("{found_name} stands where {} belongs: {fix}", name(wanted))
}

fn unknown_field<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let close =
        known.clone().map(|k| (strsim::damerau_levenshtein(&k.to_lowercase(), &short(name)), k)).min();
    match close.filter(|(distance, _)| *distance <= 2) {
        Some((_, close)) => format!("there is no such field: write {close}"),
        None => format!("there is no such field: write one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// As much of a name as is worth comparing: the time that takes grows with its length.
fn short(name: &str) -> String {
    name.chars().take(64).collect::<String>().to_lowercase()
}

/// Enough of a string to recognise it.
fn excerpt(string: &str) -> String {
    beginning(string, 80)
}
