//! One blob to one repository: sent once, and where the connection tears, from where the registry stands.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::{
    error::Error,
    known::Trust,
    pace::{Body, Pace},
    wants::PATIENCE,
};
use crate::{
    class::{Class, Retry},
    registry::Blob,
    store::{Store, Upload},
};

/// A registry that takes no byte for so long is given up on, and tried again.
const STALL: Duration = Duration::from_mins(1);

/// The waits between tries that bring the registry no further.
fn waits() -> ExponentialBackoff {
    // Together they are longer than a registry that did not answer is left alone.
    let first = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_secs(1) };
    let builder = ExponentialBuilder::default().with_min_delay(first);
    builder.with_max_delay(Duration::from_secs(8)).with_max_times(4).with_jitter().build()
}

/// What an upload begins with.
pub(crate) enum Start {
    /// Nothing was sent yet; a refused mount may have opened a session.
    Fresh(Option<Upload>),
    /// Some bytes were sent in this session.
    Torn(Upload),
}

/// What became of a first try.
pub(crate) enum Tried {
    /// The registry has the blob, and checked its digest.
    Done,
    /// Another try would not help.
    Failed(Error),
    /// It took nothing for a while, or its connection tore: it is to be fed alone, from here on.
    LetGo(Start),
}

/// Sends a blob once, to a registry that others shall not wait for.
pub(crate) async fn try_once(
    target: &Store,
    blob: &Blob,
    mut session: Option<Upload>,
    body: Body,
    pace: &Pace,
) -> Tried {
    let sending = async {
        let upload = match &mut session {
            Some(upload) => upload,
            none => none.insert(target.start_upload().await?),
        };
        upload.put(blob, 0, body).await
    };
    let sent = tokio::select! {
        sent = sending => Some(sent),
        () = pace.stalled(PATIENCE) => None,
    };
    pace.give_up();
    let error = match sent {
        Some(Ok(())) => return Tried::Done,
        Some(Err(error)) => Some(Error::target(error)),
        None => None,
    };
    // A source that fails is why the body ended, whatever the target made of that. Wrong bytes may come from a mirror,
    // or from the way here: they are read anew, once.
    let source = pace.source_error();
    let is_mismatch = |error: &Error| error.class() == Class::DigestMismatch;
    let is_spoilt = source.as_ref().or(error.as_ref()).is_some_and(is_mismatch);
    let is_final = |error: &Error| !error.may_pass();
    let failed = source.filter(|error| !is_mismatch(error)).or_else(|| error.filter(is_final));
    match (session, failed) {
        (session, Some(error)) => {
            if let Some(upload) = session {
                upload.cancel().await;
            }
            Tried::Failed(error)
        }
        (Some(upload), None) if is_spoilt => {
            upload.cancel().await;
            Tried::LetGo(Start::Fresh(None))
        }
        (Some(upload), None) if pace.has_begun() => Tried::LetGo(Start::Torn(upload)),
        (session, None) => Tried::LetGo(Start::Fresh(session)),
    }
}

/// Sends a blob. `open` gives its bytes from an offset, watched by a [`Pace`].
///
/// # Guarantees
///
/// When this returns `Ok`, the registry has the whole blob and has checked its digest; or, if its word is trusted, says so
/// after an answer was lost. What a session holds is not sent again if the registry can tell how much that is.
///
/// # Errors
///
/// The last try's. The session is cancelled then, as far as the registry answers.
pub(crate) async fn upload(
    target: &Store,
    blob: &Blob,
    mut start: Start,
    trust: Trust,
    open: impl Fn(u64) -> (Body, Pace),
) -> Result<(), Error> {
    let (mut waits, mut furthest) = (waits(), 0);
    loop {
        let (error, reached) = match attempt(target, blob, start, trust, &open).await {
            Attempt::Done => return Ok(()),
            Attempt::Failed(error) => return Err(error),
            Attempt::Again { error, next, reached } => {
                start = next;
                (error, reached)
            }
        };
        if reached > furthest {
            furthest = reached;
            waits = self::waits();
        }
        let Some(wait) = waits.next() else {
            start.cancel().await;
            return Err(error);
        };
        tokio::time::sleep(wait).await;
    }
}

enum Attempt {
    Done,
    Failed(Error),
    /// Another try may help; this one went on from the offset that was reached before.
    Again {
        error: Error,
        next: Start,
        reached: u64,
    },
}

async fn attempt(
    target: &Store,
    blob: &Blob,
    start: Start,
    trust: Trust,
    open: impl Fn(u64) -> (Body, Pace),
) -> Attempt {
    let (session, offset) = match start {
        Start::Fresh(session) => (session, 0),
        Start::Torn(upload) => match resume_at(target, blob, upload, trust).await {
            Resume::Done => return Attempt::Done,
            Resume::At(upload, offset) => (Some(upload), offset),
            Resume::Anew => (None, 0),
            Resume::Unknown(upload, error) => {
                return Attempt::Again { error, next: Start::Torn(upload), reached: 0 };
            }
        },
    };
    let mut upload = match session {
        Some(upload) => upload,
        None => match target.start_upload().await.map_err(Error::target) {
            Ok(upload) => upload,
            Err(error) if error.may_pass() => {
                return Attempt::Again { error, next: Start::Fresh(None), reached: 0 };
            }
            Err(error) => return Attempt::Failed(error),
        },
    };
    let (body, pace) = open(offset);
    let sent = tokio::select! {
        sent = upload.put(blob, offset, body) => sent.map_err(Error::target),
        () = pace.stalled(STALL) => Err(Error::Stalled {
            repository: target.repository().clone(),
            digest: blob.digest.clone(),
            seconds: STALL.as_secs(),
        }),
    };
    pace.give_up();
    let Err(error) = sent else { return Attempt::Done };
    // A source that fails is why the body ended, whatever the target made of that.
    let source = pace.source_error();
    // It may tell how much it has, and not take the rest by itself: it gets all of it again.
    let wants_all = offset > 0 && error.class() == Class::Unsupported;
    if source.is_some() || (!error.may_pass() && !wants_all) {
        upload.cancel().await;
        return Attempt::Failed(source.unwrap_or(error));
    }
    let next = if wants_all || error.class() == Class::DigestMismatch {
        // The session keeps the bad bytes: distribution does.
        upload.cancel().await;
        Start::Fresh(None)
    } else {
        Start::Torn(upload)
    };
    Attempt::Again { error, next, reached: offset }
}

impl Start {
    async fn cancel(self) {
        if let Self::Torn(upload) | Self::Fresh(Some(upload)) = self {
            upload.cancel().await;
        }
    }
}

enum Resume {
    /// Only the answer was lost: the blob is there.
    Done,
    At(Upload, u64),
    Anew,
    /// It could not be asked. Nothing is sent into a session of which it is not known what it has.
    Unknown(Upload, Error),
}

/// Where a torn upload can go on.
async fn resume_at(target: &Store, blob: &Blob, mut upload: Upload, trust: Trust) -> Resume {
    match upload.offset().await {
        Ok(Some(offset)) if offset <= blob.size => return Resume::At(upload, offset),
        // A session that is gone may have been closed by its success; one that has nothing yet looks the same.
        Ok(None) if trust == Trust::Answers => match target.head_blob(&blob.digest).await {
            Ok(Some(size)) if size == blob.size => return Resume::Done,
            _ => {}
        },
        Err(error) if error.class().retry() != Retry::Terminal => {
            return Resume::Unknown(upload, Error::target(error));
        }
        Ok(_) | Err(_) => {}
    }
    upload.cancel().await;
    Resume::Anew
}
