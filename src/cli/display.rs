//! What a person sees of runs: their progress on standard error, and what they print.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
};

use super::{bars::Bars, run::interrupted};
use crate::{
    engine::{Applied, Event, Outcome, Progress, Pruned},
    plan::{Action, Judged, Kind, Plan, Walk, Walked},
};

/// Where all runs of a process tell of themselves: bars on a terminal, log lines elsewhere.
#[derive(Clone)]
pub(super) struct Display {
    bars: Option<Arc<Bars>>,
}

impl Display {
    pub(super) fn new() -> Self {
        Self { bars: io::stderr().is_terminal().then(|| Arc::new(Bars::on_stderr())) }
    }

    /// What the engine tells of its progress.
    pub(super) fn progress(&self) -> Progress {
        match self.bars.clone() {
            Some(bars) => Progress::new(move |event| bars.show(event)),
            None => Progress::new(log),
        }
    }

    /// The plan is going to be carried out.
    pub(super) fn planned(&self, plan: &Plan) {
        if let Some(bars) = &self.bars {
            bars.expect(plan.actions.iter().filter(|action| action.kind.is_change()).count());
        }
    }

    /// A plan was carried out, as far as nobody stopped that.
    pub(super) fn applied(&self, applied: &Applied) {
        if let Some(bars) = &self.bars {
            bars.give_up(interrupted(applied));
        }
    }

    /// Prints to the standard output. The bars of what is still going on make room for it.
    pub(super) fn print(&self, text: &str) -> io::Result<()> {
        match &self.bars {
            Some(bars) => bars.aside(|| super::print(text.as_bytes())),
            None => super::print(text.as_bytes()),
        }
    }
}

fn log(event: &Event<'_>) {
    if let Event::Walked { walk: Walk { repository, digest, target, .. }, walked } = event {
        match walked {
            Walked::Whole => tracing::debug!(%target, %repository, %digest, "all of it is there"),
            Walked::Broken { missing, count } => {
                tracing::warn!(%target, %repository, %digest, count, missing = missing.join(", "), "broken on the target");
            }
            Walked::Failed { class, message, .. } => {
                tracing::error!(%target, %repository, %digest, %class, error = message, "could not be looked at");
            }
        }
    }
    if let Event::Finished { action, outcome } = event {
        let Action { image, destination, source, .. } = action;
        match outcome {
            Outcome::Written => {
                let done = match action.kind {
                    Kind::Amend { repair: true, .. } => "repaired",
                    Kind::Amend { .. } => "amended",
                    _ => "copied",
                };
                tracing::info!(%image, %source, %destination, "{done}");
            }
            Outcome::Failed(error) => {
                tracing::error!(%image, %source, %destination, class = %error.class(), error = error.message(), "failed");
            }
            Outcome::InSync | Outcome::NotTried => {}
        }
    }
    if let Event::Pruned { name, outcome } = event {
        let Judged { image, reference, .. } = name;
        match outcome {
            Pruned::Deleted => tracing::info!(%image, %reference, "deleted"),
            Pruned::PutBack => tracing::info!(%image, %reference, "put back"),
            Pruned::Forgotten => tracing::info!(%image, %reference, "not ours any more: {}", name.reason),
            Pruned::Failed(error) => {
                tracing::error!(%image, %reference, class = %error.class(), error = error.message(), "not deleted");
            }
            Pruned::Untouched | Pruned::Spared | Pruned::Interrupted => {}
        }
    }
}
