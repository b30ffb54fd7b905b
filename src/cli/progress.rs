//! What a person sees while a run is going on: bars on a terminal, log lines elsewhere.

use std::{
    collections::HashMap,
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    digest::Digest,
    engine::{Event, Outcome, Progress},
    plan::Action,
    registry::Blob,
};

/// A blob below this size (bytes) is through before anybody could read its bar.
const WORTH_A_BAR: u64 = 1024 * 1024;

/// Tells of a run's progress on standard error, in the way that fits it.
pub(super) fn progress() -> Progress {
    if std::io::stderr().is_terminal() {
        let bars = Bars::new();
        Progress::new(move |event| bars.show(event))
    } else {
        Progress::new(log)
    }
}

fn log(event: &Event<'_>) {
    if let Event::Finished { action, outcome } = event {
        let Action { image, destination, source, .. } = action;
        match outcome {
            Outcome::Written => tracing::info!(%image, %source, %destination, "copied"),
            Outcome::Failed(error) => {
                tracing::error!(%image, %source, %destination, class = %error.class(), error = error.message(), "failed");
            }
            Outcome::InSync | Outcome::NotTried => {}
        }
    }
}

/// The bars: one for all copies of the run, above one for each blob that is on its way.
struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    blobs: Mutex<HashMap<Digest, ProgressBar>>,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let total = ProgressBar::no_length().with_style(style("{spinner} {pos}/{len} copies  {msg}"));
        Self { total: all.add(total), all, blobs: Mutex::default() }
    }

    fn show(&self, event: &Event<'_>) {
        match event {
            Event::Began { action } => {
                self.total.inc_length(1);
                self.total.set_message(action.source.repository.to_string());
            }
            Event::Finished { outcome, .. } => {
                self.total.inc(1);
                if self.total.length() == Some(self.total.position()) {
                    // Cleared rather than left: the table that follows says it all.
                    self.total.finish_and_clear();
                } else if matches!(outcome, Outcome::Failed(_)) {
                    self.total.set_message("something failed; the rest goes on");
                }
            }
            Event::Read { blob, bytes } => {
                self.total.tick();
                if blob.size >= WORTH_A_BAR {
                    self.bar(blob).inc(*bytes);
                }
            }
            Event::Ended { blob } => {
                if let Some(bar) = self.blobs().remove(&blob.digest) {
                    bar.finish_and_clear();
                }
            }
            Event::Mounted { .. } | Event::Present { .. } => self.total.tick(),
        }
    }

    fn bar(&self, blob: &Blob) -> ProgressBar {
        let new = || {
            let bar = ProgressBar::new(blob.size).with_message(blob.digest.short().to_owned());
            let style = style("  {msg} [{bar:30}] {bytes:>10}/{total_bytes:<10} {binary_bytes_per_sec}");
            self.all.add(bar.with_style(style.progress_chars("=> ")))
        };
        self.blobs().entry(blob.digest.clone()).or_insert_with(new).clone()
    }

    fn blobs(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, ProgressBar>> {
        // Bars are for looking at: one that a panic left behind harms nothing.
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are the literals above; one that did not parse would fall back to a plain bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
