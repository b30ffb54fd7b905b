//! `imagesync sync --watch`: keeps syncing, each ImageSync at its own pace, and follows the files.
//!
//! ```text
//! roster   which ImageSyncs there are, and when each is due
//! run      one run of one of them
//! claims   who owns what, while many runs are going on
//! ```

mod claims;
#[cfg(test)]
pub(super) mod fixtures;
mod roster;
mod run;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::LocalBoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::{claims::Claims, roster::Roster, run::Ended};
use super::{
    Color, Exit, SyncArgs,
    display::Display,
    load::Manifests,
    member::{Member, Shown},
    run::{Done, was_interrupted},
    shared::Shared,
    show,
    sources::Sources,
};
use crate::engine::Engine;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long what an engine saw of the registries' blobs is believed: others delete there too.
const BELIEF: Duration = Duration::from_hours(1);

struct Watch<'a> {
    args: &'a SyncArgs,
    shared: &'a Shared,
    color: Color,
    stop: &'a CancellationToken,
    display: Display,
    roster: Roster,
    claims: Arc<Claims>,
    runs: FuturesUnordered<LocalBoxFuture<'static, Ended>>,
    /// The engine of the runs that are going on, and since when there is this one.
    engine: Option<(Engine, Instant)>,
}

/// Syncs until it is told to stop. Files that change are read again; if they are not valid any more, what is wrong is
/// said and what was valid goes on.
pub(super) async fn run(
    args: &SyncArgs,
    shared: &Shared,
    (mut sources, manifests): (Sources, Manifests),
    color: Color,
    stop: &CancellationToken,
) -> anyhow::Result<Exit> {
    let mut watch = Watch {
        args,
        shared,
        color,
        stop,
        display: Display::new(),
        roster: Roster::default(),
        claims: Arc::default(),
        runs: FuturesUnordered::new(),
        engine: None,
    };
    watch.follow(&manifests)?;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        watch.start(Timestamp::now());
        tokio::select! {
            () = stop.cancelled() => {}
            Some(ended) = watch.runs.next() => watch.end(ended, Timestamp::now())?,
            _ = look.tick() => watch.look(&mut sources),
        }
    }
    while let Some(ended) = watch.runs.next().await {
        watch.end(ended, Timestamp::now())?;
    }
    Ok(Exit::Interrupted)
}

impl Watch<'_> {
    /// Starts whatever is due.
    fn start(&mut self, now: Timestamp) {
        for (member, stop) in self.roster.start(self.stop, now) {
            let engine = self.engine();
            let claim = self.claims.start(&member.title(), &stop);
            let run = run::run(engine, member, claim, self.display.clone(), stop);
            self.runs.push(run.boxed_local());
        }
    }

    /// The engine that all runs share: with it they share what is on its way, and what is known of registries' blobs.
    fn engine(&mut self) -> Engine {
        let old = self.engine.take().filter(|(_, since)| !self.runs.is_empty() && since.elapsed() < BELIEF);
        let new = || (self.shared.engine(self.display.progress()), Instant::now());
        self.engine.insert(old.unwrap_or_else(new)).0.clone()
    }

    /// Takes in and shows what a run did.
    fn end(&mut self, ended: Ended, now: Timestamp) -> anyhow::Result<()> {
        let Ended { member, done } = ended;
        let applied = done.as_ref().map(|done| &done.applied);
        let status = self.roster.end(&member, applied, now, fastrand::f64());
        self.claims.keep(|title| self.roster.has(title));
        let (Some(Done { applied, unrecorded }), Some(mut status)) = (&done, status) else { return Ok(()) };
        if self.stop.is_cancelled() {
            // There is no next run that anybody knows of.
            status.next_sync_time = None;
        }
        if let Some(error) = unrecorded {
            tracing::error!("{}", crate::registry::message(error));
        }
        if was_interrupted(applied) && !self.stop.is_cancelled() {
            tracing::info!(
                "{} was stopped before it was done, and begins again if it is still wanted",
                member.title()
            );
            return Ok(());
        }
        if let Some(next) = &status.next_sync_time {
            tracing::info!("{} is synced again at {}", member.title(), next.0);
        }
        let shown = Shown { member: &member, applied, status };
        self.display.print(&show::result(&[shown], &[], self.args.run.output, self.color)?)?;
        Ok(())
    }

    fn look(&mut self, sources: &mut Sources) {
        let Some(read) = sources.changed() else { return };
        if let Err(error) = read.map_err(anyhow::Error::from).and_then(|manifests| self.follow(&manifests)) {
            tracing::error!("the manifests changed and are not used: {error:#}");
        }
    }

    fn follow(&mut self, manifests: &Manifests) -> anyhow::Result<()> {
        let members = self.shared.members(manifests)?;
        members.iter().for_each(Member::tell_if_suspended);
        for member in self.roster.follow(members, Timestamp::now()) {
            self.claims.enter(&member);
        }
        self.claims.keep(|title| self.roster.has(title));
        Ok(())
    }
}
