//! Targets of a spec: where each image is written, and how its tags are named there.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    collision::{one_name, place},
    filter::NO_IMAGE,
    invalid::Check,
    prune::Rules,
    wanted::Image,
};
use crate::{
    api::{self, Overwrite, PruneMode},
    digest::Digest,
    reference::{Repository, Tag, Template, Values, Word},
};

/// One target of the spec.
#[derive(Debug)]
pub(super) struct Target {
    /// Its place in the spec.
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) overwrite: Overwrite,
    pub(super) adopt: bool,
    /// The names that every artifact gets.
    pub(super) tags: Vec<Template>,
    /// The names that the newest version of each image gets besides.
    pub(super) aliases: Vec<Template>,
    /// What becomes of names here that nothing wants.
    pub(super) prune: Rules,
    /// Where images are kept, with its words; none where it is not valid.
    repository: Option<Template>,
    /// By the image's place in the spec; `None` for images that are not kept here.
    repositories: Vec<Option<Repository>>,
}

impl Target {
    /// Reads the target at `index`. What is wrong with it goes to `check`.
    pub(super) fn read(
        index: usize,
        target: &api::Target,
        images: &[Arc<Image>],
        names: &BTreeSet<&str>,
        check: &mut Check,
    ) -> Self {
        let path = format!("spec.targets[{index}]");
        for (entry, name) in target.images.iter().enumerate() {
            if !names.contains(name.as_str()) {
                let known = names.iter().copied().collect::<Vec<_>>().join(", ");
                let message = format!("no image is named {name}: write one of {known}");
                check.wrong(format_args!("{path}.images[{entry}]"), message);
            }
        }
        let here = |image: &Image| target.images.is_empty() || target.images.contains(&image.name);
        let images: Vec<&Image> = images.iter().map(AsRef::as_ref).filter(|image| here(image)).collect();
        let repositories = repositories(&target.repository, &format!("{path}.repository"), &images, check);
        let tags =
            templates(&target.tags, Template::TAG, &images, check, |entry| format!("{path}.tags[{entry}]"));
        let aliases: Vec<String> = target.aliases.iter().map(|alias| alias.tag.clone()).collect();
        let aliases = templates(&aliases, Template::ALIAS, &images, check, |entry| {
            format!("{path}.aliases[{entry}].tag")
        });
        let (overwrite, adopt) = (target.overwrite, target.adopt);
        let prune = Rules::read(target.prune.as_ref(), &format!("{path}.prune"), check);
        // What is wrong with it was said above.
        let repository = Template::parse(&target.repository, Template::REPOSITORY).ok();
        let name = target.name.clone();
        Self { index, name, overwrite, adopt, tags, aliases, prune, repository, repositories }
    }

    /// Where this target keeps the image, if it does.
    pub(super) fn repository(&self, image: &Image) -> Option<&Repository> {
        self.repositories.get(image.index)?.as_ref()
    }

    /// Whether this target could keep the image of this name there, wherever that is read.
    pub(super) fn could_keep(&self, image: &str, repository: &Repository) -> bool {
        let fits = |word: Word, text: &str| match word {
            Word::Name => text == image,
            _ => !text.is_empty(),
        };
        // Where it keeps something now, whatever the template looks like.
        if self.repositories.iter().flatten().any(|here| place(here) == place(repository)) {
            return true;
        }
        let names = one_name_of(repository);
        self.repository
            .as_ref()
            .is_some_and(|template| names.iter().any(|name| template.could_be(name, &fits)))
    }

    /// Whether pruning looks at this target.
    pub(super) fn prunes(&self) -> bool {
        self.prune.mode != PruneMode::Disabled
    }

    /// All templates of names: the field, the template, and whether it is an alias.
    pub(super) fn templates(&self) -> impl Iterator<Item = (String, &Template, bool)> {
        let field = |list: &str| format!("spec.targets[{}].{list}", self.index);
        let (tags, aliases) = (field("tags"), field("aliases"));
        let tags = self.tags.iter().map(move |template| (tags.clone(), template, false));
        tags.chain(self.aliases.iter().map(move |template| (aliases.clone(), template, true)))
    }
}

/// A repository, as people may write it.
fn one_name_of(repository: &Repository) -> [String; 3] {
    let full = repository.to_string();
    [repository.familiar(), one_name(&full).into_owned(), full]
}

fn repositories(text: &str, path: &str, images: &[&Image], check: &mut Check) -> Vec<Option<Repository>> {
    let names_registry = text.starts_with("oci:")
        || text.split_once('/').is_some_and(|(registry, _)| Repository::names_registry(registry));
    if !names_registry {
        let message = "it names no registry: write one in front of the first /, such as \
                       registry.corp.example/mirror/{path}, or docker.io for Docker Hub";
        check.wrong(path, message);
        return Vec::new();
    }
    let Some(template) = check.ok(path, Template::parse(text, Template::REPOSITORY)) else {
        return Vec::new();
    };
    let mut repositories = Vec::new();
    for image in images {
        let values = Values { name: &image.name, source: &image.source, tag: None, digest: None };
        // All words that a repository may have are known.
        let text = template.expand(&values).unwrap_or_default();
        let repository = text.parse::<Repository>();
        let repository = repository.map_err(|error| format!("for the image {}, {error}", image.name));
        let repository = check.ok(path, repository);
        repositories.resize(image.index, None);
        repositories.push(repository);
    }
    repositories
}

/// Reads templates of tags, and tries them on the shortest values there are: what is too long or not allowed with
/// these is so with all.
fn templates(
    texts: &[String],
    words: &'static [Word],
    images: &[&Image],
    check: &mut Check,
    path: impl Fn(usize) -> String,
) -> Vec<Template> {
    let shortest: Option<Tag> = "0".parse().ok();
    let digest = Digest::sha256(b"");
    let mut templates: Vec<Template> = Vec::new();
    for (entry, text) in texts.iter().enumerate() {
        let path = path(entry);
        let Some(template) = check.ok(&path, Template::parse(text, words)) else { continue };
        for image in images {
            let (tag, digest) = (shortest.as_ref(), Some(&digest));
            let values = Values { name: &image.name, source: &image.source, tag, digest };
            let tag = template.expand(&values).unwrap_or_default().parse::<Tag>();
            let tag = tag.map_err(|error| format!("for the image {}, {error}", image.name));
            if check.ok(&path, tag).is_some_and(|tag| tag.belongs_to_digest()) {
                check.wrong(&path, NO_IMAGE);
            }
        }
        if !templates.contains(&template) {
            templates.push(template);
        }
    }
    templates
}
