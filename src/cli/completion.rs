//! `imagesync completion`: a shell's completion script.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit};

/// `imagesync completion`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Exit, anyhow::Error> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    super::print(&script)?;
    Ok(Exit::Success)
}
