//! ImageSync side by side with regsync, crane and skopeo: the same registries, the same images, one run.
//!
//! `make bench` runs all scenarios, `make bench BENCH=cold` one. Every run starts with an empty target; the tools take
//! turns, and each run's first is another. What is reported is the median. The servers count requests and bytes
//! in their access logs, the kernel counts CPU time and memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_in_result,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is a test: it says what failed by panicking, and prints its results"
)]
#![allow(unreachable_pub, reason = "nothing here is seen from outside, and `pub` is what a module shows")]
#![allow(clippy::cast_precision_loss, reason = "no number here has more than 52 bits")]

mod corpus;
mod counts;
mod goals;
mod measure;
mod planning;
mod report;
mod run;
mod scenarios;
#[path = "../../tests/testbed/mod.rs"]
mod testbed;
mod tools;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

/// Runs scenarios and prints a table for each.
#[derive(Parser)]
struct Arguments {
    /// The scenarios to run; all of them where none is named.
    scenarios: Vec<String>,
    /// How often each tool runs.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only these tools.
    #[arg(long)]
    only: Vec<String>,
    /// Puts the tables into this file too, between the marks with each scenario's name.
    #[arg(long)]
    write: Option<PathBuf>,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if let Some(status) = measure::as_child() {
        return status;
    }
    let arguments = Arguments::parse();
    let chosen = match scenarios::choose(&arguments.scenarios) {
        Ok(chosen) => chosen,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let machine = report::machine();
    println!("{machine}");
    let write = |mark: &str, text: &str| {
        if let Some(file) = &arguments.write {
            report::write(file, mark, text);
        }
    };
    write("machine", &machine);
    for scenario in chosen {
        let results = runtime.block_on(run::run(&scenario, arguments.runs, &arguments.only));
        let mut table = report::table(&scenario, &results);
        if scenario.name == "plan" {
            let seconds = planning::seconds(&scenario.corpus, arguments.runs);
            table.push_str(&report::planning(seconds, planning::seconds_of_pruning(arguments.runs)));
        }
        println!("\n{table}");
        write(scenario.name, &table);
    }
    ExitCode::SUCCESS
}
