//! `imagesync crds`: the CRDs, in YAML.

use anyhow::Context;

use super::Exit;
use crate::api;

pub(super) fn run() -> Result<Exit, anyhow::Error> {
    super::print(yaml()?.as_bytes())?;
    Ok(Exit::Success)
}

fn yaml() -> Result<String, anyhow::Error> {
    let documents = api::crds().iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>();
    Ok(documents.context("writing the CRDs as YAML")?.join("---\n"))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_file_in_crds_is_what_the_types_say() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/imagesync.dev.yaml");
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(written == yaml().unwrap(), "crds/ differs from src/api: write it again with `make crds`");
    }
}
