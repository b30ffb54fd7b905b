//! `imagesync sync --watch`: keeps syncing, each ImageSync when it is due, and follows the files.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Color, Exit, SyncArgs,
    load::{self, Manifests},
    print,
    run::{self, Done, Member, Shared},
    show, sync,
};
use crate::{engine::Applied, plan::Ended};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// When an ImageSync is due, and how many of its runs in a row failed.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Timestamp,
    failed: u32,
}

/// Syncs until it is told to stop. Files that change are read again; if they are not valid any more, what is wrong is
/// said and what was valid goes on.
pub(super) async fn run(
    args: &SyncArgs,
    shared: &Shared,
    mut manifests: Manifests,
    color: Color,
    stop: &CancellationToken,
) -> anyhow::Result<Exit> {
    let mut due: HashMap<String, Due> = HashMap::new();
    let mut seen = load::fingerprint(&args.files.files, args.files.recursive);
    let (mut members, mut suspended) = sync::divide(shared.members(&manifests)?);
    while !stop.is_cancelled() {
        let now = Timestamp::now();
        let ready: Vec<usize> = (0..members.len())
            .filter(|&index| members.get(index).is_some_and(|member| is_due(&due, member, now)))
            .collect();
        if !ready.is_empty() {
            let (mut round, mut others) = split(members, &ready);
            others.append(&mut suspended);
            let Done { applied, unrecorded } = sync::round(shared, &round, &others, stop).await;
            if applied.is_empty() {
                // Stopped before anything began.
                break;
            }
            print(show::result(&round, &applied, args.run.output, color)?.as_bytes())?;
            if let Some(error) = unrecorded {
                tracing::error!("{}", crate::registry::message(&error));
            }
            for (member, applied) in round.iter_mut().zip(&applied) {
                plan_next(&mut due, member, applied);
            }
            (suspended, others) = others.into_iter().partition(|member| member.object.spec.suspend);
            members = round.into_iter().chain(others).collect();
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now_seen = load::fingerprint(&args.files.files, args.files.recursive);
        if now_seen != seen {
            seen = now_seen;
            match sync::read(&args.files).and_then(|read| Ok((sync::divide(shared.members(&read)?), read))) {
                Ok((changed, read)) => {
                    forget_changed(&mut due, &manifests, &read);
                    ((members, suspended), manifests) = (changed, read);
                }
                Err(error) => tracing::error!("the manifests changed and are not used: {error:#}"),
            }
        }
    }
    Ok(Exit::Interrupted)
}

fn is_due(due: &HashMap<String, Due>, member: &Member, now: Timestamp) -> bool {
    due.get(&member.title()).is_none_or(|due| due.at <= now)
}

fn split(members: Vec<Member>, ready: &[usize]) -> (Vec<Member>, Vec<Member>) {
    let (round, rest): (Vec<_>, Vec<_>) =
        members.into_iter().enumerate().partition(|(index, _)| ready.contains(index));
    (
        round.into_iter().map(|(_, member)| member).collect(),
        rest.into_iter().map(|(_, member)| member).collect(),
    )
}

fn plan_next(due: &mut HashMap<String, Due>, member: &mut Member, applied: &Applied) {
    let now = Timestamp::now();
    let before = due.get(&member.title()).map_or(0, |due| due.failed);
    let troubles = applied.troubles().map(|trouble| (trouble.class.retry(), trouble.until));
    let ended = Ended::of(troubles, before, now);
    let failed = if let Ended::Failed { runs } = ended { runs } else { 0 };
    let at = member.wanted.schedule().after(ended, now, fastrand::f64());
    due.insert(member.title(), Due { at, failed });
    // The next status says since when a problem lasts.
    member.object.status = Some(run::status(member, applied, Some(at), now));
    tracing::info!("{} is synced again at {at}", member.title());
}

/// An ImageSync whose spec changed is due at once.
fn forget_changed(due: &mut HashMap<String, Due>, before: &Manifests, now: &Manifests) {
    for changed in &now.syncs {
        let title = run::title(&changed.object);
        let same = before
            .syncs
            .iter()
            .any(|old| run::title(&old.object) == title && old.object.spec == changed.object.spec);
        if !same {
            due.remove(&title);
        }
    }
}
