//! Runs a scenario: the servers, the tools in turns, and a check of what they did.

use std::path::Path;

use crate::{
    counts::Counts,
    goals::{Phase, Results, Sample},
    measure,
    scenarios::Scenario,
    testbed::{
        self,
        proxy::Proxy,
        registry::Registry,
        toxiproxy::{Toxiproxy, Wire},
    },
    tools::{Job, Tool},
};

/// Everything that a scenario measured.
pub async fn run(scenario: &Scenario, runs: usize, only: &[String]) -> Results {
    let storage = scenario.corpus.storage().await;
    let source = Registry::v3().storage(&storage).access_log().start().await;
    let slow = Slow::start(scenario).await;
    let paced = match scenario.rate {
        Some(rate) => Some(Proxy::paced(&source.host(), rate).await),
        None => None,
    };
    let wire = slow.wire(&source).await;
    let address = match (&paced, &wire) {
        (Some(paced), _) => paced.host(),
        (None, Some(wire)) => host(wire),
        (None, None) => source.host(),
    };

    let mut results = Results::default();
    for n in 0..runs {
        let mut tools = scenario.tools.clone();
        let turn = n % tools.len();
        tools.rotate_left(turn);
        for (tool, most) in tools {
            if n < most && (only.is_empty() || only.iter().any(|name| name == tool.name())) {
                one(scenario, tool, &source, &address, &slow, &mut results).await;
            }
        }
    }
    results
}

/// A tool's two runs.
async fn one(
    scenario: &Scenario,
    tool: Tool,
    source: &Registry,
    address: &str,
    slow: &Slow,
    results: &mut Results,
) {
    let folder = testbed::folder();
    let (mut targets, mut wires) = (Vec::new(), Vec::new());
    for _ in 0..scenario.targets {
        let target = Registry::v3().access_log().start().await;
        wires.push(slow.wire(&target).await);
        targets.push(target);
    }
    let reached =
        |(target, wire): (&Registry, &Option<Wire>)| wire.as_ref().map_or_else(|| target.host(), host);
    let job = Job {
        source: address.to_owned(),
        targets: targets.iter().zip(&wires).map(reached).collect(),
        repositories: scenario.corpus.repositories(),
        tags: scenario.corpus.tags(),
        parallel: scenario.parallel,
    };
    let command = tool.command(&job, folder.path());
    let phases: &[Phase] = if tool.copies() { &[Phase::Cold, Phase::Again] } else { &[Phase::Cold] };
    for phase in phases {
        let sample = sample(tool, &command, folder.path(), source, &targets).await;
        eprintln!("{} {} {phase:?}: {:?}", scenario.name, tool.name(), sample.usage);
        results.samples.entry((*phase, tool)).or_default().push(sample);
    }
    if tool.copies() {
        check(scenario, tool, source, &targets).await;
    }
}

async fn sample(
    tool: Tool,
    command: &[String],
    folder: &Path,
    source: &Registry,
    targets: &[Registry],
) -> Sample {
    let before = (Counts::of(source).await, sum(targets).await);
    let usage = tokio::task::block_in_place(|| measure::run(command, tool.codes(), folder));
    let usage = usage.unwrap_or_else(|problem| panic!("{problem}"));
    Sample { usage, source: Counts::of(source).await - before.0, targets: sum(targets).await - before.1 }
}

async fn sum(targets: &[Registry]) -> Counts {
    let mut all = Counts::default();
    for target in targets {
        all = all.plus(Counts::of(target).await);
    }
    all
}

/// Every tag is there with the source's digest, and the last one is complete: a tool that did less would win.
async fn check(scenario: &Scenario, tool: Tool, source: &Registry, targets: &[Registry]) {
    let (repositories, tags) = (scenario.corpus.repositories(), scenario.corpus.tags());
    for target in targets {
        for repository in &repositories {
            for tag in &tags {
                let (here, there) =
                    (source.digest(repository, tag).await, target.digest(repository, tag).await);
                assert!(
                    here.is_some() && here == there,
                    "{}: {repository}:{tag} is not in sync",
                    tool.name()
                );
            }
        }
        target.complete(&repositories[repositories.len() - 1], &tags[tags.len() - 1]).await;
    }
}

/// The delay in front of every registry, if there is one.
struct Slow {
    toxiproxy: Option<Toxiproxy>,
    latency: u64,
}

impl Slow {
    async fn start(scenario: &Scenario) -> Self {
        let latency = scenario.latency;
        Self { toxiproxy: if latency > 0 { Some(Toxiproxy::start().await) } else { None }, latency }
    }

    async fn wire(&self, registry: &Registry) -> Option<Wire> {
        let wire = self.toxiproxy.as_ref()?.wire(&registry.host()).await;
        wire.latency(self.latency).await;
        Some(wire)
    }
}

fn host(wire: &Wire) -> String {
    wire.host().to_owned()
}
