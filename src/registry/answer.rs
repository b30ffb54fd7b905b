//! What a registry says when it does not do what it was asked.

use std::fmt;

use http::StatusCode;
use serde::Deserialize;

use crate::{digest::Digest, text::beginning};

/// A status with the error codes of the distribution-spec ("Error Codes") and the text beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The codes in the body, upper case; none if the body is not a registry's.
    pub codes: Box<[String]>,
    /// The messages in the body, cut to what a person reads.
    pub text: String,
    /// Every digest in the messages, whether or not it stands in what is left of the text.
    pub digests: Box<[Digest]>,
}

/// What is kept of a text that a registry sends.
const MOST_TEXT: usize = 500;
/// Codes of one answer that are looked at.
const MOST_CODES: usize = 16;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    errors: Vec<Entry>,
    // Token servers, and registries that are built from a web framework, say it in one of these.
    #[serde(default)]
    details: Option<serde_json::Value>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    detail: Option<serde_json::Value>,
}

impl Answer {
    /// An answer that has no body, or whose body says nothing.
    pub(crate) fn bare(status: StatusCode) -> Self {
        Self { status, codes: Box::default(), text: String::new(), digests: Box::default() }
    }

    /// Reads a body; one that is not JSON gives no codes and no text.
    pub(crate) fn parse(status: StatusCode, body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Body>(body) else { return Self::bare(status) };
        let codes = body.errors.iter().take(MOST_CODES).filter_map(|entry| entry.code.as_ref()?.as_str());
        let codes = codes.map(|code| clean(code).to_uppercase()).collect();
        let mut texts: Vec<String> = Vec::new();
        for entry in &body.errors {
            texts.extend(entry.message.clone().filter(|text| !text.is_empty()));
            texts.extend(entry.detail.as_ref().and_then(detail));
        }
        texts.extend(body.error);
        texts.extend(body.error_description);
        texts.extend(body.message);
        texts.extend(body.details.as_ref().and_then(detail));
        let text = texts.join(", ");
        Self { status, codes, digests: digests(&text), text: clean(&text) }
    }

    /// Whether one of `codes` is in the answer.
    pub(crate) fn has(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.contains(&code.as_str()))
    }
}

/// The digests that stand in a text, in prose or in JSON.
fn digests(text: &str) -> Box<[Digest]> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let words = text.split(|c| !is_part(c)).map(|word| word.trim_end_matches(':'));
    words.filter_map(|word| word.parse().ok()).collect()
}

fn detail(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) if text.is_empty() => None,
        serde_json::Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

/// Without control characters, which would reach a terminal, and not too long.
fn clean(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).take(MOST_TEXT + 1).collect();
    beginning(&kept, MOST_TEXT)
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.codes.is_empty() {
            write!(f, ", {}", self.codes.join(", "))?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}
