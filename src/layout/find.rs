//! Which layouts there are below a directory.

use std::path::Path;

use super::{
    BLOBS,
    dir::Dir,
    error::Error,
    layouts::{self, OCI_LAYOUT},
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
    look(&base, ("", false), MOST_DEPTH, most, &mut found)?;
    found.sort();
    Ok(found)
}

/// Looks below a directory, one open at a time on each level: there may be more of them than files may be open.
fn look(
    dir: &Dir,
    (before, is_layout): (&str, bool),
    depth: usize,
    most: usize,
    found: &mut Vec<String>,
) -> Result<(), Error> {
    let mut parts = dir.names(MOST_NAMES)?;
    parts.sort();
    for part in parts {
        let name = format!("{before}{part}");
        // The blobs of a layout are many, and no layouts.
        let can_be =
            !(is_layout && part == BLOBS) && format!("localhost/{name}").parse::<Repository>().is_ok();
        if !can_be {
            continue;
        }
        let Ok(Some(child)) = dir.dir(&part) else { continue };
        let is_one = layouts::is_layout(&child).unwrap_or_else(|error| {
            tracing::warn!(%error, "{name} is left out");
            false
        });
        if is_one {
            found.push(name.clone());
        }
        if found.len() == most {
            return Ok(());
        }
        if depth > 0 {
            // What cannot be read is left out.
            let _ = look(&child, (&format!("{name}/"), is_one), depth - 1, most, found);
        }
        if found.len() == most {
            return Ok(());
        }
    }
    Ok(())
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
