//! Tag lists: page after page, as long as each brings something new.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde::Deserialize;

use super::{
    error::{Cause, Error},
    link,
    remote::{Place, Remote},
    transport::{Request, Response},
};
use crate::{reference::Tag, text::excerpt};

/// What a page may have, in bytes: some registries send all that they have in one.
const LARGEST: u64 = 32 * 1024 * 1024;
/// Pages that are read at most: a million tags, where a registry gives a hundred at a time.
const MOST_PAGES: usize = 10_000;
/// Tags that are asked for at a time; registries that have another limit use theirs.
const PAGE: usize = 1_000;
/// Tags that are asked for at a time where so many are refused: Quay did so above 100 (413).
const SMALL_PAGE: usize = 100;

#[derive(Deserialize)]
struct Page {
    // `null` where there are none.
    #[serde(default)]
    tags: Option<Vec<Option<String>>>,
}

/// What was read so far.
#[derive(Default)]
pub(super) struct Tags {
    /// As the registry gives them, for telling whether a page brings anything.
    seen: BTreeSet<String>,
    bytes: u64,
}

/// A page that was taken.
pub(super) struct Added {
    /// Whether it has a tag that the others had not.
    is_new: bool,
    length: usize,
    last: Option<String>,
}

impl Remote {
    /// All tags of the repository, sorted. What cannot be a tag is left out.
    ///
    /// # Errors
    ///
    /// [`Cause::TooLarge`] above 32 MiB of names, [`Cause::Protocol`] for pages that go in circles,
    /// [`Cause::NotFound`] for a repository that is not there; and all that is no answer. A list is whole or an error.
    pub async fn tags(&self) -> Result<Vec<Tag>, Error> {
        self.try_tags().await.map_err(|cause| self.error("list the tags of", "", cause))
    }

    async fn try_tags(&self) -> Result<Vec<Tag>, Cause> {
        let home = self.home();
        let (mut tags, mut size) = (Tags::default(), PAGE);
        let mut request = page(home, None, size)?;
        let mut asked = BTreeSet::new();
        loop {
            asked.insert(request.url.clone());
            let response = home.transport.send(request).await?;
            if response.status() == StatusCode::PAYLOAD_TOO_LARGE && size == PAGE && tags.seen.is_empty() {
                response.finish().await;
                size = SMALL_PAGE;
                request = page(home, None, size)?;
                continue;
            }
            if response.status() != StatusCode::OK {
                return Err(home.refused(response).await);
            }
            if response.is_web_page() {
                return Err(Cause::WebPage { host: response.host() });
            }
            let (host, next) = (response.host(), link::following(&response));
            let page = tags.add(response).await?;
            request = match next {
                Some(next) if page.is_new && !asked.contains(&next.url) && asked.len() < MOST_PAGES => {
                    Request::to(Method::GET, next, home.scopes(&["pull"]))
                }
                Some(_) => {
                    let detail = "its list of tags goes in circles, or never ends".to_owned();
                    return Err(Cause::Protocol { host, detail });
                }
                // A page that is exactly full, from a registry that sends no links, may not be the last.
                None if page.is_new && page.length == size => self::page(home, page.last.as_deref(), size)?,
                None => break,
            };
        }
        Ok(tags.valid())
    }
}

impl Tags {
    async fn add(&mut self, response: Response) -> Result<Added, Cause> {
        let host = response.host();
        let body = response.bytes("list of tags", LARGEST - self.bytes).await?;
        self.bytes += body.len() as u64;
        self.take(&body).map_err(|error| Cause::Protocol {
            host,
            detail: format!("its list of tags is damaged: {}", excerpt(&error.to_string())),
        })
    }

    /// Takes a page's body.
    pub(super) fn take(&mut self, body: &[u8]) -> Result<Added, serde_json::Error> {
        let page: Page = serde_json::from_slice(body)?;
        let before = self.seen.len();
        let tags: Vec<String> = page.tags.unwrap_or_default().into_iter().flatten().collect();
        let (length, last) = (tags.len(), tags.last().cloned());
        self.seen.extend(tags);
        Ok(Added { is_new: self.seen.len() > before, length, last })
    }

    /// What can be a tag, sorted.
    pub(super) fn valid(&self) -> Vec<Tag> {
        self.seen.iter().filter_map(|tag| tag.parse().ok()).collect()
    }
}

/// The request for `size` tags after `last`.
fn page(home: Place<'_>, last: Option<&str>, size: usize) -> Result<Request, Cause> {
    let mut request = home.request(Method::GET, "tags/list", &["pull"])?;
    request
        .url
        .query_pairs_mut()
        .append_pair("n", &size.to_string())
        .extend_pairs(last.map(|last| ("last", last)));
    Ok(request)
}
