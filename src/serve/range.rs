//! Which part of a blob is wanted (RFC 9110, "Range Requests").

use axum::http::{HeaderMap, header};

/// Which part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: also where several parts are wanted at once, or it cannot be understood.
    All,
    /// From one byte to another, both included.
    Part { first: u64, last: u64 },
    /// What lies beyond its end.
    Nothing,
}

/// Which part of `size` bytes.
pub(super) fn wanted(headers: &HeaderMap, size: u64) -> Wanted {
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    range.and_then(|range| part(range, size)).unwrap_or(Wanted::All)
}

/// `None` for what is not one range of bytes.
fn part(range: &str, size: u64) -> Option<Wanted> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| {
        let text = text.trim();
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    let end = size.checked_sub(1);
    let (first, last) = match (first.trim(), last.trim()) {
        // The last bytes.
        ("", length) => match (number(length)?, end) {
            (0, _) | (_, None) => return Some(Wanted::Nothing),
            (length, Some(end)) => (size.saturating_sub(length), end),
        },
        (first, "") => (number(first)?, end.unwrap_or_default()),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last.min(end.unwrap_or_default()))
        }
    };
    Some(if first < size { Wanted::Part { first, last } } else { Wanted::Nothing })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str, size: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        wanted(&headers, size)
    }

    #[test]
    fn one_range_is_understood_and_all_else_is_the_whole() {
        let part = |first, last| Wanted::Part { first, last };
        assert_eq!(wanted(&HeaderMap::new(), 10), Wanted::All);
        for (range, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=2-5", part(2, 5)),
            ("bytes=2-", part(2, 9)),
            ("bytes=2-99", part(2, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-20", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=-", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("bytes=99999999999999999999-", Wanted::All),
        ] {
            assert_eq!(of(range, 10), expected, "{range}");
        }
        assert_eq!(of("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(of("bytes=-1", 0), Wanted::Nothing);
    }
}
