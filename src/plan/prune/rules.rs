//! What a target says of pruning, parsed.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{
    api::{Prune, PruneMode},
    plan::invalid::Check,
};

/// What a target says of pruning.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Rules {
    pub(in crate::plan) mode: PruneMode,
    pub(super) grace: Duration,
    pub(super) keep_last: usize,
    pub(super) limit: Limit,
    pub(super) protect_in_use: bool,
}

/// How many names one run may delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Number(usize),
    Percent(usize),
}

impl Rules {
    /// Reads what stands at `path`; a target that says nothing has the defaults.
    pub(in crate::plan) fn read(prune: Option<&Prune>, path: &str, check: &mut Check) -> Self {
        let default = Prune::default();
        let prune = prune.unwrap_or(&default);
        let keep_last = usize::try_from(prune.keep_last).map_err(|_| "write a number from 0 on");
        let limit =
            Limit::read(&prune.limit).ok_or("write a number of at least 1, or a percentage, such as 20%");
        Self {
            mode: prune.mode,
            grace: prune.grace.as_duration(),
            // What is wrong is said, and then nothing is done.
            keep_last: check.ok(format_args!("{path}.keepLast"), keep_last).unwrap_or(usize::MAX),
            limit: check.ok(format_args!("{path}.limit"), limit).unwrap_or(Limit::Number(0)),
            protect_in_use: prune.protect_in_use,
        }
    }
}

impl Limit {
    fn read(limit: &IntOrString) -> Option<Self> {
        let (limit, most) = match limit {
            IntOrString::Int(number) => (Self::Number(usize::try_from(*number).ok()?), usize::MAX),
            IntOrString::String(text) => match text.strip_suffix('%') {
                Some(percent) => (Self::Percent(digits(percent)?), 100),
                None => (Self::Number(digits(text)?), usize::MAX),
            },
        };
        let (Self::Number(number) | Self::Percent(number)) = limit;
        (1..=most).contains(&number).then_some(limit)
    }

    /// How many of `written` names one run may delete: a percentage is rounded up, and at least one.
    pub(super) fn of(self, written: usize) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => written.saturating_mul(percent).div_ceil(100).max(1),
        }
    }
}

/// `usize` would also read a sign.
fn digits(text: &str) -> Option<usize> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_percentage_rounded_up_and_at_least_one() {
        let text = |text: &str| Limit::read(&IntOrString::String(text.into()));
        assert_eq!(Limit::read(&IntOrString::Int(5)), Some(Limit::Number(5)));
        assert_eq!(text("5"), Some(Limit::Number(5)));
        for (written, most) in [(0, 1), (1, 1), (5, 1), (6, 2), (10, 2), (11, 3), (1000, 200)] {
            assert_eq!(text("20%").unwrap().of(written), most, "{written}");
        }
        assert_eq!(text("100%").unwrap().of(7), 7);
        for bad in ["", "%", "0", "0%", "101%", "+5", "-1", "5 %", "1.5%", "x"] {
            assert_eq!(text(bad), None, "{bad}");
        }
        assert_eq!(Limit::read(&IntOrString::Int(0)), None);
    }
}
