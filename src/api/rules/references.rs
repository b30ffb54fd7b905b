//! The rules for sources, repositories and tags.

use kube::core::Rule;

use super::{rule, whole};

/// A label of a host's name.
macro_rules! label {
    () => {
        "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
    };
}
/// A port, from 1 to 65535.
macro_rules! port {
    () => {
        concat!(
            ":(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]",
            "|6553[0-5])"
        )
    };
}
/// A registry's host, with a port where it has one. What has neither a dot nor a port is part of a path.
const REGISTRY: &str = concat!(
    "(?:",
    label!(),
    r"(?:(?:\.",
    label!(),
    ")+(?:",
    port!(),
    ")?|",
    port!(),
    r")|(?i:localhost)|\[[a-fA-F0-9:.]+\](?:",
    port!(),
    ")?)"
);
/// One part of a repository's path (distribution-spec, "Pulling manifests").
const COMPONENT: &str = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*";
/// The first of several parts where no registry stands before it: with a dot it would be one.
const NAMESPACE: &str = r"[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*";
const TAG: &str = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";
const DIGEST: &str = r"(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})";
/// What the path of a layout may have. Only behind its last `/` do `:` and `@` begin a tag and a digest.
const ANY: &str = r"[^\p{Cc}{}]";
/// The same, behind its last `/`.
const LAST: &str = r"[^\p{Cc}{}/:@]";
/// Tags under which registries without the referrers API keep an image's referrers, and cosign its signatures.
const FALLBACK: &str = r"sha(256|512)-[a-f0-9]{64,}";
/// The words of a target's repository.
const WORD: &str = r"\{(?:registry|path|flatPath|name)\}";

pub(in crate::api) fn source() -> Rule {
    rule(
        whole(&format!(
            "(?:(?:{REGISTRY}|{NAMESPACE})(?:/{COMPONENT})+|{COMPONENT}|oci:(?:(?:{ANY}*/)?{LAST}+/*|/+))(?::{TAG})?\
             (?:@{DIGEST})?"
        )),
        "not an image reference: write [registry/]path[:tag][@digest], without https:// and with the path in lower \
         case, such as docker.io/library/alpine:3.20, or oci:PATH[:tag][@digest] for a directory",
    )
}

pub(in crate::api) fn source_is_no_fallback() -> Rule {
    rule(
        format!(r"!self.matches(r':{FALLBACK}(\.[^/@]*)?(@.*)?$')"),
        "tags of the form sha256-<hex> hold signatures, which are not mirrored by themselves: write the tag or digest \
         of the image that they belong to",
    )
}

pub(in crate::api) fn tag_name() -> Rule {
    rule(
        whole(TAG),
        "not a tag: write at most 128 letters, digits, _, . and -, the first no . or -, such as 3.20",
    )
}

/// For names that are selected and for those that are written.
pub(in crate::api) fn no_fallback() -> Rule {
    rule(
        format!(r"!self.matches(r'^{FALLBACK}(\..*)?$')"),
        "tags of the form sha256-<hex> are where registries keep signatures: write another tag",
    )
}

pub(in crate::api) fn repository() -> Rule {
    // What words become begins and ends as components do.
    let word = format!("(?:[a-z0-9]|{WORD})+");
    let part = format!(r"{word}(?:(?:\.|_|__|-+){word})*");
    let namespace = format!("{word}(?:(?:_|__|-+){word})*");
    rule(
        whole(&format!(
            r"(?:{REGISTRY}|{namespace})(?:/{part})*|oci:(?:(?:{ANY}|{WORD})*/)?(?:{LAST}|{WORD})+/*"
        )),
        "not a repository: write registry/path without a tag, with the path in lower case and of the words {registry}, \
         {path}, {flatPath} and {name}, such as registry.corp.example/mirror/{path}, or oci:out/{path} for a directory",
    )
}

/// Or a source's name would decide which registry gets the credentials, or a typing error would publish on Docker Hub.
pub(in crate::api) fn repository_names_registry() -> Rule {
    rule(
        r"self.matches(r'^(?:(?:[^/{}]*[.:][^/{}]*|(?i:localhost))/|oci:)')",
        "no registry in front of the first /: write it out, such as registry.corp.example/{registry}/{path}, or \
         docker.io for Docker Hub",
    )
}

pub(in crate::api) fn tag_template() -> Rule {
    let word = r"\{(?:registry|flatPath|name|tag|shortDigest)\}";
    rule(
        whole(&format!("(?:[a-zA-Z0-9_]|{word})(?:[a-zA-Z0-9._-]|{word})*")),
        "not a tag: write letters, digits, _, . and -, the first no . or -, and of the words {tag}, {shortDigest}, \
         {name}, {flatPath} and {registry}, such as {tag} or mirror-{tag}",
    )
}

pub(in crate::api) fn alias_tag() -> Rule {
    let word = r"\{(?:registry|flatPath|name)\}";
    rule(
        whole(&format!("(?:[a-zA-Z0-9_]|{word})(?:[a-zA-Z0-9._-]|{word})*")),
        "not an alias: write a tag that stays the same from version to version, with at most the words {name}, \
         {flatPath} and {registry}, such as stable",
    )
}
