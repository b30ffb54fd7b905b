//! Runs a scenario: the servers, the tools in turns, and a check of what they did.

use std::{fs, path::Path};

use crate::{
    corpus::fallback,
    counts::Counts,
    goals::{Phase, Results, Sample},
    measure,
    scenarios::{Scenario, Target},
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
    for _ in 0..scenario.target.registries() {
        let options = Registry::v3().access_log();
        let sparse = scenario.target == Target::Sparse;
        let target = if sparse { options.sparse_indexes() } else { options }.start().await;
        wires.push(slow.wire(&target).await);
        targets.push(target);
    }
    let reached =
        |(target, wire): (&Registry, &Option<Wire>)| wire.as_ref().map_or_else(|| target.host(), host);
    let directory = folder.path().join("images");
    let mut places: Vec<String> = targets.iter().zip(&wires).map(reached).collect();
    if scenario.target == Target::Directory {
        fs::create_dir(&directory).expect("the folder takes a folder");
        places.push(directory.to_string_lossy().into_owned());
    }
    let job = Job {
        source: address.to_owned(),
        targets: places,
        repositories: scenario.corpus.repositories(),
        tags: scenario.corpus.tags(),
        parallel: scenario.parallel,
    };
    let command = tool.command(&job, folder.path());
    for phase in scenario.phases(tool) {
        if phase == Phase::Later {
            age(&folder.path().join("state"));
        }
        let sample = sample(tool, &command, folder.path(), source, &targets).await;
        eprintln!("{} {} {phase:?}: {:?}", scenario.name, tool.name(), sample.usage);
        results.samples.entry((phase, tool)).or_default().push(sample);
    }
    if tool.copies() && scenario.target == Target::Directory {
        check_directory(scenario, &directory);
    } else if tool.copies() {
        check(scenario, tool, source, &targets).await;
    }
}

/// Two days pass: all that is remembered as first seen was first seen then.
fn age(state: &Path) {
    let day = |text: &str| {
        let seen: jiff::Timestamp = text.parse().expect("what is remembered is a time");
        (seen - jiff::SignedDuration::from_hours(48)).to_string()
    };
    let mut folders = vec![state.join("records")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the state can be read") {
            let path = entry.expect("the state can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).expect("a slice can be read");
            let mut slice: serde_json::Value = serde_json::from_slice(&bytes).expect("a slice is JSON");
            for record in slice["records"].as_array_mut().into_iter().flatten() {
                if let Some(seen) = record["firstSeen"].as_str() {
                    record["firstSeen"] = day(seen).into();
                }
            }
            fs::write(&path, slice.to_string()).expect("a slice can be written");
        }
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

/// Every tag is there with the source's digest and what refers to it, and the last one is complete: a tool that did less
/// would win. Of an image for several platforms the one that was wanted is there.
async fn check(scenario: &Scenario, tool: Tool, source: &Registry, targets: &[Registry]) {
    let (repositories, tags) = (scenario.corpus.repositories(), scenario.corpus.tags());
    let one_platform = matches!(tool, Tool::ImageSyncPlatform | Tool::RegsyncPlatform);
    for target in targets {
        for repository in &repositories {
            for tag in &tags {
                let here = source.manifest(repository, tag).await.expect("the source has it");
                let there = target.manifest(repository, tag).await;
                let there = there.unwrap_or_else(|| panic!("{}: {repository}:{tag} is missing", tool.name()));
                if one_platform {
                    let index: serde_json::Value =
                        serde_json::from_slice(&there.bytes).expect("an index is JSON");
                    let child = index["manifests"][0]["digest"].as_str().expect("an index names images");
                    target.complete(repository, child).await;
                    continue;
                }
                assert_eq!(here.digest, there.digest, "{}: {repository}:{tag}", tool.name());
                if scenario.corpus.referrers > 0 {
                    let tag = fallback(here.digest.as_str());
                    let referrers = target.manifest(repository, &tag).await;
                    let referrers = referrers.unwrap_or_else(|| panic!("{}: {tag} is missing", tool.name()));
                    let index: serde_json::Value =
                        serde_json::from_slice(&referrers.bytes).expect("an index is JSON");
                    let named = index["manifests"].as_array().map_or(0, Vec::len);
                    assert_eq!(named, scenario.corpus.referrers, "{}: {repository}:{tag}", tool.name());
                    target.complete(repository, &tag).await;
                }
            }
        }
        if !one_platform {
            target.complete(&repositories[repositories.len() - 1], &tags[tags.len() - 1]).await;
        }
    }
}

/// All bytes of all layers are in the directory.
fn check_directory(scenario: &Scenario, directory: &Path) {
    let (mut bytes, mut folders) = (0, vec![directory.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the directory can be read") {
            let path = entry.expect("the directory can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                bytes += fs::metadata(path).expect("a file has a size").len();
            }
        }
    }
    assert!(bytes >= scenario.corpus.unique_bytes(), "only {bytes} bytes were written");
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
