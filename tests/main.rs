//! The integration tests: one binary, one module an area, all against real servers on loopback.
//!
//! `tests/testbed` starts the servers and makes the images; `make tools` installs the programs it needs.

#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what failed by panicking"
)]

mod apiserver;
mod command;
mod cosign;
mod deep;
mod faults;
mod kill;
mod layout;
mod minage;
mod oracles;
mod pair;
mod platforms;
mod prune;
mod prune_walks;
mod reference;
mod referrers;
mod registry;
mod repair;
mod selfcheck;
mod soak;
mod sync;
mod testbed;
mod usage;
mod watch;
mod wires;
