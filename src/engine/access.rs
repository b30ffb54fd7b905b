//! Which credentials an ImageSync reads and writes with.

use std::collections::HashMap;

use crate::registry::Keychain;

/// The credentials of one ImageSync.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What its sources are read with.
    pub source: Keychain,
    /// What its targets are written with, by the target's name; a target that is not here is written with the same
    /// credentials as sources are read with.
    pub targets: HashMap<String, Keychain>,
}

impl Access {
    /// What the named target is read and written with.
    #[must_use]
    pub fn target(&self, name: &str) -> &Keychain {
        self.targets.get(name).unwrap_or(&self.source)
    }
}
