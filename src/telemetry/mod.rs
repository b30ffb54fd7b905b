//! Logs: what is told while the program runs, on the standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The variable that says what is logged, such as `debug` or `imagesync::registry=trace`.
const FILTER: &str = "IMAGESYNC_LOG";

/// Begins to log. Without `IMAGESYNC_LOG`, a terminal, which has progress bars and a table, gets warnings and errors; anything
/// else gets what was done too. A filter that cannot be read counts as none.
///
/// To be called once, before anything is done; a second call changes nothing.
pub fn init() {
    let terminal = std::io::stderr().is_terminal();
    let usual = || EnvFilter::new(if terminal { "warn" } else { "info" });
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| usual());
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(terminal).with_target(false);
    // An error means that a subscriber is there already.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
