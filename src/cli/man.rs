//! `imagesync man`: the manual pages.

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use super::{Cli, Exit};

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
        Some(name) => {
            let found = imagesync.find_subcommand(name).cloned();
            found.with_context(|| format!("there is no command {name}: see imagesync help"))?
        }
    };
    let mut roff = Vec::new();
    Man::new(page).render(&mut roff)?;
    Ok(roff)
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
        assert!(page(Some("nosuch")).is_err());
    }
}
