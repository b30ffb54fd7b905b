//! `imagesync crds`: the CRDs, in YAML.

use std::{fs, path::PathBuf};

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::Exit;
use crate::api;

/// `imagesync crds`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Write each of them to a file of its own in this folder instead.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, anyhow::Error> {
    let crds = api::crds();
    let Some(dir) = &args.dir else {
        let documents = crds.iter().map(yaml).collect::<Result<Vec<_>, _>>()?;
        super::print(documents.join("---\n").as_bytes())?;
        return Ok(Exit::Success);
    };
    for crd in &crds {
        let path = dir.join(file_name(crd));
        fs::write(&path, yaml(crd)?).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(Exit::Success)
}

fn yaml(crd: &CustomResourceDefinition) -> Result<String, anyhow::Error> {
    serde_saphyr::to_string(crd).context("writing a CRD as YAML")
}

fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn the_files_in_crds_are_what_the_types_say() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        let again = "write them again: cargo run -- crds --dir crds";
        for crd in api::crds() {
            let file = dir.join(file_name(&crd));
            let written = fs::read_to_string(&file).unwrap_or_default();
            assert!(written == yaml(&crd).unwrap(), "{} differs from the types; {again}", file.display());
        }
        let files: BTreeSet<_> =
            fs::read_dir(&dir).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        let expected: BTreeSet<_> = api::crds().iter().map(file_name).collect();
        assert_eq!(files, expected, "{again}");
    }
}
