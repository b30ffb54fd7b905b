//! `imagesync man`: the manual pages.

use clap::CommandFactory;
use clap_mangen::Man;

use super::{Cli, Exit, exit::Usage};

/// `imagesync man`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print the page of this command, such as crds. Default: the page of imagesync itself.
    command: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Exit, anyhow::Error> {
    super::print(&page(args.command.as_deref())?)?;
    Ok(Exit::Success)
}

fn page(command: Option<&str>) -> Result<Vec<u8>, anyhow::Error> {
    let mut imagesync = Cli::command();
    imagesync.build();
    let page = match command {
        None => imagesync,
        Some(name) => imagesync.find_subcommand(name).cloned().ok_or_else(|| no_command(&imagesync, name))?,
    };
    let mut roff = Vec::new();
    Man::new(page).render(&mut roff)?;
    Ok(roff)
}

fn no_command(imagesync: &clap::Command, name: &str) -> Usage {
    let names: Vec<_> = imagesync.get_subcommands().map(clap::Command::get_name).collect();
    Usage(format!("there is no command {name}: write one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        for command in Cli::command().get_subcommands() {
            let page = String::from_utf8(page(Some(command.get_name())).unwrap()).unwrap();
            assert!(page.contains(&format!("imagesync\\-{}", command.get_name())), "{page}");
        }
        assert!(String::from_utf8(page(None).unwrap()).unwrap().contains("Exit codes"));
        assert!(page(Some("nosuch")).unwrap_err().is::<Usage>());
    }
}
