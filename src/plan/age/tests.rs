//! What is mirrored of a tag that moves, and when.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const LEAST: MinAge = SignedDuration::from_hours(72);

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

fn hour(hour: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + hour * 3600).unwrap()
}

/// What is mirrored after these looks: at this hour, the tag showed this.
fn after(looks: &[(i64, &str)]) -> Candidates {
    looks.iter().fold(Candidates::default(), |known, (at, name)| known.seen(&digest(name), LEAST, hour(*at)))
}

fn mirrored(known: &Candidates, at: i64) -> Option<&Digest> {
    known.old_enough(LEAST, hour(at)).next().map(|candidate| &candidate.digest)
}

#[test]
fn a_digest_is_mirrored_once_it_is_old_enough_and_not_before() {
    let known = after(&[(0, "a")]);
    assert_eq!(mirrored(&known, 71), None);
    assert_eq!(known.next(LEAST, hour(71)), Some(hour(72)));
    assert_eq!(mirrored(&known, 72), Some(&digest("a")));
    assert_eq!(known.next(LEAST, hour(72)), None);
}

#[test]
fn a_tag_that_moves_every_day_is_mirrored_as_it_was_three_days_ago() {
    let names: Vec<String> = (0..30).map(|day| format!("day {day}")).collect();
    let mut known = Candidates::default();
    for (day, name) in (0_i64..).zip(&names) {
        known = known.seen(&digest(name), LEAST, hour(day * 24));
        let expected = usize::try_from(day - 3).ok().map(|day| digest(&names[day]));
        assert_eq!(mirrored(&known, day * 24), expected.as_ref(), "{day}");
    }
    assert_eq!(known.next(LEAST, hour(29 * 24)), Some(hour(30 * 24)));
}

#[test]
fn a_tag_that_is_put_back_is_mirrored_as_it_is_and_what_was_withdrawn_never_comes() {
    let known = after(&[(0, "good"), (80, "bad"), (90, "good")]);
    assert_eq!(mirrored(&known, 90), Some(&digest("good")), "it kept the time at which it was first seen");
    assert_eq!(known.next(LEAST, hour(90)), None);
    assert_eq!(mirrored(&known, 1_000), Some(&digest("good")));
}

#[test]
fn a_tag_that_is_put_back_before_it_was_old_enough_keeps_its_age() {
    let known = after(&[(0, "a"), (10, "b"), (20, "a")]);
    assert_eq!(known.next(LEAST, hour(20)), Some(hour(72)));
    assert_eq!(mirrored(&known, 72), Some(&digest("a")));
}

#[test]
fn what_was_first_seen_in_the_future_has_no_age_yet_and_gets_one() {
    let known = after(&[(1_000, "a")]).seen(&digest("a"), LEAST, hour(0));
    assert_eq!(mirrored(&known, 0), None);
    assert_eq!(known.next(LEAST, hour(0)), Some(hour(72)));
    let known = after(&[(1_000, "a"), (2_000, "b")]).seen(&digest("c"), LEAST, hour(0));
    assert_eq!(mirrored(&known, 72), Some(&digest("c")));
    let far = Candidates(vec![Candidate { digest: digest("a"), first_seen: Timestamp::MAX }]);
    assert_eq!((mirrored(&far, 0), far.next(LEAST, hour(0))), (None, None));
}

#[test]
fn what_was_mirrored_before_there_was_a_minimum_age_is_as_old_as_it_is() {
    let mut record = Record::new("a", None);
    assert_eq!(Candidates::of(&record), Candidates::default());
    record.source_digest = Some(digest("a"));
    record.first_seen = Some(hour(0));
    let known = Candidates::of(&record).seen(&digest("b"), LEAST, hour(100));
    assert_eq!(mirrored(&known, 100), Some(&digest("a")));
    record.candidates = known.clone().into_inner();
    assert_eq!(Candidates::of(&record), known);
}

/// A tag that was looked at so often, each time so many hours after the last one, and what it showed. Some are looked at
/// much more often than others.
fn looks(most_wait: i64) -> impl Strategy<Value = Vec<(i64, u8)>> {
    let name = || prop_oneof![4 => any::<u8>(), 1 => 0..3_u8];
    (1..=most_wait).prop_flat_map(move |most| prop::collection::vec((0..=most, name()), 1..400))
}

proptest! {
    #[test]
    fn nothing_is_mirrored_before_its_age_and_at_most_so_many_are_remembered(looks in looks(100)) {
        let (mut known, mut first, mut at) = (Candidates::default(), HashMap::new(), 0);
        for (wait, name) in looks {
            at += wait;
            let shown = digest(&name.to_string());
            first.entry(shown.clone()).or_insert(at);
            known = known.seen(&shown, LEAST, hour(at));
            prop_assert!(known.0.len() <= MOST);
            prop_assert_eq!(&known.0[0].digest, &shown);
            let distinct: std::collections::BTreeSet<_> = known.0.iter().map(|known| &known.digest).collect();
            prop_assert_eq!(distinct.len(), known.0.len());
            for old in known.old_enough(LEAST, hour(at)) {
                prop_assert!(at - first[&old.digest] >= 72);
            }
        }
    }

    #[test]
    fn from_the_first_age_on_there_is_always_one_and_it_is_never_much_older_than_it_has_to_be(looks in looks(24)) {
        let (mut known, mut at) = (Candidates::default(), 0);
        let mut shown = HashMap::new();
        for (number, (wait, _)) in looks.into_iter().enumerate() {
            at += if number == 0 { 0 } else { wait };
            let new = digest(&number.to_string());
            known = known.seen(&new, LEAST, hour(at));
            shown.insert(new, at);
            let Some(mirrored) = mirrored(&known, at) else {
                prop_assert!(at < 72);
                continue;
            };
            prop_assert!(at - shown[mirrored] <= 72 + 24 + 12, "{}", at - shown[mirrored]);
        }
    }

    #[test]
    fn whatever_the_tag_showed_one_is_old_enough_from_the_first_age_on(looks in looks(24)) {
        let (mut known, mut at) = (Candidates::default(), 0);
        for (number, (wait, name)) in looks.into_iter().enumerate() {
            at += if number == 0 { 0 } else { wait };
            known = known.seen(&digest(&name.to_string()), LEAST, hour(at));
            let is_there = mirrored(&known, at).is_some();
            let first = known.0.iter().map(|known| known.first_seen).min().unwrap();
            prop_assert!(is_there || hour(at) < hour(72), "{:?}", known.0);
            prop_assert!(is_there || known.next(LEAST, hour(at)).unwrap() >= first + HOUR);
        }
    }

    #[test]
    fn no_clock_and_no_record_makes_it_panic(
        records in prop::collection::vec((any::<i64>(), any::<u8>()), 0..40),
        looks in prop::collection::vec((any::<i64>(), any::<u8>()), 0..40),
        least in any::<i64>(),
    ) {
        let time = |second: i64| Timestamp::from_second(second % 250_000_000_000).unwrap_or(Timestamp::MAX);
        let least = SignedDuration::from_secs(least);
        let known = records.iter().map(|(at, name)| Candidate {
            digest: digest(&name.to_string()),
            first_seen: time(*at),
        });
        let mut known = Candidates(known.collect());
        for (at, name) in looks {
            known = known.seen(&digest(&name.to_string()), least, time(at));
            prop_assert!(known.0.len() <= MOST);
            let _ = (known.old_enough(least, time(at)).count(), known.next(least, time(at)));
        }
    }
}
