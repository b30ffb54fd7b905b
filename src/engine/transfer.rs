//! Sees to it that a blob is in the repositories that want it, with as few bytes moved as can be.

#[cfg(test)]
mod tests;

use super::{
    error::Error,
    known::{Claim, Known, Ticket, Trust},
    progress::{Event, Progress},
    send::{Need, Sender},
    upload::Start,
    wants::{Shared, Want, together},
};
use crate::{
    registry::{Blob, SMALL},
    store::{Mount, Store, Upload},
};

/// The one place through which blobs move.
#[derive(Clone)]
pub(crate) struct Transfers {
    known: Known,
    sender: Sender,
    progress: Progress,
}

/// A blob, where it is read, and how far its targets are trusted.
#[derive(Clone, Copy)]
pub(crate) struct Errand<'a> {
    pub(crate) blob: &'a Blob,
    pub(crate) source: &'a Store,
    pub(crate) trust: Trust,
}

/// What became of a look at a target.
enum Step<'a> {
    Done(Result<(), Error>),
    Send(Need<'a>),
}

impl Transfers {
    pub(crate) fn new(progress: Progress) -> Self {
        let known = Known::default();
        Self { sender: Sender::new(known.clone(), progress.clone()), known, progress }
    }

    /// What is known of the blobs in each registry.
    pub(crate) const fn known(&self) -> &Known {
        &self.known
    }

    /// Brings a blob into each of the targets that lacks it; each is told as soon as its blob is there.
    ///
    /// What is there is not sent; what another repository of the registry has is mounted; what must be sent is read
    /// once for all targets that wait for it. A target that fails or is slow does not hold the others up: when this
    /// returns, all are served that are served together, and the others have got their work to be done apart.
    pub(crate) async fn ensure<'a>(&'a self, errand: Errand<'a>, wants: Vec<Want<'a>>) {
        let claims =
            self.known.claim_all(&errand.blob.digest, wants.iter().map(|want| want.target), errand.trust);
        let mut looks = Vec::new();
        for (claim, want) in claims.into_iter().zip(wants) {
            match claim {
                Claim::Here => want.done(Ok(())),
                Claim::Yours(ticket) if !want.is_slow() => {
                    let work = Box::pin(self.look(errand, want.clone(), ticket));
                    looks.push(Shared { want, work });
                }
                claim => want.apart(self.follow(errand, want.clone(), claim)),
            }
        }
        let (looked, late) = together(looks).await;
        for Shared { want, work } in late {
            want.apart(async move { self.go_on(errand, work.await).await });
        }
        let mut needs = Vec::new();
        for (want, step) in looked {
            match step {
                Step::Done(result) => want.done(result),
                Step::Send(need) => needs.push(need),
            }
        }
        self.sender.send(errand, needs).await;
    }

    /// For one target alone: a blob that is elsewhere in its registry, or on its way there, or that nobody brings.
    async fn follow<'a>(&'a self, errand: Errand<'a>, want: Want<'a>, mut claim: Claim) -> Result<(), Error> {
        let (digest, target) = (&errand.blob.digest, want.target);
        let (mut session, mut is_refused): (Option<Upload>, bool) = (None, false);
        loop {
            claim = match claim {
                Claim::Here => return Ok(()),
                Claim::Busy(changed) => {
                    changed.await;
                    self.known.claim(digest, target, errand.trust, !is_refused)
                }
                Claim::Elsewhere(from) => {
                    match target.mount(digest, &from).await.map_err(Error::target)? {
                        Mount::Mounted => {
                            self.mounted(errand, target);
                            return Ok(());
                        }
                        Mount::Upload(upload) => session = Some(upload),
                        Mount::Refused => {}
                    }
                    is_refused = true;
                    self.known.not_mounted(target);
                    self.known.claim(digest, target, errand.trust, false)
                }
                Claim::Yours(ticket) => {
                    let step = if is_refused {
                        self.unmounted(errand, want, session, ticket).await
                    } else {
                        self.look(errand, want, ticket).await
                    };
                    return self.go_on(errand, step).await;
                }
            };
        }
    }

    /// What follows from a look, for one target alone.
    async fn go_on<'a>(&'a self, errand: Errand<'a>, step: Step<'a>) -> Result<(), Error> {
        match step {
            Step::Done(result) => result,
            Step::Send(need) => self.sender.alone(errand, need).await,
        }
    }

    /// With the right to bring the blob: looks whether it is there, or can be mounted.
    async fn look<'a>(&'a self, errand: Errand<'a>, want: Want<'a>, ticket: Ticket) -> Step<'a> {
        let Errand { blob, source, trust } = errand;
        let target = want.target;
        if trust == Trust::Nothing {
            return Step::Send(Need::new(want, Start::Fresh(None), ticket));
        }
        let asked = if source.account() == target.account() && self.known.may_mount(target) {
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
                Step::Done(Ok(()))
            }
            Ok(Mount::Upload(upload)) => self.unmounted(errand, want, Some(upload), ticket).await,
            Ok(Mount::Refused) => self.unmounted(errand, want, None, ticket).await,
            Err(error) => Step::Done(Err(Error::target(error))),
        }
    }

    /// It was not mounted. It may be there all the same: not every registry mounts, and a large blob is worth a
    /// question more before it is sent.
    async fn unmounted<'a>(
        &'a self,
        errand: Errand<'a>,
        want: Want<'a>,
        session: Option<Upload>,
        ticket: Ticket,
    ) -> Step<'a> {
        let Errand { blob, trust, .. } = errand;
        let is_asked = trust != Trust::Nothing && (session.is_none() || blob.size > SMALL);
        let found = if is_asked { want.target.head_blob(&blob.digest).await } else { Ok(None) };
        let result = match found {
            Ok(Some(size)) if size == blob.size => {
                self.known.seen(&blob.digest, want.target);
                self.progress.tell(&Event::Present { blob });
                Ok(())
            }
            Ok(_) => return Step::Send(Need::new(want, Start::Fresh(session), ticket)),
            Err(error) => Err(Error::target(error)),
        };
        if let Some(session) = session {
            session.cancel().await;
        }
        Step::Done(result)
    }

    fn mounted(&self, errand: Errand<'_>, target: &Store) {
        self.known.mounted(&errand.blob.digest, target);
        self.progress.tell(&Event::Mounted { blob: errand.blob });
    }
}
