//! How long things are waited for: all of it in one place.

use std::time::Duration;

/// The times of the transport. The defaults are for production; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// For a connection.
    pub(crate) connect: Duration,
    /// For the head of an answer, once the request was sent.
    pub(crate) head: Duration,
    /// For the next bytes of a body.
    pub(crate) idle: Duration,
    /// Nothing is tried again later than so long after the first try began.
    pub(crate) tries: Duration,
    /// How long requests to a registry that did not answer fail at once.
    pub(crate) outage_rest: Duration,
    /// A limit that a registry names is waited out up to this; beyond it the work is put off.
    pub(crate) longest_wait: Duration,
    /// The upper bound of the first wait between two tries; it doubles.
    pub(crate) first_wait: Duration,
    /// Where it stops doubling.
    pub(crate) most_wait: Duration,
    /// How long a registry is left alone that says 429 and not for how long; it doubles each time.
    pub(crate) unnamed_wait: Duration,
    /// How long a mirror that failed is passed over.
    pub(crate) mirror_rest: Duration,
    /// How long a mirror is passed over that gave wrong bytes.
    pub(crate) mirror_distrust: Duration,
}

/// Bytes that a registry has at least put away in a second, once it has them: some hash or move a blob before they answer.
const COMMIT_RATE: u64 = 8 << 20;

impl Timing {
    /// For the answer to a request with which the registry gets, or has got, so many bytes.
    pub(crate) fn answer(&self, bytes: u64) -> Duration {
        self.head + Duration::from_secs(bytes / COMMIT_RATE)
    }
}

/// How many times a request is sent at most.
pub(crate) const TRIES: usize = 5;
/// Redirects that are followed.
pub(crate) const REDIRECTS: usize = 10;
/// What is read of a body that only explains an error, in bytes.
pub(crate) const EXPLANATION: u64 = 64 * 1024;

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_mins(1),
            idle: Duration::from_mins(1),
            tries: Duration::from_secs(90),
            outage_rest: Duration::from_secs(10),
            longest_wait: Duration::from_secs(30),
            first_wait: Duration::from_millis(500),
            most_wait: Duration::from_secs(8),
            unnamed_wait: Duration::from_secs(2),
            mirror_rest: Duration::from_mins(1),
            mirror_distrust: Duration::from_hours(6),
        }
    }
}
