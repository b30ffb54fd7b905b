//! `Link` headers: where the next page of a list is (RFC 8288).

use http::header::LINK;
use url::Url;

use super::transport::{Named, Response};

/// Where the page after this one is, if there is one.
pub(super) fn following(response: &Response) -> Option<Named> {
    let links = response.headers().get_all(LINK).iter().filter_map(|link| link.to_str().ok());
    let target: Url = links.filter_map(next).find_map(|target| response.url().join(target).ok())?;
    Some(Named::in_response(target, response))
}

/// The target of the first link whose relation is `next`. Nothing in the text makes this panic.
pub(crate) fn next(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let start = rest.find('<')?;
        let (target, after) = rest.get(start + 1..)?.split_once('>')?;
        // The parameters end where the next link begins.
        let end = after.find('<').unwrap_or(after.len());
        let (parameters, following) = after.split_at(end);
        if is_next(parameters) {
            return Some(target.trim());
        }
        rest = following;
    }
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel")
            && value.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}
