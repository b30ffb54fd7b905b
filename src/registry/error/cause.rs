//! Why something with a registry did not work, and what that means.

use std::{fmt, sync::Arc, time::Duration};

use http::StatusCode;
use jiff::Timestamp;

use crate::{
    class::Class,
    digest::Digest,
    registry::{answer::Answer, manifest::ManifestError, settings::SettingsError},
};

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No connection, or none that stayed until the answer began.
    #[error("{host} cannot be reached ({reason}); check the name, the network, and a proxy if there is one")]
    Unreachable {
        /// The host that was called.
        host: String,
        /// What the HTTP client says.
        reason: String,
    },
    /// There is a host, and TLS does not come about.
    #[error(
        "no trust in {host} ({reason}); the registries file can name its authority (`caFile`), or say `plainHttp`"
    )]
    Untrusted {
        /// The host that was called.
        host: String,
        /// What the HTTP client says.
        reason: String,
    },
    /// The connection broke while an answer's body was read.
    #[error("the connection to {host} broke ({reason})")]
    Torn {
        /// The host that was called.
        host: String,
        /// What the HTTP client says.
        reason: String,
    },
    /// The bytes that should be sent did not come.
    #[error("the bytes to be sent did not come")]
    Body(#[source] std::io::Error),
    /// The registry stopped answering.
    #[error("{host} sent no {awaited} for {} s", .after.as_secs())]
    Silent {
        /// The host that was called.
        host: String,
        /// What was waited for.
        awaited: &'static str,
        /// How long.
        after: Duration,
    },
    /// It did not answer a moment ago, in all tries of another request.
    #[error("{registry} is not asked again yet: {reason}")]
    Down {
        /// The registry.
        registry: String,
        /// What was found.
        reason: String,
    },
    /// 401, with the best that the credential can do.
    #[error(
        "{registry} does not accept {who} for this ({answer}); check the credential, or that the repository exists"
    )]
    Unauthorized {
        /// The registry.
        registry: String,
        /// Whose credential it was.
        who: String,
        /// What the registry said.
        answer: Answer,
    },
    /// 403.
    #[error("{registry} does not permit this to {who} ({answer}); ask its administrator for access")]
    Forbidden {
        /// The registry.
        registry: String,
        /// Whose credential it was.
        who: String,
        /// What the registry said.
        answer: Answer,
    },
    /// A credential helper did not give a credential.
    #[error("the credential helper {helper} gives no credential for {registry}: {detail}")]
    Helper {
        /// The helper's name, without `docker-credential-`.
        helper: String,
        /// The registry.
        registry: String,
        /// What it said.
        detail: String,
    },
    /// The token was refused in the middle of a body that cannot be sent again; the next request gets a new one.
    #[error("{registry} wanted a new token while the bytes were on their way")]
    Expired {
        /// The registry.
        registry: String,
    },
    /// No token could be had. It is never tried without.
    #[error("no token from {realm}")]
    Token {
        /// Where it was asked for.
        realm: String,
        /// Why there is none.
        #[source]
        source: Arc<Self>,
    },
    /// What another request found, for which this one waited too.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// A refusal, of what may have been done when it was sent for the first time.
    #[error(transparent)]
    Unsure(Arc<Self>),
    /// 404, from a registry that says which kind it is.
    #[error("it is not there ({answer}); check the name")]
    NotFound {
        /// What the registry said.
        answer: Answer,
    },
    /// 404 without a word that a registry would say: it proves nothing.
    #[error("a 404 that does not come from a registry ({answer}); check the host, and proxies before it")]
    Unproven {
        /// What was said.
        answer: Answer,
    },
    /// 429, or a limit that the registry announced.
    #[error("{registry} limits the rate: wait until {until}")]
    RateLimited {
        /// The registry.
        registry: String,
        /// When it takes requests again.
        until: Timestamp,
    },
    /// The registry has a problem of its own (5xx).
    #[error("{host} failed ({answer}); this is the registry's own trouble")]
    Failed {
        /// The host.
        host: String,
        /// What it said.
        answer: Answer,
    },
    /// The registry sent us to another host, and that one did not deliver.
    #[error("{host}, where the registry keeps its content, answered {status}")]
    Elsewhere {
        /// The host that the registry redirected to.
        host: String,
        /// Its answer.
        status: StatusCode,
    },
    /// A manifest was refused because content that it names is not there.
    #[error("the registry does not have all that this manifest names ({answer})")]
    MissingContent {
        /// What the registry said.
        answer: Answer,
    },
    /// An upload's session is gone, or stands elsewhere than we do.
    #[error("the registry no longer knows this upload ({answer})")]
    SessionLost {
        /// What the registry said.
        answer: Answer,
    },
    /// Another 4xx.
    #[error("the registry refuses it ({answer})")]
    Refused {
        /// What the registry said.
        answer: Answer,
    },
    /// The registry cannot do this at all.
    #[error("the registry does not support this ({answer})")]
    Unsupported {
        /// What the registry said.
        answer: Answer,
    },
    /// An HTML page where a registry's answer should be.
    #[error(
        "{host} answers with a web page: it is not a registry, or a proxy or login page stands before it"
    )]
    WebPage {
        /// The host.
        host: String,
    },
    /// An answer that no registry should give.
    #[error("{host} does not keep to the protocol: {detail}")]
    Protocol {
        /// The host.
        host: String,
        /// What is wrong.
        detail: String,
    },
    /// The bytes are not those that the digest names.
    #[error(
        "the bytes that came do not have the digest {expected}: they were damaged, or the registry serves wrong ones"
    )]
    Digest {
        /// What they should have.
        expected: Digest,
    },
    /// The registry says another digest than the one that counts.
    #[error("the registry gives the digest {said} to what has {expected}")]
    OtherDigest {
        /// What is right.
        expected: Digest,
        /// What the registry says.
        said: Digest,
    },
    /// More bytes or fewer than promised.
    #[error("{expected} bytes were promised, and {found} came")]
    Length {
        /// How many should come.
        expected: u64,
        /// How many came, or were announced.
        found: Found,
    },
    /// Larger than anything honest.
    #[error("the {what} is larger than {limit} bytes, which is more than is accepted")]
    TooLarge {
        /// What is.
        what: &'static str,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The registry takes nothing so large (413).
    #[error("the registry does not accept something so large ({answer})")]
    RefusedSize {
        /// What the registry said.
        answer: Answer,
    },
    /// A tag that belongs to a digest holds something else than the index of its referrers.
    #[error(
        "it holds no index of referrers ({found}), and is left as it is: give what is there another tag, or write \
         `referrers: Exclude`"
    )]
    NoFallback {
        /// What it holds.
        found: String,
    },
    /// An index of referrers that would be larger than any registry takes.
    #[error(
        "the index of referrers has no room for more: remove old ones, or use a registry that lists referrers itself"
    )]
    FullFallback,
    /// Others write an index of referrers again and again, and take ours away.
    #[error("others write it at the same time, and took ours away {tries} times; the next run tries again")]
    Contended {
        /// How often it was written.
        tries: u32,
    },
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An address that the registry named, and that is not safe to call.
    #[error("the registry refers to {url}, which is refused: {why}")]
    Unsafe {
        /// The address, without secrets.
        url: String,
        /// Why.
        why: &'static str,
    },
    /// Too many redirects.
    #[error("more than {limit} redirects, the last to {url}")]
    Redirects {
        /// How many are followed.
        limit: usize,
        /// The last.
        url: String,
    },
    /// The host's name cannot be part of a URL.
    #[error("`{host}` is not a host that can be called")]
    Host {
        /// The registry as it is written.
        host: String,
    },
    /// The registries file, or a file that it names.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A defect in this program.
    #[error("an error of ImageSync itself: {0}")]
    Internal(String),
}

/// How many bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This many.
    Exactly(u64),
    /// More than were promised; it was not read how many.
    More,
}

impl Cause {
    /// The class that decides what happens next.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Torn { .. }
            | Self::Body(_)
            | Self::Expired { .. }
            | Self::Unproven { .. }
            | Self::Failed { .. }
            | Self::Elsewhere { .. }
            | Self::SessionLost { .. }
            | Self::Down { .. }
            // It said before that it has them: what it believes changes.
            | Self::MissingContent { .. }
            | Self::Contended { .. }
            | Self::Protocol { .. } => Class::Unavailable,
            Self::Silent { .. } => Class::Timeout,
            Self::Unauthorized { .. } | Self::Helper { .. } => Class::Unauthorized,
            Self::Forbidden { .. } | Self::Unsafe { .. } | Self::Redirects { .. } => Class::Forbidden,
            Self::Token { source, .. } | Self::Shared(source) | Self::Unsure(source) => source.class(),
            Self::NotFound { .. } => Class::NotFound,
            Self::RateLimited { .. } => Class::RateLimited,
            Self::Refused { .. }
            | Self::Unsupported { .. }
            | Self::WebPage { .. }
            | Self::NoFallback { .. } => Class::Unsupported,
            Self::Digest { .. } | Self::OtherDigest { .. } | Self::Length { .. } => Class::DigestMismatch,
            Self::TooLarge { .. } | Self::RefusedSize { .. } | Self::FullFallback => Class::TooLarge,
            Self::Manifest(error) => error.class(),
            Self::Host { .. } | Self::Settings(_) => Class::InvalidSpec,
            Self::Internal(_) => Class::Internal,
        }
    }

    /// The registry did not do it: it said so, or it was never asked. Where no answer came, or one that tells of trouble of
    /// its own (5xx), nobody knows.
    pub(crate) const fn is_refusal(&self) -> bool {
        match self {
            // Not even sent.
            Self::Down { .. }
            | Self::Shared(_)
            | Self::Untrusted { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::Helper { .. }
            | Self::Expired { .. }
            | Self::Token { .. }
            | Self::NotFound { .. }
            | Self::Unproven { .. }
            | Self::RateLimited { .. }
            | Self::MissingContent { .. }
            | Self::Refused { .. }
            | Self::Unsupported { .. }
            | Self::RefusedSize { .. }
            | Self::NoFallback { .. }
            | Self::FullFallback
            | Self::Contended { .. }
            | Self::Host { .. }
            | Self::Settings(_) => true,
            Self::Unreachable { .. }
            | Self::Unsure(_)
            | Self::Torn { .. }
            | Self::Body(_)
            | Self::Silent { .. }
            | Self::Failed { .. }
            | Self::Elsewhere { .. }
            | Self::SessionLost { .. }
            | Self::WebPage { .. }
            | Self::Protocol { .. }
            | Self::Digest { .. }
            | Self::OtherDigest { .. }
            | Self::Length { .. }
            | Self::TooLarge { .. }
            | Self::Manifest(_)
            | Self::Unsafe { .. }
            | Self::Redirects { .. }
            | Self::Internal(_) => false,
        }
    }

    /// Whether the registry did not answer at all.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } => true,
            Self::Shared(source) => source.is_silence(),
            _ => false,
        }
    }

    pub(crate) fn until(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { until, .. } => Some(*until),
            Self::Token { source, .. } | Self::Shared(source) | Self::Unsure(source) => source.until(),
            _ => None,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(bytes) => bytes.fmt(f),
            Self::More => f.write_str("more"),
        }
    }
}
