//! Plans: what an ImageSync wants, what is remembered and what was seen, made into actions with reasons. Pure: no
//! network, no clock, no cluster.
//!
//! ```text
//! Wanted::from_object          the spec, parsed and checked              wanted, target, invalid, spec_collision
//! select(wanted, ...)          the artifacts, chosen from listings       select, filter, pattern, range, version, age
//! selection.questions(...)     the HEADs to make, round by round         questions
//! decide(...)                  one action for each name, with a reason   decide, rules, subset, referrers, deep, collision,
//!                                                                        loops, ownership
//! plan.stale                   what becomes of records nothing needs     stale, left, could
//! plan.prune(...)              which of their names are deleted          prune
//! plan.render()                the plan, for people                      render
//! ```
//!
//! What is known of each artifact on the way is put together in `resolve`, its names on targets in `destination`.

mod action;
mod age;
mod collision;
mod could;
mod decide;
mod deep;
mod destination;
mod filter;
mod invalid;
mod left;
mod loops;
mod observed;
mod ownership;
mod pattern;
mod prune;
mod questions;
mod range;
mod referrers;
mod render;
mod resolve;
mod rules;
mod schedule;
mod select;
mod spec_collision;
mod stale;
mod subset;
mod target;
mod version;
mod wanted;
#[cfg(test)]
pub(crate) use self::prune::BROKEN;
pub use self::{
    action::{Action, Content, ImageSummary, Kind, LeftOutCount, Plan, Waiting},
    age::Aged,
    decide::decide,
    deep::{DeepCheck, Walk, Walked},
    filter::LeftOut,
    invalid::Invalid,
    observed::{Listed, Listings, Observed, Seen},
    ownership::{Claimant, Ownership},
    prune::{Hold, InUse, Judged, Pruning, Surroundings, Verdict, Wants},
    questions::Questions,
    referrers::{Look, Referred, Referring, Subject},
    render::Summary,
    schedule::{Ended, Schedule},
    select::{Selection, select},
    stale::{Fate, Stale},
    wanted::Wanted,
};
pub use crate::api::Overwrite;
#[cfg(test)]
mod tests;
