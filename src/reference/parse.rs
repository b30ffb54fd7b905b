//! The grammar of references: distribution-spec for paths and tags, Docker's rules for what is left out.

use std::{net::Ipv6Addr, str::FromStr};

use super::{DOCKER_HUB, Error, Named, OFFICIAL, Reference, Repository, Tag, layout};
use crate::{digest::Digest, text::excerpt};

/// Registry and path together: what clients enforce, as the distribution-spec warns ("Pulling manifests").
pub(super) const LONGEST_NAME: usize = 255;

/// Names of Docker Hub that are all the same place.
const DOCKER_HUB_NAMES: [&str; 4] =
    [DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// Whether a host, in lower case, is Docker Hub.
pub(crate) fn is_docker_hub(host: &str) -> bool {
    DOCKER_HUB_NAMES.contains(&host)
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse::<Named>().map(Self::from)
    }
}

impl FromStr for Named {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some((_, rest)) = text.split_once("://") {
            return Err(Error::Scheme { text: excerpt(text), rest: excerpt(rest) });
        }
        if let Some(rest) = text.strip_prefix(layout::PREFIX) {
            return layout::parse(text, rest);
        }
        if is_image_id(text) {
            return Err(Error::ImageId(text.to_owned()));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = split_tag(rest);
        if name.is_empty() {
            return Err(Error::NoRepository(excerpt(text)));
        }
        Ok(Self {
            repository: repository(name)?,
            tag: tag.map(Tag::from_str).transpose()?,
            digest: digest.map(Digest::from_str).transpose()?,
        })
    }
}

impl FromStr for Repository {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Named { repository, tag, digest } = text.parse()?;
        if tag.is_some() || digest.is_some() {
            return Err(Error::NotARepository { text: excerpt(text), repository: repository.familiar() });
        }
        Ok(repository)
    }
}

impl FromStr for Tag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let well_formed = text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
            && text.bytes().next().is_some_and(is_word)
            && text.len() <= 128;
        if well_formed { Ok(Self(text.into())) } else { Err(Error::tag(text)) }
    }
}

/// A `:` begins a tag if no `/` follows: otherwise it belongs to the registry's port, or to its IPv6 address.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !is_bare_ipv6(text) => (name, Some(tag)),
        _ => (text, None),
    }
}

fn is_bare_ipv6(text: &str) -> bool {
    text.starts_with('[') && !text.contains('/')
}

fn repository(name: &str) -> Result<Repository, Error> {
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if Repository::names_registry(first) => (registry(first)?, path),
        _ if is_bare_ipv6(name) => (registry(name)?, ""),
        _ => (DOCKER_HUB.to_owned(), name),
    };
    if path.is_empty() {
        return Err(Error::NoPath { registry });
    }
    check_path(path)?;
    let official = if registry == DOCKER_HUB && !path.contains('/') { OFFICIAL } else { "" };
    let repository = Repository { registry: registry.into(), path: [official, path].concat().into() };
    let length = repository.registry.len() + 1 + repository.path.len();
    if length > LONGEST_NAME {
        return Err(Error::TooLong { name: excerpt(name), length, most: LONGEST_NAME });
    }
    Ok(repository)
}

impl Repository {
    /// Whether the first component of a path would be read as a registry: it has a `.` or a `:`, or is `localhost`.
    /// That is Docker's rule; anything else is a namespace on Docker Hub.
    #[must_use]
    pub fn names_registry(first: &str) -> bool {
        first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost")
    }
}

/// The registry in its one spelling: lower case, the shortest form of an IPv6 address, one name for Docker Hub.
fn registry(text: &str) -> Result<String, Error> {
    let bad = || Error::Registry(excerpt(text));
    // The port's colon is behind the last bracket of an IPv6 address.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let host = match host.strip_prefix('[') {
        Some(rest) => {
            let address = rest.strip_suffix(']').ok_or_else(bad)?;
            format!("[{}]", address.parse::<Ipv6Addr>().map_err(|_| bad())?)
        }
        None if is_host_name(host) => host.to_ascii_lowercase(),
        None => return Err(bad()),
    };
    match port {
        None if is_docker_hub(&host) => Ok(DOCKER_HUB.to_owned()),
        None => Ok(host),
        Some(_) if host == layout::REGISTRY => Err(Error::LayoutRegistry),
        Some(port) if is_port(port) => Ok(format!("{host}:{port}")),
        Some(_) => Err(Error::Port(excerpt(text))),
    }
}

fn is_host_name(host: &str) -> bool {
    host.split('.').all(|label| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0') && port.parse::<u16>().is_ok()
}

fn check_path(path: &str) -> Result<(), Error> {
    let Some(component) = path.split('/').find(|component| !is_component(component)) else { return Ok(()) };
    let lower = path.to_ascii_lowercase();
    // Only where lower case is all that it takes: otherwise the advice would be wrong.
    if lower != path && lower.split('/').all(is_component) {
        return Err(Error::Uppercase { path: excerpt(path), lower: excerpt(&lower) });
    }
    Err(Error::Component { component: excerpt(component), path: excerpt(path) })
}

/// distribution-spec, "Pulling manifests": `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(is_alphanumeric)
        && text.ends_with(is_alphanumeric)
        && text
            .split(is_alphanumeric)
            .all(|between| matches!(between, "." | "_" | "__") || between.bytes().all(|b| b == b'-'))
}

fn is_image_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
