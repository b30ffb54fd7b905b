//! Intervals: lengths of time as people write them, `1h30m`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// A length of time in the notation of Go's durations, in whole hours, minutes and seconds: `30m`, `1h30m`, `45s`.
///
/// Printed in its shortest form: `90m` becomes `1h30m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(Duration);

/// Why a string is not an [`Interval`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a length of time: write whole hours, minutes and seconds, largest first, such as 30m or 1h30m")]
pub struct IntervalError;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// No part has more digits, so that no sum overflows, here or in the API server's nanoseconds.
const MOST_DIGITS: usize = 5;

impl Interval {
    /// How often sources are looked at where a manifest does not say: every hour.
    pub const DEFAULT: Self = Self(Duration::from_secs(HOUR));
    /// A day: how often targets are walked, and how long a tag is unwanted before it is deleted, where a manifest does not say.
    pub const DAY: Self = Self(Duration::from_secs(24 * HOUR));

    /// The length of time.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(s: &str) -> Result<Self, IntervalError> {
        let mut rest = s;
        let mut seconds = 0;
        for (unit, size) in [('h', HOUR), ('m', MINUTE), ('s', 1)] {
            if let Some((count, after)) = rest.split_once(unit) {
                if count.len() > MOST_DIGITS || !count.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(IntervalError);
                }
                seconds += size * count.parse::<u64>().map_err(|_| IntervalError)?;
                rest = after;
            }
        }
        if s.is_empty() || !rest.is_empty() {
            return Err(IntervalError);
        }
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [(seconds / HOUR, 'h'), (seconds % HOUR / MINUTE, 'm'), (seconds % MINUTE, 's')];
        if seconds == 0 {
            return f.write_str("0s");
        }
        parts.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Interval {
    type Error = IntervalError;

    fn try_from(s: String) -> Result<Self, IntervalError> {
        s.parse()
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_hours_minutes_and_seconds_and_prints_in_its_shortest_form() {
        for (written, seconds, printed) in
            [("30m", 1800, "30m"), ("90m", 5400, "1h30m"), ("1h0m5s", 3605, "1h5s"), ("0s", 0, "0s")]
        {
            let interval: Interval = written.parse().unwrap();
            assert_eq!(interval.as_duration().as_secs(), seconds);
            assert_eq!(interval.to_string(), printed);
        }
    }

    #[test]
    fn what_is_not_an_interval_is_refused() {
        for bad in
            ["", "1", "h", "1d", "5m1h", "1h1h", "-1h", "+1h", "1.5h", "1 h", "100000s", "1hs", "٣h", "1e3s"]
        {
            assert!(bad.parse::<Interval>().is_err(), "{bad}");
        }
    }
}
