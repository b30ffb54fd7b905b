//! What each spec of the model wants, told without any of the code that is tested.

use std::collections::BTreeSet;

/// A spec that an ImageSync of the model can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    /// What is selected, as it stands in the manifest.
    pub(super) images: &'static str,
    pub(super) target: &'static str,
    pub(super) prune: &'static str,
    pub(super) keep_last: usize,
    /// In percent.
    pub(super) limit: usize,
    /// Whether an index has to be rewritten for its platforms.
    pub(super) rewrites: bool,
    selects: Selects,
    /// Behind which prefixes a tag is written.
    prefixes: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selects {
    Versions,
    Newest(usize),
    Names(&'static [&'static str]),
    Matching(&'static [&'static str]),
}

const ALL: &str = "mode: Enforce, grace: 10h, keepLast: 0, limit: 100%";
const PLAIN: &[&str] = &[""];
const APP: &str = "{name: app, source: s.example/app, select: {semver: '*'}}";

pub(super) const SPECS: [Spec; 14] = [
    spec(APP, "t.example/app", Selects::Versions),
    spec("{name: app, source: s.example/app, select: {newest: 2}}", "t.example/app", Selects::Newest(2)),
    spec(
        "{name: app, source: s.example/app, select: {names: ['1', '2']}}",
        "t.example/app",
        Selects::Names(&["1", "2"]),
    ),
    // Another image keeps the target busy, and this one left the spec.
    spec("{name: other, source: 's.example/app:x'}", "t.example/app", Selects::Names(&["x"])),
    // The same place under another name.
    spec(APP, "t.example:443/app", Selects::Versions),
    spec(
        "{name: app, source: s.example/app, select: {patterns: ['[34]']}}",
        "t.example/app",
        Selects::Matching(&["3", "4"]),
    ),
    // The image is called otherwise.
    spec("{name: renamed, source: s.example/app, select: {semver: '*'}}", "t.example/app", Selects::Versions),
    Spec {
        prefixes: &["", "p-"],
        ..spec(
            APP,
            "t.example/app', tags: ['{tag}', 'p-{tag}'], adopt: false, overwrite: 'Always",
            Selects::Versions,
        )
    },
    Spec {
        prune: "mode: Enforce, grace: 10h, keepLast: 1, limit: 25%",
        keep_last: 1,
        limit: 25,
        ..spec("{name: app, source: s.example/app, select: {newest: 1}}", "t.example/app", Selects::Newest(1))
    },
    Spec {
        prune: "mode: DryRun, grace: 10h, keepLast: 0",
        ..spec("{name: app, source: 's.example/app:3'}", "t.example/app", Selects::Names(&["3"]))
    },
    Spec {
        rewrites: true,
        ..spec(
            "{name: app, source: s.example/app, select: {semver: '*'}, platforms: [linux/amd64]}",
            "t.example/app",
            Selects::Versions,
        )
    },
    Spec {
        rewrites: true,
        ..spec(
            "{name: app, source: s.example/app, select: {names: ['1']}, platforms: [linux/amd64], immutableTags: ['.*']}",
            "t.example/app",
            Selects::Names(&["1"]),
        )
    },
    Spec { prune: "mode: Disabled", ..spec(APP, "t.example/app", Selects::Versions) },
    Spec {
        prune: "mode: Disabled",
        ..spec("{name: app, source: 's.example/app:3'}", "t.example/app", Selects::Names(&["3"]))
    },
];

const fn spec(images: &'static str, target: &'static str, selects: Selects) -> Spec {
    Spec { images, target, prune: ALL, keep_last: 0, limit: 100, rewrites: false, selects, prefixes: PLAIN }
}

impl Spec {
    pub(super) fn is_enforced(&self) -> bool {
        self.prune.contains("Enforce")
    }

    /// Whether the source has to be listed to know what is selected.
    pub(super) fn lists(&self) -> bool {
        !matches!(self.selects, Selects::Names(_))
    }

    /// Whether it could want this name, whatever the source's tags are.
    pub(super) fn could_want(&self, name: &str) -> bool {
        let tags = self.prefixes.iter().filter_map(|prefix| name.strip_prefix(prefix));
        tags.into_iter().any(|tag| match self.selects {
            Selects::Versions | Selects::Newest(_) => tag.bytes().all(|b| b.is_ascii_digit()),
            Selects::Names(names) | Selects::Matching(names) => names.contains(&tag),
        })
    }

    /// The names on the target that are wanted when these are the source's tags.
    pub(super) fn wants(&self, source: &BTreeSet<&str>) -> BTreeSet<String> {
        // All versions of the model have one digit.
        let versions = || source.iter().copied().filter(|tag| tag.bytes().all(|b| b.is_ascii_digit()));
        let tags: Vec<&str> = match self.selects {
            Selects::Versions => versions().collect(),
            Selects::Newest(most) => versions().rev().take(most).collect(),
            Selects::Names(names) => names.to_vec(),
            Selects::Matching(names) => names.iter().copied().filter(|name| source.contains(name)).collect(),
        };
        let named =
            tags.iter().flat_map(|tag| self.prefixes.iter().map(move |prefix| format!("{prefix}{tag}")));
        named.collect()
    }
}
