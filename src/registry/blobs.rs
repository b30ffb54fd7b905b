//! Blobs in a registry: looked at here, and read in [`read`](super::read).

use http::{Method, StatusCode, header::RANGE};

use super::{
    error::{Cause, Error},
    manifest::Blob,
    remote::Remote,
};
use crate::digest::Digest;

/// How often a byte that does not come is asked for.
const TRIES: u32 = 3;

/// What came of asking for one byte.
enum Byte {
    Came,
    /// The registry says that there is none.
    Gone,
    /// It was promised, and did not come.
    Missing,
}

impl Remote {
    /// The size of a blob, in bytes; `None` is a 404, or an answer without a size, which proves nothing. A registry
    /// whose cache is wrong says a size for a blob that is gone.
    ///
    /// # Errors
    ///
    /// All that is neither an answer nor a 404.
    pub async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let size = self.try_head_blob(digest).await;
        size.map_err(|cause| self.error("look at the blob", format_args!("@{digest}"), cause))
    }

    /// Whether a blob can be read, by reading one byte of it from the registry itself, whatever mirrors it has. A
    /// registry's cache answers for a blob that is gone, and then sends nothing; that counts as gone.
    ///
    /// # Errors
    ///
    /// All that is neither a byte nor the lack of one.
    pub async fn can_read_blob(&self, blob: &Blob) -> Result<bool, Error> {
        let error = |cause| self.error("read the blob", format_args!("@{}", blob.digest), cause);
        if blob.size == 0 {
            return Ok(self.try_head_blob(&blob.digest).await.map_err(error)?.is_some());
        }
        for _ in 0..TRIES {
            match self.try_byte(blob).await.map_err(error)? {
                Byte::Came => return Ok(true),
                Byte::Gone => return Ok(false),
                // A connection that broke looks the same, and does not break each time.
                Byte::Missing => {}
            }
        }
        Ok(false)
    }

    async fn try_byte(&self, blob: &Blob) -> Result<Byte, Cause> {
        let home = self.home();
        let request = home.request(Method::GET, &format!("blobs/{}", blob.digest), &["pull"])?;
        let mut response = match home.transport.send(request.text_header(RANGE, "bytes=0-0")).await {
            Ok(response) => response,
            Err(Cause::Elsewhere { status: StatusCode::NOT_FOUND, .. }) => return Ok(Byte::Gone),
            Err(cause) => return Err(cause),
        };
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Byte::Gone),
            _ => {
                return match home.refused(response).await {
                    Cause::NotFound { .. } => Ok(Byte::Gone),
                    cause => Err(cause),
                };
            }
        }
        if response.is_web_page() {
            return Err(Cause::WebPage { host: response.host() });
        }
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if chunk.is_empty() => {}
                Ok(Some(_)) => break,
                Ok(None) | Err(Cause::Torn { .. }) => return Ok(Byte::Missing),
                Err(cause) => return Err(cause),
            }
        }
        response.finish().await;
        Ok(Byte::Came)
    }

    async fn try_head_blob(&self, digest: &Digest) -> Result<Option<u64>, Cause> {
        let home = self.home();
        let request = home.request(Method::HEAD, &format!("blobs/{digest}"), &["pull"])?;
        let response = home.transport.send(request).await?;
        match response.status() {
            StatusCode::OK => Ok(response.content_length()),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(home.refused(response).await),
        }
    }
}
