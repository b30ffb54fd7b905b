//! The registries file, read as manifests are: what is wrong is said with its line and field.

use std::{io, path::Path, sync::Arc};

use super::{
    Refused, Remark, Remarks, documents,
    files::{self, Input},
    node::Node,
};
use crate::{
    api::check::{FieldPath, Violation},
    registry::{Registries, Settings, SettingsError},
};

/// The registries, as the registries file has them.
///
/// # Errors
///
/// [`Refused`] with all that is wrong with the file and with those that it names; [`SettingsError`] where HTTP cannot be
/// set up at all.
pub fn registries(path: &Path) -> anyhow::Result<Registries> {
    let file = RegistriesFile::open(path)?;
    let settings = Settings::read(file.document.as_ref().map(Node::value).unwrap_or_default())
        .map_err(|violations| file.refuse(violations))?;
    Registries::new(settings).map_err(|error| match error.violation() {
        Some(violation) => file.refuse(vec![violation]),
        None => SettingsError::into(error),
    })
}

struct RegistriesFile {
    name: Arc<str>,
    /// None in an empty file.
    document: Option<Node>,
}

impl RegistriesFile {
    fn open(path: &Path) -> Result<Self, Refused> {
        let mut file = Self { name: path.display().to_string().into(), document: None };
        let mut faults = Remarks::default();
        let remark = |place, message| Remark {
            file: path.display().to_string().into(),
            place,
            field: FieldPath::default(),
            message,
        };
        match files::read(&Input::Path(path.to_owned()), &mut io::empty()) {
            Err(error) => faults.push(remark(None, error.to_string())),
            Ok(bytes) => documents::each(&bytes, |document| match document {
                Err(fault) => faults.push(remark(Some(fault.place), fault.message)),
                Ok(node) if file.document.is_some() => {
                    let message = "a second document: write all registries into the first one".to_owned();
                    faults.push(remark(Some(node.place), message));
                }
                Ok(node) => file.document = Some(node),
            }),
        }
        Refused::new(faults).map_or(Ok(file), Err)
    }

    fn refuse(&self, violations: Vec<Violation>) -> anyhow::Error {
        let mut faults = Remarks::default();
        faults.extend(violations.into_iter().filter_map(|Violation { path, message }| {
            let document = self.document.as_ref()?;
            Some(document.remark(&self.name, &FieldPath::default(), &path, message))
        }));
        Refused::new(faults).map_or_else(|| anyhow::anyhow!("{} is refused", self.name), Into::into)
    }
}
