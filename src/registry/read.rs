//! Reads a blob: exactly its bytes, resumed where a connection tears, and never a wrong one to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, stream};
use http::{
    Method, StatusCode,
    header::{CONTENT_RANGE, RANGE},
};

use super::{
    checked::Checked,
    error::{Cause, Error, Found},
    manifest::Blob,
    remote::{Place, Remote},
    transport::{Lane, Response, Transport},
    upload::SMALL,
};
use tokio::time::Instant;

use crate::{
    class::{Class, Retry},
    digest::Hasher,
};

/// Connections in a row that bring less than [`PROGRESS`], after which it is given up.
const TEARS: u32 = 5;
/// What a connection must bring, in bytes, for the tears before it to be forgotten, and in the time that [`DRIPS`] allows:
/// else a host could keep us for ever.
const PROGRESS: u64 = 1024 * 1024;
/// How often a host may be waited for as long as it may be silent, until it has brought [`PROGRESS`].
const DRIPS: u32 = 5;

impl Remote {
    /// A blob to be read, perhaps more than once; all readings of it know what was checked.
    #[must_use]
    pub fn reading(&self, blob: &Blob) -> Reading {
        Reading {
            remote: self.clone(),
            blob: blob.clone(),
            checked: Arc::default(),
            generation: AtomicU64::default(),
        }
    }

    /// The bytes of a blob, as [`Reading::from`] gives them.
    pub fn read_blob(
        &self,
        blob: &Blob,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static + use<> {
        self.reading(blob).from(0)
    }
}

/// A blob at its source. A clone is the same reading, of which somebody else takes the bytes from here on.
pub struct Reading {
    remote: Remote,
    blob: Blob,
    checked: Arc<Checked>,
    /// What the bytes that were taken here since the beginning belong to.
    generation: AtomicU64,
}

impl Clone for Reading {
    fn clone(&self) -> Self {
        let generation = self.generation.load(Ordering::Relaxed).into();
        let (remote, blob, checked) = (self.remote.clone(), self.blob.clone(), Arc::clone(&self.checked));
        Self { remote, blob, checked, generation }
    }
}

impl Reading {
    /// The bytes from `from` on.
    ///
    /// # Guarantees
    ///
    /// - The stream has exactly `blob.size - from` bytes, or it ends with an error.
    /// - The last bytes come only after all of the blob is known to have the digest, what comes before `from` included: who
    ///   waits for the end never takes wrong bytes for right ones. What another stream of this reading took is not
    ///   read again for that, but for the last MiB or so.
    /// - Bytes that go on where others were taken that turned out to be wrong never come: it is an error.
    /// - Nothing is asked before the stream is polled, and nothing is read ahead of who polls it.
    ///
    /// # Errors
    ///
    /// [`Cause::Digest`] and [`Cause::Length`] for wrong bytes, and all that keeps them from coming, after it was tried
    /// again.
    pub fn from(&self, from: u64) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static + use<> {
        let generation = self.checked.generation();
        if from == 0 {
            self.generation.store(generation, Ordering::Relaxed);
        }
        let (position, hasher) = self.checked.before(from, &self.blob);
        let reader = Reader {
            remote: self.remote.clone(),
            checked: Arc::clone(&self.checked),
            hasher: Some(hasher),
            is_spoilt: self.generation.load(Ordering::Relaxed) != generation,
            blob: self.blob.clone(),
            from,
            position,
            opened_at: position,
            body: None,
            tears: 0,
            waited: (Duration::ZERO, 0),
            is_done: false,
        };
        stream::try_unfold(reader, |mut reader| async move {
            match reader.next().await {
                Ok(chunk) => Ok(chunk.map(|chunk| (chunk, reader))),
                Err(cause) => {
                    let item = format_args!("@{}", reader.blob.digest).to_string();
                    Err(reader.remote.error("read the blob", item, cause))
                }
            }
        })
    }
}

struct Reader {
    remote: Remote,
    blob: Blob,
    checked: Arc<Checked>,
    hasher: Option<Hasher>,
    /// What was taken before was found to be wrong by whoever took the same.
    is_spoilt: bool,
    /// Where what is given out begins; what comes before it is only checked.
    from: u64,
    position: u64,
    opened_at: u64,
    body: Option<Body>,
    tears: u32,
    /// How long the host was waited for, and what it brought in that time.
    waited: (Duration, u64),
    is_done: bool,
}

struct Body {
    response: Response,
    /// The mirror that it comes from.
    mirror: Option<Transport>,
    /// What comes before our position: from a host that does not do ranges.
    skip: u64,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, Cause> {
        loop {
            if self.is_done {
                return Ok(None);
            }
            if self.is_spoilt {
                return Err(Cause::Digest { expected: self.blob.digest.clone() });
            }
            if self.position >= self.blob.size {
                self.is_done = true;
                return self.verify().map(|()| None);
            }
            match self.advance().await {
                Ok(Some(chunk)) => return Ok(Some(chunk)),
                Ok(None) => {}
                Err(error) => self.torn(error).await?,
            }
        }
    }

    /// The next bytes; `None` if there are none yet.
    async fn advance(&mut self) -> Result<Option<Bytes>, Cause> {
        let mut body = match self.body.take() {
            Some(body) => body,
            None => self.open().await?,
        };
        let chunk = self.take(&mut body).await;
        match (&chunk, &body.mirror) {
            // Whatever is wrong with a mirror, the next try is without it.
            (Err(error), Some(mirror)) => mirror.endpoint().rest(match error {
                Cause::Digest { .. } | Cause::Length { .. } => mirror.timing().mirror_distrust,
                _ => mirror.timing().mirror_rest,
            }),
            (Err(_), None) => {}
            (Ok(_), _) => self.body = Some(body).filter(|_| !self.is_done),
        }
        chunk
    }

    async fn take(&mut self, body: &mut Body) -> Result<Option<Bytes>, Cause> {
        let began = Instant::now();
        let chunk = body.response.chunk().await?;
        let torn = |reason: &str| Err(Cause::Torn { host: body.response.host(), reason: reason.to_owned() });
        let Some(mut chunk) = chunk else { return torn("it ended early") };
        self.waited = (self.waited.0 + began.elapsed(), self.waited.1 + chunk.len() as u64);
        if self.waited.1 >= PROGRESS {
            self.waited = (Duration::ZERO, 0);
        } else if self.waited.0 > self.remote.home().transport.timing().idle * DRIPS {
            self.waited = (Duration::ZERO, 0);
            return torn("the bytes came too slowly");
        }
        if body.skip > 0 {
            let skipped = chunk.split_to(usize::try_from(body.skip).unwrap_or(usize::MAX).min(chunk.len()));
            body.skip -= skipped.len() as u64;
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        let end = self.position + chunk.len() as u64;
        if end > self.blob.size {
            return Err(self.too_long());
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&chunk);
            self.checked.note(end, hasher);
        }
        if end == self.blob.size {
            // The last bytes: are they right, and is this the end? Reading to it also frees the connection.
            self.verify()?;
            if let Ok(Some(more)) = body.response.chunk().await
                && !more.is_empty()
            {
                return Err(self.too_long());
            }
            self.is_done = true;
        }
        let before = usize::try_from(self.from.saturating_sub(self.position)).unwrap_or(usize::MAX);
        self.position = end;
        let given = chunk.split_off(before.min(chunk.len()));
        Ok(Some(given).filter(|given| !given.is_empty()))
    }

    fn too_long(&self) -> Cause {
        Cause::Length { expected: self.blob.size, found: Found::More }
    }

    fn verify(&mut self) -> Result<(), Cause> {
        if self.hasher.take().is_none_or(Hasher::matches) {
            Ok(())
        } else {
            self.checked.forget();
            Err(Cause::Digest { expected: self.blob.digest.clone() })
        }
    }

    /// Opens the body at our position, at the first place that has it.
    async fn open(&mut self) -> Result<Body, Cause> {
        self.opened_at = self.position;
        let remote = self.remote.clone();
        for place in remote.places() {
            match self.open_at(place).await {
                Ok(body) => return Ok(body),
                Err(error) if place.is_mirror => {
                    tracing::debug!(mirror = %place.repository, %error, "the mirror is passed over");
                    if error.class() != Class::NotFound {
                        place.failed();
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Cause::Internal("a repository has no place".to_owned()))
    }

    async fn open_at(&self, place: Place<'_>) -> Result<Body, Cause> {
        let lane = if self.blob.size <= SMALL { Lane::Small } else { Lane::Read };
        let mut request =
            place.request(Method::GET, &format!("blobs/{}", self.blob.digest), &["pull"])?.lane(lane);
        if self.position > 0 {
            request = request.text_header(RANGE, &format!("bytes={}-", self.position));
        }
        let response = place.transport.send(request).await?;
        let (skip, rest) = match response.status() {
            StatusCode::OK => (self.position, self.blob.size),
            StatusCode::PARTIAL_CONTENT if self.begins_here(&response) => (0, self.blob.size - self.position),
            StatusCode::PARTIAL_CONTENT => {
                let detail = "another range came than the one that was asked for".to_owned();
                return Err(Cause::Protocol { host: response.host(), detail });
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(Cause::Length { expected: self.blob.size, found: Found::Exactly(self.position) });
            }
            _ => return Err(place.refused(response).await),
        };
        match response.content_length() {
            // A shorter one may be torn on purpose by what stands between; an empty one is a blob that is gone.
            Some(length) if length != rest => {
                Err(Cause::Length { expected: rest, found: Found::Exactly(length) })
            }
            _ => Ok(Body { response, mirror: place.is_mirror.then(|| place.transport.clone()), skip }),
        }
    }

    /// Whether a 206 has the range from our position on.
    fn begins_here(&self, response: &Response) -> bool {
        let Some(range) = response.header(&CONTENT_RANGE) else { return self.position == 0 };
        let first = range.trim().strip_prefix("bytes").and_then(|range| range.trim().split('-').next());
        first.and_then(|first| first.trim().parse().ok()) == Some(self.position)
    }

    /// Decides whether another connection may do better, and waits before it.
    async fn torn(&mut self, error: Cause) -> Result<(), Cause> {
        let is_new = matches!(error, Cause::Torn { .. } | Cause::Silent { .. });
        if !is_new || error.class().retry() != Retry::Transient {
            return Err(error);
        }
        if self.position - self.opened_at >= PROGRESS {
            self.tears = 0;
        }
        self.tears += 1;
        if self.tears >= TEARS {
            return Err(error);
        }
        tracing::debug!(blob = %self.blob.digest, at = self.position, %error, "reading on with another connection");
        let timing = self.remote.home().transport.timing();
        let bound = timing.first_wait.saturating_mul(1 << (self.tears - 1).min(8)).min(timing.most_wait);
        tokio::time::sleep(Duration::mul_f64(bound, fastrand::f64())).await;
        Ok(())
    }
}
