//! Files of the `--state` directory: slices as they stand there, and how they get there.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use serde_json::Value;

use super::error::Error;
use crate::api::{self, Record};

/// A slice is at most 256 KiB, and one record that is larger stands alone. What is larger than this is neither written nor
/// read; how many names a record can have is bounded so that none comes near it.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// More slices than this were not written by us either: an ImageSync of that size has ten million tags.
const MAX_SLICES: usize = 100_000;

pub(super) fn file_name(index: usize) -> String {
    format!("{index}.json")
}

/// The numbers of the slices in a directory, in order; none if it is not there.
pub(super) fn slice_numbers(dir: &Path) -> Result<Vec<usize>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", dir)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::parse::<usize>);
        match number {
            Some(Ok(number)) if number < MAX_SLICES => numbers.push(number),
            Some(_) => {
                let problem = format!("a slice is named by a number below {MAX_SLICES}");
                return Err(Error::Corrupt { path: dir.join(name), problem });
            }
            // What a crash left of a file that was being written.
            None => {}
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn read_slice(path: &Path) -> Result<Vec<Record>, Error> {
    let corrupt = |problem: String| Error::Corrupt { path: path.to_owned(), problem };
    let size = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if size > MAX_FILE_BYTES as u64 {
        return Err(corrupt(format!("it has {size} bytes, and at most {MAX_FILE_BYTES} are ever written")));
    }
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let slice: api::ImageSyncSlice =
        serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
    let unknown = || -> serde_json::Result<Option<String>> {
        let file: Value = serde_json::from_slice(&bytes)?;
        Ok(unknown_field(
            file.get("records").unwrap_or(&Value::Null),
            &serde_json::to_value(&slice.spec.records)?,
        ))
    };
    match unknown().map_err(|error| corrupt(error.to_string()))? {
        // What a newer version wrote would be lost when the slice is written again.
        Some(field) => Err(corrupt(format!("this version does not know the field `{field}`"))),
        None => Ok(slice.spec.records),
    }
}

/// The first field of `file` that `known`, which was read from it, does not have. A null means that a field is not given.
fn unknown_field(file: &Value, known: &Value) -> Option<String> {
    match (file, known) {
        (Value::Object(file), Value::Object(known)) => file
            .iter()
            .filter(|(_, value)| !value.is_null())
            .find_map(|(name, value)| match known.get(name) {
                Some(known) => unknown_field(value, known),
                None => Some(name.clone()),
            }),
        (Value::Array(file), Value::Array(known)) => {
            file.iter().zip(known).find_map(|(file, known)| unknown_field(file, known))
        }
        _ => None,
    }
}

/// Makes a directory and its parents. Each that is new is on disk, in its parent, when this returns.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    // The parent of a relative name of one part is the empty path.
    let parent =
        dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    make_dir(parent)?;
    match fs::create_dir(dir) {
        // Another ImageSync of the namespace was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        made => made?,
    }
    File::open(parent)?.sync_all()
}

/// Replaces a file so that a crash at any instant leaves the old content or the new.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let part = path.with_extension("part");
    let write = || -> io::Result<()> {
        let mut file = File::create(&part)?;
        file.write_all(content)?;
        file.sync_data()?;
        fs::rename(&part, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(Error::io("write", path))
}
