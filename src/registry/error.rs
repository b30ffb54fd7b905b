//! What goes wrong with a registry, in words that say what was being done and what a person can do about it.

mod cause;

use jiff::Timestamp;

pub use self::cause::{Cause, Found};
use crate::{class::Class, digest::Digest};

/// What was being done with a registry, to which reference, and why it did not work.
///
/// Its text is the first half ("cannot read the manifest docker.io/library/alpine:3.20"); the [`Cause`] is its
/// source. [`message`] puts both in one line.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub struct Error {
    doing: String,
    #[source]
    cause: Box<Cause>,
}

impl Error {
    pub(crate) fn new(doing: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self { doing: doing.into(), cause: Box::new(cause.into()) }
    }

    /// Why.
    #[must_use]
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The class that decides what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        self.cause.class()
    }

    /// Until when the registry takes no requests, where it limits the rate.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.cause.until()
    }

    /// The registry did not do it: it said so, or it was never asked.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        self.cause.is_refusal()
    }

    /// What was to be read is certainly not there, or its bytes are not those that the digest names.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match &*self.cause {
            Cause::NotFound { .. } | Cause::Digest { .. } => true,
            // olareg says so of a manifest whose name it knows, and whose bytes it has lost.
            Cause::Unproven { answer } => answer.has(&["MANIFEST_BLOB_UNKNOWN"]),
            _ => false,
        }
    }

    /// A manifest was refused because the registry lacks a blob or a manifest that it names.
    #[must_use]
    pub const fn is_missing_content(&self) -> bool {
        matches!(*self.cause, Cause::MissingContent { .. })
    }

    /// If a manifest was refused for what is in it, and not for rights, limits or sizes: the digests that the registry named,
    /// which may be none.
    #[must_use]
    pub fn refused_over(&self) -> Option<&[Digest]> {
        match &*self.cause {
            Cause::MissingContent { answer } | Cause::Refused { answer } => Some(&answer.digests),
            _ => None,
        }
    }
}

/// An error with all its causes in one line, as people read it.
#[must_use]
pub fn message(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors repeat their cause.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
