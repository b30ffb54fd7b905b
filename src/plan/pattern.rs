//! Regexes over whole tags.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::ast::{self, Ast, RepetitionKind, RepetitionRange};

use crate::{reference::Tag, text::excerpt};

/// Bytes that a compiled regex may have, and the regexes of one list together. A spec has at most some hundred lists,
/// and whoever may write one shall not be able to take much memory.
const LARGEST: usize = 256 * 1024;

/// What the API server repeats at most (Go's regexp/syntax, `repeatIsValid`).
const MOST_REPETITIONS: u32 = 1000;

/// The name of the group that [`Extract`] reads.
const VERSION: &str = "version";

/// A list of regexes.
#[derive(Clone, Debug)]
pub(super) struct Patterns(RegexSet);

/// A regex that says where in a tag its version is.
#[derive(Clone, Debug)]
pub(super) struct Extract(Regex);

/// Why a text is not a regex that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("`{pattern}` is not a regex ({problem}): write one in RE2's syntax, such as '\\d+\\.\\d+'")]
    Syntax { pattern: String, problem: String },
    #[error("`{0}` is too large when compiled: write it with fewer or smaller repetitions")]
    TooLarge(String),
    #[error("`{0}` repeats something more than 1000 times: write it with fewer or smaller repetitions")]
    TooOften(String),
    #[error(
        "`{0}` has no group named version: write one around the version, such as '(?P<version>.+)-bookworm'"
    )]
    NoVersion(String),
}

impl Patterns {
    /// Reads a list; an error comes with the index of the regex that it is about.
    pub(super) fn parse(patterns: &[String]) -> Result<Self, (usize, PatternError)> {
        for (index, pattern) in patterns.iter().enumerate() {
            whole(pattern).map_err(|error| (index, error))?;
        }
        let set = RegexSetBuilder::new(patterns.iter().map(|pattern| anchored(pattern)))
            .unicode(false)
            .size_limit(LARGEST)
            .dfa_size_limit(LARGEST)
            .build();
        // Each can be compiled by itself, so it is only together that they are too large.
        let last = patterns.len().saturating_sub(1);
        set.map(Self).map_err(|_| (last, PatternError::TooLarge(excerpt(&patterns.join("|")))))
    }

    /// Whether one of the regexes matches all of the tag.
    pub(super) fn matches(&self, tag: &Tag) -> bool {
        self.0.is_match(tag.as_str().as_bytes())
    }
}

impl Extract {
    pub(super) fn parse(pattern: &str) -> Result<Self, PatternError> {
        let regex = whole(pattern)?;
        if regex.capture_names().flatten().any(|name| name == VERSION) {
            Ok(Self(regex))
        } else {
            Err(PatternError::NoVersion(excerpt(pattern)))
        }
    }

    /// The version in the tag, if the regex matches all of it.
    pub(super) fn version<'t>(&self, tag: &'t Tag) -> Option<&'t str> {
        let captures = self.0.captures(tag.as_str().as_bytes())?;
        let range = captures.name(VERSION)?.range();
        tag.as_str().get(range)
    }
}

/// Tags are ASCII: without Unicode, `\d` is ten characters, and not hundreds.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).size_limit(LARGEST).dfa_size_limit(LARGEST).build()
}

/// The regex that matches where `pattern` matches all. The pattern is compiled alone first: `a)|(b` is none, and would
/// become one in brackets.
fn whole(pattern: &str) -> Result<Regex, PatternError> {
    if ast::parse::Parser::new().parse(pattern).is_ok_and(|ast| !repeats_within(&ast, MOST_REPETITIONS)) {
        return Err(PatternError::TooOften(excerpt(pattern)));
    }
    compile(pattern).and_then(|_| compile(&anchored(pattern))).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge(excerpt(pattern)),
        error => PatternError::Syntax { pattern: excerpt(pattern), problem: last_line(&error) },
    })
}

/// Whether nothing is repeated more often than `most` times, repetitions within repetitions multiplied: what goes beyond is
/// no regex to the API server.
fn repeats_within(ast: &Ast, most: u32) -> bool {
    match ast {
        Ast::Repetition(repetition) => {
            let times = match repetition.op.kind {
                RepetitionKind::Range(RepetitionRange::Exactly(times) | RepetitionRange::AtLeast(times)) => {
                    times
                }
                RepetitionKind::Range(RepetitionRange::Bounded(_, times)) => times,
                RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
            };
            times <= most && repeats_within(&repetition.ast, most / times.max(1))
        }
        Ast::Group(group) => repeats_within(&group.ast, most),
        Ast::Concat(concat) => concat.asts.iter().all(|ast| repeats_within(ast, most)),
        Ast::Alternation(either) => either.asts.iter().all(|ast| repeats_within(ast, most)),
        _ => true,
    }
}

fn anchored(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

/// The regex crate draws the pattern with an arrow first, and says in the last line what is wrong.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn patterns(list: &[&str]) -> Result<Patterns, (usize, PatternError)> {
        Patterns::parse(&list.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_regex_matches_the_whole_tag() {
        let numbers = patterns(&[r"\d+\.\d+", "a|ab"]).unwrap();
        for (text, expected) in [("1.2", true), ("1.2.3", false), ("x1.2", false), ("a", true), ("ab", true)]
        {
            assert_eq!(numbers.matches(&tag(text)), expected, "{text}");
        }
        assert!(!patterns(&[]).unwrap().matches(&tag("a")));
    }

    #[test]
    fn the_version_is_where_its_group_is() {
        let extract = Extract::parse("(?P<version>.+)-bookworm").unwrap();
        assert_eq!(extract.version(&tag("1.2-bookworm")), Some("1.2"));
        assert_eq!(extract.version(&tag("1.2-bookworm-slim")), None);
        let optional = Extract::parse(r"(?<version>\d+)?x").unwrap();
        assert_eq!(optional.version(&tag("x")), None);
    }

    #[test]
    fn what_is_no_regex_is_refused_in_one_line_that_names_it() {
        let (index, error) = patterns(&["ok", "(a"]).unwrap_err();
        assert_eq!(index, 1);
        assert_eq!(
            error.to_string(),
            r"`(a` is not a regex (unclosed group): write one in RE2's syntax, such as '\d+\.\d+'"
        );
        for bad in ["a)|(b", "(?x)a # b", r"\p{Greek}", "["] {
            assert!(patterns(&[bad]).is_err(), "{bad}");
        }
        assert!(matches!(Extract::parse("(.+)"), Err(PatternError::NoVersion(_))));
    }

    #[test]
    fn a_regex_that_repeats_more_often_than_the_api_server_takes_is_refused() {
        for (pattern, is_taken) in [
            ("a{1000}", true),
            ("a{1001}", false),
            ("a{1001,}", false),
            ("(?:a{10}){100}", true),
            ("(?:a{2}){501}", false),
            ("(?:b|a{2}c){501}", false),
            ("(?:a{2}){0}", true),
            ("(?:(?:a{10})*b){100}", true),
        ] {
            let often = matches!(patterns(&[pattern]), Err((0, PatternError::TooOften(_))));
            assert_eq!(often, !is_taken, "{pattern}");
        }
    }

    #[test]
    fn a_regex_that_would_take_much_memory_is_refused() {
        assert!(matches!(patterns(&[&"[a-z0-9.]{0,1000}".repeat(6)]), Err((0, PatternError::TooLarge(_)))));
        // Each alone is small enough.
        let many = vec!["([a-z0-9]{1,20}){1,20}".to_owned(); 16];
        assert!(Patterns::parse(&many[..1]).is_ok());
        assert!(matches!(Patterns::parse(&many), Err((15, PatternError::TooLarge(_)))));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pattern in r"[\\a-d0-9()\[\]{}|*+?.^$,P<>:#-]{0,16}|.*", text in "[a-z0-9.-]{1,8}") {
            let _ = Extract::parse(&pattern);
            if let (Ok(patterns), Ok(tag)) = (Patterns::parse(&[pattern]), text.parse()) {
                patterns.matches(&tag);
            }
        }
    }
}
