//! ImageSync's program: parse, run, exit.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use imagesync::cli::{Cli, report};

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(exit) => exit.into(),
        Err(error) => {
            let (message, exit) = report(&error);
            // Where the standard error is closed, there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{message}");
            exit.into()
        }
    }
}
