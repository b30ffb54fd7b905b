//! What is wrong with a spec, and where.

use std::fmt;

/// One thing that is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field: `spec.images[0].source`.
    pub path: String,
    /// What is wrong with it, and what to write instead.
    pub message: String,
    /// Which kind of wrong it is.
    pub fault: Fault,
}

/// Which kind of wrong a spec is. Its name is the reason of the condition `Stalled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A field does not say something that can be carried out.
    InvalidSpec,
    /// Two things would be written under one name, or an image over its own source.
    TargetCollision,
}

impl Fault {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSpec => "InvalidSpec",
            Self::TargetCollision => "TargetCollision",
        }
    }
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

    /// The field at `path` does not say something that can be carried out.
    pub(super) fn wrong(&mut self, path: impl fmt::Display, message: impl fmt::Display) {
        self.note(path, message, Fault::InvalidSpec);
    }

    /// What is written because of the field at `path` collides with something.
    pub(super) fn collides(&mut self, path: impl fmt::Display, message: impl fmt::Display) {
        self.note(path, message, Fault::TargetCollision);
    }

    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// The value, if nothing is wrong.
    pub(super) fn pass<T>(self, value: T) -> Result<T, Vec<Invalid>> {
        if self.is_clean() { Ok(value) } else { Err(self.found) }
    }

    fn note(&mut self, path: impl fmt::Display, message: impl fmt::Display, fault: Fault) {
        let invalid = Invalid { path: path.to_string(), message: message.to_string(), fault };
        if !self.found.contains(&invalid) {
            self.found.push(invalid);
        }
    }
}
