//! Filters: which tags of a repository a `select` chooses.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use semver::Version;
use serde::Serialize;

use super::{
    invalid::Check,
    pattern::{Extract, Patterns},
    range::{Range, Within},
    version::version,
};
use crate::{
    api::{Interval, Select},
    reference::Tag,
};

/// A `select`, parsed.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    names: BTreeSet<Tag>,
    range: Option<Range>,
    patterns: Option<Patterns>,
    exclude: Option<Patterns>,
    extract: Option<Extract>,
    newest: Option<usize>,
    min_age: Option<Interval>,
}

/// Why a tag of the source is not mirrored: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum LeftOut {
    /// It is no version of the image, but holds signatures or the like of one.
    BelongsToDigest,
    /// None of `patterns` matches.
    NoPattern,
    /// One of `exclude` matches.
    Excluded,
    /// It is no version, or `extract` does not find one.
    NoVersion,
    /// It is in the range but for being a pre-release.
    PreRelease,
    /// It is not in the range of `semver`.
    OutOfRange,
    /// It is not one of the `newest`.
    NotNewest,
    /// Nothing that it showed is old enough yet.
    TooYoung,
}

/// A tag that was chosen, with the version that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) tag: Tag,
    pub(super) version: Option<Version>,
    /// `names` has it: it is mirrored whether the source lists it or not.
    pub(super) named: bool,
    /// What it shows is looked at, so that it gets older, and not mirrored yet.
    pub(super) too_young: bool,
}

/// How old what a tag shows is, before the tag is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// Something that it showed is old enough, or was mirrored already.
    Enough,
    /// It was seen before, and nothing that it showed is old enough.
    Young,
    /// It was never seen.
    Unknown,
}

/// What a filter makes of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// The newest version first; then, in alphabetical order, what is no version.
    pub(super) chosen: Vec<Chosen>,
    /// How many tags were left out, and why.
    pub(super) left_out: BTreeMap<LeftOut, usize>,
}

impl Filter {
    /// Reads a `select` that stands at `path`. What is wrong with it goes to `check`.
    pub(super) fn read(select: &Select, path: &str, check: &mut Check) -> Self {
        let list = |list: &[String], field: &str, check: &mut Check| {
            let parsed = (!list.is_empty()).then(|| Patterns::parse(list))?;
            parsed.map_err(|(index, error)| check.wrong(format_args!("{path}.{field}[{index}]"), error)).ok()
        };
        let filter = Self {
            names: names(select, path, check),
            range: select
                .semver
                .as_deref()
                .and_then(|text| check.ok(format_args!("{path}.semver"), Range::parse(text))),
            patterns: list(&select.patterns, "patterns", check),
            exclude: list(&select.exclude, "exclude", check),
            extract: select
                .extract
                .as_deref()
                .and_then(|text| check.ok(format_args!("{path}.extract"), Extract::parse(text))),
            newest: select.newest.and_then(|number| {
                let number = usize::try_from(number).ok().filter(|number| *number > 0);
                check.ok(format_args!("{path}.newest"), number.ok_or("write a number from 1 on"))
            }),
            min_age: select.min_age,
        };
        // An age is no reason to mirror a tag.
        if (Select { min_age: None, ..select.clone() }) == Select::default() {
            let message =
                "it selects nothing: write names or filters, such as patterns: ['.*'] for every tag";
            check.wrong(path, message);
        }
        filter
    }

    /// Whether the source's tags have to be listed: with names alone there is nothing to choose from.
    pub(super) const fn lists(&self) -> bool {
        self.range.is_some()
            || self.patterns.is_some()
            || self.exclude.is_some()
            || self.extract.is_some()
            || self.newest.is_some()
    }

    /// How old what a tag shows has to be.
    pub(super) const fn min_age(&self) -> Option<Interval> {
        self.min_age
    }

    /// What is chosen of `listing`, in which the order of tags does not matter; `age` is asked only where there is a
    /// minimum age.
    pub(super) fn choose(&self, listing: &[Tag], age: impl Fn(&Tag) -> Age) -> Choice {
        let age = |tag: &Tag| if self.min_age.is_some() { age(tag) } else { Age::Enough };
        let mut choice = Choice::default();
        // A listing that changes between two pages may name a tag twice.
        let distinct: BTreeSet<&Tag> = listing.iter().collect();
        if self.lists() {
            for tag in distinct {
                match self.judge(tag) {
                    Ok(version) => choice.chosen.push(self.chosen(tag, version, age(tag))),
                    Err(why) => self.leave_out(&mut choice, tag, why),
                }
            }
        }
        choice.chosen.sort_by(|a, b| a.rank().cmp(&b.rank()));
        for older in self.take_newest(&mut choice.chosen, age) {
            self.leave_out(&mut choice, &older.tag, LeftOut::NotNewest);
        }
        let passed: BTreeSet<&Tag> = choice.chosen.iter().map(|chosen| &chosen.tag).collect();
        let besides = self.names.iter().filter(|name| !passed.contains(name));
        let besides: Vec<_> = besides.map(|name| self.chosen(name, self.version(name), age(name))).collect();
        if !besides.is_empty() {
            choice.chosen.extend(besides);
            choice.chosen.sort_by(|a, b| a.rank().cmp(&b.rank()));
        }
        choice
    }

    /// Whether the tag is chosen if it turns up at the source, `newest` aside.
    pub(super) fn would_choose(&self, tag: &Tag) -> bool {
        self.names.contains(tag) || (self.lists() && self.judge(tag).is_ok())
    }

    /// Whether the tag passes all filters but `newest`, which is about the others too; with the version that it is.
    fn judge(&self, tag: &Tag) -> Result<Option<Version>, LeftOut> {
        if tag.belongs_to_digest() {
            return Err(LeftOut::BelongsToDigest);
        }
        if self.patterns.as_ref().is_some_and(|patterns| !patterns.matches(tag)) {
            return Err(LeftOut::NoPattern);
        }
        if self.exclude.as_ref().is_some_and(|exclude| exclude.matches(tag)) {
            return Err(LeftOut::Excluded);
        }
        if self.extract.as_ref().is_some_and(|extract| extract.version(tag).is_none()) {
            return Err(LeftOut::NoVersion);
        }
        let version = self.version(tag);
        if self.newest.is_some() && version.is_none() {
            return Err(LeftOut::NoVersion);
        }
        let Some(range) = &self.range else { return Ok(version) };
        match range.has(version.as_ref().ok_or(LeftOut::NoVersion)?) {
            Within::Yes => Ok(version),
            Within::No => Err(LeftOut::OutOfRange),
            Within::PreRelease => Err(LeftOut::PreRelease),
        }
    }

    /// The version that a tag is, found as the filter says.
    pub(super) fn version(&self, tag: &Tag) -> Option<Version> {
        match &self.extract {
            Some(extract) => version(extract.version(tag)?),
            None => version(tag.as_str()),
        }
    }

    /// Takes the newest, and gives the others back. What is too young does not count: what is old enough is not to leave
    /// the target because of it. Of those that were never seen only as many begin to get older as may be needed, so
    /// that a repository of a thousand tags does not cost a thousand looks.
    fn take_newest(&self, all: &mut Vec<Chosen>, age: impl Fn(&Tag) -> Age) -> Vec<Chosen> {
        let Some(most) = self.newest else { return Vec::new() };
        let (mut old, mut young) = (0, 0);
        let takes = |chosen: &Chosen| match age(&chosen.tag) {
            _ if old >= most => false,
            Age::Unknown if old + young >= most => false,
            Age::Enough => {
                old += 1;
                true
            }
            Age::Young | Age::Unknown => {
                young += 1;
                true
            }
        };
        let (newest, others) = std::mem::take(all).into_iter().partition(takes);
        *all = newest;
        others
    }

    fn chosen(&self, tag: &Tag, version: Option<Version>, age: Age) -> Chosen {
        let too_young = age != Age::Enough;
        Chosen { tag: tag.clone(), version, named: self.names.contains(tag), too_young }
    }

    fn leave_out(&self, choice: &mut Choice, tag: &Tag, why: LeftOut) {
        if !self.names.contains(tag) {
            *choice.left_out.entry(why).or_default() += 1;
        }
    }
}

impl Chosen {
    /// The newest first. Of equal versions (`16`, `16.0`) the one that says most comes first: it moves the least.
    fn rank(&self) -> impl Ord + '_ {
        let length = self.version.as_ref().map(|_| self.tag.as_str().len());
        (Reverse(&self.version), Reverse(length), &self.tag)
    }
}

fn names(select: &Select, path: &str, check: &mut Check) -> BTreeSet<Tag> {
    let mut names = BTreeSet::new();
    for (index, name) in select.names.iter().enumerate() {
        let path = format_args!("{path}.names[{index}]");
        match check.ok(path, name.parse::<Tag>()) {
            Some(tag) if tag.belongs_to_digest() => check.wrong(path, NO_IMAGE),
            tag => names.extend(tag),
        }
    }
    names
}

/// Why tags that belong to a digest are refused where a person names them.
pub(super) const NO_IMAGE: &str = "tags of the form sha256-<hex> are where registries keep what belongs to an image, \
                                   such as its signatures: write another tag";

/// What tags are that were left out for this reason, behind their number.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BelongsToDigest => "with signatures or the like",
            Self::NoPattern => "matching no pattern",
            Self::Excluded => "excluded",
            Self::NoVersion => "without a version",
            Self::PreRelease => "only pre-release, of which the range names none",
            Self::OutOfRange => "out of range",
            Self::NotNewest => "older than the newest",
            Self::TooYoung => "too young",
        })
    }
}
