//! Uploads: a session in which a registry takes a blob.

use std::{fmt, io};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use http::{
    HeaderValue, Method, StatusCode,
    header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE},
};

use super::{
    error::{Cause, Error},
    manifest::Blob,
    remote::Remote,
    transport::{Lane, Named, Request, Response},
};

/// Blobs up to this size (bytes) are no load: they pass where manifests do, and sending one costs hardly more than
/// asking whether it is there.
pub const SMALL: u64 = 64 * 1024;

/// What a token must allow for an upload.
const PUSH: [&str; 2] = ["pull", "push"];

/// An upload session. The registry moves it with each answer, so it cannot be shared.
pub struct Upload {
    remote: Remote,
    location: Named,
}

impl Remote {
    /// Opens a session for one blob.
    ///
    /// # Errors
    ///
    /// Missing rights show here, before anything is sent; and all that is no answer.
    pub async fn start_upload(&self) -> Result<Upload, Error> {
        self.try_start_upload().await.map_err(|cause| self.error("begin an upload to", "", cause))
    }

    async fn try_start_upload(&self) -> Result<Upload, Cause> {
        let home = self.home();
        let response = home.transport.send(home.request(Method::POST, "blobs/uploads/", &PUSH)?).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(home.refused(response).await);
        }
        let location = location(&response)?;
        response.finish().await;
        Ok(Upload::new(self.clone(), location))
    }
}

impl Upload {
    pub(super) const fn new(remote: Remote, location: Named) -> Self {
        Self { remote, location }
    }

    /// Sends the bytes of `blob` from `offset` on, which is where the session stands, and closes the session. `body` has
    /// exactly those bytes.
    ///
    /// # Guarantees
    ///
    /// `Ok` means that the registry has the whole blob and checked its digest. `body` is read only as fast as the
    /// registry takes it.
    ///
    /// # Errors
    ///
    /// A transient class means that [`offset`](Self::offset) tells where to go on; with [`Cause::Digest`] the session
    /// is spoilt.
    pub async fn put<S>(&mut self, blob: &Blob, offset: u64, body: S) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
    {
        // On the heap: what is read may be a large state, and every future on the way here would hold it.
        let sent = self.try_put(blob, offset, body.boxed()).await;
        sent.map_err(|cause| self.remote.error("write the blob", format_args!("@{}", blob.digest), cause))
    }

    /// How many bytes the registry has of this session; `None` if it no longer knows, and then a new one is needed.
    ///
    /// # Errors
    ///
    /// All that is no answer.
    pub async fn offset(&mut self) -> Result<Option<u64>, Error> {
        self.try_offset().await.map_err(|cause| self.remote.error("resume an upload to", "", cause))
    }

    /// Tells the registry that nothing more will come. What it answers changes nothing: a session that stays is
    /// removed by the registry in time.
    pub async fn cancel(self) {
        let home = self.remote.home();
        match home.transport.send(self.request(Method::DELETE)).await {
            Ok(response) => response.finish().await,
            Err(error) => {
                tracing::debug!(repository = %self.remote.repository(), %error, "the upload stays open");
            }
        }
    }

    async fn try_put(&mut self, blob: &Blob, offset: u64, body: Body) -> Result<(), Cause> {
        let rest = blob.size.saturating_sub(offset);
        let (lane, body) = Payload::of(rest, body).await?;
        if offset == 0 {
            return self.close(blob, |request| body.put_in(request.lane(lane))).await;
        }
        if rest > 0 {
            let range = format!("{offset}-{}", blob.size - 1);
            let request = body.put_in(self.request(Method::PATCH).lane(lane));
            let request = request.text_header(CONTENT_RANGE, &range);
            let response = self.remote.home().transport.send(octets(request)).await.map_err(session)?;
            if !matches!(
                response.status(),
                StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::CREATED
            ) {
                return Err(session(self.remote.home().refused(response).await));
            }
            self.follow(&response)?;
            response.finish().await;
        }
        self.close(blob, |request| request).await
    }

    /// Names the digest, and with it closes the session; `with` adds what is still to be sent.
    async fn close(&mut self, blob: &Blob, with: impl FnOnce(Request) -> Request) -> Result<(), Cause> {
        let mut request = self.request(Method::PUT);
        request.url.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        request.weight = blob.size;
        let response = self.remote.home().transport.send(octets(with(request))).await?;
        if response.status().is_success() && response.status() != StatusCode::ACCEPTED {
            response.finish().await;
            return Ok(());
        }
        let cause = session(self.remote.home().refused(response).await);
        Err(match cause {
            Cause::Refused { answer } if answer.has(&["DIGEST_INVALID"]) => {
                Cause::Digest { expected: blob.digest.clone() }
            }
            cause => cause,
        })
    }

    async fn try_offset(&mut self) -> Result<Option<u64>, Cause> {
        let home = self.remote.home();
        let response = match home.transport.send(self.request(Method::GET)).await {
            // Its address was good for a while only: the registry can open another.
            Err(Cause::Elsewhere { status, .. }) if status.is_client_error() => return Ok(None),
            answer => answer?,
        };
        match response.status() {
            StatusCode::NO_CONTENT | StatusCode::ACCEPTED | StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => return Ok(None),
            _ => {
                return match session(home.refused(response).await) {
                    Cause::SessionLost { .. } => Ok(None),
                    cause => Err(cause),
                };
            }
        }
        let stands = response.header(&RANGE).and_then(last_byte);
        self.follow(&response)?;
        response.finish().await;
        // `0-0` is one byte, or none: distribution says the same to both.
        Ok(stands.filter(|&last| last > 0).map(|last| last + 1))
    }

    fn request(&self, method: Method) -> Request {
        Request::to(method, self.location.clone(), self.remote.home().scopes(&PUSH))
    }

    /// The session is where the last answer says.
    fn follow(&mut self, response: &Response) -> Result<(), Cause> {
        if response.header(&LOCATION).is_some() {
            self.location = location(response)?;
        }
        Ok(())
    }
}

/// The bytes of a blob, as they come.
type Body = BoxStream<'static, io::Result<Bytes>>;

/// What is sent of a blob.
enum Payload {
    /// All of it, which can be sent again.
    Whole(Bytes),
    /// It comes as it is taken.
    Stream(u64, Body),
}

impl Payload {
    /// Little is read before anything is asked for: it can be sent again, and nothing of the budget is held while it is
    /// read, perhaps from the same registry.
    async fn of(length: u64, body: Body) -> Result<(Lane, Self), Cause> {
        if length > SMALL {
            return Ok((Lane::Write, Self::Stream(length, body)));
        }
        let whole = collect(body).await.map_err(Cause::Body)?;
        Ok((Lane::Small, Self::Whole(whole)))
    }

    fn put_in(self, request: Request) -> Request {
        match self {
            Self::Whole(bytes) => request.bytes(bytes),
            Self::Stream(length, stream) => request.stream(length, stream),
        }
    }
}

/// All bytes of a stream; for those of a blob that is [`SMALL`].
pub(crate) async fn collect<E>(chunks: impl Stream<Item = Result<Bytes, E>>) -> Result<Bytes, E> {
    let append = |mut whole: BytesMut, chunk: Bytes| async move {
        whole.extend_from_slice(&chunk);
        Ok(whole)
    };
    chunks.try_fold(BytesMut::new(), append).await.map(BytesMut::freeze)
}

/// Where a session is, relative to what was asked or not.
pub(super) fn location(response: &Response) -> Result<Named, Cause> {
    let url = response.header(&LOCATION).and_then(|location| response.url().join(location).ok());
    let url = url.ok_or_else(|| Cause::Protocol {
        host: response.host(),
        detail: "an upload's answer does not say where it goes on (Location)".to_owned(),
    })?;
    Ok(Named::in_response(url, response))
}

fn octets(request: Request) -> Request {
    request.header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
}

/// The last byte of `0-41`, or `bytes=0-41` as some write it.
fn last_byte(range: &str) -> Option<u64> {
    let range = range.trim();
    let (first, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    let last = last.split('/').next()?.trim().parse().ok()?;
    (first.trim() == "0" && last < u64::MAX).then_some(last)
}

/// Within a session, "not found" and "wrong range" are about the session.
fn session(cause: Cause) -> Cause {
    match cause {
        Cause::NotFound { answer } | Cause::Unproven { answer } => Cause::SessionLost { answer },
        Cause::Refused { answer }
            if answer.status == StatusCode::RANGE_NOT_SATISFIABLE
                || answer.has(&[
                    "BLOB_UPLOAD_UNKNOWN",
                    "RANGE_INVALID",
                    "BLOB_UPLOAD_INVALID",
                    "SIZE_INVALID",
                ]) =>
        {
            Cause::SessionLost { answer }
        }
        cause => cause,
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({})", self.remote.repository())
    }
}
