//! The arguments that commands share, and those of `sync` and `plan`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::load::Input;

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
    /// Default: a table.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Output>,
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
}

/// How to print a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// A v1 List of the objects, as a cluster would show them, in JSON.
    Json,
    /// The same in YAML.
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
