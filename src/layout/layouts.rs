//! All layouts of a process, and what makes a directory one of them.

use std::{
    collections::{HashMap, HashSet},
    fs::Metadata,
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{
    Inner, Layout,
    dir::{Dir, make_named},
    error::Error,
    part::Part,
};
use crate::{reference::Repository, text::excerpt};

/// The file that says that a directory is a layout.
pub(super) const OCI_LAYOUT: &str = "oci-layout";
/// The only version there is.
const VERSION: &str = "1.0.0";
/// What is read of that file.
const MOST: u64 = 4096;
/// Pieces of work on files that are done at the same time: more threads would only cost memory.
const AT_ONCE: usize = 16;
/// Layouts that are remembered; above it those are forgotten that nobody uses.
const MOST_LAYOUTS: usize = 1024;
/// Files that are remembered as verified.
const MOST_VERIFIED: usize = 100_000;

/// The layouts. Whoever opens one twice shares what is known of it, and its writes are made together. A clone costs a counter.
#[derive(Clone, Default)]
pub struct Layouts(Arc<Shared>);

struct Shared {
    open: Mutex<HashMap<Repository, Layout>>,
    verified: Verified,
    /// Each piece of work on files has a thread while it lasts.
    works: Arc<Semaphore>,
}

impl Default for Shared {
    fn default() -> Self {
        let works = Arc::new(Semaphore::new(AT_ONCE));
        Self { open: Mutex::default(), verified: Verified::default(), works }
    }
}

impl Layouts {
    /// Opens the layout that a repository is. Nothing is read or written yet.
    #[must_use]
    pub fn open(&self, repository: &Repository) -> Layout {
        self.get(repository, || (repository.layout().unwrap_or_else(|| Path::new(".")), Vec::new()))
    }

    /// Opens the layout at `name`, a path without links, below a directory that a person named.
    #[must_use]
    pub fn open_below(&self, base: &Path, name: &Repository) -> Layout {
        self.get(name, || (base, name.path().split('/').map(str::to_owned).collect()))
    }

    fn get<'a>(&self, repository: &Repository, place: impl FnOnce() -> (&'a Path, Vec<String>)) -> Layout {
        // No change under the lock can stop half-way.
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = open.get(repository) {
            return layout.clone();
        }
        if open.len() >= MOST_LAYOUTS {
            open.retain(|_, layout| Arc::strong_count(&layout.0) > 1);
        }
        let (base, below) = place();
        let layout = Layout(Arc::new(Inner {
            repository: repository.clone(),
            base: base.to_owned(),
            below,
            index: Mutex::default(),
            queue: super::Queue::default(),
            subjects: super::Subjects::default(),
            verified: self.0.verified.clone(),
            works: Arc::clone(&self.0.works),
            is_clean: false.into(),
        }));
        open.insert(repository.clone(), layout.clone());
        layout
    }
}

/// Files of which this process knows that they have the digests that they are called by.
#[derive(Clone, Default)]
pub(super) struct Verified(Arc<Mutex<HashSet<Identity>>>);

/// A file and its state.
pub(super) type Identity = (u64, u64, u64, i64, i64);

impl Verified {
    pub(super) fn note(&self, file: &Metadata) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_VERIFIED {
            known.insert(identity(file));
        }
    }

    pub(super) fn has(&self, file: &Metadata) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&identity(file))
    }
}

pub(super) fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec())
}

#[derive(Deserialize)]
struct Marker {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

/// Whether a directory is a layout. One that merely holds other folders is none, and can become one.
pub(super) fn is_layout(root: &Dir) -> Result<bool, Error> {
    let not = |problem: String| Error::NotALayout { path: root.path().to_owned(), problem };
    let Some(file) = root.file(OCI_LAYOUT)? else {
        return match root.size(super::commit::INDEX)? {
            Some(_) => Err(not(format!("it has an index.json and no {OCI_LAYOUT}"))),
            None => Ok(false),
        };
    };
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text).map_err(Error::io("read", root.path().join(OCI_LAYOUT)))?;
    match serde_json::from_slice::<Marker>(&text) {
        Ok(marker) if marker.version == VERSION => Ok(true),
        Ok(marker) => {
            Err(not(format!("its version is `{}`, and only {VERSION} is known", excerpt(&marker.version))))
        }
        Err(error) => Err(not(format!("its {OCI_LAYOUT} is damaged ({})", excerpt(&error.to_string())))),
    }
}

/// Makes a directory a layout that has nothing yet. What is in it is there for good when its index is written.
pub(super) fn make(path: &Path) -> Result<Dir, Error> {
    let root = make_named(path)?;
    let mut marker = Part::new(&root)?;
    marker.write(format!("{{\"imageLayoutVersion\":\"{VERSION}\"}}").as_bytes())?;
    // If two make it, they write the same.
    marker.place(&root, OCI_LAYOUT)?;
    root.make_dir(super::BLOBS)?;
    Ok(root)
}
