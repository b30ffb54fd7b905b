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
    /// For the answer to an upload, once its last byte was sent: some registries hash or move the blob first.
    pub(crate) commit: Duration,
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
            commit: Duration::from_mins(10),
            longest_wait: Duration::from_secs(30),
            first_wait: Duration::from_millis(500),
            most_wait: Duration::from_secs(8),
            unnamed_wait: Duration::from_secs(2),
            mirror_rest: Duration::from_mins(1),
        }
    }
}
