//! The CEL rules: what a schema cannot say, each with a sentence that says what to write instead.
//!
//! They stand in the CRDs, so that `kubectl apply` refuses, and are evaluated here too, so that the command line refuses the
//! same manifests with the same sentences. Where a pattern would do, there is a rule all the same: the API
//! server shows a pattern, and a rule's sentence. Each string and list that a rule reads has a maximum in the schema,
//! because the API server bounds what a rule may cost.

use kube::core::{Rule, validate};
use schemars::{Schema, transform::Transform};

/// A registry's host, with a port where it has one. What has neither a dot nor a port is part of a path.
const REGISTRY: &str = concat!(
    r"(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+(?::[0-9]{1,5})?|[a-zA-Z0-9-]+:[0-9]{1,5}",
    r"|(?i:localhost)|\[[a-fA-F0-9:.]+\](?::[0-9]{1,5})?)"
);
/// One part of a repository's path (distribution-spec, "Pulling manifests").
const COMPONENT: &str = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*";
const TAG: &str = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";
const DIGEST: &str = r"(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})";
/// Tags under which registries without the referrers API keep an image's referrers, and cosign its signatures.
const FALLBACK: &str = r"sha(256|512)-[a-f0-9]{64,}";
/// One entry of a list in a field of cron.
const CRON: &str = r"(\*|([0-9]{1,2}|[a-zA-Z]{3})(-([0-9]{1,2}|[a-zA-Z]{3}))?)(/[0-9]{1,2})?";
/// A comparator of a range of versions: a wildcard only at the end, and no suffix after one.
const COMPARATOR: &str = concat!(
    r"(?:=|>=|>|<=|<|~|\^)? *(?:(?:[0-9]{1,20}\.){0,2}[*xX]|[*xX](?:\.[*xX]){1,2}|[0-9]{1,20}\.[*xX]\.[*xX]",
    r"|[0-9]{1,20}(?:\.[0-9]{1,20}){0,2}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z.-]+)?)"
);

/// Puts a rule on each item of a list, so that its errors name the item.
pub(super) struct Each(pub(super) fn() -> Rule);

impl Transform for Each {
    fn transform(&mut self, schema: &mut Schema) {
        let Some(items) = schema.get_mut("items") else { return };
        if let Ok(item) = <&mut Schema>::try_from(items) {
            // A rule is strings, and a schema is JSON: neither fails to be written as such.
            let _ = validate(item, self.0());
        }
    }
}

fn rule(cel: impl Into<String>, message: &str) -> Rule {
    Rule::new(cel).message(message)
}

/// A CEL expression that is true where `self` matches all of the regex.
fn whole(regex: &str) -> String {
    format!("self.matches(r'^(?:{regex})$')")
}

/// Neither nor both: an interval and a schedule would have to take turns.
pub(super) fn interval_or_schedule() -> Rule {
    rule(
        "!(has(self.interval) && has(self.schedule))",
        "interval and schedule exclude each other: keep one of them",
    )
    .field_path(".schedule")
}

pub(super) fn some_target() -> Rule {
    rule(
        "has(self.targets) && self.targets.size() > 0",
        "nothing says where the images shall be: write at least one target, such as \
         {name: corp, repository: 'registry.corp.example/mirror/{path}'}",
    )
    .field_path(".targets")
}

/// A name that no image has would silently leave an image out.
pub(super) fn targets_name_images() -> Rule {
    let unknown = "t.images.filter(i, !self.images.exists(m, m.name == i))";
    let sentence = format!(
        "'images has no entry named ' + self.targets.filter(t, has(t.images) && {unknown}.size() > 0)\
         .map(t, {unknown}[0])[0] + ': write the name of one of the images, or leave the target\\'s images out for all'"
    );
    Rule::new(format!("!has(self.targets) || self.targets.all(t, !has(t.images) || {unknown}.size() == 0)"))
        .message(kube::core::Message::Expression(sentence))
        .field_path(".targets")
}

pub(super) fn interval() -> Rule {
    let regex = "([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?";
    rule(
        format!("{} && self != '' && duration(self) >= duration('10s')", whole(regex)),
        "not a length of time of at least 10s: write whole hours, minutes and seconds, largest first, such as 30m or \
         1h30m",
    )
}

pub(super) fn cron() -> Rule {
    let field = format!("{CRON}(,{CRON})*");
    rule(
        whole(&format!("{field}( {field}){{4}}")),
        "not five fields of cron: write minute, hour, day of month, month and day of week, with one space between \
         them, such as 0 3 * * *",
    )
}

pub(super) fn time_zone() -> Rule {
    rule(
        whole("[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}"),
        "not a time zone: write its IANA name, such as Europe/Rome or UTC",
    )
}

pub(super) fn name() -> Rule {
    rule(
        whole("[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
        "not a name: write lower-case letters, digits and -, with a letter or digit at both ends, such as postgres-17",
    )
}

pub(super) fn secret_name() -> Rule {
    rule(
        whole("[a-z0-9]([a-z0-9.-]*[a-z0-9])?"),
        "not the name of a Secret: write lower-case letters, digits, - and ., such as hub",
    )
}

pub(super) fn source() -> Rule {
    rule(
        whole(&format!("(?:{REGISTRY}/)?{COMPONENT}(?:/{COMPONENT})*(?::{TAG})?(?:@{DIGEST})?")),
        "not an image reference: write [registry/]path[:tag][@digest], without https:// and with the path in lower \
         case, such as docker.io/library/alpine:3.20",
    )
}

pub(super) fn source_is_no_fallback() -> Rule {
    rule(
        format!(r"!self.matches(r':{FALLBACK}(\.[^/@]*)?(@.*)?$')"),
        "tags of the form sha256-<hex> hold signatures, which are not mirrored by themselves: write the tag or digest \
         of the image that they belong to",
    )
}

pub(super) fn select_or_tag() -> Rule {
    rule(
        r"!has(self.select) || !self.source.matches(r'(:[^/]*|@.*)$')",
        "the source names a tag or a digest already, which leaves nothing to select: leave that out of source, or \
         leave select out",
    )
    .field_path(".select")
}

pub(super) fn select_something() -> Rule {
    rule(
        "has(self.semver) || has(self.extract) || has(self.newest) || (has(self.names) && self.names.size() > 0) \
         || (has(self.patterns) && self.patterns.size() > 0) || (has(self.exclude) && self.exclude.size() > 0)",
        "select says nothing: write names, or filters such as semver or patterns (patterns: ['.*'] selects every tag)",
    )
}

pub(super) fn extract_for_versions() -> Rule {
    rule(
        "!has(self.extract) || has(self.semver) || has(self.newest)",
        "extract says where semver and newest find the version, and neither is given: add one of them, or write \
         patterns instead of extract",
    )
    .field_path(".extract")
}

pub(super) fn extract_has_version() -> Rule {
    rule(
        r"self.contains('(?P<version>') || self.contains('(?<version>')",
        "the regex has no group named version: write one around the version, such as '(?P<version>.+)-bookworm'",
    )
}

pub(super) fn tag_name() -> Rule {
    rule(
        whole(TAG),
        "not a tag: write at most 128 letters, digits, _, . and -, the first no . or -, such as 3.20",
    )
}

/// For names that are selected and for those that are written.
pub(super) fn no_fallback() -> Rule {
    rule(
        format!(r"!self.matches(r'^{FALLBACK}(\..*)?$')"),
        "tags of the form sha256-<hex> are where registries keep signatures: write another tag",
    )
}

pub(super) fn semver() -> Rule {
    let all = format!(" *{COMPARATOR}(?:(?: +| *, *){COMPARATOR})* *");
    rule(
        whole(&format!("{all}(?:\\|\\|{all})*")),
        "not a range of versions: write comparators with commas between them, and || between alternatives, such as \
         '>=16.0, <18' or '~1.4 || 2.x'",
    )
}

/// CEL has no function that tells whether a regex is one, but an error in matching is an error of the rule.
pub(super) fn regex() -> Rule {
    rule(
        "[''.matches(self)].size() == 1",
        "not a regex: write one in RE2's syntax, in single quotes, such as '\\d+\\.\\d+'",
    )
}

pub(super) fn repository() -> Rule {
    let part = r"(?:[a-z0-9._-]|\{(?:registry|path|flatPath|name)\})+";
    rule(
        whole(&format!("(?:{REGISTRY}/)?{part}(?:/{part})*")),
        "not a repository: write registry/path without a tag, with the path in lower case and of the words {registry}, \
         {path}, {flatPath} and {name}, such as registry.corp.example/mirror/{path}",
    )
}

/// Or a source's name would decide which registry gets the credentials, or a typing error would publish on Docker Hub.
pub(super) fn repository_names_registry() -> Rule {
    rule(
        r"self.matches(r'^(?:[^/{}]*[.:][^/{}]*|(?i:localhost))/')",
        "no registry in front of the first /: write it out, such as registry.corp.example/{registry}/{path}, or \
         docker.io for Docker Hub",
    )
}

pub(super) fn tag_template() -> Rule {
    let word = r"\{(?:registry|flatPath|name|tag|shortDigest)\}";
    rule(
        whole(&format!("(?:[a-zA-Z0-9_]|{word})(?:[a-zA-Z0-9._-]|{word})*")),
        "not a tag: write letters, digits, _, . and -, the first no . or -, and of the words {tag}, {shortDigest}, \
         {name}, {flatPath} and {registry}, such as {tag} or mirror-{tag}",
    )
}

pub(super) fn alias_tag() -> Rule {
    let word = r"\{(?:registry|flatPath|name)\}";
    rule(
        whole(&format!("(?:[a-zA-Z0-9_]|{word})(?:[a-zA-Z0-9._-]|{word})*")),
        "not an alias: write a tag that stays the same from version to version, with at most the words {name}, \
         {flatPath} and {registry}, such as stable",
    )
}

pub(super) fn alias_is_no_tag() -> Rule {
    rule(
        "!has(self.aliases) || !self.aliases.exists(a, a.tag in self.tags)",
        "an alias is one of the target's tags too: write another tag, or leave one of the two out",
    )
    .field_path(".aliases")
}
