//! When the next run of an ImageSync is due.

use std::time::Duration;

use cronexpr::Crontab;
use jiff::{SignedDuration, Timestamp};

use super::invalid::Check;
use crate::{
    api::{self, ImageSyncSpec},
    class::Retry,
    text::excerpt,
};

/// What holds with neither `interval` nor `schedule`.
const DEFAULT: Duration = Duration::from_hours(1);
/// The first and the longest wait before a run that failed is tried again; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(15));

/// The shortest time between two runs, which is the shortest interval that a spec may have.
const SHORTEST: Duration = Duration::from_secs(10);

/// When an ImageSync's sources are looked at.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// So long after the end of the last run.
    Every(Duration),
    /// At the times of a cron expression.
    At(Box<Crontab>),
}

/// How a run ended, as far as it matters for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is worth a try before its time.
    Settled,
    /// Something failed that may work soon; this many runs in a row ended so.
    Failed {
        /// Runs in a row, this one too.
        runs: u32,
    },
    /// A registry's limit puts something off until then.
    Deferred(Timestamp),
}

impl Schedule {
    /// The schedule of a spec; the default where it says one that is none.
    pub(super) fn read(spec: &ImageSyncSpec, check: &mut Check) -> Self {
        let Some(schedule) = &spec.schedule else {
            return Self::Every(spec.interval.map_or(DEFAULT, api::Interval::as_duration));
        };
        let zone = schedule.time_zone.as_deref().unwrap_or("UTC");
        // The parser of schedules also reads offsets, which know no summer time, and says of a zone only that it is unknown.
        if jiff::tz::db().get(zone).is_err() {
            let message = format_args!(
                "`{}` is not a time zone that is known here: write its IANA name, such as Europe/Rome or UTC",
                excerpt(zone)
            );
            check.wrong("spec.schedule.timeZone", message);
            return Self::Every(DEFAULT);
        }
        match cronexpr::parse_crontab(&format!("{} {zone}", schedule.cron)) {
            Ok(cron) => Self::At(Box::new(cron)),
            Err(error) => {
                let text = error.to_string();
                let problem = text.lines().last().unwrap_or_default().trim();
                check.wrong(
                    "spec.schedule.cron",
                    format_args!(
                        "`{}` is not a schedule ({problem}): write minute, hour, day of month, month and day of week, such as \
                         \"0 3 * * *\"",
                        excerpt(&schedule.cron)
                    ),
                );
                Self::Every(DEFAULT)
            }
        }
    }

    /// When the run after one that ended at `now` is due, if that one settled everything.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Every(interval) => after(now, *interval),
            // A schedule without another time, such as the 30th of February, is looked at again after a day.
            Self::At(cron) => cron
                .find_next(now)
                .map_or_else(|_| after(now, Duration::from_hours(24)), |time| time.timestamp()),
        }
    }

    /// When the next run is due after one that ended so. `chance`, from 0 to 1, spreads those that failed together
    /// (full jitter).
    #[must_use]
    pub fn after(&self, ended: Ended, now: Timestamp, chance: f64) -> Timestamp {
        let regular = self.next(now);
        match ended {
            Ended::Settled => regular,
            Ended::Failed { runs } => {
                let (first, longest) = RETRY;
                let most = first.saturating_mul(1 << runs.saturating_sub(1).min(16)).min(longest);
                // At least a second, so that a failure does not become a load.
                regular.min(after(now, Duration::from_secs(1) + most.mul_f64(chance.clamp(0.0, 1.0))))
            }
            Ended::Deferred(until) => regular.min(until.max(now)),
        }
    }
}

impl Schedule {
    /// When the next run is due if it would be at `next`, and there is something to do at `due`, before the sources are looked at
    /// again. Times that a person wrote down are kept: they may be the only ones at which runs are welcome.
    #[must_use]
    pub fn no_later_than(&self, due: Option<Timestamp>, next: Timestamp, now: Timestamp) -> Timestamp {
        match (self, due) {
            (Self::Every(_), Some(due)) => next.min(due.max(after(now, SHORTEST))),
            (Self::Every(_), None) | (Self::At(_), _) => next,
        }
    }
}

impl Ended {
    /// How a run ended in which these classes and limits occurred; `failed` is how many runs in a row failed before.
    #[must_use]
    pub fn of(
        troubles: impl IntoIterator<Item = (Retry, Option<Timestamp>)>,
        failed: u32,
        now: Timestamp,
    ) -> Self {
        let mut ended = Self::Settled;
        for (retry, until) in troubles {
            ended = match (retry, ended) {
                (Retry::Transient, _) => return Self::Failed { runs: failed.saturating_add(1) },
                (Retry::Deferred, Self::Deferred(earlier)) => {
                    Self::Deferred(earlier.min(until.unwrap_or(earlier)))
                }
                (Retry::Deferred, _) => Self::Deferred(until.unwrap_or_else(|| after(now, RETRY.1))),
                (Retry::Terminal, ended) => ended,
            };
        }
        ended
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Invalid;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn of(spec: &ImageSyncSpec) -> Result<Schedule, Vec<Invalid>> {
        let mut check = Check::default();
        let schedule = Schedule::read(spec, &mut check);
        check.pass(schedule)
    }

    fn cron(cron: &str, zone: Option<&str>) -> Result<Schedule, Vec<Invalid>> {
        let schedule = api::Schedule { cron: cron.into(), time_zone: zone.map(Into::into) };
        of(&ImageSyncSpec { schedule: Some(schedule), ..ImageSyncSpec::default() })
    }

    #[test]
    fn an_interval_counts_from_the_end_of_the_run_and_is_an_hour_if_nothing_is_said() {
        let spec = ImageSyncSpec { interval: Some("30m".parse().unwrap()), ..ImageSyncSpec::default() };
        let now = at("2026-11-24T10:00:00Z");
        assert_eq!(of(&spec).unwrap().next(now), at("2026-11-24T10:30:00Z"));
        assert_eq!(of(&ImageSyncSpec::default()).unwrap().next(now), at("2026-11-24T11:00:00Z"));
    }

    #[test]
    fn a_schedule_is_read_in_its_time_zone() {
        let now = at("2026-11-24T10:00:00Z");
        assert_eq!(cron("0 3 * * *", None).unwrap().next(now), at("2026-11-25T03:00:00Z"));
        assert_eq!(cron("0 3 * * *", Some("Europe/Rome")).unwrap().next(now), at("2026-11-25T02:00:00Z"));
        let summer = at("2026-07-01T10:00:00Z");
        assert_eq!(cron("0 3 * * *", Some("Europe/Rome")).unwrap().next(summer), at("2026-07-02T01:00:00Z"));
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_an_example() {
        for bad in ["0 3 * *", "61 * * * *", "", "0 0 * * FRI-MON"] {
            let invalid = cron(bad, None).unwrap_err().remove(0);
            assert_eq!(invalid.path, "spec.schedule.cron");
            assert!(invalid.message.contains("0 3 * * *"), "{invalid}");
        }
    }

    #[test]
    fn what_is_no_time_zone_is_refused_at_its_own_field() {
        // The last two are offsets and rules, which the parser of schedules reads.
        for bad in ["Mars/Base", "", "UTC+3", "EST5EDT4,M3.2.0,M11.1.0"] {
            let invalid = cron("0 3 * * *", Some(bad)).unwrap_err().remove(0);
            assert_eq!(invalid.path, "spec.schedule.timeZone", "{bad}");
            assert!(invalid.message.contains("Europe/Rome"), "{invalid}");
        }
    }

    #[test]
    fn what_failed_is_tried_sooner_and_less_and_less_often() {
        let schedule = Schedule::Every(DEFAULT);
        let now = at("2026-11-24T10:00:00Z");
        let wait = |runs| schedule.after(Ended::Failed { runs }, now, 1.0).as_second() - now.as_second();
        assert_eq!([wait(1), wait(2), wait(3), wait(40)], [31, 61, 121, 901]);
        let quick = Schedule::Every(Duration::from_secs(10));
        assert_eq!(quick.after(Ended::Failed { runs: 9 }, now, 1.0), at("2026-11-24T10:00:10Z"));
    }

    #[test]
    fn a_run_comes_earlier_if_there_is_something_to_do_and_not_at_times_that_nobody_wrote_down() {
        let (now, next) = (at("2026-11-24T10:00:00Z"), at("2026-11-24T11:00:00Z"));
        let every = Schedule::Every(DEFAULT);
        for (due, expected) in [
            ("2026-11-24T10:20:00Z", "2026-11-24T10:20:00Z"),
            ("2026-11-24T12:00:00Z", "2026-11-24T11:00:00Z"),
            ("2026-11-24T09:00:00Z", "2026-11-24T10:00:10Z"),
        ] {
            assert_eq!(every.no_later_than(Some(at(due)), next, now), at(expected));
        }
        assert_eq!(every.no_later_than(None, next, now), next);
        let nightly = cron("0 3 * * *", None).unwrap();
        assert_eq!(nightly.no_later_than(Some(now), next, now), next);
    }

    #[test]
    fn what_a_limit_defers_is_tried_when_the_registry_said() {
        let schedule = Schedule::Every(DEFAULT);
        let (now, until) = (at("2026-11-24T10:00:00Z"), at("2026-11-24T10:20:00Z"));
        let ended = Ended::of([(Retry::Terminal, None), (Retry::Deferred, Some(until))], 0, now);
        assert_eq!(ended, Ended::Deferred(until));
        assert_eq!(schedule.after(ended, now, 0.5), until);
        let ended = Ended::of([(Retry::Deferred, Some(until)), (Retry::Transient, None)], 2, now);
        assert_eq!(ended, Ended::Failed { runs: 3 });
    }
}
