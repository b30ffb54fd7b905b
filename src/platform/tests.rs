//! Platforms as people write them, and as indexes say them.

use rstest::rstest;

use super::*;

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

fn found(text: &str) -> Platform {
    let mut parts = text.split('/');
    Platform::found(parts.next().unwrap(), parts.next().unwrap(), parts.next()).unwrap()
}

fn platforms(texts: &[&str]) -> Platforms {
    Platforms::new(texts.iter().map(|text| platform(text))).unwrap()
}

#[rstest]
#[case("linux/amd64", "linux/amd64")]
#[case("linux/arm/v7", "linux/arm/v7")]
#[case("linux/arm64/v8", "linux/arm64")]
#[case("linux/arm64/v9", "linux/arm64/v9")]
#[case("windows/amd64", "windows/amd64")]
#[case("wasip1/wasm", "wasip1/wasm")]
fn what_is_written_is_shown_in_its_one_way(#[case] written: &str, #[case] shown: &str) {
    assert_eq!(platform(written).to_string(), shown);
}

#[rstest]
#[case("linux/x86_64", "write linux/amd64")]
#[case("linux/aarch64", "write linux/arm64")]
#[case("linux/armhf", "write linux/arm/v7")]
#[case("x86_64", "write linux/amd64")]
#[case("amd64", "write linux/amd64")]
#[case("macos/arm64", "write darwin/arm64")]
#[case("arm/v7", "write os/architecture")]
#[case("amd64/linux", "write os/architecture")]
#[case("Linux/amd64", "lower case")]
#[case("linux/", "write os/architecture")]
#[case("/amd64", "write os/architecture")]
#[case("", "write os/architecture")]
#[case("linux/arm/v7/x", "write os/architecture")]
#[case("linux/*", "write os/architecture")]
#[case("linux amd64", "write os/architecture")]
#[case("unknown/unknown", "leave it out")]
fn what_is_no_platform_is_refused_with_what_to_write(#[case] text: &str, #[case] teaches: &str) {
    let error = text.parse::<Platform>().unwrap_err().to_string();
    assert!(error.contains(teaches), "{error}");
}

#[rstest]
#[case("linux/amd64", "linux/amd64", true)]
#[case("linux/amd64", "linux/amd64/v3", true)]
#[case("linux/amd64/v1", "linux/amd64", true)]
#[case("linux/amd64/v1", "linux/amd64/v3", false)]
#[case("linux/arm", "linux/arm/v6", true)]
#[case("linux/arm/v7", "linux/arm/v6", false)]
#[case("linux/arm/v7", "linux/arm", false)]
#[case("linux/arm64", "linux/arm64/v8", true)]
#[case("linux/arm64/v8", "linux/arm64", true)]
#[case("linux/arm64", "linux/aarch64", true)]
#[case("linux/amd64", "Linux/AMD64", true)]
#[case("linux/arm/v7", "linux/armhf", true)]
#[case("linux/amd64", "windows/amd64", false)]
#[case("linux/arm64", "linux/arm/v8", false)]
fn without_a_variant_every_variant_matches(
    #[case] wanted: &str,
    #[case] at_source: &str,
    #[case] matches: bool,
) {
    assert_eq!(platform(wanted).matches(&found(at_source)), matches);
}

#[rstest]
#[case("unknown", "unknown")]
#[case("", "amd64")]
#[case("linux", "")]
fn what_says_no_platform_has_none(#[case] os: &str, #[case] architecture: &str) {
    assert_eq!(Platform::found(os, architecture, None), None);
}

#[test]
fn platforms_are_each_there_once_and_in_one_order() {
    let these = platforms(&["linux/arm64/v8", "linux/amd64", "linux/arm64"]);
    assert_eq!(these.to_string(), "linux/amd64, linux/arm64");
    assert_eq!(these, platforms(&["linux/amd64", "linux/arm64"]));
    assert_eq!(serde_json::to_string(&these).unwrap(), r#"["linux/amd64","linux/arm64"]"#);
    assert_eq!(Platforms::new([]), None);
}

#[rstest]
#[case(&["linux/amd64"], &["linux/amd64", "linux/arm64"], "")]
#[case(&["linux/amd64", "linux/arm64"], &["linux/amd64"], "linux/arm64")]
#[case(&["linux/arm/v7"], &["linux/arm"], "")]
#[case(&["linux/arm"], &["linux/arm/v7"], "linux/arm")]
#[case(&["linux/amd64"], &["linux/amd64/v1"], "linux/amd64")]
fn what_is_beyond_other_platforms_is_what_they_do_not_cover(
    #[case] wanted: &[&str],
    #[case] there: &[&str],
    #[case] beyond: &str,
) {
    assert_eq!(list(platforms(wanted).beyond(&platforms(there))), beyond);
}
