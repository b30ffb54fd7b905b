//! Ranges of versions: `>=16.0, <18`, `~7`, `^1.2`, `1.x`, and `||` between alternatives.

use std::ops::{Bound, RangeBounds as _};

use semver::{BuildMetadata, Prerelease, Version};

use super::version::{number, pre_release};
use crate::text::excerpt;

/// A range: alternatives, one of which has to hold.
///
/// A pre-release is in an alternative only if that names a pre-release itself, in any of its comparators: then it is
/// ordered as any other version. Where no pre-release is named, an upper bound also keeps out what comes before it only by
/// being a pre-release of it: `18-alpine` is not `<18`.
#[derive(Clone, Debug)]
pub(super) struct Range {
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug)]
struct Alternative {
    bounds: Vec<Bounds>,
    names_pre_release: bool,
}

type Bounds = (Bound<Version>, Bound<Version>);

/// Why a text is not a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a comparator of versions: write one of = > >= < <= ~ ^ and a version, or a version with a wildcard, \
     with commas between them, such as '>=16.0, <18', '~1.4' or '16.x'"
)]
pub(super) struct RangeError(String);

/// Whether a range has a version in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// It has.
    Yes,
    /// It has not.
    No,
    /// It would have, if the range named a pre-release.
    PreRelease,
}

/// A version of which only the first parts may be given.
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    pre: Prerelease,
}

impl Range {
    pub(super) fn parse(text: &str) -> Result<Self, RangeError> {
        let alternatives = text.split("||").map(Alternative::parse).collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }

    pub(super) fn has(&self, version: &Version) -> Within {
        let mut within = Within::No;
        for alternative in self.alternatives.iter().filter(|alternative| alternative.spans(version)) {
            if version.pre.is_empty() || alternative.names_pre_release {
                return Within::Yes;
            }
            within = Within::PreRelease;
        }
        within
    }
}

impl Alternative {
    fn parse(text: &str) -> Result<Self, RangeError> {
        let mut alternative = Self { bounds: Vec::new(), names_pre_release: false };
        for part in text.split(',') {
            alternative.add(part)?;
        }
        Ok(alternative)
    }

    /// Takes what stands between two commas: one comparator, or several with blanks between them.
    fn add(&mut self, part: &str) -> Result<(), RangeError> {
        let mut rest = part.trim();
        loop {
            let version = rest.trim_start_matches(['=', '>', '<', '~', '^']);
            let operator = rest.strip_suffix(version).unwrap_or_default();
            let version = version.trim_start();
            let (version, behind) = version.split_once(char::is_whitespace).unwrap_or((version, ""));
            let not_one = || RangeError(excerpt(rest));
            let partial = Partial::parse(version).ok_or_else(not_one)?;
            self.bounds.push(partial.bounds(operator).ok_or_else(not_one)?);
            self.names_pre_release |= !partial.pre.is_empty();
            rest = behind.trim_start();
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn spans(&self, version: &Version) -> bool {
        self.bounds.iter().all(|bounds| bounds.contains(version))
    }
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        // Semantic versions that differ only in what stands behind a `+` are equal.
        let text = text.split('+').next().unwrap_or_default();
        let (core, suffix) = match text.split_once('-') {
            Some((core, suffix)) => (core, Some(suffix)),
            None => (text, None),
        };
        let mut parts = Vec::new();
        for part in core.split('.') {
            let part = if matches!(part, "*" | "x" | "X") { None } else { Some(number(part)?) };
            parts.push(part);
        }
        let after_a_wildcard = parts.iter().skip_while(|part| part.is_some());
        if parts.len() > 3 || after_a_wildcard.flatten().next().is_some() {
            return None;
        }
        let pre = suffix.map_or(Some(Prerelease::EMPTY), pre_release)?;
        if !pre.is_empty() && parts.contains(&None) {
            return None;
        }
        let mut parts = parts.into_iter().chain(std::iter::repeat(None));
        let mut part = || parts.next().flatten();
        Some(Self { major: part(), minor: part(), patch: part(), pre })
    }

    /// Whether one version is meant, not all those that begin so. A suffix says so too: as in tags, what is missing
    /// before it is 0.
    fn is_whole(&self) -> bool {
        self.patch.is_some() || !self.pre.is_empty()
    }

    fn bounds(&self, operator: &str) -> Option<Bounds> {
        use Bound::{Excluded, Included, Unbounded};
        let lowest = self.lowest();
        Some(match operator {
            "=" | "" if self.is_whole() => (Included(lowest.clone()), Included(lowest)),
            "=" | "" => (Included(lowest), self.below_next()),
            ">" if self.is_whole() => (Excluded(lowest), Unbounded),
            ">" => match self.below_next() {
                Excluded(next) => (Included(next), Unbounded),
                // Nothing is above everything.
                _ => (Excluded(lowest.clone()), Excluded(lowest)),
            },
            ">=" => (Included(lowest), Unbounded),
            "<" if self.pre.is_empty() => {
                (Unbounded, Excluded(Version { pre: lowest_pre_release(), ..lowest }))
            }
            "<" => (Unbounded, Excluded(lowest)),
            "<=" if self.is_whole() => (Unbounded, Included(lowest)),
            "<=" => (Unbounded, self.below_next()),
            "~" => (Included(lowest), below_next(self.major, self.minor, None)),
            "^" => (Included(lowest), self.below_next_compatible()),
            _ => return None,
        })
    }

    fn lowest(&self) -> Version {
        Version { pre: self.pre.clone(), ..whole(self.major, self.minor, self.patch) }
    }

    fn below_next(&self) -> Bound<Version> {
        below_next(self.major, self.minor, self.patch)
    }

    /// Compatible is what leaves the first part that is not 0 as it is.
    fn below_next_compatible(&self) -> Bound<Version> {
        match (self.major, self.minor) {
            (Some(0), Some(0)) => self.below_next(),
            (Some(0), minor) => below_next(self.major, minor, None),
            (major, _) => below_next(major, None, None),
        }
    }
}

/// The bound below which is everything that has these parts: with the last one of them counted up, and below its
/// pre-releases too.
fn below_next(major: Option<u64>, minor: Option<u64>, patch: Option<u64>) -> Bound<Version> {
    let up = |part: u64| part.checked_add(1).map(Some);
    let next = match (major, minor, patch) {
        (Some(_), Some(_), Some(last)) => up(last).map(|patch| whole(major, minor, patch)),
        (Some(_), Some(last), None) => up(last).map(|minor| whole(major, minor, None)),
        (Some(last), None, _) => up(last).map(|major| whole(major, None, None)),
        (None, _, _) => None,
    };
    next.map_or(Bound::Unbounded, |next| Bound::Excluded(Version { pre: lowest_pre_release(), ..next }))
}

fn whole(major: Option<u64>, minor: Option<u64>, patch: Option<u64>) -> Version {
    Version {
        major: major.unwrap_or(0),
        minor: minor.unwrap_or(0),
        patch: patch.unwrap_or(0),
        pre: Prerelease::EMPTY,
        build: BuildMetadata::EMPTY,
    }
}

/// `-0`: nothing that has a suffix is lower.
fn lowest_pre_release() -> Prerelease {
    Prerelease::new("0").unwrap_or(Prerelease::EMPTY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::plan::version::version;

    fn has(range: &str, tag: &str) -> bool {
        Range::parse(range).unwrap().has(&version(tag).unwrap()) == Within::Yes
    }

    #[rstest]
    #[case(">=16.0, <18", &["16", "16.0.1", "17.9"], &["15.9", "18", "18.0.1", "17.0-alpine", "17.1-rc.1"])]
    #[case(">=16.0 <18", &["16", "17.9"], &["15.9", "18"])]
    #[case(">=16-0, <18", &["16-alpine", "17.4-alpine", "17"], &["18-alpine", "15.9-alpine"])]
    #[case("<=17", &["17", "17.9.9", "1"], &["18"])]
    #[case("<=17.4.0", &["17.4", "17.3.9"], &["17.4.1"])]
    #[case(">17", &["18"], &["17", "17.9"])]
    #[case(">17.4.0", &["17.4.1"], &["17.4"])]
    #[case("~7", &["7", "7.9"], &["6.9", "8"])]
    #[case("~1.2", &["1.2", "1.2.9"], &["1.3"])]
    #[case("~1.2.3", &["1.2.3", "1.2.9"], &["1.2.2", "1.3"])]
    #[case("^1.2", &["1.2", "1.9.9"], &["1.1", "2"])]
    #[case("^0.2.3", &["0.2.3", "0.2.9"], &["0.3", "1"])]
    #[case("^0.0.3", &["0.0.3"], &["0.0.4", "0.0.2"])]
    #[case("^0", &["0.9"], &["1"])]
    #[case("1.x", &["1", "1.9.9"], &["2", "0.9"])]
    #[case("1.2.*", &["1.2", "1.2.9"], &["1.3"])]
    #[case("1.2", &["1.2", "1.2.9"], &["1.3", "1.1"])]
    #[case("= 1.2.3", &["1.2.3", "v1.2.3"], &["1.2.4"])]
    #[case("1.2.3-rc.1", &["1.2.3-rc.1"], &["1.2.3", "1.2.3-rc.2"])]
    #[case("^1.2.3-0", &["1.2.3-a", "1.9-b", "1.9"], &["2-a", "1.2.2"])]
    #[case("*", &["0.0", "99.9.9"], &["1-alpine"])]
    #[case(">*", &[], &["0", "1"])]
    #[case("~14 || ~16", &["14.1", "16.1"], &["15", "17"])]
    // Each alternative says for itself whether it means pre-releases.
    #[case("~14-0 || ~16", &["14.1-alpine", "16.1"], &["16.1-alpine", "15-alpine"])]
    #[case("16-alpine", &["16-alpine", "16.0-alpine"], &["16.1-alpine", "16"])]
    #[case("<=18446744073709551615", &["18446744073709551615.1"], &[])]
    fn a_range_has_some_versions_and_not_others(
        #[case] range: &str,
        #[case] inside: &[&str],
        #[case] outside: &[&str],
    ) {
        for tag in inside {
            assert!(has(range, tag), "{tag} is not in {range}");
        }
        for tag in outside {
            assert!(!has(range, tag), "{tag} is in {range}");
        }
    }

    #[test]
    fn a_version_that_is_out_only_for_being_a_pre_release_is_told() {
        let range = Range::parse(">=16, <18").unwrap();
        assert_eq!(range.has(&version("17-alpine").unwrap()), Within::PreRelease);
        assert_eq!(range.has(&version("19-alpine").unwrap()), Within::No);
    }

    #[rstest]
    #[case("")]
    #[case(",")]
    #[case(">=1,")]
    #[case("||")]
    #[case(">=")]
    #[case("=>1")]
    #[case("==1")]
    #[case("latest")]
    #[case("1.2 - 1.4")]
    #[case("1.x.3")]
    #[case("1.2.3.4")]
    #[case("1.x-0")]
    #[case("1-")]
    #[case("!=1")]
    #[case("18446744073709551616")]
    fn what_is_no_range_is_refused(#[case] text: &str) {
        assert!(Range::parse(text).is_err(), "{text}");
    }

    #[test]
    fn the_comparator_that_is_wrong_is_named() {
        let message = Range::parse(">=1, <two").unwrap_err().to_string();
        assert!(message.starts_with("`<two` is not a comparator"), "{message}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([<>=~^ ,|]{0,3}[0-9xX*]{0,22}(\\.[0-9x*]{1,3}){0,3}(-[a-z0-9]{0,3})?){0,4}|.*") {
            if let Ok(range) = Range::parse(&text) {
                range.has(&version("1.2.3-rc.1").unwrap());
            }
        }

        #[test]
        fn comparators_agree_with_the_semver_crate_where_no_pre_release_is_named(
            operator in "=|>|>=|<|<=|~|\\^",
            parts in prop::collection::vec(0_u64..4, 1..4),
            version in (0_u64..5, 0_u64..5, 0_u64..5),
        ) {
            let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
            let text = format!("{operator}{}", parts.join("."));
            let version = Version::new(version.0, version.1, version.2);
            let expected = semver::VersionReq::parse(&text).unwrap().matches(&version);
            prop_assert_eq!(Range::parse(&text).unwrap().has(&version) == Within::Yes, expected, "{} in {}", version, text);
        }
    }
}
