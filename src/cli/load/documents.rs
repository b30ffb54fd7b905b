//! The documents of a file, and why it is not YAML.

use serde_saphyr::{Error, Options, alias_limits, budget, options};

use super::{
    Place,
    node::{Content, Node},
};

/// A fault of the file itself.
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) message: String,
}

/// Hands out the documents of a file, JSON being YAML, one after the other. After a document with a fault the next one
/// is read, where the parser can tell where it begins.
pub(super) fn each(bytes: &[u8], mut take: impl FnMut(Result<Node, Fault>)) {
    if let Err(error) = std::str::from_utf8(bytes) {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = good.split(|byte| *byte == b'\n').count() as u64;
        let message = "not text in UTF-8: save it as such, or leave the file out".into();
        return take(Err(Fault { place: Place { line, column: 1 }, message }));
    }
    let mut reader = bytes;
    for document in serde_saphyr::read_with_options::<_, Node>(&mut reader, limits()) {
        match document {
            Ok(Node { content: Content::Null, .. }) => {}
            Ok(node) => take(Ok(node)),
            Err(error) => take(Err(fault(&error))),
        }
    }
}

/// No manifest that a person can read is larger. Snippets are left out of errors: they might show a Secret.
fn limits() -> Options {
    options! {
        budget: budget! { max_nodes: 200_000, max_depth: 64, max_aliases: 1_000, max_anchors: 1_000 },
        alias_limits: alias_limits! { max_total_replayed_events: 20_000 },
        with_snippet: false,
    }
}

fn fault(error: &Error) -> Fault {
    Fault { place: error.location().map_or(Place::START, Place::from), message: sentence(error) }
}

/// The parser's errors in words that never show what stands in the file: it may be a Secret.
fn sentence(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => return sentence(error),
        Error::ExternalMessage { msg, .. } => return format!("not YAML: {msg}"),
        Error::DuplicateMappingKey { .. } => "this key is in the mapping already: leave one of the two out",
        Error::UnknownAnchor { .. } => {
            "the alias names an anchor that is not there: mark the value it stands for with &name, or write it out"
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "the alias is part of what it stands for: write the value out"
        }
        Error::NonFiniteFloat { .. } => "not a number that JSON knows: write it in quotes",
        Error::Unexpected { .. } => "a mapping's key is not text: write text",
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => {
            "more, or deeper, than is read of one document, its aliases written out: split it"
        }
        _ => "not YAML that can be read here: write it more simply",
    }
    .into()
}
