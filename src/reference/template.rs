//! Templates: names on a target, made of words in braces that each artifact fills in.

use std::{collections::BTreeSet, fmt, net::Ipv6Addr};

use super::{Repository, Tag};
use crate::{class::Class, digest::Digest, text::excerpt};

/// A text with words in braces, such as `registry.corp.example/mirror/{registry}/{path}`.
///
/// Every word in it is known and allowed where the template stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Word(Word),
}

/// A word that templates replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// `{registry}`: the source's registry; the `:` before its port becomes `_`, and an IPv6 address is written out
    /// with `-`, so that it can be a component of a path.
    Registry,
    /// `{path}`: the source's path; of a layout without what leads to the root (`/`) or up (`..`).
    Path,
    /// `{flatPath}`: the source's path with `-` for `/`, for registries with two levels.
    FlatPath,
    /// `{name}`: the image's name in the spec.
    Name,
    /// `{tag}`: the source's tag. A source pinned by digest alone has none.
    Tag,
    /// `{shortDigest}`: the first 12 hex digits of the source's digest.
    ShortDigest,
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A word that no template has, or that cannot stand here.
    #[error("the word {{{word}}} cannot be used here: the words are {}", list(.allowed))]
    Word {
        /// The word as it was written.
        word: String,
        /// The words that can be used.
        allowed: &'static [Word],
    },
    /// A brace without the other one.
    #[error("`{0}` has a brace without the other one: write words as {{tag}}")]
    Brace(String),
}

impl TemplateError {
    /// The class: a person has to change what was written.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::InvalidSpec
    }
}

/// What the words stand for.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The image's name in the spec.
    pub name: &'a str,
    /// Where the image is read.
    pub source: &'a Repository,
    /// The source's tag, if it has one.
    pub tag: Option<&'a Tag>,
    /// The source's digest, if it is known.
    pub digest: Option<&'a Digest>,
}

impl Template {
    /// The words of a target's `repository`: those that are the same for every tag.
    pub const REPOSITORY: &'static [Word] = &[Word::Registry, Word::Path, Word::FlatPath, Word::Name];
    /// The words of a target's `tags`: all those that can be in a tag.
    pub const TAG: &'static [Word] =
        &[Word::Tag, Word::ShortDigest, Word::Name, Word::Registry, Word::FlatPath];
    /// The words of an alias: those that are the same for every artifact of an image.
    pub const ALIAS: &'static [Word] = &[Word::Name, Word::Registry, Word::FlatPath];

    /// Reads a template that may use the words in `allowed`.
    pub fn parse(text: &str, allowed: &'static [Word]) -> Result<Self, TemplateError> {
        let unbalanced = || TemplateError::Brace(excerpt(text));
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, behind) = after.split_once('}').ok_or_else(unbalanced)?;
            let known = allowed.iter().find(|known| known.as_str() == word);
            let known = known.ok_or_else(|| TemplateError::Word { word: excerpt(word), allowed })?;
            parts.extend([Part::Text(before.into()), Part::Word(*known)]);
            rest = behind;
        }
        parts.push(Part::Text(rest.into()));
        parts.retain(|part| *part != Part::Text("".into()));
        let has_brace = |part: &Part| matches!(part, Part::Text(text) if text.contains('}'));
        if parts.iter().any(has_brace) { Err(unbalanced()) } else { Ok(Self { parts }) }
    }

    /// Whether the template has this word.
    #[must_use]
    pub fn uses(&self, word: Word) -> bool {
        self.parts.contains(&Part::Word(word))
    }

    /// The text with every word replaced, or the first word for which there is no value.
    pub fn expand(&self, values: &Values<'_>) -> Result<String, Word> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Word(word) => text.push_str(&word.value(values).ok_or(*word)?),
            }
        }
        Ok(text)
    }

    /// Whether the template can become `text`, where `fits` says what each word can stand for. A word that is in it twice may
    /// stand for two things.
    #[must_use]
    pub fn could_be(&self, text: &str, fits: &dyn Fn(Word, &str) -> bool) -> bool {
        // Up to where the parts so far can reach.
        let mut ends = BTreeSet::from([0]);
        for (number, part) in self.parts.iter().enumerate() {
            let is_last = number + 1 == self.parts.len();
            let rest = |end: usize| text.get(end..).unwrap_or_default();
            ends = match part {
                Part::Text(literal) => {
                    let here = ends.into_iter().filter(|&end| rest(end).starts_with(&**literal));
                    here.map(|end| end + literal.len()).collect()
                }
                // What is behind the last word is nothing.
                Part::Word(word) if is_last => {
                    if ends.into_iter().any(|end| fits(*word, rest(end))) {
                        BTreeSet::from([text.len()])
                    } else {
                        return false;
                    }
                }
                Part::Word(word) => {
                    let mut next = BTreeSet::new();
                    for end in ends {
                        let rest = rest(end);
                        let to = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
                        next.extend(
                            to.filter(|&to| rest.get(..to).is_some_and(|part| fits(*word, part)))
                                .map(|to| end + to),
                        );
                    }
                    next
                }
            };
        }
        ends.contains(&text.len())
    }

    /// The text with those words replaced for which there is a value.
    #[must_use]
    pub fn expand_known(&self, values: &Values<'_>) -> String {
        let part = |part: &Part| match part {
            Part::Text(literal) => literal.to_string(),
            Part::Word(word) => word.value(values).unwrap_or_else(|| word.to_string()),
        };
        self.parts.iter().map(part).collect()
    }
}

impl Word {
    /// The word without its braces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Path => "path",
            Self::FlatPath => "flatPath",
            Self::Name => "name",
            Self::Tag => "tag",
            Self::ShortDigest => "shortDigest",
        }
    }

    /// What the word stands for, where that is known.
    pub(crate) fn value(self, values: &Values<'_>) -> Option<String> {
        Some(match self {
            Self::Registry => as_component(values.source.registry()),
            Self::Path => values.source.path_word(),
            Self::FlatPath => values.source.path_word().replace('/', "-"),
            Self::Name => values.name.to_owned(),
            Self::Tag => values.tag?.to_string(),
            Self::ShortDigest => values.digest?.short().to_owned(),
        })
    }
}

/// In braces, as it is written in a template.
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.as_str())
    }
}

/// As it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Word(word) => write!(f, "{word}"),
        })
    }
}

/// A registry as a component of a path: nothing in a host name needs changing, brackets and colons do.
fn as_component(registry: &str) -> String {
    let Some((address, port)) = registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return registry.replace(':', "_");
    };
    // `::1` with its colons replaced would begin with a separator, which paths must not.
    let groups = address.parse::<Ipv6Addr>().map(|address| address.segments()).unwrap_or_default();
    let groups = groups.map(|group| format!("{group:x}")).join("-");
    groups + &port.replace(':', "_")
}

fn list(words: &[Word]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::Named;

    fn expand(template: &str, source: &str) -> String {
        let source: Named = source.parse().unwrap();
        let template = Template::parse(template, Template::REPOSITORY)
            .or_else(|_| Template::parse(template, Template::TAG))
            .unwrap();
        let values = Values {
            name: "app",
            source: &source.repository,
            tag: source.tag.as_ref(),
            digest: source.digest.as_ref(),
        };
        template.expand(&values).unwrap_or_else(|word| format!("no {word}"))
    }

    #[test]
    fn words_are_replaced_by_what_the_artifact_is() {
        let digest = Digest::sha256(b"");
        let source = format!("localhost:5000/team/app:1@{digest}");
        for (template, expected) in [
            ("r.example/{registry}/{path}", "r.example/localhost_5000/team/app"),
            ("r.example/{flatPath}", "r.example/team-app"),
            ("r.example/{name}/x", "r.example/app/x"),
            ("{tag}-{shortDigest}", "1-e3b0c44298fc"),
            ("stable", "stable"),
            ("", ""),
        ] {
            assert_eq!(expand(template, &source), expected, "{template}");
        }
    }

    #[test]
    fn an_ipv6_registry_becomes_a_component_that_paths_can_have() {
        assert_eq!(expand("r.example/{registry}", "[::1]:5000/a"), "r.example/0-0-0-0-0-0-0-1_5000");
        assert_eq!(expand("r.example/{registry}", "[::1]/a"), "r.example/0-0-0-0-0-0-0-1");
    }

    #[test]
    fn a_word_without_a_value_is_named() {
        assert_eq!(expand("x-{tag}", "alpine"), "no {tag}");
        assert_eq!(expand("x-{shortDigest}", "alpine:3"), "no {shortDigest}");
        assert!(Template::parse("{tag}", Template::TAG).unwrap().uses(Word::Tag));
        assert!(!Template::parse("tag", Template::TAG).unwrap().uses(Word::Tag));
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_words_there_are() {
        for word in ["{tags}", "{Tag}", "{}", "{ tag }", "{path}"] {
            let message = Template::parse(word, Template::TAG).unwrap_err().to_string();
            assert!(
                message.contains("the words are {tag}, {shortDigest}, {name}, {registry}, {flatPath}"),
                "{message}"
            );
        }
        assert!(Template::parse("r.example/{tag}", Template::REPOSITORY).is_err());
    }

    #[test]
    fn what_a_template_can_become_is_known_without_the_values() {
        let hex = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let fits = |word, text: &str| match word {
            Word::Tag => text == "1" || text == "1-x",
            Word::ShortDigest => hex(text),
            _ => text == "app",
        };
        for (template, text, expected) in [
            ("{tag}", "1", true),
            ("{tag}", "2", false),
            ("{tag}-x", "1-x", true),
            ("{tag}-x", "1-x-x", true),
            ("{tag}-x", "1-x-y", false),
            ("v-{name}-{tag}", "v-app-1", true),
            ("{tag}-{shortDigest}", "1-e3b0c44298fc", true),
            ("{tag}-{shortDigest}", "1-e3b0c44298f", false),
            ("stable", "stable", true),
            ("stable", "stable2", false),
            (
                "{tag}{tag}{tag}{tag}{tag}{tag}{tag}{tag}{tag}{tag}{tag}{tag}{tag}{tag}{tag}",
                "1111111111111112",
                false,
            ),
        ] {
            let parsed = Template::parse(template, Template::TAG).unwrap();
            assert_eq!(parsed.could_be(text, &fits), expected, "{template} {text}");
        }
    }

    #[test]
    fn braces_come_in_pairs() {
        for bad in ["{tag", "tag}", "}{", "{tag}}", "{{tag}}", "a{"] {
            assert!(Template::parse(bad, Template::TAG).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_template_panic_and_what_is_read_prints_as_it_was(text in "[{}a-z/]{0,12}|.*|(\\{tag\\}|-|x){0,5}") {
            if let Ok(template) = Template::parse(&text, Template::TAG) {
                prop_assert_eq!(template.to_string(), text);
            }
        }
    }
}
