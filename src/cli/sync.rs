//! `imagesync sync`: does what the manifests say.

use std::io::IsTerminal as _;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Color, Exit, PlanArgs, SyncArgs,
    args::{FileArgs, Output},
    load::{self, Manifests},
    print,
    progress::progress,
    run::{self, Done, Member, Shared},
    show, watch,
};
use crate::{api::State, engine::Applied, telemetry};

/// Syncs once, or again and again.
///
/// # Errors
///
/// A manifest that is refused, and what keeps the run from beginning: then nothing was contacted.
pub(super) fn run(args: &SyncArgs, color: Color) -> anyhow::Result<Exit> {
    telemetry::init();
    if args.dry_run {
        let args = PlanArgs { files: args.files.clone(), run: args.run.clone() };
        return super::plan::run(&args, color);
    }
    let manifests = read(&args.files)?;
    let shared = Shared::open(&args.run)?;
    super::runtime()?.block_on(async {
        let stop = stop_on_signal()?;
        if args.watch {
            return watch::run(args, &shared, manifests, color, &stop).await;
        }
        let (members, suspended) = divide(shared.members(&manifests)?);
        let done = round(&shared, &members, &suspended, &stop).await;
        if !(stop.is_cancelled() && done.applied.is_empty()) {
            print(show::result(&members, &done.applied, args.run.output, color)?.as_bytes())?;
        }
        done.unrecorded.map_or(Ok(()), Err)?;
        Ok(if stop.is_cancelled() { Exit::Interrupted } else { exit(&done.applied) })
    })
}

/// Reads the manifests and tells what they leave out.
pub(super) fn read(files: &FileArgs) -> anyhow::Result<Manifests> {
    let manifests = load::load(&files.files, files.recursive, &mut std::io::stdin().lock())?;
    for note in manifests.notes.iter() {
        tracing::warn!("{note}");
    }
    Ok(manifests)
}

/// Those that are active, and those that are suspended.
pub(super) fn divide(members: Vec<Member>) -> (Vec<Member>, Vec<Member>) {
    let (suspended, active): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|member| member.object.spec.suspend);
    for member in &suspended {
        tracing::warn!("{} is suspended: nothing is done for it", member.title());
    }
    (active, suspended)
}

/// One round over `members`; `others` take no part.
pub(super) async fn round(
    shared: &Shared,
    members: &[Member],
    others: &[Member],
    stop: &CancellationToken,
) -> Done {
    let engine = shared.engine(progress());
    tokio::select! {
        plans = run::plan(&engine, members, others, Timestamp::now()) => {
            run::apply(&engine, members, plans, stop).await
        }
        // Nothing was begun, so nothing has to be ended.
        () = stop.cancelled() => Done { applied: Vec::new(), unrecorded: None },
    }
}

/// How a run ends that applied this.
fn exit(applied: &[Applied]) -> Exit {
    let mut exit = Exit::Success;
    for trouble in applied.iter().flat_map(Applied::troubles) {
        match trouble.state() {
            State::Deferred => exit = Exit::Deferred,
            _ => return Exit::Failed,
        }
    }
    exit
}

/// A token that the first Ctrl-C, or a SIGTERM, cancels; a second one ends the process at once.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
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

/// Whether to write in colours.
pub(super) fn colours(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
        }
    }
}

/// The format to print in; on its own for people.
pub(super) fn format(output: Option<Output>) -> Output {
    output.unwrap_or(Output::Table)
}
