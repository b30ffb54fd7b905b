//! ImageSyncs for the tests, and what became of them.

use std::sync::Arc;

use tempfile::TempDir;

use crate::{
    api::Overwrite,
    class::Class,
    cli::{
        load::{self, Input},
        member::Member,
    },
    engine::{Access, Applied, Error, Outcome},
    plan::{Action, Kind, Plan},
    records::{Journal, Store},
};

/// A state directory, and the ImageSyncs in it.
pub(in crate::cli) struct State {
    store: Arc<Store>,
    _dir: TempDir,
}

impl State {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { store: Arc::new(Store::open(dir.path()).unwrap()), _dir: dir }
    }

    /// An ImageSync of `registry.example/team/app` with this tag, whose Secret holds this password.
    pub(super) fn member(&self, name: &str, tag: &str, password: &str) -> Member {
        self.read(
            name,
            &format!("images: [{{name: app, source: 'registry.example/team/app:{tag}'}}]"),
            password,
        )
    }

    pub(super) fn suspended(&self, name: &str) -> Member {
        self.read(name, "suspend: true\n  images: [{name: app, source: 'registry.example/team/app'}]", "x")
    }

    fn read(&self, name: &str, spec: &str, password: &str) -> Member {
        let text = format!(
            "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  {spec}\n  \
             pullSecrets: [{{name: hub}}]\n  targets: [{{name: copy, repository: 'copy.example/{{path}}'}}]\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {{name: hub, namespace: team}}\ntype: kubernetes.io/dockerconfigjson\n\
             stringData:\n  .dockerconfigjson: '{{\"auths\": {{\"registry.example\": {{\"username\": \"u\", \"password\": \"{password}\"}}}}}}'\n"
        );
        let mut manifests = load::load(&[Input::Stdin], false, &mut text.as_bytes()).unwrap();
        let secrets = vec![manifests.secret("team", "hub").cloned()];
        let manifest = manifests.syncs.remove(0);
        Member {
            journal: Journal::open(Arc::clone(&self.store), "team", name).unwrap(),
            object: manifest.object,
            wanted: manifest.wanted,
            access: Access::default(),
            secrets,
        }
    }
}

/// A run of one action with this outcome.
fn applied(kind: Kind, outcome: Outcome) -> Applied {
    let action = Action {
        image: "app".into(),
        tag: Some("v1".parse().unwrap()),
        source: "registry.example/team/app:v1".parse().unwrap(),
        digest: None,
        target: "copy".into(),
        destination: "copy.example/team/app:v1".parse().unwrap(),
        overwrite: Overwrite::Always,
        content: Arc::default(),
        referrers: None,
        kind,
        reason: "so it is".into(),
    };
    Applied {
        plan: Plan { actions: vec![action], ..Plan::default() },
        outcomes: vec![outcome],
        pruned: Vec::new(),
    }
}

pub(in crate::cli) fn copied() -> Applied {
    applied(Kind::Copy { replaces: None }, Outcome::Written)
}

pub(in crate::cli) fn interrupted() -> Applied {
    applied(Kind::Copy { replaces: None }, Outcome::Failed(Error::Interrupted))
}

pub(in crate::cli) fn failed(class: Class) -> Applied {
    applied(Kind::Failed { class }, Outcome::NotTried)
}
