//! What is wrong with a spec, and where.

use std::fmt;

/// One thing that is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field: `spec.images[0].source`.
    pub path: String,
    /// What is wrong with it, and what to write instead.
    pub message: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Collects what is wrong, so that a person hears of all of it at once.
#[derive(Debug, Default)]
pub(super) struct Check {
    found: Vec<Invalid>,
}

impl Check {
    /// The value, or a note that the field at `path` is wrong.
    pub(super) fn ok<T>(
        &mut self,
        path: impl fmt::Display,
        result: Result<T, impl fmt::Display>,
    ) -> Option<T> {
        result.map_err(|error| self.wrong(path, error)).ok()
    }

    /// The field at `path` cannot be carried out.
    pub(super) fn wrong(&mut self, path: impl fmt::Display, message: impl fmt::Display) {
        let invalid = Invalid { path: path.to_string(), message: message.to_string() };
        if !self.found.contains(&invalid) {
            self.found.push(invalid);
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// The value, if nothing is wrong.
    pub(super) fn pass<T>(self, value: T) -> Result<T, Vec<Invalid>> {
        if self.is_clean() { Ok(value) } else { Err(self.found) }
    }
}
