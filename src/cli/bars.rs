//! Progress bars: one for all copies, above one for each blob that is being read.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    engine::{Event, Outcome},
    registry::Blob,
};

/// A blob below this size (bytes) is through before anybody could read its bar.
const WORTH_A_BAR: u64 = 1024 * 1024;

/// The bars of all runs of a process.
pub(super) struct Bars {
    all: MultiProgress,
    copies: ProgressBar,
    /// The bars of blobs, by reading.
    readings: Mutex<HashMap<u64, ProgressBar>>,
}

impl Bars {
    pub(super) fn on_stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(10))
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let copies = ProgressBar::new(0).with_style(style("{spinner} {pos}/{len} copies  {msg}"));
        Self { copies: all.add(copies), all, readings: Mutex::default() }
    }

    /// So many more copies are going to be made.
    pub(super) fn expect(&self, copies: usize) {
        let _turn = self.readings();
        if copies > 0 && self.copies.is_finished() {
            self.copies.set_length(0);
            self.copies.reset();
        }
        self.copies.inc_length(copies as u64);
    }

    /// So many of the copies that were expected are not going to be made.
    pub(super) fn give_up(&self, copies: usize) {
        let _turn = self.readings();
        if copies > 0 {
            self.copies.dec_length(copies as u64);
            self.clear_if_done();
        }
    }

    /// Does something to the terminal while the bars are away.
    pub(super) fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        self.all.suspend(act)
    }

    pub(super) fn show(&self, event: &Event<'_>) {
        let mut readings = self.readings();
        match event {
            Event::Began { action } => self.copies.set_message(action.source.repository.to_string()),
            Event::Finished { outcome, .. } => {
                self.copies.inc(1);
                if matches!(outcome, Outcome::Failed(_)) {
                    self.copies.set_message("something failed; the rest goes on");
                }
                self.clear_if_done();
            }
            Event::Read { blob, reading, at } => {
                self.copies.tick();
                if blob.size >= WORTH_A_BAR {
                    readings.entry(*reading).or_insert_with(|| self.bar(blob)).set_position(*at);
                }
            }
            Event::Ended { reading } => {
                if let Some(bar) = readings.remove(reading) {
                    bar.finish_and_clear();
                }
            }
            Event::Mounted { .. } | Event::Present { .. } | Event::Walked { .. } | Event::Pruned { .. } => {
                self.copies.tick();
            }
        }
    }

    fn clear_if_done(&self) {
        if self.copies.length() <= Some(self.copies.position()) {
            // Cleared rather than left: the table that follows says it all.
            self.copies.finish_and_clear();
        }
    }

    fn bar(&self, blob: &Blob) -> ProgressBar {
        let bar = ProgressBar::new(blob.size).with_message(blob.digest.short().to_owned());
        let style = style("  {msg} [{bar:30}] {bytes:>10}/{total_bytes:<10} {binary_bytes_per_sec}");
        self.all.add(bar.with_style(style.progress_chars("=> ")))
    }

    /// Events come from many tasks; this is also what makes them be shown one after the other.
    fn readings(&self) -> MutexGuard<'_, HashMap<u64, ProgressBar>> {
        // Bars are for looking at: one that a panic left behind harms nothing.
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are the literals above; one that did not parse would fall back to a plain bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests;
