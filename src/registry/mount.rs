//! Mounts: a blob that another repository of the registry has, without a byte on the way.

use http::{Method, StatusCode};

use super::{
    error::{Cause, Error},
    remote::Remote,
    upload::{self, Upload},
};
use crate::{class::Class, digest::Digest};

/// What a registry makes of a mount.
#[derive(Debug)]
pub enum Mount {
    /// The blob is there.
    Mounted,
    /// It is not, and this session is open to upload it.
    Upload(Upload),
    /// The registry does not do it: not with this credential, or never. Upload it.
    Refused,
}

impl Remote {
    /// Asks the registry to take a blob from another of its repositories. One token allows both: to write here and to
    /// read there.
    ///
    /// # Errors
    ///
    /// Only what will also keep an upload from working: no connection, a rate limit.
    pub async fn mount(&self, digest: &Digest, from: &Self) -> Result<Mount, Error> {
        if from.repository().registry() != self.repository().registry() {
            return Ok(Mount::Refused);
        }
        match self.try_mount(digest, from).await {
            Ok(mount) => Ok(mount),
            Err(cause) => match cause.class() {
                Class::Unauthorized | Class::Forbidden | Class::NotFound | Class::Unsupported => {
                    Ok(Mount::Refused)
                }
                // A registry that fails at a mount may well take the bytes.
                _ if matches!(
                    cause,
                    Cause::Failed { .. } | Cause::Protocol { .. } | Cause::Unproven { .. }
                ) =>
                {
                    Ok(Mount::Refused)
                }
                _ => Err(self.error("mount the blob into", format_args!("@{digest}"), cause)),
            },
        }
    }

    async fn try_mount(&self, digest: &Digest, from: &Self) -> Result<Mount, Cause> {
        let home = self.home();
        let mut request = home.request(Method::POST, "blobs/uploads/", &["pull", "push"])?;
        request.scopes = request.scopes.and(&from.home().scopes(&["pull"]));
        request
            .url
            .query_pairs_mut()
            .append_pair("mount", digest.as_str())
            .append_pair("from", from.repository().path());
        let response = home.transport.send(request).await?;
        match response.status() {
            StatusCode::CREATED => {
                response.finish().await;
                Ok(Mount::Mounted)
            }
            StatusCode::ACCEPTED => {
                let location = upload::location(&response)?;
                response.finish().await;
                Ok(Mount::Upload(Upload::new(self.clone(), location)))
            }
            _ => Err(home.refused(response).await),
        }
    }
}
