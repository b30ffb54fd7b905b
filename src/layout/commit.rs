//! The index as it is read, and how it is changed: all that wait to change it do so in one step.

use std::{
    fs::File,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use tokio::sync::oneshot;

use super::{
    BLOBS, Layout,
    dir::{Dir, read},
    error::Error,
    index::{Change, Index},
    layouts::{Identity, identity},
    part::Part,
};
use crate::text::excerpt;

/// The file.
pub(super) const INDEX: &str = "index.json";
/// What is locked while the index is changed. It stays: if it was removed, two could hold a lock each.
const LOCK: &str = ".imagesync.lock";
/// The largest index that is read, in bytes: about a hundred thousand tags.
const LARGEST: u64 = 32 << 20;
/// How long another process may hold the lock. It holds it for some milliseconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// A file that changed so recently may change again without its time showing it.
const TICK: Duration = Duration::from_secs(2);

/// An index, and the file that it was read from.
pub(super) struct Cached {
    file: Identity,
    index: Arc<Index>,
}

/// Changes that wait.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Vec<Waiting>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Waiting {
    change: Change,
    answer: oneshot::Sender<Result<(), Error>>,
}

impl Layout {
    /// The index as it is now; `None` if there is no layout.
    pub(super) fn index(&self) -> Result<Option<Arc<Index>>, Error> {
        self.root()?.map(|root| self.index_in(&root)).transpose()
    }

    fn index_in(&self, root: &Dir) -> Result<Arc<Index>, Error> {
        let Some(file) = root.file(INDEX)? else { return Ok(Arc::default()) };
        let path = root.path().join(INDEX);
        let metadata = file.metadata().map_err(Error::io("look at", &path))?;
        let identity = identity(&metadata);
        let mut cached = self.0.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = cached.as_ref().filter(|cached| cached.file == identity) {
            return Ok(Arc::clone(&cached.index));
        }
        let index = Arc::new(read_index(file, root)?);
        let is_settled = metadata
            .modified()
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok())
            .is_some_and(|age| age > TICK);
        *cached = is_settled.then(|| Cached { file: identity, index: Arc::clone(&index) });
        Ok(index)
    }

    /// Changes the index. What waits to be changed at the same time is written together.
    ///
    /// What this layout has under `blobs` is on disk before the index names it.
    pub(super) async fn commit(&self, change: Change) -> Result<(), Error> {
        let (answer, mut done) = oneshot::channel();
        let queue = &self.0.queue;
        queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { change, answer });
        tokio::select! {
            biased;
            // Whoever had the turn before may have done it.
            done = &mut done => return done.unwrap_or(Err(LOST)),
            turn = Arc::clone(&queue.turn).lock_owned() => {
                self.blocking(move |this| {
                    let _turn = turn;
                    this.write_waiting();
                    Ok(())
                })
                .await?;
            }
        }
        done.await.unwrap_or(Err(LOST))
    }

    /// Writes all that waits, and answers each. Who does not wait any more has changed his mind.
    fn write_waiting(&self) {
        let mut waiting =
            std::mem::take(&mut *self.0.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.retain(|waiting| !waiting.answer.is_closed());
        if waiting.is_empty() {
            return;
        }
        let result = self.write(waiting.iter().map(|waiting| &waiting.change));
        for Waiting { answer, .. } in waiting {
            let _ = answer.send(result.clone());
        }
    }

    fn write<'a>(&self, changes: impl Iterator<Item = &'a Change>) -> Result<(), Error> {
        let root = self.write_root()?;
        // What others wrote there, and did not sync yet, counts too.
        if let Some(blobs) = root.dir(BLOBS)? {
            for algorithm in ["sha256", "sha512"] {
                if let Some(dir) = blobs.dir(algorithm)? {
                    dir.sync()?;
                }
            }
            blobs.sync()?;
        }
        let _lock = lock(&root)?;
        let path = root.path().join(INDEX);
        let there = root.file(INDEX)?;
        let mut is_changed = there.is_none();
        let mut index = there.map_or_else(|| Ok(Index::default()), |file| read_index(file, &root))?;
        for change in changes {
            is_changed |= index.change(change).map_err(|_| UNWRITABLE)?;
        }
        if !is_changed {
            return Ok(());
        }
        let bytes = index.to_bytes().map_err(|_| UNWRITABLE)?;
        if bytes.len() as u64 > LARGEST {
            return Err(Error::TooLarge { path, limit: LARGEST });
        }
        let mut part = Part::new(&root)?;
        part.write(&bytes)?;
        part.place(&root, INDEX)?;
        root.sync().map_err(|error| match error {
            // It has its new content already, for all who look.
            Error::Full { path, source } | Error::Denied { path, source, .. } => {
                Error::Io { doing: "write", path, source }
            }
            error => error,
        })
    }
}

const LOST: Error = Error::Internal("a change of a layout's index was given up");
const UNWRITABLE: Error = Error::Internal("an index cannot be written as JSON");

fn read_index(file: File, root: &Dir) -> Result<Index, Error> {
    let bytes = read(file, root.path().join(INDEX), LARGEST)?;
    Index::parse(&bytes).map_err(|error| {
        let problem = format!("its {INDEX} is damaged ({})", excerpt(&error.to_string()));
        Error::NotALayout { path: root.path().to_owned(), problem }
    })
}

/// The lock, which ends with the file.
fn lock(root: &Dir) -> Result<File, Error> {
    let file = root.lock_file(LOCK)?;
    let path = root.path().join(LOCK);
    let began = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(Error::io("lock", path)(error.into())),
        }
        if began.elapsed() > PATIENCE {
            return Err(Error::Busy { path, seconds: PATIENCE.as_secs() });
        }
        thread::sleep(Duration::from_millis(fastrand::u64(1..8)));
    }
}
