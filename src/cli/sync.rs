//! `imagesync sync`: does what the manifests say.

use std::io::IsTerminal as _;

use futures::future::join_all;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Color, Exit, PlanArgs, SyncArgs,
    display::Display,
    member::{Member, Shown},
    run::{self, Done, was_interrupted},
    shared::Shared,
    show,
    sources::Sources,
    watch,
};
use crate::{api::State, engine::Applied, telemetry};

/// Syncs once, or again and again.
///
/// # Errors
///
/// A manifest that is refused, and what keeps the run from beginning: then nothing was contacted.
pub(super) fn run(args: &SyncArgs, color: Color) -> anyhow::Result<Exit> {
    telemetry::init(color.wanted(std::io::stderr().is_terminal()));
    if args.dry_run {
        let args = PlanArgs { files: args.files.clone(), run: args.run.clone(), depth: args.depth };
        return super::plan::run(&args, color);
    }
    let (sources, manifests) = Sources::open(&args.files, std::io::stdin().lock())?;
    let shared = Shared::open(&args.run)?;
    super::runtime()?.block_on(async {
        let stop = stop_on_signal()?;
        if args.watch {
            return watch::run(args, &shared, (sources, manifests), color, &stop).await;
        }
        once(args, &shared, shared.members(&manifests)?, color, &stop).await
    })
}

async fn once(
    args: &SyncArgs,
    shared: &Shared,
    members: Vec<Member>,
    color: Color,
    stop: &CancellationToken,
) -> anyhow::Result<Exit> {
    let display = Display::new();
    let engine = shared.engine(display.progress());
    let (members, suspended) = divide(members);
    let others = shared.others(members.iter().chain(&suspended));
    let plans = tokio::select! {
        plans = run::plan(&engine, &members, &suspended, &others, args.depth.deep, Timestamp::now()) => plans,
        // Nothing was begun, so nothing has to be ended.
        () = stop.cancelled() => return Ok(Exit::Interrupted),
    };
    let applied =
        members.iter().zip(plans).map(|(member, plan)| run::apply(&engine, member, plan, &display, stop));
    let done: Vec<Done> = join_all(applied).await;
    let now = Timestamp::now();
    let shown = members.iter().zip(&done).map(|(member, Done { applied, .. })| {
        let before = member.object.status.clone().unwrap_or_default();
        // There is no next run that anybody knows of.
        Shown { member, applied, status: member.status(applied, before, None, now) }
    });
    display.print(&show::result(&shown.collect::<Vec<_>>(), &suspended, args.run.output, color)?)?;
    let exit = exit(done.iter().map(|done| &done.applied));
    done.into_iter().find_map(|done| done.unrecorded).map_or(Ok(exit), |error| Err(error.into()))
}

/// Those that are active, and those that are suspended.
pub(super) fn divide(members: Vec<Member>) -> (Vec<Member>, Vec<Member>) {
    members.iter().for_each(Member::tell_if_suspended);
    let (suspended, active) = members.into_iter().partition(Member::is_suspended);
    (active, suspended)
}

/// How a run ends that applied this. What a signal came too late for ends as if there had been none.
fn exit<'a>(applied: impl Iterator<Item = &'a Applied> + Clone) -> Exit {
    if applied.clone().any(was_interrupted) {
        return Exit::Interrupted;
    }
    let mut exit = Exit::Success;
    for trouble in applied.flat_map(Applied::troubles) {
        match trouble.state() {
            State::Deferred => exit = Exit::Deferred,
            _ => return Exit::Failed,
        }
    }
    exit
}

/// A token that the first Ctrl-C, or a SIGTERM, cancels; a second one ends the process at once.
pub(super) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        token.cancel();
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        // Whatever instant this is, each tag is complete: that is what publishing last is for.
        std::process::exit(Exit::Interrupted as i32);
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Class;
    use crate::cli::watch::fixtures::{copied, failed, interrupted};

    #[test]
    fn a_run_ends_with_what_happened_and_as_interrupted_only_if_something_was_left_out() {
        let ended = |applied: &[Applied]| exit(applied.iter());
        assert_eq!(ended(&[copied()]), Exit::Success);
        assert_eq!(ended(&[copied(), failed(Class::NotFound)]), Exit::Failed);
        assert_eq!(ended(&[failed(Class::NotFound), interrupted()]), Exit::Interrupted);
        assert_eq!(ended(&[copied(), failed(Class::RateLimited)]), Exit::Deferred);
        assert_eq!(ended(&[failed(Class::RateLimited), failed(Class::NotFound)]), Exit::Failed);
    }
}
