//! The `imagesync` program as a person runs it, in a folder of its own.

#![allow(unreachable_pub, reason = "the other modules of the test binary use it")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A folder with a manifest, a state directory and no credentials.
pub struct Desk {
    folder: TempDir,
}

/// What is recorded of one reference on a target.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    pub digest: String,
    pub previous_digest: Option<String>,
    pub origin: String,
    pub state: String,
}

/// What a run of the program left.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    /// A folder with this ImageSync `spec` (YAML, not indented) in its manifest.
    pub fn new(spec: &str) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.manifest(spec);
        desk
    }

    /// Writes the manifest anew.
    pub fn manifest(&self, spec: &str) {
        let spec = spec.lines().fold(String::new(), |text, line| text + "  " + line + "\n");
        let text = format!(
            "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata:\n  name: test\n  namespace: team\nspec:\n{spec}"
        );
        self.write("sync.yaml", &text);
    }

    /// Writes a file beside the manifest.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// The program with these arguments; credentials and state are the folder's own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagesync"));
        command.args(arguments).current_dir(self.path()).env_clear();
        command
            .env("HOME", self.path())
            .env("DOCKER_CONFIG", self.path())
            .env("XDG_STATE_HOME", self.state());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs the program to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().await.unwrap().into()
    }

    /// `imagesync sync` of the manifest.
    pub async fn sync(&self) -> Ran {
        self.run(&["sync", "-f", "sync.yaml"]).await
    }

    /// `imagesync sync` of the manifest, which has to succeed.
    pub async fn synced(&self) -> Ran {
        self.sync().await.expect(0)
    }

    /// Starts `imagesync sync` of the manifest.
    pub fn start(&self) -> Child {
        let mut command = self.command(&["sync", "-f", "sync.yaml"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The records that are in the state directory, of all images.
    pub fn records(&self) -> Vec<Value> {
        let folder = self.state().join("imagesync/records/team/test");
        let mut records = Vec::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let slice: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
                records.extend(slice["records"].as_array().unwrap().iter().cloned());
            }
        }
        records
    }

    /// Makes the records say that each digest was first seen so long ago that nobody looks any more what refers to it.
    pub fn a_day_later(&self) {
        let day = jiff::SignedDuration::from_hours(25);
        let folder = self.state().join("imagesync/records/team/test");
        for entry in std::fs::read_dir(folder).expect("there are records") {
            let path = entry.unwrap().path();
            let mut slice: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for record in slice["records"].as_array_mut().unwrap() {
                let seen: jiff::Timestamp = record["firstSeen"].as_str().unwrap().parse().unwrap();
                record["firstSeen"] = (seen - day).to_string().into();
            }
            std::fs::write(path, slice.to_string()).unwrap();
        }
    }

    /// What is recorded of each reference on a target.
    pub fn references(&self) -> BTreeMap<String, Recorded> {
        let mut references = BTreeMap::new();
        for target in self.records().iter().flat_map(|record| record["targets"].as_array().unwrap()) {
            let reference = target["reference"].as_str().unwrap().to_owned();
            let recorded = serde_json::from_value(target.clone()).unwrap();
            assert_eq!(references.insert(reference, recorded), None, "{target} is recorded twice");
        }
        references
    }
}

impl Ran {
    /// The run, if it ended with this code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
