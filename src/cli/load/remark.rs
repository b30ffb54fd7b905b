//! What there is to say about a place in a file: `file:line: field: what is wrong; what to write instead`.

use std::{fmt, sync::Arc};

use super::Place;
use crate::{api::check::FieldPath, class::Class};

/// One thing to say about one place in what was read.
///
/// Guarantees: one line of text without control characters, whatever the file holds; never a value out of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// The file, as it was named, or `<stdin>`.
    pub file: Arc<str>,
    /// Where in the file; absent where the file could not be read at all.
    pub place: Option<Place>,
    /// The field, from the top of the document; empty where it is about the document.
    pub field: FieldPath,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.map(|place| format!(":{}", place.line)).unwrap_or_default();
        let field = if self.field.steps().is_empty() { String::new() } else { format!(": {}", self.field) };
        let line = format!("{}{place}{field}: {}", self.file, self.message);
        // A terminal would carry out what an escape sequence in a file says.
        line.chars().try_for_each(|c| {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

/// Why manifests are refused: all that is wrong in all of the files, file by file and line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(Vec<Remark>);

impl Refused {
    /// What is wrong; `None` where nothing is.
    #[must_use]
    pub fn new(mut faults: Vec<Remark>) -> Option<Self> {
        faults.sort();
        faults.dedup();
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// What is wrong: at least one thing.
    #[must_use]
    pub fn faults(&self) -> &[Remark] {
        &self.0
    }

    /// Nothing that a second try would change.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::InvalidSpec
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}
