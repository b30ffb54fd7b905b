//! The files that `-f` names: itself, those in a folder, or the standard input.

use std::{
    convert::Infallible,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use crate::digest::Digest;

/// What `-f` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `-`.
    Stdin,
    /// A file, or a folder with files.
    Path(PathBuf),
}

impl FromStr for Input {
    type Err = Infallible;

    fn from_str(s: &str) -> Result<Self, Infallible> {
        Ok(if s == "-" { Self::Stdin } else { Self::Path(s.into()) })
    }
}

/// Why a file or folder that was named cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The system refuses.
    #[error("cannot be read: {0}; name a file or folder that is there and that may be read")]
    Io(#[from] io::Error),
    /// Manifests are written by people; what is larger is something else.
    #[error("larger than {} MiB, which is the most that is read of one file: split it", MOST_BYTES >> 20)]
    TooLarge,
    /// A folder without end, such as one that a link leads back into.
    #[error(
        "more than {MOST_FILES} files or {MOST_DEPTH} folders deep: name the folders that hold manifests"
    )]
    TooMany,
    /// Most likely the wrong folder.
    #[error("no file in it ends in .yaml, .yml or .json: name a folder that holds manifests")]
    Empty,
}

const MOST_BYTES: u64 = 16 << 20;
const MOST_FILES: usize = 10_000;
const MOST_DEPTH: usize = 32;

/// One file of those that were named.
pub(super) struct Named {
    pub(super) name: Arc<str>,
    pub(super) input: Input,
    /// Whether it was found in a folder, where other things may lie too.
    pub(super) found: bool,
}

/// The files behind what was named, those of a folder in the order of their names.
pub(super) fn expand(input: &Input, recursive: bool) -> Result<Vec<Named>, Error> {
    let path = match input {
        Input::Path(path) if fs::metadata(path)?.is_dir() => path,
        Input::Path(path) => return Ok(vec![named(path, false)]),
        Input::Stdin => return Ok(vec![Named { name: "<stdin>".into(), input: Input::Stdin, found: false }]),
    };
    let mut files = Vec::new();
    folder(path, if recursive { MOST_DEPTH } else { 0 }, &mut files)?;
    if files.is_empty() { Err(Error::Empty) } else { Ok(files) }
}

fn folder(path: &Path, deeper: usize, files: &mut Vec<Named>) -> Result<(), Error> {
    let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries {
        // A mounted ConfigMap has links to its files, beside a hidden folder that holds them.
        let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_manifest = entry.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        let Ok(metadata) = fs::metadata(&entry) else {
            if is_manifest {
                files.push(named(&entry, true));
            }
            continue;
        };
        if metadata.is_dir() && !hidden && deeper == 1 {
            return Err(Error::TooMany);
        } else if metadata.is_dir() && !hidden && deeper > 1 {
            folder(&entry, deeper - 1, files)?;
        } else if metadata.is_file() && is_manifest {
            files.push(named(&entry, true));
        }
        if files.len() > MOST_FILES {
            return Err(Error::TooMany);
        }
    }
    Ok(())
}

fn named(path: &Path, found: bool) -> Named {
    Named { name: path.display().to_string().into(), input: Input::Path(path.to_owned()), found }
}

/// What is in the file.
pub(super) fn read(input: &Input, stdin: &mut dyn Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match input {
        Input::Stdin => stdin.take(MOST_BYTES + 1).read_to_end(&mut bytes)?,
        Input::Path(path) => File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?,
    };
    if bytes.len() as u64 > MOST_BYTES { Err(Error::TooLarge) } else { Ok(bytes) }
}

/// Whether what is named is there to be read again: a pipe gives what it has once, and opening it waits for a writer. What is
/// not there counts as such: reading says so.
#[must_use]
pub fn can_be_read_again(input: &Input) -> bool {
    match input {
        Input::Stdin => true,
        Input::Path(path) => fs::metadata(path).map_or(true, |found| found.is_file() || found.is_dir()),
    }
}

/// A digest of all that `inputs` name, to tell whether anything changed. The standard input, which can be read only
/// once, is left out; what cannot be read counts as empty.
#[must_use]
pub fn fingerprint(inputs: &[Input], recursive: bool) -> Digest {
    let mut whole = Vec::new();
    let files = inputs
        .iter()
        .filter(|input| **input != Input::Stdin)
        .filter_map(|input| expand(input, recursive).ok());
    for file in files.flatten().filter(|file| can_be_read_again(&file.input)) {
        let bytes = read(&file.input, &mut io::empty()).unwrap_or_default();
        whole.extend_from_slice(file.name.as_bytes());
        whole.extend_from_slice(Digest::sha256(&bytes).as_str().as_bytes());
    }
    Digest::sha256(&whole)
}
