//! One blob to one repository: sent once, and where the connection tears, from where the registry stands.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::{
    error::Error,
    pace::{Body, Pace},
    wants::PATIENCE,
};
use crate::{
    class::{Class, Retry},
    registry::{Blob, Remote, Upload},
};

/// A registry that takes no byte for so long is given up on, and tried again.
const STALL: Duration = Duration::from_mins(1);

/// The waits between tries that bring the registry no further.
fn waits() -> ExponentialBackoff {
    let builder = ExponentialBuilder::default().with_min_delay(Duration::from_millis(250));
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
    target: &Remote,
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
    let error = tokio::select! {
        sent = sending => match sent {
            Ok(()) => return Tried::Done,
            Err(error) => Some(Error::target(error)),
        },
        () = pace.stalled(PATIENCE) => None,
    };
    pace.give_up();
    // A source that fails is why the body ended, whatever the target made of that. Wrong bytes may come from a mirror,
    // or from the way here: they are read anew, once.
    let source = pace.source_error();
    let is_mismatch = |error: &Error| error.class() == Class::DigestMismatch;
    let is_spoilt = source.as_ref().or(error.as_ref()).is_some_and(is_mismatch);
    let is_final = |error: &Error| error.class().retry() != Retry::Transient;
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
/// When this returns `Ok`, the registry has the whole blob and has checked its digest. What a session holds is not
/// sent again if the registry can tell how much that is.
///
/// # Errors
///
/// The last try's. The session is cancelled then, as far as the registry answers.
pub(crate) async fn upload(
    target: &Remote,
    blob: &Blob,
    start: Start,
    open: impl Fn(u64) -> (Body, Pace),
) -> Result<(), Error> {
    let mut waits = waits();
    let (mut session, mut reached) = match start {
        Start::Fresh(session) => (session, 0),
        Start::Torn(upload) => match resume_at(target, blob, upload, Class::Unavailable).await {
            Resume::Done => return Ok(()),
            Resume::At(upload, offset) => (Some(upload), offset),
            Resume::Anew => (None, 0),
        },
    };
    loop {
        let mut upload = match session.take() {
            Some(upload) => upload,
            None => target.start_upload().await.map_err(Error::target)?,
        };
        let (body, pace) = open(reached);
        let error = tokio::select! {
            sent = upload.put(blob, reached, body) => match sent {
                Ok(()) => return Ok(()),
                Err(error) => Error::target(error),
            },
            () = pace.stalled(STALL) => Error::Stalled {
                repository: target.repository().clone(),
                digest: blob.digest.clone(),
                seconds: STALL.as_secs(),
            },
        };
        pace.give_up();
        // A source that fails is why the body ended, whatever the target made of that.
        let source = pace.source_error();
        if source.is_some() || error.class().retry() != Retry::Transient {
            upload.cancel().await;
            return Err(source.unwrap_or(error));
        }
        match resume_at(target, blob, upload, error.class()).await {
            Resume::Done => return Ok(()),
            Resume::At(upload, offset) => {
                if offset > reached {
                    waits = self::waits();
                }
                reached = offset;
                session = Some(upload);
            }
            Resume::Anew => reached = 0,
        }
        let Some(wait) = waits.next() else {
            if let Some(upload) = session {
                upload.cancel().await;
            }
            return Err(error);
        };
        tokio::time::sleep(wait).await;
    }
}

enum Resume {
    /// Only the answer was lost: the blob is there.
    Done,
    At(Upload, u64),
    Anew,
}

/// Where a torn upload can go on.
async fn resume_at(target: &Remote, blob: &Blob, mut upload: Upload, class: Class) -> Resume {
    if class == Class::DigestMismatch {
        // The session keeps the bad bytes: distribution does.
        upload.cancel().await;
        return Resume::Anew;
    }
    match upload.offset().await {
        Ok(Some(offset)) if offset <= blob.size => Resume::At(upload, offset),
        Ok(Some(_)) => {
            upload.cancel().await;
            Resume::Anew
        }
        // A session that is gone may have been closed by its success; one that has nothing yet looks the same.
        Ok(None) => match target.head_blob(&blob.digest).await {
            Ok(Some(size)) if size == blob.size => Resume::Done,
            _ => {
                upload.cancel().await;
                Resume::Anew
            }
        },
        Err(error) if error.class().retry() == Retry::Terminal => {
            upload.cancel().await;
            Resume::Anew
        }
        Err(_) => Resume::At(upload, 0),
    }
}
