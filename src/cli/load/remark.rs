//! What there is to say about a place in a file: `file:line: field: what is wrong; what to write instead`.

use std::{fmt, sync::Arc};

use super::Place;
use crate::{
    api::check::FieldPath,
    text::{Printable, beginning},
};

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
const MOST_KEPT: usize = 1_000;

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.map(|place| format!(":{}", place.line)).unwrap_or_default();
        let field = if self.field.steps().is_empty() { String::new() } else { format!(": {}", self.field) };
        let line = format!("{}{place}{field}: {}", self.file, self.message);
        f.write_str(&beginning(&Printable(&line).to_string(), MOST_CHARS))
    }
}

/// Remarks, of which so many are kept that memory is bounded; the others are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    kept: Vec<Remark>,
    more: usize,
}

impl Remarks {
    /// Takes one more.
    pub fn push(&mut self, remark: Remark) {
        if self.kept.len() < MOST_KEPT { self.kept.push(remark) } else { self.more += 1 }
    }

    /// Those that were kept.
    pub fn iter(&self) -> impl Iterator<Item = &Remark> {
        self.kept.iter()
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl Extend<Remark> for Remarks {
    fn extend<T: IntoIterator<Item = Remark>>(&mut self, remarks: T) {
        remarks.into_iter().for_each(|remark| self.push(remark));
    }
}

/// One line a remark, and one more that says how many there are besides.
impl fmt::Display for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, remark) in self.kept.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(f, "{separator}{remark}")?;
        }
        if self.more > 0 { write!(f, "\nand {} more", self.more) } else { Ok(()) }
    }
}

/// Why manifests are refused: all that is wrong in all of the files, file by file and line by line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub(super) Remarks);

impl Refused {
    /// What is wrong; `None` where nothing is.
    #[must_use]
    pub fn new(mut faults: Remarks) -> Option<Self> {
        faults.kept.sort();
        faults.kept.dedup();
        (!faults.is_empty()).then_some(Self(faults))
    }
}
