//! The arguments that commands share, and those of `sync` and `plan`.

use std::{io::IsTerminal as _, path::PathBuf};

use clap::{Args, ValueEnum};

use super::{
    exit::Usage,
    load::{self, Input},
};

/// Which manifests to read.
#[derive(Clone, Debug, Args)]
pub struct FileArgs {
    /// A file with manifests, a folder with such files, or - for the standard input; may be repeated.
    ///
    /// Read are ImageSyncs, and Secrets of type kubernetes.io/dockerconfigjson beside them, in YAML or JSON, also
    /// several in one file. Objects of other kinds are left out.
    #[arg(short = 'f', long = "filename", required = true, value_name = "FILE|DIR|-")]
    pub files: Vec<Input>,

    /// Read the folders in a folder too.
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

/// How to reach registries, and what is remembered.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Where to keep the records of what was mirrored.
    ///
    /// Default: imagesync in the state folder of the XDG base directories, mostly ~/.local/state/imagesync.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// The registry settings: mirrors, limits, certificates and credential helpers.
    #[arg(long, value_name = "FILE")]
    pub registries: Option<PathBuf>,

    /// How to print the result.
    ///
    /// Default: a table, or for `plan` lines with a sign each.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// How deep to look.
#[derive(Clone, Copy, Debug, Args)]
pub struct DepthArgs {
    /// Look for all that belongs to what is on the targets, down to each blob, by reading; what is missing is sent again.
    ///
    /// Without it that is done for what was not looked at for the spec's deepInterval, 24h if it says nothing.
    #[arg(long)]
    pub deep: bool,
}

/// `imagesync sync`.
#[derive(Clone, Debug, Args)]
pub struct SyncArgs {
    /// Which manifests to read.
    #[command(flatten)]
    pub files: FileArgs,

    /// How to reach registries, and what is remembered.
    #[command(flatten)]
    pub run: RunArgs,

    /// How deep to look.
    #[command(flatten)]
    pub depth: DepthArgs,

    /// Keep going: sync again when each ImageSync's interval or schedule says so, and when the files change.
    #[arg(short, long, conflicts_with = "dry_run")]
    pub watch: bool,

    /// Only say what would be done, as `imagesync plan` does.
    #[arg(long)]
    pub dry_run: bool,
}

/// `imagesync plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Which manifests to read.
    #[command(flatten)]
    pub files: FileArgs,

    /// How to reach registries, and what is remembered.
    #[command(flatten)]
    pub run: RunArgs,

    /// How deep to look.
    #[command(flatten)]
    pub depth: DepthArgs,
}

/// `imagesync delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// Which manifests to read.
    #[command(flatten)]
    pub files: FileArgs,

    /// How to reach registries, and what is remembered.
    #[command(flatten)]
    pub run: RunArgs,

    /// Do it without asking.
    #[arg(short, long)]
    pub yes: bool,

    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// How to print a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// sync: a v1 List of the objects, as a cluster would show them; plan: a list of the plans. In JSON.
    Json,
    /// The same in YAML, each result a document of its own.
    Yaml,
}

/// Whether to write in colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Color {
    /// Whether to write in colours to something that is a terminal or is none.
    pub(super) fn wanted(self, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
        }
    }
}

impl RunArgs {
    /// Refuses what can never work, before anything is done.
    pub(super) fn check(&self) -> Result<(), Usage> {
        match &self.state {
            Some(state) if state.exists() && !state.is_dir() => Err(Usage(format!(
                "--state {}: not a directory: name one, or what is not there yet",
                state.display()
            ))),
            _ => Ok(()),
        }
    }
}

impl DeleteArgs {
    /// Refuses what can never work, before anything is done.
    pub(super) fn check(&self) -> Result<(), Usage> {
        self.run.check()?;
        let can_ask = std::io::stdin().is_terminal() && !self.files.files.contains(&Input::Stdin);
        if self.yes || self.dry_run || can_ask {
            return Ok(());
        }
        Err(Usage(
            "delete asks before it deletes, and there is no terminal to ask on: say --yes to delete without being asked, or \
             --dry-run to see what would be done"
                .to_owned(),
        ))
    }
}

impl SyncArgs {
    /// Refuses what can never work, before anything is done.
    pub(super) fn check(&self) -> Result<(), Usage> {
        self.run.check()?;
        if self.watch && self.depth.deep {
            let message =
                "--deep: with --watch that is done again and again, as often as the spec's deepInterval says";
            return Err(Usage(message.to_owned()));
        }
        match self.files.files.iter().find(|input| self.watch && !load::can_be_read_again(input)) {
            Some(Input::Path(path)) => Err(Usage(format!(
                "--filename {}: not a file or folder, and --watch reads it again and again: write what it gives into a file",
                path.display()
            ))),
            _ => Ok(()),
        }
    }
}
