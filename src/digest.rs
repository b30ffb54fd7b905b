//! Digests: the names of bytes, and the check that bytes deserve their name.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

use crate::text::excerpt;

/// `algorithm:hex`, as the OCI image-spec (descriptor.md, "Digests") registers it: `sha256` or `sha512`.
///
/// A value of this type is well-formed: a known algorithm, and lower-case hex of the algorithm's length. A clone
/// costs a counter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(Arc<str>);

/// Why a string is not a digest that this program can check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `:` between an algorithm and its value.
    #[error("`{0}` is not a digest: write algorithm:hex, such as sha256:… with 64 hex digits")]
    Malformed(String),
    /// The algorithm is not one of those registered for general use.
    #[error("the digest algorithm `{0}` is not supported: sha256 and sha512 are")]
    Algorithm(String),
    /// The value is not lower-case hex of the algorithm's length.
    #[error("a {algorithm} digest is {expected} lower-case hex digits, and `{value}` is not")]
    Value {
        /// The algorithm's name.
        algorithm: &'static str,
        /// How many hex digits it has.
        expected: usize,
        /// What was written.
        value: String,
    },
}

#[derive(Clone, Copy)]
enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl Digest {
    /// The sha256 digest of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(format!("sha256:{:x}", HexBytes(&Sha256::digest(bytes))).into())
    }

    /// Whether `bytes` have this digest.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.matches()
    }

    /// A hasher that will tell whether the bytes fed to it have this digest.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        let state = match self.algorithm() {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        };
        Hasher { expected: self.clone(), state }
    }

    /// `algorithm:hex`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hex digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The first 12 hex digits: enough for people to tell digests apart.
    #[must_use]
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or_default()
    }

    fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512:") { Algorithm::Sha512 } else { Algorithm::Sha256 }
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(s: &str) -> Result<Self, DigestError> {
        let (name, value) = s.split_once(':').ok_or_else(|| DigestError::Malformed(excerpt(s)))?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(DigestError::Algorithm(excerpt(name))),
        };
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if value.len() != algorithm.hex_len() || !value.bytes().all(is_hex) {
            return Err(DigestError::Value {
                algorithm: algorithm.name(),
                expected: algorithm.hex_len(),
                value: excerpt(value),
            });
        }
        Ok(Self(s.into()))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(s: String) -> Result<Self, DigestError> {
        s.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0.as_ref().into()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes a stream on its way and tells at the end whether it was what the digest names.
#[derive(Clone)]
pub struct Hasher {
    expected: Digest,
    state: State,
}

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// Whether all that was taken has the digest that was expected.
    #[must_use]
    pub fn matches(self) -> bool {
        let found = match self.state {
            State::Sha256(state) => format!("{:x}", HexBytes(&state.finalize())),
            State::Sha512(state) => format!("{:x}", HexBytes(&state.finalize())),
        };
        found == self.expected.hex()
    }
}

struct HexBytes<'a>(&'a [u8]);

impl fmt::LowerHex for HexBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_knows_its_bytes_and_no_others() {
        let digest: Digest = EMPTY.parse().unwrap();
        assert_eq!(Digest::sha256(b""), digest);
        assert!(digest.matches(b""));
        assert!(!digest.matches(b"x"));
        assert_eq!(digest.short(), "e3b0c44298fc");
    }

    #[test]
    fn sha512_is_checked_with_sha512() {
        let digest: Digest = concat!(
            "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce",
            "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
        )
        .parse()
        .unwrap();
        assert!(digest.matches(b""));
        assert!(!digest.matches(b"x"));
    }

    #[test]
    fn what_is_not_a_digest_is_refused_with_a_reason() {
        for bad in ["", "sha256", "sha256:", "sha256:E3B0", "md5:d41d8cd98f00b204e9800998ecf8427e", ":x"] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
        let upper = EMPTY.to_uppercase().replace("SHA256", "sha256");
        assert!(matches!(upper.parse::<Digest>(), Err(DigestError::Value { .. })));
    }
}
