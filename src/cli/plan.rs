//! `imagesync plan`: says what `sync` would do, and why.

use std::io::IsTerminal as _;

use jiff::Timestamp;

use super::{Color, Exit, PlanArgs, print, run, shared::Shared, show, sources::Sources, sync};
use crate::{engine::Progress, plan::Kind, telemetry};

/// Prints the plans. Nothing is changed, not even the records.
///
/// # Errors
///
/// A manifest that is refused, and what keeps the plan from being made.
pub(super) fn run(args: &PlanArgs, color: Color) -> anyhow::Result<Exit> {
    telemetry::init(color.wanted(std::io::stderr().is_terminal()));
    let (_, manifests) = Sources::open(&args.files, std::io::stdin().lock())?;
    let shared = Shared::look(&args.run)?;
    super::runtime()?.block_on(async {
        let (members, suspended) = sync::divide(shared.members(&manifests)?);
        let plans = run::plan(
            &shared.engine(Progress::silent()),
            &members,
            &suspended,
            &shared.others(members.iter().chain(&suspended)),
            args.depth.deep,
            Timestamp::now(),
        )
        .await;
        print(show::plans(&plans, args.run.output, color)?.as_bytes())?;
        let kinds = || plans.iter().flat_map(|plan| &plan.actions).map(|action| &action.kind);
        Ok(if kinds().any(|kind| matches!(kind, Kind::Failed { .. } | Kind::Conflict)) {
            Exit::Failed
        } else if kinds().any(Kind::is_change) || plans.iter().any(|plan| plan.pruning.is_change()) {
            Exit::Changes
        } else if kinds().any(|kind| matches!(kind, Kind::Deferred { .. })) {
            Exit::Deferred
        } else {
            Exit::Success
        })
    })
}
