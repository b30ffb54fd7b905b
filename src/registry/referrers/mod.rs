//! Referrers: manifests that point at another one by their `subject`, such as signatures, SBOMs and attestations
//! (distribution-spec, "Listing Referrers" and "Referrers Tag Schema").
//!
//! ```text
//! api        lists them through the registry's API, and remembers where there is none
//! fallback   the index under the tag `sha256-<hex>`, which stands in where there is no API
//! index      what such an index becomes when referrers are added to it: values in, bytes out
//! names      the tags that belong to a digest, those of cosign among them
//! referrer   what a list says of one of them, rebuilt from its manifest
//! memory     what all that use one account share
//! ```

mod api;
mod fallback;
mod index;
mod memory;
mod names;
mod referrer;

pub(crate) use self::memory::Memory;
pub use self::{
    api::Listing,
    names::{Attached, Attachment},
    referrer::Referrer,
};
