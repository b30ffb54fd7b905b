//! What is wrong with files that the registries file names.

use std::path::PathBuf;

use crate::{
    api::check::{FieldPath, Violation},
    class::Class,
};

/// Why the registries cannot be called as the registries file has it.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file that is named there cannot be read.
    #[error("cannot read {path}, the {what} of the registry {host}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// The registry.
        host: String,
        /// The field that names it.
        field: FieldPath,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Certificates or a key that are none.
    #[error("the {what} of the registry {host} cannot be used: PEM is wanted")]
    Tls {
        /// What.
        what: &'static str,
        /// The registry.
        host: String,
        /// The field that names the file.
        field: FieldPath,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up TLS")]
    Client(#[source] reqwest::Error),
}

impl SettingsError {
    /// The class: a person has to change the file.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::InvalidSpec
    }

    /// The field that is to be changed, and how, where it is one that is wrong.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        match self {
            Self::Unreadable { path, what, field, source, .. } => Some(Violation {
                path: field.clone(),
                message: format!(
                    "{} cannot be read ({source}): write the path of a file with the {what}",
                    path.display()
                ),
            }),
            Self::Tls { what, field, .. } => Some(Violation {
                path: field.clone(),
                message: format!("the {what} cannot be used: write the path of a file that has it in PEM"),
            }),
            Self::Client(_) => None,
        }
    }
}
