//! The tools, and how each is told what to do: as its own documentation advises, tuned for the scenario.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use crate::testbed::program;

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// This project.
    ImageSync,
    /// This project, told that the tags do not move.
    ImageSyncImmutable,
    /// This project, walking all that is on the target.
    ImageSyncDeep,
    /// This project, for one platform.
    ImageSyncPlatform,
    /// This project, into a directory.
    ImageSyncDirectory,
    /// This project, only asked what it would do.
    ImageSyncPlan,
    /// regclient's regsync.
    Regsync,
    /// regsync, told to copy signatures.
    RegsyncReferrers,
    /// regsync, told to walk all images.
    RegsyncDeep,
    /// regsync, for one platform.
    RegsyncPlatform,
    /// go-containerregistry's crane.
    Crane,
    /// skopeo, of Debian.
    Skopeo,
    /// skopeo, into a directory.
    SkopeoDirectory,
}

/// What is to be in sync, whoever does it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The source's `host:port`.
    pub source: String,
    /// The targets' `host:port`, or a directory.
    pub targets: Vec<String>,
    /// The repositories, all tags of each.
    pub repositories: Vec<String>,
    /// Their tags, for the tool that does not list them.
    pub tags: Vec<String>,
    /// How much a tool that can be told does at the same time.
    pub parallel: usize,
}

impl Tool {
    /// Its name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ImageSync => "imagesync",
            Self::ImageSyncImmutable => "imagesync, immutableTags",
            Self::ImageSyncDeep => "imagesync --deep",
            Self::ImageSyncPlatform => "imagesync, platforms: [linux/amd64]",
            Self::ImageSyncDirectory => "imagesync, oci:",
            Self::ImageSyncPlan => "imagesync plan",
            Self::Regsync => "regsync",
            Self::RegsyncReferrers => "regsync, referrers and digestTags",
            Self::RegsyncDeep => "regsync, forceRecursive",
            Self::RegsyncPlatform => "regsync, platforms: [linux/amd64]",
            Self::Crane => "crane",
            Self::Skopeo => "skopeo",
            Self::SkopeoDirectory => "skopeo, dir:",
        }
    }

    /// Whether this is ours.
    pub fn is_ours(self) -> bool {
        self < Self::Regsync
    }

    /// Whether the targets have everything afterwards.
    pub fn copies(self) -> bool {
        self != Self::ImageSyncPlan
    }

    /// Exit codes that mean success: `plan` has one for "there are changes".
    pub fn codes(self) -> &'static [i32] {
        if self == Self::ImageSyncPlan { &[0, 3] } else { &[0] }
    }

    /// What it says it is.
    pub fn version(self) -> String {
        let (program, argument) = match self {
            Self::Crane => (program("crane"), "version"),
            Self::Skopeo | Self::SkopeoDirectory => ("skopeo".into(), "--version"),
            _ if self.is_ours() => (OURS.into(), "--version"),
            _ => (program("regsync"), "version"),
        };
        let output = Command::new(program).arg(argument).output().expect("the tool is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = |word: &&str| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
        text.split_whitespace().find(number).unwrap_or_default().to_owned()
    }

    /// The command for a job. What it needs to read is written into the folder, and what it remembers stays there.
    pub fn command(self, job: &Job, folder: &Path) -> Vec<String> {
        match self {
            Self::ImageSync | Self::ImageSyncDirectory => imagesync(&["sync"], job, "", folder),
            Self::ImageSyncImmutable => imagesync(&["sync"], job, "    immutableTags: ['.*']\n", folder),
            Self::ImageSyncDeep => imagesync(&["sync", "--deep"], job, "", folder),
            Self::ImageSyncPlatform => imagesync(&["sync"], job, "    platforms: [linux/amd64]\n", folder),
            Self::ImageSyncPlan => imagesync(&["plan"], job, "", folder),
            Self::Regsync => regsync(job, "", folder),
            Self::RegsyncReferrers => {
                regsync(job, ", referrers: true, digestTags: true, tags: {deny: [\"sha256-.*\"]}", folder)
            }
            Self::RegsyncDeep => regsync(job, ", forceRecursive: true", folder),
            Self::RegsyncPlatform => regsync(job, ", platforms: [linux/amd64]", folder),
            Self::Crane => crane(job),
            Self::Skopeo => skopeo(job, "docker", "--dest-tls-verify=false", folder),
            Self::SkopeoDirectory => skopeo(job, "dir", "", folder),
        }
    }
}

/// The program that is measured.
pub const OURS: &str = env!("CARGO_BIN_EXE_imagesync");

fn imagesync(verb: &[&str], job: &Job, more: &str, folder: &Path) -> Vec<String> {
    let mut manifest = String::from(
        "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {name: bench}\nspec:\n  images:\n",
    );
    for repository in &job.repositories {
        let source = &job.source;
        let _ = write!(
            manifest,
            "  - name: {repository}\n    source: {source}/{repository}\n    select: {{patterns: ['.*']}}\n{more}"
        );
    }
    manifest.push_str("  targets:\n");
    for (n, target) in job.targets.iter().enumerate() {
        let scheme = if target.starts_with('/') { "oci:" } else { "" };
        let _ = writeln!(manifest, "  - name: target-{n}\n    repository: {scheme}{target}/{{path}}");
    }
    let (file, state) = (folder.join("imagesync.yaml"), folder.join("state"));
    fs::write(&file, manifest).expect("the folder takes a file");
    let (file, state) = (file.to_string_lossy(), state.to_string_lossy());
    words(&[&[OURS], verb, &["-f", &file, "--state", &state]].concat())
}

fn regsync(job: &Job, more: &str, folder: &Path) -> Vec<String> {
    let parallel = job.parallel;
    let mut config = String::from("version: 1\ncreds:\n");
    for host in [&job.source].into_iter().chain(&job.targets) {
        let _ = writeln!(config, "- {{registry: \"{host}\", tls: disabled, reqConcurrent: {parallel}}}");
    }
    let _ = writeln!(config, "defaults: {{parallel: {parallel}}}\nsync:");
    for target in &job.targets {
        for repository in &job.repositories {
            let source = &job.source;
            let _ = writeln!(
                config,
                "- {{source: \"{source}/{repository}\", target: \"{target}/{repository}\", type: repository{more}}}"
            );
        }
    }
    let file = folder.join("regsync.yaml");
    fs::write(&file, config).expect("the folder takes a file");
    words(&[
        &program("regsync").to_string_lossy(),
        "once",
        "--verbosity",
        "warn",
        "-c",
        &file.to_string_lossy(),
    ])
}

/// One repository after another: crane takes one at a time.
fn crane(job: &Job) -> Vec<String> {
    let crane = program("crane");
    let mut script = String::from("set -e\n");
    for target in &job.targets {
        for repository in &job.repositories {
            let (crane, parallel, source) = (crane.display(), job.parallel, &job.source);
            let _ =
                writeln!(script, "{crane} cp -a -j {parallel} {source}/{repository} {target}/{repository}");
        }
    }
    words(&["sh", "-c", &script])
}

fn skopeo(job: &Job, to: &str, more: &str, folder: &Path) -> Vec<String> {
    let mut config = format!("\"{}\":\n  tls-verify: false\n  images:\n", job.source);
    for repository in &job.repositories {
        let _ = writeln!(config, "    {repository}: {:?}", job.tags);
    }
    let file = folder.join("skopeo.yaml");
    fs::write(&file, config).expect("the folder takes a file");
    let mut script = String::from("set -e\n");
    for target in &job.targets {
        let (options, file) = (format!("--all --preserve-digests {more}"), file.display());
        // It does not write over a directory that is there.
        let target = if to == "dir" { format!("{target}/$$") } else { target.clone() };
        let _ = writeln!(script, "skopeo sync {options} --src yaml --dest {to} {file} {target}");
    }
    words(&["sh", "-c", &script])
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
