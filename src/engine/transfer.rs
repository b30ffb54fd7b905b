//! Sees to it that a blob is in the repositories that want it, with as few bytes moved as can be.

use futures::future::join_all;

use super::{
    error::Error,
    known::{Claim, Known, Ticket},
    progress::{Event, Progress},
    send::{Need, Sender},
    upload::Start,
};
use crate::registry::{Blob, Mount, Remote, SMALL, Upload};

/// The one place through which blobs move.
#[derive(Clone)]
pub(crate) struct Transfers {
    known: Known,
    sender: Sender,
    progress: Progress,
}

/// Whether what the registry says about its blobs is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A HEAD or a mount tells what is there.
    Answers,
    /// The registry said that it has a blob, and then that it has not: its cache may be wrong, so send it.
    Nothing,
}

/// A blob, where it is read, and how far its targets are trusted.
#[derive(Clone, Copy)]
struct Errand<'a> {
    blob: &'a Blob,
    source: &'a Remote,
    trust: Trust,
}

/// What became of a look at a target.
enum Step {
    Done(Result<(), Error>),
    Send(Need),
}

impl Transfers {
    pub(crate) fn new(progress: Progress) -> Self {
        Self { known: Known::default(), sender: Sender::new(progress.clone()), progress }
    }

    /// What is known of the blobs in each registry.
    pub(crate) const fn known(&self) -> &Known {
        &self.known
    }

    /// Brings `blob` into each of `targets` that lacks it; the answers are in their order.
    ///
    /// What is there is not sent; what another repository of the registry has is mounted; what must be sent is read
    /// once for all targets that wait for it. A target that fails does not fail the others.
    pub(crate) async fn ensure(
        &self,
        blob: &Blob,
        source: &Remote,
        targets: &[Remote],
        trust: Trust,
    ) -> Vec<Result<(), Error>> {
        let errand = Errand { blob, source, trust };
        let claims = self.known.claim_all(&blob.digest, targets);
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        for (index, (claim, target)) in claims.into_iter().zip(targets).enumerate() {
            match claim {
                Claim::Yours(ticket) => mine.push((index, target, ticket)),
                claim => others.push((index, target, claim)),
            }
        }
        // Those that another copy serves are waited for only after ours are served, or two copies could wait for
        // each other.
        let mut results = self.bring(errand, mine).await;
        let followed = others
            .into_iter()
            .map(|(index, target, claim)| async move { (index, self.follow(errand, target, claim).await) });
        results.extend(join_all(followed).await);
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Looks at every target for which we have the right to bring the blob, and sends it to those that lack it.
    async fn bring(
        &self,
        errand: Errand<'_>,
        targets: Vec<(usize, &Remote, Ticket)>,
    ) -> Vec<(usize, Result<(), Error>)> {
        let looks = targets
            .into_iter()
            .map(|(index, target, ticket)| async move { (index, self.look(errand, target, ticket).await) });
        let (mut results, mut indexes, mut needs) = (Vec::new(), Vec::new(), Vec::new());
        for (index, step) in join_all(looks).await {
            match step {
                Step::Done(result) => results.push((index, result)),
                Step::Send(need) => {
                    indexes.push(index);
                    needs.push(need);
                }
            }
        }
        results.extend(indexes.into_iter().zip(self.send(errand, needs).await));
        results
    }

    /// A blob that is elsewhere in the registry, or on its way there: mounts it, or waits and looks again.
    async fn follow(&self, errand: Errand<'_>, target: &Remote, mut claim: Claim) -> Result<(), Error> {
        let digest = &errand.blob.digest;
        let mut session: Option<Upload> = None;
        loop {
            claim = match claim {
                Claim::Here => return Ok(()),
                Claim::Busy(changed) => {
                    changed.await;
                    self.known.claim(digest, target)
                }
                Claim::Elsewhere(from) => match target.mount(digest, &from).await.map_err(Error::target)? {
                    Mount::Mounted => {
                        self.mounted(errand, target);
                        return Ok(());
                    }
                    Mount::Upload(upload) => {
                        session = Some(upload);
                        self.known.claim_upload(digest, target)
                    }
                    Mount::Refused => self.known.claim_upload(digest, target),
                },
                Claim::Yours(ticket) => {
                    let step = match session.take() {
                        Some(upload) => Step::Send(Need::new(target, Start::Fresh(Some(upload)), ticket)),
                        None => self.look(errand, target, ticket).await,
                    };
                    return match step {
                        Step::Done(result) => result,
                        Step::Send(need) => self.send(errand, vec![need]).await.into_iter().collect(),
                    };
                }
            };
        }
    }

    /// With the right to bring the blob: looks whether it is there, or can be mounted.
    async fn look(&self, errand: Errand<'_>, target: &Remote, ticket: Ticket) -> Step {
        let Errand { blob, source, trust } = errand;
        if trust == Trust::Nothing {
            return Step::Send(Need::new(target, Start::Fresh(None), ticket));
        }
        let asked = if source.account() == target.account() {
            target.mount(&blob.digest, source).await
        } else if blob.size <= SMALL {
            // From the repository itself: one request either finds the blob or opens the session to send it.
            target.mount(&blob.digest, target).await
        } else {
            Ok(Mount::Refused)
        };
        match asked {
            Ok(Mount::Mounted) => {
                self.mounted(errand, target);
                return Step::Done(Ok(()));
            }
            Ok(Mount::Upload(upload)) => {
                return Step::Send(Need::new(target, Start::Fresh(Some(upload)), ticket));
            }
            Ok(Mount::Refused) => {}
            Err(error) => return Step::Done(Err(Error::target(error))),
        }
        match target.head_blob(&blob.digest).await {
            Ok(Some(size)) if size == blob.size => {
                self.known.add(&blob.digest, target);
                self.progress.tell(&Event::Present { blob });
                Step::Done(Ok(()))
            }
            Ok(_) => Step::Send(Need::new(target, Start::Fresh(None), ticket)),
            Err(error) => Step::Done(Err(Error::target(error))),
        }
    }

    /// Sends the blob; the tickets end after what was sent is known, so that who waited finds it.
    async fn send(&self, errand: Errand<'_>, needs: Vec<Need>) -> Vec<Result<(), Error>> {
        let sent = self.sender.send(errand.blob, errand.source, needs).await;
        let results = sent.into_iter().map(|(need, result)| {
            if result.is_ok() {
                self.known.add(&errand.blob.digest, &need.target);
            }
            result
        });
        results.collect()
    }

    fn mounted(&self, errand: Errand<'_>, target: &Remote) {
        self.known.add(&errand.blob.digest, target);
        self.progress.tell(&Event::Mounted { blob: errand.blob });
    }
}
