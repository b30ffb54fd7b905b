//! The CEL rules: what a schema cannot say, each with a sentence that says what to write instead.
//!
//! They stand in the CRDs, so that `kubectl apply` refuses, and are evaluated here too, so that the command line refuses the
//! same manifests with the same sentences. Where a pattern would do, there is a rule all the same: the API
//! server shows a pattern, and a rule's sentence. Each string and list that a rule reads has a maximum in the schema,
//! because the API server bounds what a rule may cost.

mod references;
mod regexes;
mod times;
mod versions;

use kube::core::{Rule, validate};
use schemars::{Schema, transform::Transform};

pub(super) use self::{
    references::{
        alias_tag, no_fallback, repository, repository_names_registry, source, source_is_no_fallback,
        tag_name, tag_template,
    },
    regexes::{EachRegex, Regex},
    times::{cron, cron_ranges, deep_interval, grace, interval, time_zone},
    versions::semver,
};

/// Puts a rule on each item of a list, so that its errors name the item.
pub(super) struct Each(pub(super) fn() -> Rule);

impl Transform for Each {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Ok(item)) = schema.get_mut("items").map(<&mut Schema>::try_from) {
            add(item, self.0());
        }
    }
}

/// The most characters of what is a number or a string.
pub(super) struct Within(pub(super) u32);

impl Transform for Within {
    fn transform(&mut self, schema: &mut Schema) {
        schema.insert("maxLength".to_owned(), self.0.into());
    }
}

/// How many of something: a number, or a percentage.
pub(super) struct Limit;

impl Transform for Limit {
    fn transform(&mut self, schema: &mut Schema) {
        // As structural schemas have it: the type is left open.
        schema.remove("format");
        schema.remove("type");
        schema.insert("x-kubernetes-int-or-string".to_owned(), true.into());
        let sentence = "neither a number of at least 1 nor a percentage: write it as in 10 or 20%";
        add(schema, rule("string(self).matches('^([1-9][0-9]{0,4}|([1-9][0-9]?|100)%)$')", sentence));
    }
}

fn add(schema: &mut Schema, rule: Rule) {
    // A rule is strings, and a schema is JSON: neither fails to be written as such.
    let _ = validate(schema, rule);
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

/// How the sentence of [`targets_name_images`] begins.
pub(super) const UNKNOWN_IMAGE: &str = "images has no entry named ";

/// A name that no image has would silently leave an image out.
pub(super) fn targets_name_images() -> Rule {
    let unknown = "t.images.filter(i, !self.images.exists(m, m.name == i))";
    let sentence = format!(
        "'{UNKNOWN_IMAGE}' + self.targets.filter(t, has(t.images) && {unknown}.size() > 0)\
         .map(t, {unknown}[0])[0] + ': write the name of one of the images, or leave the target\\'s images out for all'"
    );
    Rule::new(format!("!has(self.targets) || self.targets.all(t, !has(t.images) || {unknown}.size() == 0)"))
        .message(kube::core::Message::Expression(sentence))
        .field_path(".targets")
}

pub(super) fn platform() -> Rule {
    rule(
        whole("[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?"),
        "not a platform: write os/architecture or os/architecture/variant in lower case, such as linux/amd64 or linux/arm/v7",
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

pub(super) fn select_or_tag() -> Rule {
    rule(
        // In the path of a layout, `:` and `@` are no more than letters.
        concat!(
            r"!has(self.select) || !(self.source.startsWith('oci:') ",
            r"? self.source.matches(r'^oci:(.*/)?[^/:@]*[:@][^/]*$') : self.source.matches(r'(:[^/]*|@.*)$'))"
        ),
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

pub(super) fn alias_is_no_tag() -> Rule {
    rule(
        "!has(self.aliases) || !self.aliases.exists(a, a.tag in self.tags)",
        "an alias is one of the target's tags too: write another tag, or leave one of the two out",
    )
    .field_path(".aliases")
}
