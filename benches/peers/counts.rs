//! What a registry says it was asked for: its access log, added up.

use std::{ops::Sub, time::Duration};

use crate::testbed::registry::Registry;

/// Requests to one registry, and bytes that it sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// HEAD requests.
    pub heads: u64,
    /// GET requests.
    pub gets: u64,
    /// POST, PATCH, PUT and DELETE requests.
    pub writes: u64,
    /// Lists of tags, however many GET requests each took.
    pub lists: u64,
    /// Bytes of the bodies that it sent.
    pub sent: u64,
}

impl Counts {
    /// All that the registry has logged so far.
    pub async fn of(registry: &Registry) -> Self {
        // The line of a request is written after its answer: wait until there are no more.
        let mut log = registry.log();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let again = registry.log();
            if again.len() == log.len() {
                return again.lines().filter_map(line).fold(Self::default(), Self::plus);
            }
            log = again;
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            heads: self.heads + other.heads,
            gets: self.gets + other.gets,
            writes: self.writes + other.writes,
            lists: self.lists + other.lists,
            sent: self.sent + other.sent,
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            heads: self.heads - other.heads,
            gets: self.gets - other.gets,
            writes: self.writes - other.writes,
            lists: self.lists - other.lists,
            sent: self.sent - other.sent,
        }
    }
}

/// `127.0.0.1 - - [time] "GET /v2/… HTTP/1.1" 200 1234 "" "agent"`.
fn line(line: &str) -> Option<Counts> {
    let mut quoted = line.split('"').skip(1);
    let mut request = quoted.next()?.split(' ');
    let (method, path) = (request.next()?, request.next()?);
    let sent = quoted.next()?.split_whitespace().nth(1)?.parse().ok()?;
    let mut counts = Counts { sent, ..Counts::default() };
    match method {
        "HEAD" => (counts.heads, counts.sent) = (1, 0),
        "GET" => counts.gets = 1,
        "POST" | "PATCH" | "PUT" | "DELETE" => counts.writes = 1,
        _ => return None,
    }
    // A further page of a list is the same list.
    counts.lists = u64::from(path.contains("/tags/list") && !path.contains("last="));
    Some(counts)
}
