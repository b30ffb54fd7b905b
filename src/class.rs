//! The classes of errors: one list for conditions, Events, metrics and the command line.

use serde::{Deserialize, Serialize};

/// What kind of trouble an error is. The class, not the error, decides what happens next (see [`Class::retry`]).
///
/// The name of a variant is what people see everywhere: a condition's reason, an Event's reason, a metric's
/// label, and the word in the command line's table.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Class {
    /// The manifest that a person wrote cannot be carried out as it stands.
    InvalidSpec,
    /// A tag, manifest, blob or repository is proven not to be there: a 404 with working credentials.
    NotFound,
    /// The registry wants other credentials (401).
    Unauthorized,
    /// The credentials are known and do not permit this (403), or our own safety rules forbid the address.
    Forbidden,
    /// The registry named a limit (429). The work is deferred, which is not a failure.
    RateLimited,
    /// The registry could not be reached, or answered with an error of its own (5xx).
    Unavailable,
    /// The registry stopped answering, or took longer than allowed.
    Timeout,
    /// The bytes that came are not the bytes that the digest or the length promised.
    DigestMismatch,
    /// The registry or the image uses something that this program, or that registry, does not support.
    Unsupported,
    /// Somebody else owns, or changed, what would have been written.
    Conflict,
    /// An answer is larger than what is accepted.
    TooLarge,
    /// A defect of this program or of its own storage.
    Internal,
}

/// What a [`Class`] means for trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not before the spec, a secret or the source changes.
    Terminal,
    /// Soon, with full-jitter backoff.
    Transient,
    /// At the time that the registry named.
    Deferred,
}

impl Class {
    /// When work that failed with this class is worth another try.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::RateLimited => Retry::Deferred,
            Self::Unavailable | Self::Timeout | Self::DigestMismatch | Self::Internal => Retry::Transient,
            Self::InvalidSpec
            | Self::NotFound
            | Self::Unauthorized
            | Self::Forbidden
            | Self::Unsupported
            | Self::Conflict
            | Self::TooLarge => Retry::Terminal,
        }
    }

    /// The class's name, as it is shown everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSpec => "InvalidSpec",
            Self::NotFound => "NotFound",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::RateLimited => "RateLimited",
            Self::Unavailable => "Unavailable",
            Self::Timeout => "Timeout",
            Self::DigestMismatch => "DigestMismatch",
            Self::Unsupported => "Unsupported",
            Self::Conflict => "Conflict",
            Self::TooLarge => "TooLarge",
            Self::Internal => "Internal",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
