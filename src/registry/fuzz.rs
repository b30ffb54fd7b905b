//! What the fuzz targets call: the readers of what a registry sends, from bytes to values.

use http::{HeaderMap, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};

use super::{answer::Answer, link, tags::Tags, transport};

/// Headers that say which credentials a registry wants, one a line.
pub fn challenges(headers: &[u8]) {
    let values = headers.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = values.map(|value| (WWW_AUTHENTICATE, value)).collect();
    transport::read_challenges(&headers);
}

/// The pages of a tag list, one a line; and as a `Link` header, and as an error's body.
///
/// # Panics
///
/// If what comes out is not sorted, or a tag does not print as it was read.
pub fn listings(pages: &[u8]) {
    let mut tags = Tags::default();
    for page in pages.split(|&byte| byte == b'\n') {
        let _ = tags.take(page);
        let _ = Answer::parse(StatusCode::BAD_REQUEST, page);
        if let Some(target) = std::str::from_utf8(page).ok().and_then(link::next) {
            assert!(page.len() >= target.len() + 2, "a target is within its header");
        }
    }
    let tags = tags.valid();
    assert!(tags.is_sorted_by(|a, b| a.as_str() < b.as_str()), "tags are sorted, each once");
}
