//! Manifests from files: ImageSyncs and the Secrets beside them, checked, with every fault at its file and line; and the
//! registries file.

mod documents;
mod files;
mod node;
mod reader;
mod registries;
mod remark;
mod secret;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, io::Read, sync::Arc};

use self::node::Node;
pub use self::{
    files::{Input, can_be_read_again, fingerprint},
    node::Place,
    registries::registries,
    remark::{Refused, Remark, Remarks},
    secret::Secret,
};
use crate::{
    api::{ImageSync, check::FieldPath},
    plan::Wanted,
};

/// The namespace of objects that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// What was read: at least one ImageSync.
#[derive(Debug, Default)]
pub struct Manifests {
    /// The ImageSyncs, in the order in which they were read.
    pub syncs: Vec<Manifest>,
    /// What a person should know, and what stops nothing: what was not read, and which Secrets are not there.
    pub notes: Remarks,
    secrets: BTreeMap<(String, String), Secret>,
}

impl Manifests {
    /// The Secret of that namespace and name, where it was among the manifests.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> Option<&Secret> {
        self.secrets.get(&(namespace.to_owned(), name.to_owned()))
    }
}

/// An ImageSync and where it was read.
pub struct Manifest {
    /// The object: valid, with its defaults, and with a namespace.
    pub object: ImageSync,
    /// What it wants, parsed.
    pub wanted: Wanted,
    file: Arc<str>,
    document: Node,
    /// Where in its file's document the object is, if that is a List.
    path: FieldPath,
}

impl Manifest {
    /// What there is to say about one of the object's fields, at the place where that field, or as much of the path as there
    /// is, stands.
    #[must_use]
    pub fn remark(&self, field: &FieldPath, message: impl Into<String>) -> Remark {
        self.document.remark(&self.file, &self.path, field, message.into())
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("object", &self.object)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Reads all that `inputs` name. A folder's files are those that end in `.yaml`, `.yml` or `.json`, with those of
/// its folders if `recursive`.
///
/// # Guarantees
///
/// No file makes it panic, and memory is bounded: 16 MiB of a file, 200,000 values of a document.
///
/// # Errors
///
/// All that is wrong in all of the files.
pub fn load(inputs: &[Input], recursive: bool, stdin: &mut dyn Read) -> Result<Manifests, Refused> {
    reader::Reader::default().read(inputs, recursive, stdin)
}
