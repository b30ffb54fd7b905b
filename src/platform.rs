//! Platforms: what an image runs on, as people write it and as an index says it.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use serde::{Serialize, Serializer};

use crate::text::excerpt;

/// `os/architecture[/variant]`, in the words of Go (`GOOS`, `GOARCH`), as the image-spec has it: `linux/amd64`,
/// `linux/arm/v7`.
///
/// A value of this type is written in one way only: `linux/arm64/v8` is `linux/arm64`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// The platforms that are wanted of an image: at least one, each once, in an order of their own. A clone costs a counter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platforms(Arc<[Platform]>);

/// Why a string is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// It has not two or three parts, or one of them is empty or has characters that no platform has.
    #[error(
        "`{0}` is not a platform: write os/architecture or os/architecture/variant in lower case, such as linux/amd64 or \
         linux/arm/v7"
    )]
    Malformed(String),
    /// An architecture alone.
    #[error("`{architecture}` says no operating system: write linux/{architecture}")]
    NoSystem {
        /// What was written.
        architecture: String,
    },
    /// Another name of a platform than the one that images have.
    #[error("images do not call it `{written}`: write {right}")]
    OtherName {
        /// What was written.
        written: String,
        /// What to write.
        right: String,
    },
    /// What attestations have for a platform.
    #[error(
        "`{0}` is what attestations have in place of a platform: leave it out, they come with the platforms that they are \
         about"
    )]
    Unknown(String),
}

/// Other names of architectures, and what images call them.
const OTHER_NAMES: [(&str, &str, Option<&str>); 11] = [
    ("x86_64", "amd64", None),
    ("x86-64", "amd64", None),
    ("x64", "amd64", None),
    ("aarch64", "arm64", None),
    ("i386", "386", None),
    ("i686", "386", None),
    ("x86", "386", None),
    ("armhf", "arm", Some("v7")),
    ("armv7l", "arm", Some("v7")),
    ("armel", "arm", Some("v6")),
    ("armv6l", "arm", Some("v6")),
];
/// Architectures that are known to be some, to tell `amd64` from a platform that is written in another way.
const KNOWN: [&str; 9] =
    ["386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"];
/// What has no platform, such as an attestation, says this for both.
const UNKNOWN: &str = "unknown";

impl Platform {
    /// What an index says of a child; `None` if it says nothing that a platform could be told from. The words of other
    /// tools are understood here: nobody who reads an index can correct it.
    pub(crate) fn found(os: &str, architecture: &str, variant: Option<&str>) -> Option<Self> {
        let (os, architecture) = (os.to_ascii_lowercase(), architecture.to_ascii_lowercase());
        if os.is_empty() || architecture.is_empty() || (os == UNKNOWN && architecture == UNKNOWN) {
            return None;
        }
        let variant = variant.filter(|variant| !variant.is_empty()).map(str::to_ascii_lowercase);
        let other = OTHER_NAMES.iter().find(|(other, ..)| *other == architecture);
        Some(match other {
            Some((_, right, implied)) => {
                Self::normal(os, (*right).to_owned(), variant.or_else(|| implied.map(str::to_owned)))
            }
            None => Self::normal(os, architecture, variant),
        })
    }

    fn normal(os: String, architecture: String, variant: Option<String>) -> Self {
        let variant = variant.filter(|variant| !(architecture == "arm64" && variant == "v8"));
        Self { os, architecture, variant }
    }

    /// Whether an image for `found` is one for this platform. Without a variant each variant is.
    #[must_use]
    pub fn matches(&self, found: &Self) -> bool {
        let is_same = self.os == found.os && self.architecture == found.architecture;
        let variant = self.variant.as_deref();
        is_same
            && (variant.is_none() || variant == found.variant.as_deref().or_else(|| found.usual_variant()))
    }

    /// The variant that is meant by none.
    fn usual_variant(&self) -> Option<&'static str> {
        match self.architecture.as_str() {
            "amd64" => Some("v1"),
            "arm64" => Some("v8"),
            _ => None,
        }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let malformed = || PlatformError::Malformed(excerpt(text));
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let parts: Vec<&str> = text.split('/').collect();
        let other = |name: &str| OTHER_NAMES.iter().find(|(other, ..)| *other == name);
        let right = |os: &str, architecture: &str, variant: Option<&str>| {
            let (_, right, implied) = other(architecture)?;
            let variant = variant.or(*implied).map(|variant| format!("/{variant}")).unwrap_or_default();
            let right = format!("{os}/{right}{variant}");
            Some(PlatformError::OtherName { written: excerpt(text), right })
        };
        if !parts.iter().all(|part| !part.is_empty() && part.chars().all(is_allowed)) {
            return Err(malformed());
        }
        let (os, architecture, variant) = match *parts.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            [architecture] if KNOWN.contains(&architecture) => {
                return Err(PlatformError::NoSystem { architecture: architecture.to_owned() });
            }
            [architecture] => return Err(right("linux", architecture, None).unwrap_or_else(malformed)),
            _ => return Err(malformed()),
        };
        if KNOWN.contains(&os) {
            // `arm/v7`, and `amd64/linux`.
            return Err(malformed());
        }
        if os == UNKNOWN || architecture == UNKNOWN {
            return Err(PlatformError::Unknown(text.to_owned()));
        }
        if matches!(os, "macos" | "osx") {
            let right = text.replacen(os, "darwin", 1);
            return Err(PlatformError::OtherName { written: excerpt(text), right });
        }
        if let Some(error) = right(os, architecture, variant) {
            return Err(error);
        }
        Ok(Self::normal(os.to_owned(), architecture.to_owned(), variant.map(str::to_owned)))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

impl Platforms {
    /// These platforms; `None` if there is none, which would leave everything out.
    pub fn new(platforms: impl IntoIterator<Item = Platform>) -> Option<Self> {
        let each: BTreeSet<Platform> = platforms.into_iter().collect();
        (!each.is_empty()).then(|| Self(each.into_iter().collect()))
    }

    /// Whether an image for `found` is wanted.
    #[must_use]
    pub fn matches(&self, found: &Platform) -> bool {
        self.0.iter().any(|wanted| wanted.matches(found))
    }

    /// Those of these that `there` does not cover: `linux/arm` covers `linux/arm/v7`, and not the other way round.
    #[must_use]
    pub fn beyond(&self, there: &Self) -> Vec<&Platform> {
        self.0.iter().filter(|wanted| !there.0.iter().any(|there| there.covers(wanted))).collect()
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Platform> {
        self.0.iter()
    }
}

impl Platform {
    /// Whether all that matches `other` matches this.
    fn covers(&self, other: &Self) -> bool {
        if other.variant.is_some() { self.matches(other) } else { self == other }
    }
}

/// `linux/amd64, linux/arm64`.
impl fmt::Display for Platforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list(self.iter()))
    }
}

impl Serialize for Platforms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

/// Things with commas between them.
pub(crate) fn list<T: fmt::Display>(things: impl IntoIterator<Item = T>) -> String {
    let each: Vec<String> = things.into_iter().map(|thing| thing.to_string()).collect();
    each.join(", ")
}

#[cfg(test)]
mod tests;
