//! Which layouts there are below a directory.

use std::path::Path;

use super::{
    BLOBS,
    dir::Dir,
    error::Error,
    layouts::{OCI_LAYOUT, is_layout},
};
use crate::reference::Repository;

/// How deep names are looked for.
const MOST_DEPTH: usize = 16;
/// Names in one directory that are looked at.
const MOST_NAMES: usize = 10_000;

/// The names of up to `most` layouts below a directory, sorted: of those that can be the path of a repository. Links are
/// not followed.
///
/// # Errors
///
/// What keeps the directory from being read. What cannot be read below it is left out.
pub fn find(base: &Path, most: usize) -> Result<Vec<String>, Error> {
    let base = Dir::named(base)?.ok_or_else(|| Error::NoLayout(base.to_owned()))?;
    let mut found = Vec::new();
    let mut below = children(&base, "", false)?;
    while let Some((depth, name, dir)) = below.pop() {
        let is_one = is_layout(&dir).unwrap_or_else(|error| {
            tracing::warn!(%error, "{name} is left out");
            false
        });
        if is_one {
            found.push(name.clone());
        }
        if found.len() == most {
            break;
        }
        if depth < MOST_DEPTH {
            let children = children(&dir, &format!("{name}/"), is_one).unwrap_or_default();
            below.extend(children.into_iter().map(|(_, name, dir)| (depth + 1, name, dir)));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether the directory itself is a layout, and so has no name below itself.
///
/// # Errors
///
/// What keeps the directory from being read.
pub fn is_one(base: &Path) -> Result<bool, Error> {
    let base = Dir::named(base)?.ok_or_else(|| Error::NoLayout(base.to_owned()))?;
    Ok(base.size(OCI_LAYOUT)?.is_some())
}

/// The directories in one whose names can be part of a repository's path.
fn children(dir: &Dir, before: &str, is_layout: bool) -> Result<Vec<(usize, String, Dir)>, Error> {
    let mut children = Vec::new();
    for part in dir.names(MOST_NAMES)? {
        let name = format!("{before}{part}");
        // The blobs of a layout are many, and no layouts.
        let can_be =
            !(is_layout && part == BLOBS) && format!("localhost/{name}").parse::<Repository>().is_ok();
        if can_be && let Ok(Some(child)) = dir.dir(&part) {
            children.push((1, name, child));
        }
    }
    // The last one is taken first.
    children.sort_by(|(_, a, _), (_, b, _)| b.cmp(a));
    Ok(children)
}
