//! One run over ImageSyncs: what `sync`, `plan` and `--watch` have in common.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use futures::future::join_all;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::{
    args::RunArgs,
    load::{DEFAULT_NAMESPACE, Manifest, Manifests},
};
use crate::{
    api::{ImageSync, ImageSyncStatus},
    engine::{self, Access, Applied, Engine, Progress},
    plan::{Observed, Ownership, Plan, Wanted, decide, select},
    records::{self, Journal, Records, Store},
    registry::{Keychain, Registries, Settings},
};

/// What the ImageSyncs of a process share.
pub(super) struct Shared {
    registries: Registries,
    store: Arc<Store>,
    credentials: Keychain,
}

/// One ImageSync of a run.
pub(super) struct Member {
    pub(super) object: ImageSync,
    pub(super) journal: Journal,
    pub(super) wanted: Wanted,
    access: Access,
}

impl Member {
    /// What the ImageSync is called.
    pub(super) fn title(&self) -> String {
        title(&self.object)
    }
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
        let settings = args.registries.as_deref().map_or_else(|| Ok(Settings::default()), read_settings)?;
        let dir = args.state.clone().map_or_else(default_state, Ok)?;
        Ok(Self {
            registries: Registries::new(settings)?,
            store: Arc::new(open(&dir)?),
            credentials: Keychain::from_docker_config(None)?,
        })
    }

    /// An engine for one round. What a round believes of the registries' blobs ends with it: others delete there too.
    pub(super) fn engine(&self, progress: Progress) -> Engine {
        Engine::new(self.registries.clone(), progress)
    }

    /// The ImageSyncs of `manifests`, each with its records and credentials.
    ///
    /// # Errors
    ///
    /// What keeps records from being read, and a Secret that cannot be used.
    pub(super) fn members(&self, manifests: &Manifests) -> anyhow::Result<Vec<Member>> {
        let mut members = Vec::new();
        for Manifest { object, wanted, .. } in &manifests.syncs {
            let (object, wanted) = (object.clone(), wanted.clone());
            let (namespace, name) = names(&object);
            members.push(Member {
                access: self.access(&object, manifests)?,
                journal: Journal::open(Arc::clone(&self.store), namespace, name)?,
                object,
                wanted,
            });
        }
        Ok(members)
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

/// Makes the plans of all members: lists, selects, looks, decides. Nothing is changed.
///
/// `others` take no part, being suspended or not due; what their records claim stays theirs.
pub(super) async fn plan(
    engine: &Engine,
    members: &[Member],
    others: &[Member],
    now: Timestamp,
) -> Vec<Plan> {
    let selections = join_all(members.iter().map(|member| async {
        let listings = engine.list(&member.wanted, &member.access).await;
        select(&member.wanted, &listings)
    }))
    .await;
    let records: Vec<Records> = members.iter().map(|member| member.journal.records()).collect();
    let mut ownership = Ownership::default();
    for ((member, selection), records) in members.iter().zip(&selections).zip(&records) {
        ownership.claim_selected(&member.wanted, selection, records);
    }
    for other in others {
        ownership.claim_recorded(&other.wanted, &other.journal.records());
    }
    let plans = members.iter().zip(&selections).zip(&records).map(|((member, selection), records)| {
        let ownership = &ownership;
        async move {
            let mut observed = Observed::default();
            loop {
                let questions = selection.questions(records, &observed);
                if questions.is_empty() {
                    break;
                }
                observed.extend(engine.look(questions, &member.access).await);
            }
            decide(&member.wanted, selection, records, &observed, ownership, now)
        }
    });
    join_all(plans).await
}

/// What a round did.
pub(super) struct Done {
    /// What was applied, in the members' order; nothing if the round was stopped before it began.
    pub(super) applied: Vec<Applied>,
    /// Why the records of what was done are not all on disk. What was published is recorded as intended, all the same.
    pub(super) unrecorded: Option<records::Error>,
}

/// Carries out the plans of all members at the same time.
pub(super) async fn apply(
    engine: &Engine,
    members: &[Member],
    plans: Vec<Plan>,
    stop: &CancellationToken,
) -> Done {
    let applied = members
        .iter()
        .zip(plans)
        .map(|(member, plan)| engine.apply(plan, &member.access, &member.journal, stop));
    let mut done = Done { applied: join_all(applied).await, unrecorded: None };
    for member in members {
        done.unrecorded = member.journal.flush().await.err().or(done.unrecorded);
    }
    done
}

/// The status of a member after what was applied.
pub(super) fn status(
    member: &Member,
    applied: &Applied,
    next: Option<Timestamp>,
    now: Timestamp,
) -> ImageSyncStatus {
    let context = engine::Context {
        generation: member.object.metadata.generation,
        images: member.wanted.image_count(),
        before: member.object.status.clone().unwrap_or_default(),
        next,
    };
    engine::status(applied, &context, now)
}

fn read_settings(path: &Path) -> anyhow::Result<Settings> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the registry settings {}", path.display()))?;
    Ok(Settings::parse(&text, path)?)
}

/// An object's namespace and name.
fn names(object: &ImageSync) -> (&str, &str) {
    let metadata = &object.metadata;
    let namespace = metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    (namespace, metadata.name.as_deref().unwrap_or_default())
}

/// `namespace/name`.
pub(super) fn title(object: &ImageSync) -> String {
    let (namespace, name) = names(object);
    format!("{namespace}/{name}")
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
