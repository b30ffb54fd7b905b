//! The tags that belong to a digest and are no versions of an image.

use crate::{digest::Digest, reference::Tag};

/// What clients keep under a tag that is made from a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attachment {
    /// The index of the digest's referrers, where the registry has no API for them: `sha256-<hex>`.
    Fallback,
    /// Signatures, as cosign wrote them before it used referrers: `sha256-<hex>.sig`.
    Signature,
    /// Attestations of the same kind: `sha256-<hex>.att`.
    Attestation,
    /// SBOMs of the same kind: `sha256-<hex>.sbom`.
    Sbom,
}

/// A tag with what it holds.
pub type Attached = (Attachment, Tag);

/// What the spec leaves of the encoded part of a digest in a tag ("Referrers Tag Schema").
const ENCODED: usize = 64;

impl Attachment {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Fallback, Self::Signature, Self::Attestation, Self::Sbom];

    /// What stands behind the digest in the tag.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Fallback => "",
            Self::Signature => ".sig",
            Self::Attestation => ".att",
            Self::Sbom => ".sbom",
        }
    }

    /// The tag under which it is kept for `digest`; `None` where it does not fit into a tag, so that nobody can have written
    /// it.
    #[must_use]
    pub fn tag(self, digest: &Digest) -> Option<Tag> {
        let (algorithm, hex) = digest.as_str().split_once(':')?;
        let hex = match self {
            Self::Fallback => hex.get(..ENCODED).unwrap_or(hex),
            _ => hex,
        };
        format!("{algorithm}-{hex}{}", self.suffix()).parse().ok()
    }

    /// All tags that can belong to `digest`.
    pub fn of(digest: &Digest) -> impl Iterator<Item = Attached> {
        Self::ALL.into_iter().filter_map(|attachment| Some((attachment, attachment.tag(digest)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_digest_with_a_dash_and_is_cut_where_the_spec_cuts_it() {
        let digest = Digest::sha256(b"image");
        let tags: Vec<String> = Attachment::of(&digest).map(|(_, tag)| tag.to_string()).collect();
        let base = format!("sha256-{}", digest.hex());
        assert_eq!(tags, [base.clone(), base.clone() + ".sig", base.clone() + ".att", base + ".sbom"]);
        let long: Digest = format!("sha512:{}", "ab".repeat(64)).parse().unwrap();
        let tags: Vec<String> = Attachment::of(&long).map(|(_, tag)| tag.to_string()).collect();
        assert_eq!(tags, [format!("sha512-{}", "ab".repeat(32))], "cosign's do not fit into a tag");
        for (_, tag) in Attachment::of(&digest).chain(Attachment::of(&long)) {
            assert!(tag.belongs_to_digest());
        }
    }
}
