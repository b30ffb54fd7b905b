//! What is measured, and what is meant to be reached.

use std::collections::BTreeMap;

use crate::{counts::Counts, measure::Usage, tools::Tool};

/// When a tool ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// With empty targets.
    Cold,
    /// Right after that, with nothing to do.
    Again,
    /// Again, two days later.
    Later,
}

impl Phase {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Again => "again",
            Self::Later => "two days later",
        }
    }
}

/// What one run of a tool cost.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// This machine.
    pub usage: Usage,
    /// The source.
    pub source: Counts,
    /// All targets together.
    pub targets: Counts,
}

/// One number of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Seconds.
    Wall,
    /// Seconds of user and system time.
    Cpu,
    /// Bytes.
    Peak,
    /// Bytes that the source sent.
    Read,
    /// HEAD requests to all registries.
    Heads,
    /// Tag lists asked of all registries.
    Lists,
    /// POST, PATCH, PUT and DELETE requests to the targets.
    Writes,
}

impl Metric {
    /// The number.
    pub fn of(self, sample: &Sample) -> f64 {
        let count = |of: fn(Counts) -> u64| (of(sample.source) + of(sample.targets)) as f64;
        match self {
            Self::Wall => sample.usage.wall.as_secs_f64(),
            Self::Cpu => sample.usage.cpu.as_secs_f64(),
            Self::Peak => sample.usage.peak as f64,
            Self::Read => sample.source.sent as f64,
            Self::Heads => count(|counts| counts.heads),
            Self::Lists => count(|counts| counts.lists),
            Self::Writes => sample.targets.writes as f64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall time",
            Self::Cpu => "CPU time",
            Self::Peak => "peak memory",
            Self::Read => "bytes read from the source",
            Self::Heads => "HEAD requests",
            Self::Lists => "tag lists",
            Self::Writes => "requests that write",
        }
    }
}

/// What a number is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Against {
    /// The lowest of all other tools.
    BestRival,
    /// That of this tool.
    Of(Tool),
    /// A number that the images determine.
    Number(&'static str, f64),
    /// The limit is a number of its own.
    Nothing,
}

/// A limit.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    tool: Tool,
    phase: Phase,
    metric: Metric,
    against: Against,
    at_most: f64,
}

/// All that was measured in a scenario.
#[derive(Default)]
pub struct Results {
    /// In the order of the runs.
    pub samples: BTreeMap<(Phase, Tool), Vec<Sample>>,
}

impl Results {
    /// The middle one of a tool's numbers.
    pub fn median(&self, phase: Phase, tool: Tool, metric: Metric) -> Option<f64> {
        Some(spread(self.samples.get(&(phase, tool))?, metric).1)
    }

    fn lowest(&self, phase: Phase, metric: Metric) -> Option<f64> {
        let rivals = self.samples.keys().filter(|(when, tool)| *when == phase && !tool.is_ours());
        rivals.filter_map(|(_, tool)| self.median(phase, *tool, metric)).min_by(f64::total_cmp)
    }
}

/// The word for a goal that was reached, or not.
pub fn verdict(reached: bool) -> &'static str {
    if reached { "met" } else { "**missed**" }
}

/// The lowest, the middle and the highest.
pub fn spread(samples: &[Sample], metric: Metric) -> (f64, f64, f64) {
    let mut numbers: Vec<f64> = samples.iter().map(|sample| metric.of(sample)).collect();
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    let middle =
        if numbers.len() % 2 == 1 { numbers[half] } else { f64::midpoint(numbers[half - 1], numbers[half]) };
    (numbers[0], middle, numbers[numbers.len() - 1])
}

impl Goal {
    /// The tool's number is at most so much of the other.
    pub fn new(tool: Tool, phase: Phase, metric: Metric, against: Against, at_most: f64) -> Self {
        Self { tool, phase, metric, against, at_most }
    }

    /// A line for the report: what is meant, what was measured, and whether that is enough. Nothing where one of the
    /// two has not been measured.
    pub fn judge(&self, results: &Results) -> Option<String> {
        let mine = results.median(self.phase, self.tool, self.metric)?;
        let (other, whose) = match self.against {
            Against::BestRival => (results.lowest(self.phase, self.metric)?, " of the best rival's"),
            Against::Of(tool) => {
                (results.median(self.phase, tool, self.metric)?, &*format!(" of {}'s", tool.name()).leak())
            }
            Against::Number(name, number) => (number, &*format!(" of {name}").leak()),
            Against::Nothing => (1.0, ""),
        };
        let measured = mine / other;
        let number = |number: f64| match (self.metric, self.against) {
            (Metric::Peak, Against::Nothing) => format!("{:.1} MB", number / 1e6),
            (_, Against::Nothing) => format!("{number:.0}"),
            _ => format!("{number:.3}"),
        };
        let when = self.phase.name();
        Some(format!(
            "{} ({when}): {} at most {}{whose}: **{}**, {}",
            self.tool.name(),
            self.metric.name(),
            number(self.at_most),
            number(measured),
            verdict(measured <= self.at_most),
        ))
    }
}
