//! The rules for regexes.
//!
//! The API server's regexes are Go's, and those of this program Rust's. Three rules leave only what both read, and read in the
//! same way; a fourth one, of that, what is a regex.

use kube::core::Rule;
use schemars::{Schema, transform::Transform};

use super::{add, rule, whole};

/// Puts the rules for regexes on a string.
pub(in crate::api) struct Regex;

impl Transform for Regex {
    fn transform(&mut self, schema: &mut Schema) {
        for rule in [regex(), regex_escapes(), regex_classes(), regex_groups()] {
            add(schema, rule);
        }
    }
}

/// Puts the rules for regexes on each item of a list.
pub(in crate::api) struct EachRegex;

impl Transform for EachRegex {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Ok(item)) = schema.get_mut("items").map(<&mut Schema>::try_from) {
            Regex.transform(item);
        }
    }
}

/// CEL has no function that tells whether a regex is one, but an error in matching is an error of the rule.
fn regex() -> Rule {
    rule(
        "[''.matches(self)].size() == 1",
        "not a regex: write one in RE2's syntax, in single quotes, such as '\\d+\\.\\d+'",
    )
}

/// Go alone has `\Q`, `\p` (here there is only ASCII) and octal numbers, Rust alone `\u`; `\<` is a character to one and a
/// boundary to the other.
fn regex_escapes() -> Rule {
    let escape = r"[dDsSwWbBAzafnrtv]|x[0-7][0-9a-fA-F]|x\{[0-7]?[0-9a-fA-F]\}|[ -/:;=?@\[-`{-~]";
    rule(
        whole(&format!(r"(?:[ -\[\]-~]|\\(?:{escape}))*")),
        "not ASCII, or an escape that is not known here: write \\ in front of punctuation, or one of \\d \\w \\s \\b \\x41 \
         (there is no \\Q, \\p, \\u, \\< or octal number), such as '\\d+\\.\\d+'",
    )
}

/// Rust reads `[a&&b]`, `[a--b]` and `[[a-c]x]` as operations on sets, and Go as characters.
fn regex_classes() -> Rule {
    let character = r"(?:[^\\\[\]&~^-]|\\[^dDsSwW])";
    let names = "alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit";
    let item = format!(r"(?:{character}(?:-{character})?|\\[dDsSwW]|\[:\^?(?:{names}):\])");
    rule(
        whole(&format!(r"(?:[^\\\[]|\\.|\[\^?(?:-|-?{item}+-?)\])*")),
        "a class that is not read in the same way everywhere: write \\ in front of each of [ ] & ~ ^ in it, and a - first, last \
         or between two characters, such as '[a-z0-9._-]'",
    )
}

/// Rust alone has `(?x)`, `(?u)`, `(?R)`, `a**` and `\b{start}`, Go alone braces that repeat nothing. To Go, `{,3}` and
/// `{01}` are such ones, and a thousand is the most.
fn regex_groups() -> Rule {
    let class = r"\[(?:[^\\\]]|\\.|\[:\^?[a-z]+:\])*\]";
    let count = "(?:0|[1-9][0-9]{0,2}|1000)";
    let repetition = format!(r"(?:[*+?]|\{{{count}(?:,{count}?)?\}})\??");
    let group = r"\((?:\?(?:P?<[A-Za-z_][A-Za-z0-9_]*>|i?m?s?U?:|(?:i?m?s?U|i?m?s|i?m|i)\)))?";
    rule(
        whole(&format!(
            r"(?:(?:[^\\\[({{*+?|]|\\x\{{[0-9a-fA-F]+\}}|\\.|{class})(?:{repetition})?|\||{group})*"
        )),
        "a group or a repetition that is not read in the same way everywhere: write ( (?: (?i) or (?P<name> for a group, one \
         of * + ? {2} {2,} {2,3}, up to 1000, for a repetition, and \\{ for a brace, such as '(?:rc|beta){1,2}'",
    )
}
