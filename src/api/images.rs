//! The images of an ImageSync: sources, and which of their tags are selected.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Interval,
    rules::{self, Each, EachRegex, Regex},
};

/// What holds for images that do not say it themselves.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// The `select` of every image that has none and whose source names neither a tag nor a digest.
    /// Default: the tag `latest`. Example: `{semver: '*', newest: 5}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<Select>,

    /// The `immutableTags` of every image that has none. Default: none. Example: `['\d+\.\d+\.\d+']`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    #[schemars(transform = EachRegex)]
    pub immutable_tags: Option<Vec<String>>,

    /// The `platforms` of every image that has none. Default: all. Example: `[linux/amd64, linux/arm64]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(max = 64)))]
    #[schemars(transform = Each(rules::platform))]
    pub platforms: Option<Vec<String>>,

    /// The `referrers` of every image that says nothing. Default: `Include`. Example: `Require`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Referrers")]
    pub referrers: Option<Referrers>,
}

/// One image: where it is read, and which of its tags.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::select_or_tag())]
pub struct Image {
    /// The image's name in this ImageSync: lower-case letters, digits and `-`. It is the word `{name}` in templates,
    /// and what targets call the image by. Example: `postgres`.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::name())]
    pub name: String,

    /// Where the image is read: `[registry/]path[:tag][@digest]`. Without a registry it is Docker Hub; with neither
    /// tag, digest nor `select` it is the tag `latest`. A digest pins: what is read never changes. On the command line,
    /// `oci:PATH[:tag][@digest]` is a directory with an OCI image layout.
    /// Example: `registry.example/team/app:1.4`.
    #[schemars(length(max = 640))]
    #[x_kube(validation = rules::source(), validation = rules::source_is_no_fallback())]
    pub source: String,

    /// Which tags are mirrored, where `source` names neither a tag nor a digest. Default: `defaults.select`, and
    /// where that is not given either, the tag `latest`. Example: `{semver: '>=16.0, <18', newest: 5}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<Select>,

    /// Regexes of tags that never move at the source, each matched against the whole tag: once mirrored, such a
    /// tag costs no request any more. Default: `defaults.immutableTags`.
    /// Example: `['\d+\.\d+\.\d+']`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    #[schemars(transform = EachRegex)]
    pub immutable_tags: Option<Vec<String>>,

    /// Of an image for several platforms, those that are mirrored, as `os/architecture` or `os/architecture/variant`;
    /// without a variant, every one. What one that is kept is attested by is kept too, and an image that is
    /// for one platform alone is mirrored as it is. Default: `defaults.platforms`, and where that is not given either, all.
    /// Example: `[linux/amd64, linux/arm64]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(max = 64)))]
    #[schemars(transform = Each(rules::platform))]
    pub platforms: Option<Vec<String>>,

    /// What is done with signatures, SBOMs, attestations and whatever else refers to an image. `Include`: they
    /// are on the target before the tag is. `Exclude`: they are not looked at. `Require`: as `Include`, and an image that has none,
    /// or would lose them, is refused. Default: `defaults.referrers`, and where that is not given either, `Include`.
    /// Example: `Require`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Referrers")]
    pub referrers: Option<Referrers>,
}

/// What is done with what refers to an image: signatures, SBOMs, attestations.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Referrers {
    /// They are on the target before the tag is.
    #[default]
    Include,
    /// They are not looked at.
    Exclude,
    /// They are on the target before the tag is, and an image that has none, or would lose them, is refused.
    Require,
}

/// Which tags of a source are mirrored: those in `names`, and besides them every tag that passes all of the filters
/// given, which are all the other fields. A filter that is not given lets every tag pass; with no filter at all, only
/// `names` are mirrored.
///
/// A tag is a version if, after an optional `v`, it is MAJOR[.MINOR[.PATCH]] with the suffixes of semantic versions;
/// missing parts are 0. Tags of the form `sha256-<hex>`, which hold signatures, are never selected.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::select_something(), validation = rules::extract_for_versions())]
pub struct Select {
    /// Tags that are mirrored whatever the filters say. One that is not at the source is a failure.
    /// Example: `["16", "17"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(transform = Each(rules::tag_name), transform = Each(rules::no_fallback))]
    pub names: Vec<String>,

    /// A range of versions: comparators (`=`, `>`, `>=`, `<`, `<=`, `~`, `^`, or a wildcard such as `16.*`) with
    /// commas between them, all of which must hold, and `||` between alternatives. A pre-release (to semantic versions
    /// `16-alpine` is one) is in a range only if the range names one, such as `>=16-0`. Example: `">=16.0, <18"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(validation = rules::semver())]
    pub semver: Option<String>,

    /// Regexes, one of which must match the whole tag. Example: `['\d+\.\d+']`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    #[schemars(transform = EachRegex)]
    pub patterns: Vec<String>,

    /// Regexes, none of which may match the whole tag. Example: `['.*-(rc|beta).*']`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    #[schemars(transform = EachRegex)]
    pub exclude: Vec<String>,

    /// A regex with a group named `version`, which says where in the tag `semver` and `newest` find the version.
    /// Tags that it does not match as a whole are left out. Default: the whole tag is the version.
    /// Example: `'(?P<version>.+)-bookworm'`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[schemars(transform = Regex)]
    #[x_kube(validation = rules::extract_has_version())]
    pub extract: Option<String>,

    /// Of the tags that pass all other filters, only this many, those with the highest versions. Tags that are not
    /// versions are left out. Alone it takes pre-releases too (`18-alpine` comes before `17.9`); with `semver: "*"` it does
    /// not. Example: `5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub newest: Option<i32>,

    /// How long ago this system must have seen a digest under a tag for the first time before it is mirrored; until then
    /// the newest that is old enough is. It holds for `names` too, and selects nothing by itself. Age counts before
    /// `newest` does. Example: `72h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 18))]
    #[x_kube(validation = rules::interval())]
    pub min_age: Option<Interval>,
}
