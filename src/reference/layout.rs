//! The grammar of layouts: `oci:PATH[:tag][@digest]`.

use std::{path::Path, str::FromStr as _};

use super::{Error, Named, Repository, Tag, parse::LONGEST_NAME};
use crate::{digest::Digest, text::excerpt};

/// What [`Repository::registry`] says of a layout. No registry has this name: a host without a dot has a port, and with one
/// this name is refused.
pub(super) const REGISTRY: &str = "oci";
/// What the name of a layout begins with.
pub(super) const PREFIX: &str = "oci:";

impl Repository {
    /// The directory, if this is an OCI image layout and not a repository of a registry. A relative path is relative to
    /// the working directory.
    #[must_use]
    pub fn layout(&self) -> Option<&Path> {
        (self.registry() == REGISTRY).then(|| Path::new(self.path()))
    }

    /// The path as a template's word: of a layout, what could be the path of a repository. Nothing in it climbs, and it
    /// does not begin at the root.
    pub(super) fn path_word(&self) -> String {
        if self.layout().is_none() {
            return self.path().to_owned();
        }
        let parts = self.path().split('/').filter(|part| !matches!(*part, "" | "." | ".."));
        let path = parts.collect::<Vec<_>>().join("/");
        // Nothing at all could turn the dots beside it into a `..`.
        if path.is_empty() { "layout".to_owned() } else { path }
    }
}

/// Reads what stands behind `oci:`. A tag or a digest is behind the last `/`, so the folders of the path may have any name.
pub(super) fn parse(text: &str, rest: &str) -> Result<Named, Error> {
    let at = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (folders, last) = rest.split_at(at);
    let (last, digest) = match last.split_once('@') {
        Some((last, digest)) => (last, Some(digest)),
        None => (last, None),
    };
    let (last, tag) = match last.split_once(':') {
        Some((last, tag)) => (last, Some(tag)),
        None => (last, None),
    };
    let written = [folders, last].concat();
    let refuse = |problem| Error::LayoutPath { text: excerpt(text), problem };
    if written.is_empty() {
        return Err(refuse("there is no path: write oci:PATH[:tag], such as oci:out/alpine:3.20"));
    }
    if written.contains(|c: char| c.is_control() || matches!(c, '{' | '}')) {
        return Err(refuse("a path has no braces and no control characters"));
    }
    if written.starts_with('~') {
        return Err(refuse("only a shell knows what ~ stands for: write the path out"));
    }
    let path = normal(&written);
    if path.rsplit('/').next().is_some_and(|last| last.contains([':', '@'])) {
        return Err(refuse("a tag or a digest begins behind the last /: the last folder has no : and no @"));
    }
    let length = PREFIX.len() + path.len();
    if length > LONGEST_NAME {
        return Err(Error::TooLong { name: excerpt(text), length, most: LONGEST_NAME });
    }
    Ok(Named {
        repository: Repository { registry: REGISTRY.into(), path: path.into() },
        tag: tag.map(Tag::from_str).transpose()?,
        digest: digest.map(Digest::from_str).transpose()?,
    })
}

/// The path in its one spelling. A `..` stays where it is: where it leads to is decided by the links before it.
fn normal(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match (path.starts_with('/'), parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}
