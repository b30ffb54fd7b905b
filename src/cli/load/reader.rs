//! From files to manifests: which kind a document is, and what all of them together must hold to.

use std::{collections::BTreeMap, io::Read, sync::Arc};

use super::{
    DEFAULT_NAMESPACE, Manifest, Manifests, Place, Refused, Remark, Remarks, documents,
    files::{self, Input, Named},
    node::Node,
    secret::{self, Holds},
};
use crate::{
    api::{
        GROUP, VERSION,
        check::{self, FieldPath},
    },
    plan::Wanted,
};

/// Collects what is read and what is wrong.
#[derive(Default)]
pub(super) struct Reader {
    manifests: Manifests,
    faults: Remarks,
    /// Where each object, by kind, namespace and name, was read.
    seen: BTreeMap<(&'static str, String, String), (Arc<str>, Place)>,
}

/// A document of a file, or an item of a List in it.
struct Document<'a> {
    file: &'a Named,
    node: Node,
    /// From the top of the document to an item.
    path: FieldPath,
}

impl Document<'_> {
    fn remark(&self, field: &FieldPath, message: impl Into<String>) -> Remark {
        self.node.remark(&self.file.name, &self.path, field, message.into())
    }
}

impl Reader {
    pub(super) fn read(
        mut self,
        inputs: &[Input],
        recursive: bool,
        stdin: &mut dyn Read,
    ) -> Result<Manifests, Refused> {
        for input in inputs {
            match files::expand(input, recursive) {
                Ok(files) => files.iter().for_each(|file| self.file(file, stdin)),
                Err(error) => self.unreadable(name(input), &error),
            }
        }
        self.secrets_named();
        if self.manifests.syncs.is_empty() && self.faults.is_empty() {
            let file = inputs.iter().map(name).collect::<Vec<_>>().join(", ").into();
            let message = format!("no ImageSync there: write one, with apiVersion {GROUP}/{VERSION}");
            self.faults.push(Remark { file, place: None, field: FieldPath::default(), message });
        }
        match Refused::new(self.faults) {
            Some(refused) => Err(refused),
            None => Ok(self.manifests),
        }
    }

    fn unreadable(&mut self, file: Arc<str>, error: &files::Error) {
        let message = error.to_string();
        self.faults.push(Remark { file, place: None, field: FieldPath::default(), message });
    }

    fn file(&mut self, file: &Named, stdin: &mut dyn Read) {
        let bytes = match files::read(&file.input, stdin) {
            Ok(bytes) => bytes,
            Err(error) => return self.unreadable(file.name.clone(), &error),
        };
        documents::each(&bytes, |document| match document {
            Ok(node) => self.document(Document { file, node, path: FieldPath::default() }),
            Err(fault) => self.faults.push(Remark {
                file: file.name.clone(),
                place: Some(fault.place),
                field: FieldPath::default(),
                message: fault.message,
            }),
        });
    }

    fn document(&mut self, document: Document<'_>) {
        let (api_version, kind) = (document.node.word("apiVersion"), document.node.word("kind"));
        let group = api_version.map(|version| version.split_once('/').map_or("", |(group, _)| group));
        match (group, api_version, kind) {
            (Some(GROUP), Some(version), Some("ImageSync")) if version == format!("{GROUP}/{VERSION}") => {
                self.image_sync(document);
            }
            // What `kubectl get` prints of a namespace has them.
            (Some(GROUP), Some(_), Some("ImageSyncSlice")) => {
                let message = "ImageSyncSlice is left out: records are read from the state directory alone";
                self.manifests.notes.push(document.remark(&FieldPath::default(), message));
            }
            (Some(GROUP), Some(version), Some(kind)) => {
                let message = format!(
                    "{kind} of {version} is not read: write ImageSync of {GROUP}/{VERSION}, which with Secret is what \
                     this version reads, or leave it out"
                );
                self.faults.push(document.remark(&FieldPath::default().key("kind"), message));
            }
            (_, Some("v1"), Some("Secret")) => self.secret(&document),
            (_, Some("v1"), Some("List")) => self.list(document),
            (_, Some(version), Some(kind)) => {
                let message = format!("{kind} of {version} is left out: it is nothing to ImageSync");
                self.manifests.notes.push(document.remark(&FieldPath::default(), message));
            }
            // A folder may hold anything, such as values for a chart; but not half an ImageSync.
            (_, _, kind) if document.file.found && kind != Some("ImageSync") => {
                let message = "left out: not a Kubernetes object, which has apiVersion and kind";
                self.manifests.notes.push(document.remark(&FieldPath::default(), message));
            }
            _ => {
                let message = format!(
                    "not a Kubernetes object: write apiVersion: {GROUP}/{VERSION} and kind: ImageSync, both as text"
                );
                self.faults.push(document.remark(&FieldPath::default(), message));
            }
        }
    }

    fn list(&mut self, document: Document<'_>) {
        match document.node.into_list("items") {
            Ok(items) => {
                for (position, node) in items.into_iter().enumerate() {
                    let path = document.path.key("items").index(position);
                    self.document(Document { file: document.file, node, path });
                }
            }
            Err(node) => {
                let message = "a List without a list of items: write items: [], or leave it out";
                let document = Document { node, ..document };
                self.faults.push(document.remark(&FieldPath::default(), message));
            }
        }
    }

    fn image_sync(&mut self, document: Document<'_>) {
        match check::image_sync(document.node.value()) {
            Ok(mut object) => {
                let namespace = object.metadata.namespace.take().filter(|namespace| !namespace.is_empty());
                let namespace = namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.into());
                let name = object.metadata.name.clone().unwrap_or_default();
                object.metadata.namespace = Some(namespace.clone());
                // What no rule can tell, such as two images under one name.
                let wanted = Wanted::from_object(&object).map_err(|invalid| {
                    let located = invalid.into_iter();
                    let located = located.map(|i| document.remark(&i.path.as_str().into(), i.message));
                    self.faults.extend(located);
                });
                if self.is_first("ImageSync", namespace, name, &document)
                    && let Ok(wanted) = wanted
                {
                    self.manifests.syncs.push(Manifest {
                        object,
                        wanted,
                        file: document.file.name.clone(),
                        document: document.node,
                        path: document.path,
                    });
                }
            }
            Err(violations) => {
                self.faults.extend(violations.into_iter().map(|v| document.remark(&v.path, v.message)));
            }
        }
    }

    fn secret(&mut self, document: &Document<'_>) {
        match secret::read(&document.node) {
            Ok(secret) => {
                let (namespace, name) = (secret.namespace.clone(), secret.name.clone());
                if self.is_first("Secret", namespace.clone(), name.clone(), document) {
                    self.manifests.secrets.insert((namespace, name), secret);
                }
            }
            Err(violation) => self.faults.push(document.remark(&violation.path, violation.message)),
        }
    }

    fn is_first(
        &mut self,
        kind: &'static str,
        namespace: String,
        name: String,
        document: &Document<'_>,
    ) -> bool {
        let field = FieldPath::default().key("metadata").key("name");
        let remark = |message: String| document.remark(&field, message);
        if let Some((file, place)) = self.seen.get(&(kind, namespace.clone(), name.clone())) {
            let message = format!(
                "the {kind} {namespace}/{name} is in {file}:{} already: write another name or namespace",
                place.line
            );
            self.faults.push(remark(message));
            return false;
        }
        self.seen.insert((kind, namespace, name), (document.file.name.clone(), document.node.place));
        true
    }

    /// Looks up the Secrets that ImageSyncs name.
    fn secrets_named(&mut self) {
        for manifest in &self.manifests.syncs {
            let namespace = manifest.object.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
            let spec = FieldPath::default().key("spec");
            let pull = manifest.object.spec.pull_secrets.iter().enumerate();
            let pull = pull.map(|(at, secret)| (spec.key("pullSecrets").index(at), secret));
            let push = manifest.object.spec.targets.iter().enumerate();
            let push = push.filter_map(|(at, target)| {
                Some((spec.key("targets").index(at).key("pushSecret"), target.push_secret.as_ref()?))
            });
            for (path, named) in pull.chain(push) {
                let (path, name) = (path.key("name"), &named.name);
                match self
                    .manifests
                    .secrets
                    .get(&(namespace.to_owned(), name.clone()))
                    .map(|secret| &secret.content)
                {
                    Some(Holds::DockerConfig(_)) => {}
                    Some(Holds::Other(of)) => {
                        self.faults.push(manifest.remark(&path, secret::wrong_type(name, of)));
                    }
                    None => {
                        let message = format!(
                            "there is no Secret {namespace}/{name} in the files: what the Docker config has is used"
                        );
                        self.manifests.notes.push(manifest.remark(&path, message));
                    }
                }
            }
        }
    }
}

fn name(input: &Input) -> Arc<str> {
    match input {
        Input::Stdin => "<stdin>".into(),
        Input::Path(path) => path.display().to_string().into(),
    }
}
