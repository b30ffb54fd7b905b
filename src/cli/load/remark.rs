//! What there is to say about a place in a file: `file:line: field: what is wrong; what to write instead`.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use super::Place;
use crate::{api::check::FieldPath, class::Class};

/// One thing to say about one place in what was read.
///
/// Guarantees: it is printed as one line without control characters and of bounded length, whatever the file holds, and
/// never shows a value out of a Secret.
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

const MOST_CHARS: usize = 1_000;
/// Who made that many mistakes will not read on.
const MOST_FAULTS: usize = 200;

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.map(|place| format!(":{}", place.line)).unwrap_or_default();
        let field = if self.field.steps().is_empty() { String::new() } else { format!(": {}", self.field) };
        let line = format!("{}{place}{field}: {}", self.file, self.message);
        for c in line.chars().take(MOST_CHARS) {
            // A terminal would carry out what an escape sequence in a file says.
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        if line.chars().nth(MOST_CHARS).is_some() { f.write_char('…') } else { Ok(()) }
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
        for (position, fault) in self.0.iter().take(MOST_FAULTS).enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        match self.0.len().saturating_sub(MOST_FAULTS) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more like these"),
        }
    }
}

impl std::error::Error for Refused {}
