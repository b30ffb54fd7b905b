//! Why a name stays that nothing in its ImageSync's spec wants.

use std::fmt;

use jiff::Timestamp;

use crate::{api::Origin, digest::Digest, reference::Reference};

/// Why a name stays, or what keeps it from being deleted now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is wanted again, or nobody knows whether it is.
    Again,
    /// It was written by digest.
    NoTag,
    /// Somebody else wrote it, or that is not known.
    NotWritten(Origin),
    /// The ImageSync wants it under another name of the same place.
    WantedHere,
    /// Another ImageSync wants it.
    Wanted { by: String },
    /// An ImageSync cannot be read.
    Unreadable { which: String },
    /// The target keeps images elsewhere.
    Abandoned,
    /// The target's prune mode is `DryRun`.
    DryRun,
    /// A pod references it.
    InUse,
    /// It is among the highest versions.
    Last { keep: usize },
    /// No earlier run found it unwanted.
    First { until: Timestamp },
    /// The first run that found it unwanted is not long enough ago.
    Grace { until: Timestamp },
    /// The first run that found it unwanted is still to come, says the clock.
    Clock { since: Timestamp },
    /// The source does not list it, and has it.
    AtSource,
    /// Another tag, or another image, would get this name if the source listed it.
    Unlisted { image: String },
    /// It has to be looked at first.
    NotLooked(Look),
    /// It could not be looked at.
    Unknown { message: String, until: Option<Timestamp> },
    /// It is gone from the target.
    Gone,
    /// Somebody else changed it.
    Changed { found: Digest },
}

/// What has to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Source(Reference),
    Target(String, Reference),
}

/// What follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// It stays.
    Keep,
    /// It may go later.
    Wait(Option<Timestamp>),
    /// It is not ours any more, and nothing has to be remembered of it.
    Forget,
}

impl Kept {
    pub(super) const fn follows(&self) -> Follows {
        match self {
            Self::First { until } | Self::Grace { until } => Follows::Wait(Some(*until)),
            Self::Clock { since } => Follows::Wait(Some(*since)),
            Self::Unknown { until, .. } => Follows::Wait(*until),
            Self::NotLooked(_) => Follows::Wait(None),
            Self::Gone | Self::Changed { .. } => Follows::Forget,
            _ => Follows::Keep,
        }
    }
}

impl Kept {
    /// Whether somebody wants the name, or may: then no earlier run that found it unwanted counts any more.
    pub(super) const fn is_want(&self) -> bool {
        matches!(
            self,
            Self::WantedHere
                | Self::Wanted { .. }
                | Self::Unreadable { .. }
                | Self::AtSource
                | Self::Unlisted { .. }
        )
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again => f.write_str("it is wanted, or cannot be told now"),
            Self::NoTag => f.write_str("it was written by digest, and no digest is ever deleted"),
            Self::NotWritten(Origin::Intended) => {
                f.write_str("it is not known whether this ImageSync wrote what is there")
            }
            Self::NotWritten(_) => f.write_str("this ImageSync did not write it"),
            Self::WantedHere => f.write_str("this ImageSync wants it under another name of the same place"),
            Self::Wanted { by } => write!(f, "{by} wants it"),
            Self::Unreadable { which } => write!(f, "{which} cannot be read, and may want it"),
            Self::Abandoned => {
                f.write_str("its target keeps images elsewhere now, and what was there is abandoned")
            }
            Self::DryRun => f.write_str("its target's prune mode is DryRun"),
            Self::InUse => f.write_str("a pod or a pod template references it"),
            Self::Last { keep: 1 } => f.write_str("it is the highest version of its image there"),
            Self::Last { keep } => write!(f, "it is among the {keep} highest versions of its image there"),
            Self::First { .. } => f.write_str("no run before this one found it unwanted"),
            Self::Grace { .. } => f.write_str("its grace is not over"),
            Self::Clock { .. } => {
                f.write_str("by the clock, the run that first found it unwanted is still to come")
            }
            Self::AtSource => f.write_str("its source does not list it, and still has it"),
            Self::Unlisted { image } => {
                write!(f, "the image {image} would be written there if its source listed the tag")
            }
            Self::NotLooked(_) => f.write_str("it was not looked at"),
            Self::Unknown { message, .. } => f.write_str(message),
            Self::Gone => f.write_str("it is gone from the target already"),
            Self::Changed { found } => {
                write!(
                    f,
                    "it was changed on the target by somebody else, to {}, and is not ours any more",
                    found.short()
                )
            }
        }
    }
}
