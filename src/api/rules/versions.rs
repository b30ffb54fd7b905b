//! The rule for ranges of versions.

use kube::core::Rule;

use super::{rule, whole};

/// A part of a version. One of 20 digits may be beyond 64 bits.
macro_rules! number {
    () => {
        "[0-9]{1,19}"
    };
}
/// A part of a pre-release: a number has no leading zero.
macro_rules! identifier {
    () => {
        "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    };
}
/// A comparator of a range of versions: a wildcard only at the end, and no suffix after one.
const COMPARATOR: &str = concat!(
    r"(?:=|>=|>|<=|<|~|\^)? *(?:(?:",
    number!(),
    r"\.){0,2}[*xX]|[*xX](?:\.[*xX]){1,2}|",
    number!(),
    r"\.[*xX]\.[*xX]|",
    number!(),
    r"(?:\.",
    number!(),
    "){0,2}(?:-",
    identifier!(),
    r"(?:\.",
    identifier!(),
    r")*)?(?:\+[0-9A-Za-z.-]+)?)"
);

pub(in crate::api) fn semver() -> Rule {
    let all = format!(" *{COMPARATOR}(?:(?: +| *, *){COMPARATOR})* *");
    rule(
        whole(&format!("{all}(?:\\|\\|{all})*")),
        "not a range of versions: write comparators with commas between them, and || between alternatives, such as \
         '>=16.0, <18' or '~1.4 || 2.x'",
    )
}
