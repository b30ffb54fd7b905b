//! The targets of an ImageSync: repositories, tags and what may be overwritten.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Prune, SecretRef,
    rules::{self, Each},
};

/// Where images are kept: a repository for each of them, and the tags they get there.
///
/// The words in braces are replaced for each artifact: `{registry}` (the source's registry, a port's `:` becomes `_`),
/// `{path}` (the source's path), `{flatPath}` (the same with `-` for `/`), `{name}` (the image's name), `{tag}`,
/// `{shortDigest}` (the digest's first 12 hex digits).
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::alias_is_no_tag())]
pub struct Target {
    /// The target's name in this ImageSync: lower-case letters, digits and `-`. Example: `corp`.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::name())]
    pub name: String,

    /// The repository that an image is written to, without a tag. The words in braces, all but `{tag}` and
    /// `{shortDigest}`, are replaced; the registry in front of the first `/` is written out. On the command line,
    /// `oci:PATH` is a directory, which gets an OCI image layout for each repository.
    /// Example: `registry.corp.example/mirror/{registry}/{path}`.
    #[schemars(length(max = 512))]
    #[x_kube(validation = rules::repository(), validation = rules::repository_names_registry())]
    pub repository: String,

    /// The names of those images that are kept here. Default: all images. Example: `[alpine, postgres]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub images: Vec<String>,

    /// The tags that each artifact gets; several give it several names. The words in braces, all but `{path}`, are
    /// replaced. An artifact pinned by digest alone has no `{tag}`: it is written by digest, and under those of
    /// these tags that do not use the word. Default: `["{tag}"]`. Example: `["{tag}", "mirror-{tag}"]`.
    #[serde(default = "Target::default_tags")]
    #[schemars(length(min = 1, max = 8), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(transform = Each(rules::tag_template), transform = Each(rules::no_fallback))]
    pub tags: Vec<String>,

    /// More tags, which move with the versions. Default: none. Example: `[{tag: stable, of: Newest}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tag".into()]))]
    pub aliases: Vec<Alias>,

    /// The Secret of type `kubernetes.io/dockerconfigjson` in this namespace, whose credentials are used to write.
    /// Default: none; writing is tried anonymously. Example: `{name: corp}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_secret: Option<SecretRef>,

    /// What happens to a tag that is there with another digest. `Always`: it is moved to the source's digest. `Never`: it
    /// is left as it is, and the artifact is in conflict. Default: `Always`.
    /// Example: `Never`.
    #[serde(default)]
    pub overwrite: Overwrite,

    /// Whether a tag that is found there with the source's digest is recorded as written by this ImageSync, instead of
    /// as found. Default: `false`. Example: `true`.
    #[serde(default)]
    pub adopt: bool,

    /// What becomes of tags that this ImageSync wrote here and that nothing wants any more. Default: they stay.
    /// Example: `{mode: Enforce}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<Prune>,
}

impl Target {
    fn default_tags() -> Vec<String> {
        vec!["{tag}".into()]
    }
}

impl Default for Target {
    fn default() -> Self {
        Self {
            name: String::new(),
            repository: String::new(),
            images: Vec::new(),
            tags: Self::default_tags(),
            aliases: Vec::new(),
            push_secret: None,
            overwrite: Overwrite::default(),
            adopt: false,
            prune: None,
        }
    }
}

/// A tag that moves with the versions of each image.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alias {
    /// The tag. The words `{registry}`, `{flatPath}` and `{name}` are replaced. Example: `stable`.
    #[schemars(length(max = 256))]
    #[x_kube(validation = rules::alias_tag(), validation = rules::no_fallback())]
    pub tag: String,

    /// Which artifact of each image it names. `Newest`: the one with the highest version. Example: `Newest`.
    pub of: AliasOf,
}

/// Which artifact of an image an [`Alias`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AliasOf {
    /// The one with the highest version.
    Newest,
}

/// What happens to a tag that is on a target with another digest than the source's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Overwrite {
    /// It is moved to the source's digest.
    #[default]
    Always,
    /// It is left as it is, and the artifact is in conflict.
    Never,
}
