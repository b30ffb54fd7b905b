//! The command line: what was typed, and one file a command.

mod args;
mod bars;
mod completion;
mod crds;
mod delete;
mod display;
mod exit;
pub mod load;
mod man;
mod member;
mod others;
mod plan;
mod run;
mod serve;
mod shared;
mod show;
mod sources;
mod sync;
mod table;
mod watch;

use std::io::{self, Write};

use clap::{Parser, Subcommand};

pub use self::{
    args::{Color, DeleteArgs, FileArgs, Output, PlanArgs, RunArgs, SyncArgs},
    exit::{Exit, report},
};

/// Keeps container images where a manifest says they must be.
#[derive(Debug, Parser)]
#[command(name = "imagesync", version, propagate_version = true, after_long_help = exit::HELP)]
pub struct Cli {
    /// Whether to write in colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do what the manifests say: copy what is missing or has moved, under the names that they ask for.
    Sync(SyncArgs),
    /// Say what `sync` would do, and why. Nothing is changed.
    Plan(PlanArgs),
    /// Delete the ImageSyncs in the manifests: forget their records, and with `deletionPolicy: Prune` delete what they wrote.
    Delete(DeleteArgs),
    /// Serve directories that `sync` wrote as a registry, to be read only.
    Serve(serve::Args),
    /// Print the custom resource definitions (CRDs), for `kubectl apply -f -`.
    Crds,
    /// Print a shell's completion script.
    Completion(completion::Args),
    /// Print a manual page.
    Man(man::Args),
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    ///
    /// What [`report`] turns into a message and an exit code.
    pub fn run(&self) -> Result<Exit, anyhow::Error> {
        match &self.command {
            Command::Sync(args) => {
                args.check()?;
                sync::run(args, self.color)
            }
            Command::Plan(args) => {
                args.run.check()?;
                plan::run(args, self.color)
            }
            Command::Delete(args) => {
                args.check()?;
                delete::run(args, self.color)
            }
            Command::Serve(args) => serve::run(args, self.color),
            Command::Crds => crds::run(),
            Command::Completion(args) => completion::run(args),
            Command::Man(args) => man::run(args),
        }
    }
}

/// What the commands that talk to registries run on.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Prints to the standard output. A reader that has seen enough, such as `head`, changes nothing about what is done, nor about
/// how it ends: what failed has failed whether anybody reads of it or not.
fn print(bytes: &[u8]) -> io::Result<()> {
    write(&mut io::stdout().lock(), bytes)
}

fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, CommandFactory, FromArgMatches};

    use super::*;

    fn sync(arguments: &[&str]) -> Result<SyncArgs, clap::Error> {
        let command = SyncArgs::augment_args(clap::Command::new("sync"));
        command
            .try_get_matches_from([&["sync"], arguments].concat())
            .and_then(|m| SyncArgs::from_arg_matches(&m))
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error_and_a_full_disk_is_one() {
        struct Refusing(io::ErrorKind);
        impl Write for Refusing {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(write(&mut Refusing(io::ErrorKind::BrokenPipe), b"x").is_ok());
        assert!(write(&mut Refusing(io::ErrorKind::StorageFull), b"x").is_err());
    }

    #[test]
    fn the_commands_do_not_contradict_each_other() {
        Cli::command().debug_assert();
        PlanArgs::augment_args(clap::Command::new("plan")).debug_assert();
    }

    #[test]
    fn files_are_named_once_or_more_and_a_dash_is_the_standard_input() {
        let args = sync(&["-f", "a.yaml", "-f", "-", "-R", "-o", "json"]).unwrap();
        assert_eq!(args.files.files, [load::Input::Path("a.yaml".into()), load::Input::Stdin]);
        assert!(args.files.recursive && !args.watch);
        assert_eq!(args.run.output, Some(Output::Json));
        assert!(sync(&[]).is_err());
    }

    #[test]
    fn a_pipe_is_read_once_and_so_cannot_be_watched() {
        assert!(sync(&["-f", "/dev/null", "--watch"]).unwrap().check().is_err());
        for fine in [&["-f", "/dev/null"][..], &["-f", "Cargo.toml", "--watch"], &["-f", "src", "--watch"]] {
            assert!(sync(fine).unwrap().check().is_ok(), "{fine:?}");
        }
    }

    #[test]
    fn records_are_kept_in_a_directory() {
        let state = |path: &str| sync(&["-f", "a", "--state", path]).unwrap().check();
        assert!(state("Cargo.toml").unwrap_err().to_string().contains("Cargo.toml: not a directory"));
        assert!(state("src").is_ok() && state("/nowhere/yet").is_ok());
    }

    #[test]
    fn watching_changes_something_and_so_excludes_a_dry_run() {
        assert!(sync(&["-f", "a", "--watch"]).is_ok() && sync(&["-f", "a", "--dry-run"]).is_ok());
        assert!(sync(&["-f", "a", "--watch", "--dry-run"]).is_err());
    }
}
