//! Blobs in a registry: looked at here, and read in [`read`](super::read).

use http::{Method, StatusCode};

use super::{
    error::{Cause, Error},
    remote::Remote,
};
use crate::digest::Digest;

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
