//! Random walks through the model.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rstest::rstest;

use super::{
    model::{Deletes, Fault, Goes, Met, Op, World},
    oracle::SPECS,
};
use crate::{class::Class, plan::BROKEN};

/// Trees of what can happen next: each begins with some steps, and then goes on in two ways at each of so many steps. Every way from
/// a root to a leaf is an interleaving, 102,400 of them.
const TREES: u64 = 200;
/// So many of them are walked wherever tests are run; all are by `make test`.
const SOME: u64 = 10;
const BEGIN: usize = 4;
const DEPTH: usize = 9;
/// Threads that walk them.
const THREADS: u64 = 4;
const TAGS: [&str; 5] = ["1", "2", "3", "4", "x"];
const NAMES: [&str; 6] = ["1", "2", "3", "4", "p-1", "x"];

/// What happens next, to ImageSyncs that had these specs at first.
fn op(random: &mut fastrand::Rng, first: [usize; 2]) -> Op {
    let who = random.usize(..2);
    let number = |random: &mut fastrand::Rng| (random.u8(..3) > 0).then(|| random.u8(1..=4));
    match random.u8(..48) {
        0..=1 => Op::SourceTag(TAGS[random.usize(..TAGS.len())], number(random)),
        2 => Op::SourceTag(TAGS[random.usize(..TAGS.len())], None),
        3 => Op::Listing(Goes::Empty),
        4 => Op::Listing(Goes::Partial),
        5 => Op::Listing(fails(random)),
        6..=8 => Op::Listing(Goes::Well),
        9 => Op::SourceLooks(fails(random)),
        10..=11 => Op::SourceLooks(Goes::Well),
        12 => Op::TargetLooks(fails(random)),
        13..=14 => Op::TargetLooks(Goes::Well),
        15..=16 => Op::Other(NAMES[random.usize(..NAMES.len())], number(random)),
        // A change is often taken back.
        17 | 18 => Op::Spec(who, first[who]),
        19..=21 => Op::Spec(who, a_spec(random)),
        22 => Op::Suspend(who),
        23 if random.u8(..4) == 0 => Op::LoseRecords(who),
        23..=29 => Op::Clock([1, 6, 11, 11, 40][random.usize(..5)]),
        30 => Op::Clock([-1, -11, -100, 200][random.usize(..4)]),
        31..=32 => Op::Deletes(HOW[random.usize(..HOW.len())]),
        33..=40 => Op::RunBoth(fault(random)),
        _ => Op::Run(who, fault(random)),
    }
}

/// The spec that wants only another image.
const OTHER: usize = 3;
/// The spec that wants little, on a target that is not pruned.
const DISABLED: usize = 13;

const HOW: [Deletes; 5] =
    [Deletes::Tags, Deletes::Digests, Deletes::Digests, Deletes::DummyStays, Deletes::Nothing];

/// Those that want little come more often, since of what is wanted nothing is deleted.
fn a_spec(random: &mut fastrand::Rng) -> usize {
    if random.bool() {
        random.usize(..SPECS.len())
    } else {
        [OTHER, OTHER, 2, 5, 8, 9, 11, DISABLED][random.usize(..8)]
    }
}

fn fails(random: &mut fastrand::Rng) -> Goes {
    Goes::Fails(
        [Class::Unauthorized, Class::RateLimited, Class::Unavailable, Class::NotFound][random.usize(..4)],
    )
}

fn fault(random: &mut fastrand::Rng) -> Fault {
    match random.u8(..6) {
        0 => Fault::Crash(random.usize(..14)),
        1 => {
            let number = (random.u8(..3) > 0).then(|| random.u8(1..=4));
            Fault::Race(NAMES[random.usize(..NAMES.len())], number)
        }
        _ => Fault::None,
    }
}

/// A way through a tree.
struct Walk {
    seed: u64,
    random: fastrand::Rng,
    /// The specs at first.
    first: [usize; 2],
    path: Vec<Op>,
    met: Met,
}

impl Walk {
    fn tree(&mut self) {
        self.first = [self.random.usize(..SPECS.len()), a_spec(&mut self.random)];
        let mut world = World::new(self.first);
        self.step(&mut world, Op::RunBoth(Fault::None));
        if !self.seed.is_multiple_of(4) {
            // Where the next run would delete something, most happens that must not go wrong.
            let (who, spec, how) =
                (self.random.usize(..2), a_spec(&mut self.random), self.random.usize(..HOW.len()));
            let steps = if self.seed % 4 == 1 {
                // Nobody prunes while the other ImageSync still wants it.
                vec![
                    Op::Spec(0, DISABLED),
                    Op::RunBoth(Fault::None),
                    Op::Clock(11),
                    Op::Spec(1, OTHER),
                    Op::Deletes(HOW[how]),
                    Op::Run(1, Fault::None),
                    Op::Spec(0, spec),
                ]
            } else {
                vec![
                    Op::Spec(0, spec),
                    Op::Spec(1 - who, OTHER),
                    Op::Deletes(HOW[how]),
                    Op::RunBoth(Fault::None),
                    Op::Clock(11),
                ]
            };
            for op in steps {
                self.step(&mut world, op);
            }
        }
        for _ in 0..self.random.usize(..BEGIN) {
            let op = op(&mut self.random, self.first);
            self.step(&mut world, op);
        }
        self.explore(&world, DEPTH);
        self.path.clear();
    }

    fn explore(&mut self, world: &World, depth: usize) {
        if depth == 0 {
            self.met.interleavings += 1;
            return;
        }
        for _ in 0..2 {
            let mut next = world.clone();
            let op = op(&mut self.random, self.first);
            self.step(&mut next, op);
            self.explore(&next, depth - 1);
            self.path.pop();
        }
    }

    fn step(&mut self, world: &mut World, op: Op) {
        let before = world.met;
        self.path.push(op);
        let op = self.path.last().unwrap();
        let step = AssertUnwindSafe(|| {
            world.step(op);
            world.check_dummies();
        });
        assert!(catch_unwind(step).is_ok(), "tree {}, after {:#?}", self.seed, self.path);
        self.met.deleted += world.met.deleted - before.deleted;
        self.met.restored += world.met.restored - before.restored;
        self.met.held += world.met.held - before.held;
    }
}

#[test]
fn nothing_is_deleted_that_is_wanted_or_not_ours_or_changed_or_unwanted_in_one_run_alone() {
    let met = walk(SOME);
    assert!(met.deleted > 50, "{met:?}");
}

#[test]
#[ignore = "takes minutes; `make test` runs it"]
fn nothing_is_deleted_that_must_not_be_in_a_hundred_thousand_interleavings() {
    let met = walk(TREES);
    println!("{met:?}");
    assert!(met.interleavings >= 100_000, "{met:?}");
    // It would prove nothing if nothing were ever deleted.
    assert!(met.deleted > 1_000 && met.restored > 0 && met.held > 100, "{met:?}");
}

fn walk(trees: u64) -> Met {
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut met = Met::default();
                for seed in (0..trees).filter(|seed| seed % THREADS == thread) {
                    let random = fastrand::Rng::with_seed(seed);
                    let mut walk = Walk { seed, random, first: [0; 2], path: Vec::new(), met };
                    walk.tree();
                    met = walk.met;
                }
                met
            })
        })
        .collect();
    let mut met = Met::default();
    for thread in threads {
        let part = thread.join().unwrap();
        met.interleavings += part.interleavings;
        met.deleted += part.deleted;
        met.restored += part.restored;
        met.held += part.held;
    }
    met
}

/// The walks can fail: each of these conditions alone, when it does not hold, lets something be deleted that must not be.
#[rstest]
#[case::is_wanted_by_another(3)]
#[case::is_among_the_last(7)]
#[case::was_not_unwanted_for_long(8)]
#[case::is_still_at_the_source(9)]
#[ignore = "takes minutes; `make test` runs it"]
fn without_a_condition_the_walks_find_what_it_is_good_for(#[case] condition: usize) {
    BROKEN.set(Some(condition));
    let found = (0..TREES).any(|seed| {
        let random = fastrand::Rng::with_seed(seed);
        let mut walk = Walk { seed, random, first: [0; 2], path: Vec::new(), met: Met::default() };
        catch_unwind(AssertUnwindSafe(|| walk.tree())).is_err()
    });
    BROKEN.set(None);
    assert!(found, "nothing went wrong without the condition {condition}");
}
