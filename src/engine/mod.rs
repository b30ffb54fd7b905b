//! Effects: looks at registries for a plan, and carries the plan out.
//!
//! ```text
//! observe    listings and HEADs, as the plan asks for them
//!   walk       all of an image on a target, by reading
//! apply      the copies of a plan, in jobs of one image each
//!   tree       the image's manifests, read from the source; roots that were read before
//!   belongings what refers to it: looked for, gathered, published
//!   transfer   its blobs, each brought to all targets: there, mounted, or sent
//!     wants      what a target waits for; one that is slow is served apart
//!     known      what is where, and what is on its way
//!     send       read once; fanout to several targets, upload to one
//!   sparse     an index of some platforms: as it is, or rewritten
//!   publish    its manifests
//!   tag        the tags, last
//! prune      the deletions of a plan, after its copies
//! record     what the journal holds before and after
//! trouble    what is wrong with what was applied
//! status     an ImageSync's status, from that
//! ```

mod access;
mod apply;
mod belongings;
mod error;
mod fanout;
mod job;
mod known;
mod observe;
mod outcome;
mod pace;
mod progress;
mod prune;
mod publish;
mod record;
mod roots;
mod send;
mod sparse;
mod status;
mod tag;
mod transfer;
mod tree;
mod trouble;
mod upload;
mod walk;
mod wants;

pub use access::Access;
pub use apply::Applied;
pub use error::Error;
pub use outcome::Outcome;
pub use progress::{Event, Progress};
pub use prune::{PruneError, Pruned};
#[cfg(test)]
pub(crate) use record::MOST_MESSAGE;
pub use status::{Context, status};
pub use trouble::Trouble;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::store::Stores;
use roots::Roots;
use sparse::Sparse;
use transfer::Transfers;

/// Looks at registries and copies images. One serves all ImageSyncs of a process at the same time, so that they
/// share budgets, and no blob is on its way twice.
#[derive(Clone)]
pub struct Engine {
    stores: Stores,
    transfers: Transfers,
    roots: Roots,
    sparse: Sparse,
    jobs: Arc<Semaphore>,
    progress: Progress,
}

impl Engine {
    /// An engine that reads and writes what `stores` opens, and tells `progress` what happens.
    #[must_use]
    pub fn new(stores: Stores, progress: Progress) -> Self {
        let jobs = Arc::new(Semaphore::new(apply::JOBS_AT_ONCE));
        let (transfers, sparse, roots) =
            (Transfers::new(progress.clone()), Sparse::default(), Roots::default());
        Self { stores, transfers, roots, sparse, jobs, progress }
    }
}
