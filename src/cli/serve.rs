//! `imagesync serve`: layouts below a directory, as a registry that is only read.

use std::{
    io::{self, IsTerminal as _},
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
};

use anyhow::anyhow;

use super::{Color, Exit, exit::Usage, sync::stop_on_signal};
use crate::{
    layout::{self, Layouts},
    reference::Repository,
    serve::Server,
    telemetry,
};

/// `imagesync serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The directory. The path of each OCI image layout below it is the name of a repository.
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// Where to listen. Anybody who can reach it can pull all that is served, and nothing is encrypted.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000", value_parser = address)]
    listen: SocketAddr,
}

/// Layouts that are counted, and looked through for an example.
const MOST: usize = 10_000;

pub(super) fn run(args: &Args, color: Color) -> anyhow::Result<Exit> {
    telemetry::init(color.wanted(io::stderr().is_terminal()));
    let dir = args.dir.as_path();
    if matches!(dir.try_exists(), Ok(false)) {
        return Err(Usage(format!(
            "there is no directory {}: name the one that `imagesync sync` wrote layouts into",
            dir.display()
        ))
        .into());
    }
    if layout::is_one(dir)? {
        let name = dir.file_name().map_or_else(|| "NAME".into(), |name| name.to_string_lossy());
        return Err(Usage(format!(
            "{0} is an OCI image layout itself, and a repository is named by its path below what is served: serve the \
             directory that {0} is in, and pull {name}",
            dir.display()
        ))
        .into());
    }
    let names = layout::find(dir, MOST)?;
    super::runtime()?.block_on(async {
        let stop = stop_on_signal()?;
        let server = Server::bind(args.listen, args.dir.clone()).await;
        let server = server.map_err(|error| refused(error, args.listen))?;
        let address = server.address()?;
        if !address.ip().is_loopback() {
            tracing::warn!(
                "{address} is more than this machine: whoever reaches it can pull everything, and what is on the way is \
                 not encrypted"
            );
        }
        super::print(greeting(dir, &names, address, example(dir, &names).await).as_bytes())?;
        server.run(&stop).await;
        Ok(Exit::Success)
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("`{text}` is no address and port: write it as in 127.0.0.1:5000 or [::1]:5000");
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) if text.starts_with("localhost:") => {
            text.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(wrong)
        }
        Err(_) => Err(wrong()),
    }
}

fn refused(error: io::Error, address: SocketAddr) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!("another program listens at {address}: choose another port with --listen")
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen at {address}")),
    }
}

/// A reference that can be pulled.
async fn example(dir: &Path, names: &[String]) -> Option<String> {
    for name in names {
        let repository = format!("localhost/{name}").parse::<Repository>().ok()?;
        let tags = Layouts::default().open_below(dir, &repository).tags().await.unwrap_or_default();
        if let Some(tag) = tags.iter().find(|tag| !tag.belongs_to_digest()) {
            return Some(format!("{name}:{tag}"));
        }
    }
    None
}

fn greeting(dir: &Path, names: &[String], address: SocketAddr, example: Option<String>) -> String {
    let count = match names.len() {
        0 => "no repository yet".to_owned(),
        1 => "1 repository".to_owned(),
        MOST => format!("{MOST} repositories or more"),
        count => format!("{count} repositories"),
    };
    let example = example.map(|name| format!("pull one with: docker pull {address}/{name}\n"));
    format!(
        "serving {count} below {} at http://{address}, to be read only\n{}",
        dir.display(),
        example.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_localhost_is_one() {
        assert!(address("127.0.0.1:0").is_ok() && address("[::1]:5000").is_ok());
        assert!(address("localhost:5000").unwrap().ip().is_loopback());
        for bad in ["", "5000", ":5000", "127.0.0.1", "example.invalid:5000"] {
            assert!(address(bad).unwrap_err().contains("127.0.0.1:5000"), "{bad}");
        }
    }

    #[test]
    fn the_greeting_says_where_and_what_and_how() {
        let names = ["library/alpine".to_owned()];
        let text = greeting(
            Path::new("out"),
            &names,
            "127.0.0.1:5000".parse().unwrap(),
            Some("library/alpine:3.20".to_owned()),
        );
        assert_eq!(
            text,
            "serving 1 repository below out at http://127.0.0.1:5000, to be read only\n\
             pull one with: docker pull 127.0.0.1:5000/library/alpine:3.20\n"
        );
    }
}
