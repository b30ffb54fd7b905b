//! Logs: what is told while the program runs, on the standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::text::excerpt;

/// The variable that says what is logged, such as `debug` or `imagesync::registry=trace`.
pub const FILTER: &str = "IMAGESYNC_LOG";

/// Begins to log. Without `IMAGESYNC_LOG`, a terminal, which has progress bars and a table, gets warnings and errors; anything
/// else gets what was done too. A filter that cannot be read counts as none, and that is said.
///
/// To be called once, before anything is done; a second call changes nothing.
pub fn init(colours: bool) {
    let usual = || EnvFilter::new(if std::io::stderr().is_terminal() { "warn" } else { "info" });
    let (filter, problem) = match std::env::var_os(FILTER).filter(|text| !text.is_empty()) {
        None => (usual(), None),
        Some(text) => match text.to_str().ok_or_else(|| "not UTF-8".to_owned()).and_then(parse) {
            Ok(filter) => (filter, None),
            Err(problem) => (usual(), Some(problem)),
        },
    };
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    // An error means that a subscriber is there already.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    if let Some(problem) = problem {
        tracing::warn!(
            "{FILTER} is not used ({problem}): write error, warn, info, debug or trace, or such as imagesync::registry=trace"
        );
    }
}

/// A filter by itself takes any word for the name of a module, of which there is none, and so hides everything.
fn parse(text: &str) -> Result<EnvFilter, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_meant = |part: &str| {
        part.contains(['=', '[', ':'])
            || part.parse::<u8>().is_ok_and(|level| level <= 5)
            || LEVELS.contains(&part.trim().to_ascii_lowercase().as_str())
    };
    match text.split(',').map(str::trim).find(|part| !part.is_empty() && !is_meant(part)) {
        Some(part) => Err(format!("`{}` is no level", excerpt(part))),
        None => EnvFilter::try_new(text).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_levels_and_modules_and_a_typing_error_is_no_module() {
        for good in ["debug", "WARN", "imagesync::registry=trace", "info,imagesync=debug", "off", "3"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["debgu", "info,trcae", "imagesync=loud", "x=[", "a b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
