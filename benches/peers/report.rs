//! The results in Markdown.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use crate::{
    goals::{Metric, Phase, Results, Sample, spread, verdict},
    planning::RECORDS,
    scenarios::Scenario,
    testbed::program,
    tools::OURS,
};

/// What the numbers were measured on.
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("a CPU without a name");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let registry =
        Command::new(program("registry")).arg("--version").output().expect("the registry is installed");
    let registry = String::from_utf8_lossy(&registry.stdout).trim().to_owned();
    let registry = registry.rsplit([' ', '+']).nth(1).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let size = fs::metadata(OURS).expect("the program is built").len() as f64 / 1e6;
    format!(
        "{model}, {cores} cores, Linux {}; distribution {registry}.\n\n\
         - imagesync: the program's size at most 20.0 MB: **{size:.1} MB**, {}\n",
        kernel.trim(),
        verdict(size <= 20.0),
    )
}

/// How long planning alone took, as lines below the table.
pub fn planning(seconds: f64, of_pruning: f64) -> String {
    let line = |what: &str, seconds: f64| {
        format!("- {what}: at most 1 s: **{seconds:.3} s**, {}\n", verdict(seconds <= 1.0))
    };
    line("planning alone, with the registries' answers in memory", seconds)
        + &line(&format!("planning what to delete, of {RECORDS} records"), of_pruning)
}

/// A scenario's table, with its goals below.
pub fn table(scenario: &Scenario, results: &Results) -> String {
    let mut text = format!("### {}: {}\n\n", scenario.name, scenario.about);
    text.push_str(
        "| | wall s (from–to) | CPU s | peak MB | source: HEAD, GET, MB read | targets: HEAD, GET, writes | runs |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for ((phase, tool), samples) in &results.samples {
        let again = if *phase == Phase::Cold { String::new() } else { format!(", {}", phase.name()) };
        let _ = writeln!(text, "| {} {}{again} {}", tool.name(), tool.version(), row(samples));
    }
    text.push('\n');
    for line in scenario.goals.iter().filter_map(|goal| goal.judge(results)) {
        let _ = writeln!(text, "- {line}");
    }
    text
}

fn row(samples: &[Sample]) -> String {
    let (least, wall, most) = spread(samples, Metric::Wall);
    let cpu = spread(samples, Metric::Cpu).1;
    let peak = spread(samples, Metric::Peak).1 / 1e6;
    // These hardly differ from run to run.
    let Sample { source, targets, .. } = samples[samples.len() - 1];
    let read = source.sent as f64 / 1e6;
    format!(
        "| {wall:.2} ({least:.2}–{most:.2}) | {cpu:.2} | {peak:.1} | {}, {}, {read:.1} | {}, {}, {} | {} |",
        source.heads,
        source.gets,
        targets.heads,
        targets.gets,
        targets.writes,
        samples.len(),
    )
}

/// Puts the text between a scenario's marks in a file, which has to have them.
pub fn write(file: &Path, name: &str, text: &str) {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let old = fs::read_to_string(file).expect("the file to write into is there");
    let start =
        old.find(&open).unwrap_or_else(|| panic!("{} has no mark {open}", file.display())) + open.len();
    let end = old.find(&close).unwrap_or_else(|| panic!("{} has no mark {close}", file.display()));
    fs::write(file, format!("{}{text}{}", &old[..start], &old[end..])).expect("the file can be written");
}
