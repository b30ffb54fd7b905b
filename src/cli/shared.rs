//! What the ImageSyncs of a process share: registries, the state directory, and this machine's credentials.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::{
    args::RunArgs,
    load::{self, Manifest, Manifests, Secret},
    member::{Member, names},
    others::Others,
};
use crate::{
    api::ImageSync,
    engine::{Access, Engine, Progress},
    records::{self, Journal, Store},
    registry::{Keychain, Registries, Settings},
    store::Stores,
};

/// What the ImageSyncs of a process share.
pub(super) struct Shared {
    registries: Registries,
    store: Arc<Store>,
    credentials: Keychain,
    /// One an ImageSync, whichever of its generations is carried out: two would overwrite each other's records.
    journals: Mutex<BTreeMap<(String, String), Journal>>,
}

impl Shared {
    /// Opens what the arguments name, to write.
    pub(super) fn open(args: &RunArgs) -> anyhow::Result<Self> {
        Self::with(args, Store::open)
    }

    /// The same, to look only: the state directory is neither made nor locked.
    pub(super) fn look(args: &RunArgs) -> anyhow::Result<Self> {
        Self::with(args, Store::look)
    }

    fn with(args: &RunArgs, open: fn(&Path) -> Result<Store, records::Error>) -> anyhow::Result<Self> {
        let registries = match &args.registries {
            Some(path) => load::registries(path)?,
            None => Registries::new(Settings::default())?,
        };
        let dir = args.state.clone().map_or_else(default_state, Ok)?;
        Ok(Self {
            registries,
            store: Arc::new(open(&dir)?),
            credentials: Keychain::from_docker_config(None)?,
            journals: Mutex::default(),
        })
    }

    /// An engine, which believes nothing yet of the registries' blobs.
    pub(super) fn engine(&self, progress: Progress) -> Engine {
        Engine::new(Stores::new(self.registries.clone()), progress)
    }

    /// The ImageSyncs of `manifests`, each with its records and credentials.
    ///
    /// # Errors
    ///
    /// What keeps records from being read, and a Secret that cannot be used.
    pub(super) fn members(&self, manifests: &Manifests) -> anyhow::Result<Vec<Member>> {
        let member = |Manifest { object, wanted, .. }: &Manifest| {
            Ok(Member {
                access: self.access(object, manifests)?,
                journal: self.journal(object)?,
                secrets: secrets(object, manifests),
                object: object.clone(),
                wanted: wanted.clone(),
            })
        };
        manifests.syncs.iter().map(member).collect()
    }

    /// The ImageSyncs of the state directory that are not among these.
    pub(super) fn others<'a>(&self, members: impl IntoIterator<Item = &'a Member>) -> Others {
        let named = members.into_iter().map(|member| names(&member.object));
        Others::new(
            Arc::clone(&self.store),
            named.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
        )
    }

    fn journal(&self, object: &ImageSync) -> Result<Journal, records::Error> {
        let (namespace, name) = names(object);
        let key = (namespace.to_owned(), name.to_owned());
        let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(journal) = journals.get(&key) {
            return Ok(journal.clone());
        }
        let journal = Journal::open(Arc::clone(&self.store), namespace, name)?;
        journals.insert(key, journal.clone());
        Ok(journal)
    }

    fn access(&self, object: &ImageSync, manifests: &Manifests) -> anyhow::Result<Access> {
        let namespace = names(object).0;
        let keychain = |secrets: &mut dyn Iterator<Item = &String>| -> anyhow::Result<Keychain> {
            let mut keychain = self.credentials.clone();
            for name in secrets {
                if let Some(config) =
                    manifests.secret(namespace, name).and_then(|secret| secret.docker_config())
                {
                    let of_secret = Keychain::from_secret(config.expose_secret().as_bytes())
                        .with_context(|| format!("cannot use the Secret {namespace}/{name}"))?;
                    keychain = of_secret.merge(&keychain);
                }
            }
            Ok(keychain)
        };
        let source = keychain(&mut object.spec.pull_secrets.iter().map(|secret| &secret.name))?;
        let mut access = Access { source, ..Access::default() };
        for target in &object.spec.targets {
            let pushed = keychain(&mut target.push_secret.iter().map(|secret| &secret.name))?;
            access.targets.insert(target.name.clone(), pushed);
        }
        Ok(access)
    }
}

/// The Secrets that the object names, in its spec's order.
fn secrets(object: &ImageSync, manifests: &Manifests) -> Vec<Option<Secret>> {
    let pushed = object.spec.targets.iter().filter_map(|target| target.push_secret.as_ref());
    let named = object.spec.pull_secrets.iter().chain(pushed);
    named.map(|named| manifests.secret(names(object).0, &named.name).cloned()).collect()
}

/// `imagesync` in the state folder of the XDG base directory specification.
fn default_state() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_STATE_HOME")
        .filter(|dir| dir.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".local/state")))
        .map(|dir| dir.join("imagesync"))
        .context("neither XDG_STATE_HOME nor HOME is set: say with --state where the records are to be kept")
}
