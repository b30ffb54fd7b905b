//! Why a text is not a reference, in words that say what to write instead.

use crate::{class::Class, digest::DigestError, text::excerpt};

/// Why a text is not a reference, a repository or a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no repository before the tag or the digest.
    #[error("`{0}` names no repository: write [registry/]repository[:tag][@digest], such as alpine:3.20")]
    NoRepository(String),
    /// There is a registry, and nothing behind it.
    #[error("`{registry}` names a registry and no repository in it: write {registry}/repository")]
    NoPath {
        /// The registry that was read.
        registry: String,
    },
    /// The text is a URL.
    #[error("`{text}` has a scheme, and references have none: write `{rest}`")]
    Scheme {
        /// What was written.
        text: String,
        /// What comes behind the scheme.
        rest: String,
    },
    /// The whole text is 64 hex digits, which programs take for the ID of a local image.
    #[error(
        "`{0}` is an image's ID, which no registry knows: write the repository and the digest, repository@sha256:…"
    )]
    ImageId(String),
    /// The part before the first `/` can only be a registry, and is no host.
    #[error(
        "`{0}` is not a registry: write a host name of letters, digits, `-` and `.`, an IPv4 address, \
         or an IPv6 address in brackets, with `:port` where it is not the usual one"
    )]
    Registry(String),
    /// The registry's port is not a port.
    #[error("the port of `{0}` is not a number from 1 to 65535 without leading zeros")]
    Port(String),
    /// The registry's name is the one that layouts have.
    #[error(
        "a registry named oci cannot be told from a directory, oci:PATH: write its name with a dot, or its address"
    )]
    LayoutRegistry,
    /// What stands behind `oci:` is not a path.
    #[error("`{text}` names no directory with an OCI image layout: {problem}")]
    LayoutPath {
        /// What was written.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The path has letters that are not lower case.
    #[error("the repository `{path}` has upper-case letters, which registries refuse: write `{lower}`")]
    Uppercase {
        /// What was written.
        path: String,
        /// The same in lower case.
        lower: String,
    },
    /// A component of the path is not what the distribution-spec allows.
    #[error(
        "`{component}` in the repository `{path}` is not allowed: between slashes there are lower-case letters and \
         digits, with one `.`, one or two `_`, or any number of `-` between them"
    )]
    Component {
        /// The component.
        component: String,
        /// The path that it is in.
        path: String,
    },
    /// Registry and path are longer than clients accept.
    #[error("`{name}` has {length} characters with its registry, and a repository has at most {most}")]
    TooLong {
        /// Registry and path.
        name: String,
        /// How long they are together.
        length: usize,
        /// How long they may be.
        most: usize,
    },
    /// The tag is not one.
    #[error(
        "`{0}` is not a tag: it has 1 to 128 letters, digits, `_`, `.` and `-`, and begins with a letter, a digit or `_`"
    )]
    Tag(String),
    /// What stands behind the `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A repository was wanted, and there is a tag or a digest too.
    #[error("`{text}` has a tag or a digest, and only a repository is wanted here: write `{repository}`")]
    NotARepository {
        /// What was written.
        text: String,
        /// The same without tag and digest.
        repository: String,
    },
}

impl Error {
    /// The class: a person has to change what was written.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::InvalidSpec
    }

    pub(super) fn tag(text: &str) -> Self {
        Self::Tag(excerpt(text))
    }
}
