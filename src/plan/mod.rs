//! Plans.
mod action;
mod collision;
mod decide;
mod destination;
mod filter;
mod invalid;
mod loops;
mod observed;
mod ownership;
mod pattern;
mod questions;
mod range;
mod render;
mod resolve;
mod rules;
mod select;
mod spec_collision;
mod target;
mod version;
mod wanted;
pub use self::{
    action::{Action, ImageSummary, Kind, LeftOutCount, Plan},
    decide::decide,
    filter::LeftOut,
    invalid::{Fault, Invalid},
    observed::{Listed, Listings, Observed, Seen},
    ownership::{Claimant, Ownership},
    questions::Questions,
    render::{Detail, Summary},
    select::{Selection, select},
    wanted::Wanted,
};
pub use crate::api::Overwrite;
#[cfg(test)]
mod tests;
