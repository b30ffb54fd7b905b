//! Exit codes, and how an error becomes one.

use std::process::ExitCode;

use super::load::Refused;

/// How a command ended. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything is in sync; for `plan`: there is nothing to do.
    Success = 0,
    /// Something failed.
    Failed = 1,
    /// What was typed, or a manifest, is wrong.
    Usage = 2,
    /// For `plan`: there are changes to make.
    Changes = 3,
    /// Nothing failed, but a registry's rate limit puts some of it off.
    Deferred = 4,
    /// Ended by Ctrl-C or SIGTERM: what was complete stays, and nothing is half done. 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

/// The exit codes, for the help and the manual page.
pub(super) const HELP: &str = "\
Exit codes:
  0  everything is in sync; plan: nothing to do
  1  something failed
  2  what was typed, or a manifest, is wrong
  3  plan: there are changes to make
  4  nothing failed, but a registry's rate limit puts some of it off
  130  interrupted: what was complete stays, and nothing is half done";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What to print to the standard error for an error, and how to exit.
///
/// Manifests that are refused print one line a fault, without a prefix, as compilers do: editors jump to them. A
/// reader that has seen enough, such as `head`, is no error.
#[must_use]
pub fn report(error: &anyhow::Error) -> (Option<String>, Exit) {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return (Some(refused.to_string()), Exit::Usage);
    }
    let io = error.downcast_ref::<std::io::Error>();
    if io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe) {
        return (None, Exit::Success);
    }
    (Some(format!("imagesync: {error:#}")), Exit::Failed)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(report(&closed), (None, Exit::Success));
    }

    #[test]
    fn an_error_is_printed_with_its_causes() {
        let error = anyhow::anyhow!("no such host").context("reading docker.io/library/alpine");
        let line = "imagesync: reading docker.io/library/alpine: no such host".to_owned();
        assert_eq!(report(&error), (Some(line), Exit::Failed));
    }
}
