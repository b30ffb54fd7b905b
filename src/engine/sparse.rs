//! Some platforms of an image on a target: its index as it is, where the target takes one that names what is not there, and
//! rewritten where it does not.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use super::{error::Error, tree::Tree};
use crate::{
    digest::Digest,
    platform::{Platforms, list},
    reference::Repository,
    registry::{Account, At, Manifest},
    store::Store,
};

/// What is left of an index of which some platforms are wanted.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The platforms.
    pub(crate) platforms: Platforms,
    /// Children that are left out on purpose.
    pub(crate) left_out: BTreeSet<Digest>,
    /// The index without them.
    pub(crate) rewritten: Manifest,
}

impl Cut {
    /// What is left of the image's root; `None` where nothing is left out.
    ///
    /// # Errors
    ///
    /// [`Error::NoPlatform`] if it has nothing for any of the platforms.
    pub(crate) fn of(
        root: &Manifest,
        platforms: &Platforms,
        image: &Repository,
    ) -> Result<Option<Self>, Error> {
        if !root.is_index() {
            return Ok(None);
        }
        let unusable = |error| Error::unusable(image, &root.digest, error);
        let subset = root.subset(platforms).map_err(unusable)?;
        if subset.is_void() {
            let there = list(subset.platforms());
            return Err(Error::NoPlatform { image: image.clone(), wanted: platforms.to_string(), there });
        }
        if subset.is_whole() {
            return Ok(None);
        }
        let rewritten = root.rewritten(&subset).map_err(unusable)?;
        Ok(Some(Self { platforms: platforms.clone(), left_out: subset.left_out(), rewritten }))
    }

    /// Whether an index was refused because of what was left out, and of nothing else.
    pub(crate) fn explains(&self, error: &Error) -> bool {
        error.refused_over().is_some_and(|named| {
            !named.is_empty() && named.iter().all(|digest| self.left_out.contains(digest))
        })
    }
}

/// What a tag is made to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'t> {
    /// The manifest that it points at.
    pub(crate) manifest: &'t Manifest,
    /// It is another one than the source's, with another digest: what refers to the source's index by its digest does not
    /// belong to it.
    pub(crate) is_rewritten: bool,
    /// The digest of the source's.
    pub(crate) source: &'t Digest,
    /// The platforms that come with it; `None` is all.
    pub(crate) platforms: Option<&'t Platforms>,
}

impl<'t> Shown<'t> {
    /// The source's own.
    fn as_it_is(tree: &'t Tree) -> Self {
        let platforms = tree.cut.as_ref().map(|cut| &cut.platforms);
        Self { manifest: &tree.root, is_rewritten: false, source: &tree.root.digest, platforms }
    }

    const fn rewritten(tree: &'t Tree, cut: &'t Cut) -> Self {
        let (source, platforms) = (&tree.root.digest, Some(&cut.platforms));
        Self { manifest: &cut.rewritten, is_rewritten: true, source, platforms }
    }
}

/// What is known before a target is asked whether it takes an index that names what is not there.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an answer to a question of its own")]
pub(crate) struct Grounds {
    /// A tag shows the rewritten index already, or the records say that this repository got a rewritten one.
    pub(crate) was_rewritten: bool,
    /// The tags show the index already.
    pub(crate) is_there: bool,
    /// What signs the index must not be lost: it may not be rewritten.
    pub(crate) is_required: bool,
    /// All that is to be there was sent a moment ago, whatever the target had said that it has.
    pub(crate) is_sent_again: bool,
}

/// Which repositories take an index that names what is not there, as one credential sees it. One for the process: each is
/// asked once, by whoever wants to know it first.
#[derive(Clone, Default)]
pub(crate) struct Sparse(Arc<Mutex<HashMap<(Account, Repository), Takes>>>);

type Takes = Arc<OnceCell<bool>>;

impl Sparse {
    /// Chooses what the tags of a repository are made to show. Where nobody knows what the target takes, it is asked, by the
    /// digest of the index: no tag shows it yet.
    ///
    /// # Errors
    ///
    /// [`Error::WouldLoseSignatures`]; and the target's.
    pub(crate) async fn choose<'t>(
        &self,
        tree: &'t Tree,
        target: &Store,
        grounds: Grounds,
    ) -> Result<Shown<'t>, Error> {
        let Some(cut) = &tree.cut else { return Ok(Shown::as_it_is(tree)) };
        let known = self.takes(target);
        let is_refused = grounds.was_rewritten || known.get() == Some(&false);
        if is_refused && !grounds.is_required {
            return Ok(Shown::rewritten(tree, cut));
        }
        if grounds.is_there && !grounds.is_sent_again {
            return Ok(Shown::as_it_is(tree));
        }
        let takes = if grounds.is_sent_again || is_refused {
            let takes = ask(tree, cut, target).await?;
            self.learn(target, takes);
            takes
        } else {
            *known.get_or_try_init(|| ask(tree, cut, target)).await?
        };
        match takes {
            true => Ok(Shown::as_it_is(tree)),
            false if grounds.is_required => {
                Err(Error::WouldLoseSignatures { repository: target.repository().clone() })
            }
            false => Ok(Shown::rewritten(tree, cut)),
        }
    }

    /// The target took such an index, or refused it.
    pub(crate) fn learn(&self, target: &Store, takes: bool) {
        self.table().insert(key(target), Arc::new(OnceCell::new_with(Some(takes))));
    }

    fn takes(&self, target: &Store) -> Takes {
        Arc::clone(self.table().entry(key(target)).or_default())
    }

    fn table(&self) -> MutexGuard<'_, HashMap<(Account, Repository), Takes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks whether a target takes the index as it is. One that refuses it without naming anything says more by taking it without
/// what is left out: nothing else is different then.
async fn ask(tree: &Tree, cut: &Cut, target: &Store) -> Result<bool, Error> {
    let by_digest = async |manifest: &Manifest| {
        target.put_manifest(&At::Digest(manifest.digest.clone()), manifest).await.map_err(Error::target)
    };
    let Err(error) = by_digest(&tree.root).await else { return Ok(true) };
    let names_nothing = error.refused_over().is_some_and(<[_]>::is_empty);
    if cut.explains(&error) || (names_nothing && by_digest(&cut.rewritten).await.is_ok()) {
        let repository = target.repository();
        tracing::info!(%repository, "it takes no index that names what is not there: such indexes are rewritten");
        return Ok(false);
    }
    Err(error)
}

fn key(target: &Store) -> (Account, Repository) {
    (target.account().clone(), target.repository().clone())
}
