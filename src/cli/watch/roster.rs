//! The roster: which ImageSyncs there are, when each is due, and which are running. It knows no clock and no network.

use std::{collections::BTreeMap, mem, sync::Arc};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    api::ImageSyncStatus,
    cli::{member::Member, run::was_interrupted},
    engine::Applied,
    plan::Ended,
};

/// The ImageSyncs, by title.
#[derive(Default)]
pub(super) struct Roster(BTreeMap<String, Entry>);

struct Entry {
    member: Arc<Member>,
    /// When it is due. While it runs this is in the past, so that a run that is stopped is due again at once.
    due: Timestamp,
    /// How many of its runs in a row failed.
    failed: u32,
    /// What was seen of it when it last ran.
    status: ImageSyncStatus,
    running: Option<Running>,
    /// It is not in the files any more, and waits for its run to end.
    is_gone: bool,
}

struct Running {
    stop: CancellationToken,
    /// What is run is not what is wanted any more.
    is_outdated: bool,
}

impl Roster {
    /// Takes over what the files hold now, and gives it back. What did not change goes on as it was; what changed is stopped
    /// and due at once; what is not there any more is stopped.
    pub(super) fn follow(&mut self, members: Vec<Member>, now: Timestamp) -> Vec<Arc<Member>> {
        let mut before = mem::take(&mut self.0);
        for member in members {
            let title = member.title();
            let entry = match before.remove(&title) {
                Some(entry) => entry.follow(member, now),
                None => Entry::new(member, now),
            };
            self.0.insert(title, entry);
        }
        let members = self.0.values().map(|entry| Arc::clone(&entry.member)).collect();
        for (title, mut entry) in before {
            if let Some(running) = &mut entry.running {
                running.outdate();
                self.0.insert(title, Entry { is_gone: true, ..entry });
            }
        }
        members
    }

    pub(super) fn has(&self, title: &str) -> bool {
        self.0.contains_key(title)
    }

    /// Those that are due, which from now on count as running, each with what stops it; so does `stop`.
    pub(super) fn start(
        &mut self,
        stop: &CancellationToken,
        now: Timestamp,
    ) -> Vec<(Arc<Member>, CancellationToken)> {
        let due = self.0.values_mut().filter(|entry| entry.is_due(now));
        due.map(|entry| {
            let stop = stop.child_token();
            entry.running = Some(Running { stop: stop.clone(), is_outdated: false });
            (Arc::clone(&entry.member), stop)
        })
        .collect()
    }

    /// The run of `member` ended, in which this was applied. Gives its status, with the time at which it is really due.
    pub(super) fn end(
        &mut self,
        member: &Member,
        applied: Option<&Applied>,
        now: Timestamp,
        chance: f64,
    ) -> Option<ImageSyncStatus> {
        let title = member.title();
        let entry = self.0.get_mut(&title)?;
        let is_outdated = entry.running.take().is_some_and(|running| running.is_outdated);
        let status = applied.map(|applied| {
            let is_cut_short = was_interrupted(applied);
            if !is_outdated && !is_cut_short {
                entry.settle(applied, now, chance);
            }
            let status = member.status(applied, entry.status.clone(), entry.next(), now);
            // What was cut short says nothing of how things stand.
            if !is_cut_short {
                entry.status = status.clone();
            }
            status
        });
        if entry.is_gone {
            self.0.remove(&title);
        }
        status
    }
}

impl Entry {
    fn new(mut member: Member, now: Timestamp) -> Self {
        member.object.metadata.generation.get_or_insert(1);
        let status = member.object.status.take().unwrap_or_default();
        let member = Arc::new(member);
        Self { member, due: now, failed: 0, status, running: None, is_gone: false }
    }

    fn follow(mut self, mut member: Member, now: Timestamp) -> Self {
        let before = &self.member;
        let other_spec = member.object.spec != before.object.spec;
        // As the API server counts it.
        member.object.metadata.generation =
            before.object.metadata.generation.map(|generation| generation + i64::from(other_spec));
        if other_spec || member.secrets != before.secrets {
            (self.due, self.failed) = (now, 0);
            if let Some(running) = &mut self.running {
                running.outdate();
            }
        }
        Self { member: Arc::new(member), is_gone: false, ..self }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.running.is_none() && !self.member.is_suspended() && self.due <= now
    }

    /// Plans the next run after one that did what it could.
    fn settle(&mut self, applied: &Applied, now: Timestamp, chance: f64) {
        let troubles = applied.troubles().map(|trouble| (trouble.class.retry(), trouble.until));
        let ended = Ended::of(troubles, self.failed, now);
        self.failed = if let Ended::Failed { runs } = ended { runs } else { 0 };
        let schedule = self.member.wanted.schedule();
        self.due = schedule.no_later_than(applied.plan.due, schedule.after(ended, now, chance), now);
    }

    /// When it is run again, if it is.
    fn next(&self) -> Option<Timestamp> {
        (!self.is_gone && !self.member.is_suspended()).then_some(self.due)
    }
}

impl Running {
    fn outdate(&mut self) {
        self.is_outdated = true;
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
