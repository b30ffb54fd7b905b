//! Destinations: the names that an artifact gets on targets.

use std::sync::Arc;

use super::{filter::NO_IMAGE, select::Artifact, target::Target};
use crate::{
    digest::Digest,
    reference::{Reference, Repository, Tag, Values, Word},
};

/// One name of an artifact on one target.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) target: Arc<Target>,
    pub(super) name: Name,
}

/// The name, where it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// This is it.
    Known(Reference),
    /// The digest is in the name, and is not known yet.
    NeedsDigest(Repository),
    /// No registry would take what came out.
    Refused { repository: Repository, problem: String },
}

impl Name {
    pub(super) const fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Known(reference) => Some(reference),
            Self::NeedsDigest(_) | Self::Refused { .. } => None,
        }
    }

    /// The name for people and statuses: of a name that cannot be told, the repository.
    pub(super) fn to_reference(&self) -> Reference {
        match self {
            Self::Known(reference) => reference.clone(),
            Self::NeedsDigest(repository) | Self::Refused { repository, .. } => {
                Reference { repository: repository.clone(), tag: None, digest: None }
            }
        }
    }
}

/// All names of an artifact, target by target, each once. `digest` is the artifact's, where it is known.
pub(super) fn destinations(
    targets: &[Arc<Target>],
    artifact: &Artifact,
    digest: Option<&Digest>,
) -> Vec<Destination> {
    let mut destinations: Vec<Destination> = Vec::new();
    for target in targets {
        let Some(repository) = target.repository(&artifact.image) else { continue };
        let first = destinations.len();
        let mut add = |name: Name| {
            let is_new = destinations.iter().skip(first).all(|destination| destination.name != name);
            if is_new {
                destinations.push(Destination { target: Arc::clone(target), name });
            }
        };
        // Without a tag, what is published is the digest itself, and under it those names that need no tag.
        if artifact.tag.is_none() {
            add(digest.map_or_else(
                || Name::NeedsDigest(repository.clone()),
                |digest| Name::Known(repository.at_digest(digest.clone())),
            ));
        }
        let aliases = target.aliases.iter().filter(|_| artifact.newest);
        let values = Values {
            name: &artifact.image.name,
            source: &artifact.image.source,
            tag: artifact.tag.as_ref(),
            digest,
        };
        for template in target.tags.iter().chain(aliases) {
            match template.expand(&values) {
                Ok(text) => add(named(repository, &text)),
                Err(Word::ShortDigest) => add(Name::NeedsDigest(repository.clone())),
                // There is no tag that the name could have.
                Err(_) => {}
            }
        }
    }
    destinations
}

fn named(repository: &Repository, text: &str) -> Name {
    let problem = match text.parse::<Tag>() {
        Ok(tag) if tag.belongs_to_digest() => NO_IMAGE.to_owned(),
        Ok(tag) => return Name::Known(repository.at_tag(tag)),
        Err(error) => error.to_string(),
    };
    Name::Refused { repository: repository.clone(), problem }
}
