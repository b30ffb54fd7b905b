//! Lists referrers through the registry's API.

use std::collections::BTreeSet;

use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::super::{
    error::{Cause, Error},
    link,
    manifest::{Descriptor, Descriptors, MOST_CHILDREN, ManifestError, OCI_INDEX, essence},
    remote::{Place, Remote},
    transport::{Request, Response},
};
use crate::digest::Digest;

/// What a page may have, in bytes: it is an index, and those are no larger.
const LARGEST: u64 = 4 << 20;
/// Referrers of one manifest; real images have a few dozen.
const MOST: usize = MOST_CHILDREN;
/// Pages that are read at most.
const MOST_PAGES: usize = MOST;

/// How some registries answer a question for the referrers of what they do not have.
const NO_MANIFEST: &str = "MANIFEST_UNKNOWN";

/// What a registry knows of the referrers of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// These, each once, in the registry's order.
    Referrers(Vec<Descriptor>),
    /// It has no API for them: they are named by the index under the fallback tag.
    NoApi,
}

impl Remote {
    /// Lists the referrers of a manifest that the repository has. That a repository has no API is remembered for an hour.
    ///
    /// # Errors
    ///
    /// A 404 says that there is no API (what speaks of the manifest, only of this one), for a repository that is there
    /// ([`Cause::NotFound`] for one that is not), and so does a redirect to another host's web page. All else that is no
    /// list is an error, as is a list that is too long or never ends: what could not be listed is not "none".
    pub async fn referrers(&self, subject: &Digest) -> Result<Listing, Error> {
        let api = self.memory().api(self.repository().path());
        // One asks for all: that there is no API has to be asked once.
        let asking = if api.known().is_none() { Some(api.asking.lock().await) } else { None };
        if api.known() == Some(false) {
            return Ok(Listing::NoApi);
        }
        let is_known = api.known().is_some();
        let asking = asking.filter(|_| !is_known);
        let listing = match self.home().referrers(subject, is_known).await {
            Ok(listing) => listing,
            // It may have lost this manifest, and tells nothing of the others.
            Err(Cause::NotFound { answer }) if !is_known && answer.has(&[NO_MANIFEST]) => {
                return Ok(Listing::NoApi);
            }
            Err(cause) => {
                return Err(self.error("list the referrers of", format_args!("@{subject}"), cause));
            }
        };
        api.learn(listing != Listing::NoApi);
        drop(asking);
        Ok(listing)
    }

    /// Whether the repository, which has to be there, lists referrers through an API; asked once, about `subject`.
    ///
    /// # Errors
    ///
    /// Those of [`referrers`](Self::referrers).
    pub async fn has_referrers_api(&self, subject: &Digest) -> Result<bool, Error> {
        match self.memory().api(self.repository().path()).known() {
            Some(known) => Ok(known),
            None => Ok(self.referrers(subject).await? != Listing::NoApi),
        }
    }

    /// The registry took a manifest and said that it lists it (`OCI-Subject`).
    pub(in super::super) fn lists_referrers(&self) {
        self.memory().api(self.repository().path()).learn(true);
    }
}

impl Place<'_> {
    async fn referrers(&self, subject: &Digest, has_api: bool) -> Result<Listing, Cause> {
        let request = self.request(Method::GET, &format!("referrers/{subject}"), &["pull"])?;
        let mut response = self.transport.send(accepting(request)).await?;
        if response.status() != StatusCode::OK {
            return match self.refused(response).await {
                Cause::Unproven { .. } | Cause::Unsupported { .. } if !has_api => Ok(Listing::NoApi),
                // A repository that is not there yet has no API yet: ggcr answers so.
                Cause::NotFound { answer } if !has_api && !answer.has(&["NAME_UNKNOWN", NO_MANIFEST]) => {
                    Ok(Listing::NoApi)
                }
                cause => Err(cause),
            };
        }
        // Some registries send whoever asks for what they do not have to a page of another host, to log in there. All else that
        // is asked of such a registry is answered; where it is not, that is an error by itself.
        if response.is_foreign && response.is_web_page() && !has_api {
            return Ok(Listing::NoApi);
        }
        let (mut asked, mut found) = (BTreeSet::new(), Found::default());
        loop {
            asked.insert(response.url().clone());
            let (host, next) = (response.host(), link::following(&response));
            let is_new = found.add(response).await?;
            let Some(next) = next else { return Ok(Listing::Referrers(found.referrers)) };
            if !is_new || asked.contains(&next.url) || asked.len() >= MOST_PAGES {
                let detail = "its list of referrers goes in circles, or never ends".to_owned();
                return Err(Cause::Protocol { host, detail });
            }
            let request = Request::to(Method::GET, next, self.scopes(&["pull"]));
            response = self.transport.send(accepting(request)).await?;
            if response.status() != StatusCode::OK {
                return Err(self.refused(response).await);
            }
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct Found {
    referrers: Vec<Descriptor>,
    seen: BTreeSet<Digest>,
}

impl Found {
    /// Reads a page, and says whether it has anything that the others had not.
    async fn add(&mut self, response: Response) -> Result<bool, Cause> {
        let host = response.host();
        if response.is_web_page() {
            return Err(Cause::WebPage { host });
        }
        let said = essence(response.header(&CONTENT_TYPE).unwrap_or_default());
        let body = response.bytes("list of referrers", LARGEST).await?;
        let page = Descriptors::parse(&body)?;
        if said != OCI_INDEX && page.media_type.as_deref() != Some(OCI_INDEX) {
            let detail = format!("its list of referrers is no index ({})", crate::text::excerpt(&said));
            return Err(Cause::Protocol { host, detail });
        }
        let before = self.referrers.len();
        self.referrers
            .extend(page.descriptors.into_iter().filter(|one| self.seen.insert(one.digest.clone())));
        let found = self.referrers.len();
        if found > MOST {
            return Err(ManifestError::TooMany { found, what: "referrers", most: MOST }.into());
        }
        Ok(found > before)
    }
}

fn accepting(request: Request) -> Request {
    request.header(ACCEPT, HeaderValue::from_static(OCI_INDEX))
}
