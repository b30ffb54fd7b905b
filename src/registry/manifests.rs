//! Manifests in a registry: looked at, read, written, deleted.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT as ACCEPT_HEADER, CONTENT_TYPE},
};

use super::{
    answer::Answer,
    error::{Cause, Error},
    manifest::{ACCEPT, Descriptor, Manifest},
    remote::{At, Place, Remote},
    transport::{Request, Response},
};
use crate::digest::Digest;

/// The largest manifest that is read, in bytes: distribution-spec asks registries to take at least so much, and they
/// take no more.
const LARGEST: u64 = 4 * 1024 * 1024;
/// Where a registry says the digest of what it sends or took.
const CONTENT_DIGEST: &str = "docker-content-digest";
/// Where a registry says that it lists a manifest among the referrers of its subject.
const SUBJECT: &str = "oci-subject";

impl Remote {
    /// Looks which manifest is there, without reading it: it costs no pull. `None` is a 404; see
    /// [`prove_absent`](Self::prove_absent). A size that the registry does not say is 0.
    ///
    /// # Errors
    ///
    /// All that is neither an answer nor a 404.
    pub async fn head_manifest(&self, at: &At) -> Result<Option<Descriptor>, Error> {
        let found = self.home().head_manifest(at).await;
        found.map_err(|cause| self.error("look at the manifest", at, cause))
    }

    /// Asks again about a 404, with a request whose answer says more: whether the registry itself says that there is no
    /// such manifest, or no such repository.
    ///
    /// # Errors
    ///
    /// A 404 that does not say so is an error, as is all that is no answer.
    pub async fn prove_absent(&self, at: &At) -> Result<bool, Error> {
        match self.home().get_manifest(at).await {
            Err(Cause::NotFound { .. }) => Ok(true),
            // It is there, whatever else is wrong with it.
            Ok(_) | Err(Cause::Manifest(_) | Cause::TooLarge { .. }) => Ok(false),
            Err(cause) => Err(self.error("look for the manifest", at, cause)),
        }
    }

    /// Reads a manifest; by digest, a mirror is asked first.
    ///
    /// # Guarantees
    ///
    /// The bytes have the digest that they were asked by, and the one that the registry named.
    ///
    /// # Errors
    ///
    /// [`Cause::NotFound`], [`Cause::TooLarge`] above 4 MiB, [`Cause::Digest`] for wrong bytes,
    /// [`Cause::Manifest`] for what is not supported; and all that is no answer.
    pub async fn get_manifest(&self, at: &At) -> Result<Manifest, Error> {
        if matches!(at, At::Digest(_)) {
            for mirror in self.places().filter(|place| place.is_mirror) {
                match mirror.get_manifest(at).await {
                    Ok(manifest) => return Ok(manifest),
                    Err(Cause::NotFound { .. }) => {}
                    Err(error) => {
                        tracing::debug!(mirror = %mirror.repository, %error, "the mirror is passed over");
                        mirror.failed();
                    }
                }
            }
        }
        let manifest = self.home().get_manifest(at).await;
        manifest.map_err(|cause| self.error("read the manifest", at, cause))
    }

    /// Reads a manifest from the registry itself, whatever mirrors it has: that it is there.
    ///
    /// # Errors
    ///
    /// Those of [`get_manifest`](Self::get_manifest).
    pub async fn get_own_manifest(&self, at: &At) -> Result<Manifest, Error> {
        let manifest = self.home().get_manifest(at).await;
        manifest.map_err(|cause| self.error("read the manifest", at, cause))
    }

    /// Writes a manifest, as its bytes are. A refusal ([`Error::is_refusal`]) means that the tag is as it was.
    ///
    /// # Errors
    ///
    /// [`Error::is_missing_content`] if the registry lacks something that the manifest names;
    /// [`Cause::OtherDigest`] if it stored something else; and all that is no answer.
    pub async fn put_manifest(&self, at: &At, manifest: &Manifest) -> Result<(), Error> {
        self.try_put(at, manifest).await.map(drop)
    }

    /// Writes a referrer by its digest, and says whether the registry lists it among the referrers of its subject: if it says
    /// so itself (`OCI-Subject`), or has an API for that. Where it does not, [`name_referrers`](Self::name_referrers) has to.
    ///
    /// # Errors
    ///
    /// Those of [`put_manifest`](Self::put_manifest), and of the question whether there is an API. A registry that wants the
    /// subject first says that [content is missing](Error::is_missing_content).
    pub async fn put_referrer(&self, manifest: &Manifest) -> Result<bool, Error> {
        let Some(subject) = manifest.subject() else {
            let at = At::Digest(manifest.digest.clone());
            return self.put_manifest(&at, manifest).await.map(|()| false);
        };
        let at = At::Digest(manifest.digest.clone());
        let is_listed = {
            // A registry that lists them itself may lose one of two that come at the same time: olareg did.
            let turn = self.memory().turn(self.repository().path(), subject);
            let _turn = turn.lock().await;
            self.try_put(&at, manifest).await?
        };
        if is_listed {
            self.lists_referrers();
            return Ok(true);
        }
        self.has_referrers_api(subject).await
    }

    /// Says whether the answer had an `OCI-Subject`.
    async fn try_put(&self, at: &At, manifest: &Manifest) -> Result<bool, Error> {
        let put = self.home().put_manifest(at, manifest).await;
        put.map_err(|cause| self.error("write the manifest", at, cause))
    }

    /// Deletes a manifest, or by tag the tag alone where the registry can do that.
    ///
    /// # Errors
    ///
    /// [`Cause::NotFound`], [`Cause::Unsupported`] and all that is no answer.
    pub async fn delete_manifest(&self, at: &At) -> Result<(), Error> {
        let deleted = self.home().delete_manifest(at).await;
        deleted.map_err(|cause| self.error("delete the manifest", at, cause))
    }
}

impl Place<'_> {
    fn ask(&self, method: Method, at: &At, actions: &[&str]) -> Result<Request, Cause> {
        self.request(method, &format!("manifests/{}", at.reference()), actions)
    }

    fn read(&self, method: Method, at: &At) -> Result<Request, Cause> {
        Ok(self.ask(method, at, &["pull"])?.header(ACCEPT_HEADER, HeaderValue::from_static(ACCEPT)))
    }

    async fn head_manifest(&self, at: &At) -> Result<Option<Descriptor>, Cause> {
        let response = self.transport.send(self.read(Method::HEAD, at)?).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.refused(response).await),
        }
        if response.is_web_page() {
            return Err(Cause::WebPage { host: response.host() });
        }
        let Some(said) = said(&response)? else {
            // The digest is then that of the bytes. What is held of the budget is given back before more is taken.
            drop(response);
            return self.get_manifest(at).await.map(|manifest| Some(manifest.descriptor()));
        };
        let digest = match at {
            At::Tag(_) => said,
            At::Digest(asked) => agree(asked, said)?,
        };
        let size = response.content_length().unwrap_or_default();
        Ok(Some(Descriptor { digest, size, media_type: content_type(&response) }))
    }

    async fn get_manifest(&self, at: &At) -> Result<Manifest, Cause> {
        let response = self.transport.send(self.read(Method::GET, at)?).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refused(response).await);
        }
        if response.is_web_page() {
            return Err(Cause::WebPage { host: response.host() });
        }
        let (said, content_type) = (said(&response)?, content_type(&response));
        let bytes = response.bytes("manifest", LARGEST).await?;
        let digest = digest_of(&bytes, at, said)?;
        Ok(Manifest::parse(bytes, Some(&content_type), digest)?)
    }

    async fn put_manifest(&self, at: &At, manifest: &Manifest) -> Result<bool, Cause> {
        let request = self.ask(Method::PUT, at, &["pull", "push"])?;
        let request = request.text_header(CONTENT_TYPE, &manifest.media_type).bytes(manifest.bytes.clone());
        let response = self.transport.send(request).await?;
        if response.status().is_success() {
            if let Some(said) = said(&response)? {
                agree(&manifest.digest, said)?;
            }
            let is_listed = response.named(SUBJECT).is_some();
            response.finish().await;
            return Ok(is_listed);
        }
        let is_repeat = response.is_repeat;
        let cause = self.refused(response).await;
        // A registry whose tags cannot be changed refuses the second try of what the first one did.
        if is_repeat {
            match self.head_manifest(at).await {
                Ok(Some(there)) if there.digest == manifest.digest => return Ok(false),
                Ok(_) => {}
                Err(_) => return Err(Cause::Unsure(Arc::new(cause))),
            }
        }
        Err(match cause {
            Cause::NotFound { answer } | Cause::Refused { answer } | Cause::Unproven { answer }
                if lacks_content(&answer, manifest) =>
            {
                Cause::MissingContent { answer }
            }
            cause => cause,
        })
    }

    async fn delete_manifest(&self, at: &At) -> Result<(), Cause> {
        let response = self.transport.send(self.ask(Method::DELETE, at, &["pull", "delete"])?).await?;
        if response.status().is_success() {
            response.finish().await;
            return Ok(());
        }
        Err(self.refused(response).await)
    }
}

/// Registries say in different ways that something is missing that a manifest names: with a code, or in prose with the
/// digest.
fn lacks_content(answer: &Answer, manifest: &Manifest) -> bool {
    let named = || {
        let children = manifest.children().iter().map(|child| &child.digest);
        let blobs = manifest.blobs().into_iter().map(|blob| blob.digest);
        children.cloned().chain(blobs).chain(manifest.subject().cloned())
    };
    answer.has(&["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"])
        || named().any(|digest| answer.digests.contains(&digest))
}

fn content_type(response: &Response) -> String {
    response.header(&CONTENT_TYPE).unwrap_or_default().to_owned()
}

/// The digest that a registry says; one of an algorithm that cannot be checked says nothing.
fn said(response: &Response) -> Result<Option<Digest>, Cause> {
    let Some(text) = response.named(CONTENT_DIGEST).map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(digest) => Ok(Some(digest)),
        Err(crate::digest::DigestError::Algorithm(_)) => Ok(None),
        Err(error) => Err(Cause::Protocol { host: response.host(), detail: error.to_string() }),
    }
}

/// Whether what the registry says agrees with what is right; another algorithm says nothing about it.
fn agree(expected: &Digest, said: Digest) -> Result<Digest, Cause> {
    let algorithm = |digest: &Digest| digest.as_str().split(':').next().map(str::to_owned);
    if *expected != said && algorithm(expected) == algorithm(&said) {
        return Err(Cause::OtherDigest { expected: expected.clone(), said });
    }
    Ok(expected.clone())
}

/// The digest of what came, which has to be all that was said of it.
fn digest_of(bytes: &Bytes, at: &At, said: Option<Digest>) -> Result<Digest, Cause> {
    let check = |expected: &Digest| {
        if expected.matches(bytes) { Ok(()) } else { Err(Cause::Digest { expected: expected.clone() }) }
    };
    if let Some(said) = &said {
        check(said)?;
    }
    match at {
        At::Digest(asked) => check(asked).map(|()| asked.clone()),
        At::Tag(_) => Ok(said.unwrap_or_else(|| Digest::sha256(bytes))),
    }
}
