//! Versions: how a tag is read as one.

use semver::{BuildMetadata, Prerelease, Version};

/// The version that `text` is, if it is one: after an optional `v`, MAJOR[.MINOR[.PATCH]] with the pre-release suffix
/// of semantic versions. Missing parts are 0.
///
/// More is taken than semver.org allows, because tags have it: leading zeros (`24.04`). Numbers beyond 64 bits are not
/// versions. Build metadata cannot be in a tag, which has no `+`.
pub(super) fn version(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (core, suffix) = match text.split_once('-') {
        Some((core, suffix)) => (core, Some(suffix)),
        None => (text, None),
    };
    let mut parts = core.split('.').map(number);
    let major = parts.next()??;
    // No part is 0, a part that is not a number makes the whole no version.
    let minor = parts.next().unwrap_or(Some(0))?;
    let patch = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() {
        return None;
    }
    let pre = suffix.map_or(Some(Prerelease::EMPTY), pre_release)?;
    Some(Version { major, minor, patch, pre, build: BuildMetadata::EMPTY })
}

/// A part of a version: digits, whose number fits in 64 bits.
pub(super) fn number(text: &str) -> Option<u64> {
    // `u64` would also read a sign.
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// What stands behind the `-` of a version: identifiers with dots between them, at least one.
pub(super) fn pre_release(text: &str) -> Option<Prerelease> {
    Prerelease::new(text).ok().filter(|pre| !pre.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1", "1.0.0")]
    #[case("1.2", "1.2.0")]
    #[case("v1.2.3", "1.2.3")]
    #[case("24.04", "24.4.0")]
    #[case("16-alpine", "16.0.0-alpine")]
    #[case("1.2.3-rc.1", "1.2.3-rc.1")]
    #[case("1.2.3--x-y", "1.2.3--x-y")]
    #[case("18446744073709551615.0.0", "18446744073709551615.0.0")]
    fn a_tag_is_read_as_a_version(#[case] tag: &str, #[case] expected: &str) {
        assert_eq!(version(tag).unwrap().to_string(), expected);
    }

    #[rstest]
    #[case("")]
    #[case("v")]
    #[case("vv1")]
    #[case("V1")]
    #[case("latest")]
    #[case("1.")]
    #[case(".1")]
    #[case("1..2")]
    #[case("1.2.3.4")]
    #[case("1.x")]
    #[case("+1")]
    #[case("-1")]
    #[case("1-")]
    #[case("1.2.3-a..b")]
    #[case("1.2.3-rc_1")]
    #[case("1.2.3-01")]
    #[case("18446744073709551616")]
    #[case("sha256-e3b0")]
    fn what_is_no_version_is_none(#[case] tag: &str) {
        assert_eq!(version(tag), None);
    }

    #[test]
    fn versions_are_ordered_as_semver_orders_them() {
        let order =
            ["0.9", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-beta", "1", "1.0.1", "1.10"];
        let versions: Vec<_> = order.iter().map(|tag| version(tag).unwrap()).collect();
        assert!(versions.is_sorted(), "{versions:?}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "v?[0-9]{0,40}(\\.[0-9]{0,40}){0,4}(-[a-z0-9.-]{0,9})?|.*") {
            let _ = version(&text);
        }
    }
}
