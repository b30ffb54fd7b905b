//! The distribution protocol: what registries are asked, and what of their answers is believed.
//!
//! Start with [`Registries`], one a process. It opens a [`Remote`]: one repository with one credential, whose methods
//! are the protocol, one file a noun. They all go through the transport, where budgets, retries, tokens and the
//! check of addresses are, so that nothing gets around them.

mod account;
mod answer;
mod blobs;
mod checked;
mod delete;
mod error;
#[cfg(fuzzing)]
pub mod fuzz;
mod keychain;
mod link;
mod manifest;
mod manifests;
mod mount;
mod read;
mod redact;
mod referrers;
mod registries;
mod remote;
mod settings;
mod tags;
#[cfg(test)]
pub(crate) mod tests;
mod transport;
mod upload;

pub(crate) use self::upload::collect;
pub use self::{
    account::Account,
    answer::Answer,
    delete::{DeleteError, Gone, Prepared, Step},
    error::{Cause, Error, Found, message},
    keychain::{Keychain, KeychainError},
    manifest::{
        Blob, Child, DOCKER_LIST, DOCKER_MANIFEST, Descriptor, Manifest, ManifestError, OCI_ARTIFACT,
        OCI_INDEX, OCI_MANIFEST, Subset, Verdict,
    },
    mount::Mount,
    read::Reading,
    referrers::{Attached, Attachment, Listing, Referrer},
    registries::Registries,
    remote::{At, Remote},
    settings::{CredentialHelper, HostSettings, Settings, SettingsError},
    transport::Counters,
    upload::{SMALL, Upload},
};
