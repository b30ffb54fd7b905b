//! Exit codes, and how an error becomes one.

use std::process::ExitCode;

use super::load::Refused;
use crate::text::Printable;

/// How a command ended. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything is in sync; for `plan`, and with `--dry-run`: there is nothing to do.
    Success = 0,
    /// Something failed.
    Failed = 1,
    /// What was typed, or a manifest, is wrong.
    Usage = 2,
    /// For `plan`, and with `--dry-run`: there are changes to make.
    Changes = 3,
    /// Nothing failed, but a registry's rate limit puts some of it off.
    Deferred = 4,
    /// Ended by Ctrl-C or SIGTERM: what was complete stays, and nothing is half done. 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

/// The exit codes, for the help and the manual page.
pub(super) const HELP: &str = "\
Exit codes:
  0  everything is in sync; plan, and --dry-run: nothing to do
  1  something failed
  2  what was typed, or a manifest, is wrong
  3  plan, and --dry-run of sync and delete: there are changes to make
  4  nothing failed, but a registry's rate limit puts some of it off
  130  interrupted: what was complete stays, and nothing is half done

Environment:
  IMAGESYNC_LOG   what is logged: error, warn, info, debug or trace, also of one module,
                  as in imagesync::registry=trace; default: warn on a terminal, else info
  NO_COLOR        if set, nothing is written in colours, unless --color says so
  DOCKER_CONFIG   the folder of Docker's config.json; default: ~/.docker
  XDG_STATE_HOME  where imagesync/ with the records is, without --state;
                  default: ~/.local/state
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY  the proxy for registries";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What was typed cannot be carried out: what is wrong, and what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// What to print to the standard error for an error, and how to exit.
///
/// Manifests that are refused print one line a fault, without a prefix, as compilers do: editors jump to them. Whatever
/// the texts of others have in them, what is printed has no control characters but the ends of its lines.
#[must_use]
pub fn report(error: &anyhow::Error) -> (String, Exit) {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return (refused.to_string(), Exit::Usage);
    }
    let exit = if error.is::<Usage>() { Exit::Usage } else { Exit::Failed };
    (format!("imagesync: {}", Printable(&format!("{error:#}"))), exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_printed_with_its_causes() {
        let error = anyhow::anyhow!("no such host").context("reading docker.io/library/alpine");
        let line = "imagesync: reading docker.io/library/alpine: no such host".to_owned();
        assert_eq!(report(&error), (line, Exit::Failed));
    }

    #[test]
    fn a_terminal_carries_out_nothing_that_an_error_says() {
        let error = anyhow::anyhow!("cannot open /\u{1b}[31mx\u{202e}y");
        assert_eq!(report(&error).0, "imagesync: cannot open /\\u{1b}[31mx\\u{202e}y");
    }

    #[test]
    fn what_was_typed_wrong_exits_as_such() {
        assert_eq!(report(&Usage("no".into()).into()), ("imagesync: no".into(), Exit::Usage));
    }
}
