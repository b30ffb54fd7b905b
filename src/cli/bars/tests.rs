//! Tests of the bars, on a terminal that shows nothing.

use super::*;
use crate::{digest::Digest, engine::Progress};

fn bars() -> Bars {
    Bars::on(ProgressDrawTarget::hidden())
}

fn blob() -> Blob {
    Blob { digest: Digest::sha256(b"layer"), size: 2 * WORTH_A_BAR }
}

#[test]
fn the_length_is_all_copies_that_are_planned_but_for_those_that_were_given_up() {
    let bars = bars();
    bars.expect(5);
    bars.expect(3);
    assert_eq!(bars.copies.length(), Some(8));
    bars.give_up(2);
    assert_eq!(bars.copies.length(), Some(6));
    bars.give_up(6);
    assert!(bars.copies.is_finished());
    bars.expect(1);
    assert_eq!((bars.copies.position(), bars.copies.length()), (0, Some(1)));
    assert!(!bars.copies.is_finished());
}

#[test]
fn each_reading_has_a_bar_that_begins_where_the_reading_does_and_ends_with_it() {
    let bars = std::sync::Arc::new(bars());
    let progress = Progress::new({
        let bars = std::sync::Arc::clone(&bars);
        move |event| bars.show(event)
    });
    let positions = || {
        let mut positions: Vec<u64> = bars.readings().values().map(ProgressBar::position).collect();
        positions.sort_unstable();
        positions
    };
    let blob = blob();
    let first = progress.reading(&blob, 0);
    first.read(WORTH_A_BAR);
    first.read(WORTH_A_BAR);
    let again = progress.reading(&blob, WORTH_A_BAR);
    again.read(1);
    assert_eq!(positions(), [WORTH_A_BAR + 1, blob.size]);
    drop(first);
    assert_eq!(positions(), [WORTH_A_BAR + 1]);
    drop(again);
    assert!(positions().is_empty());
}
