//! What is compared, and what ImageSync is meant to reach.

use crate::{
    corpus::Corpus,
    goals::{Against, Goal, Metric, Phase},
    tools::Tool::{self, Crane, ImageSync, ImageSyncImmutable, ImageSyncPlan, Regsync, Skopeo},
};

/// One comparison.
#[derive(Clone)]
pub struct Scenario {
    /// What it is called on the command line and in the report.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    /// The images at the source.
    pub corpus: Corpus,
    /// Milliseconds of delay each way, in front of every registry.
    pub latency: u64,
    /// Bytes a second that the source sends, over all connections.
    pub rate: Option<u64>,
    /// How many registries get a copy.
    pub targets: usize,
    /// How much the tools that can be told do at the same time.
    pub parallel: usize,
    /// Who takes part, and how often at most.
    pub tools: Vec<(Tool, usize)>,
    /// What is meant to be reached.
    pub goals: Vec<Goal>,
}

const ALWAYS: usize = usize::MAX;

/// Those with these names, or all.
///
/// # Errors
/// A name that there is not, with those that there are.
pub fn choose(names: &[String]) -> Result<Vec<Scenario>, String> {
    let all = all();
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|one| one.name != **name)) {
        let known: Vec<&str> = all.iter().map(|one| one.name).collect();
        return Err(format!("there is no scenario {unknown}; there are {}", known.join(", ")));
    }
    Ok(all.into_iter().filter(|one| names.is_empty() || names.iter().any(|name| name == one.name)).collect())
}

fn all() -> Vec<Scenario> {
    vec![cold(), small(), tags(), base(), fanout(), layer(), plan()]
}

fn cold() -> Scenario {
    Scenario {
        name: "cold",
        about: "8 repositories of 5 tags for 2 platforms, 1.02 GB, on loopback; then again with nothing to do",
        corpus: Corpus {
            name: "cold",
            repositories: 8,
            tags: 5,
            platforms: 2,
            layers: &[10_000_000, 2_500_000, 250_000],
            base: None,
        },
        latency: 0,
        rate: None,
        targets: 1,
        parallel: 4,
        tools: vec![(ImageSync, ALWAYS), (Regsync, ALWAYS), (Crane, ALWAYS), (Skopeo, ALWAYS)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::BestRival, 1.0),
            Goal::new(ImageSync, Phase::Cold, Metric::Cpu, Against::BestRival, 0.85),
            Goal::new(ImageSync, Phase::Cold, Metric::Peak, Against::Nothing, 32e6),
        ],
    }
}

fn small() -> Scenario {
    Scenario {
        name: "small",
        about: "40 repositories of 5 tags, 5 layers of 20 kB each, with 10 ms of latency each way; then again",
        corpus: Corpus {
            name: "small",
            repositories: 40,
            tags: 5,
            platforms: 1,
            layers: &[20_000; 5],
            base: None,
        },
        latency: 10,
        rate: None,
        targets: 1,
        parallel: 32,
        tools: vec![(ImageSync, ALWAYS), (Regsync, ALWAYS)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Regsync, 0.5),
            Goal::new(ImageSync, Phase::Again, Metric::Wall, Against::Regsync, 1.0),
        ],
    }
}

fn tags() -> Scenario {
    let count = 1_000;
    Scenario {
        name: "tags",
        about: "1 repository of 1,000 tags, 1 layer of 1 kB each, with 10 ms of latency each way; then again",
        corpus: Corpus {
            name: "tags",
            repositories: 1,
            tags: count,
            platforms: 1,
            layers: &[1_000],
            base: None,
        },
        latency: 10,
        rate: None,
        targets: 1,
        parallel: 32,
        // regsync copies the tags of a repository one after another, which takes minutes.
        tools: vec![(ImageSync, ALWAYS), (ImageSyncImmutable, ALWAYS), (Regsync, 1)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Regsync, 0.05),
            Goal::new(ImageSync, Phase::Again, Metric::Wall, Against::Regsync, 0.05),
            Goal::new(ImageSync, Phase::Again, Metric::Heads, Against::Number("tags", count as f64), 2.0),
            Goal::new(ImageSyncImmutable, Phase::Again, Metric::Heads, Against::Nothing, 0.0),
            Goal::new(ImageSyncImmutable, Phase::Again, Metric::Lists, Against::Nothing, 1.0),
        ],
    }
}

fn base() -> Scenario {
    let corpus = Corpus {
        name: "base",
        repositories: 30,
        tags: 1,
        platforms: 1,
        layers: &[20_000],
        base: Some(60_000_000),
    };
    let unique = Against::Number("unique bytes", corpus.unique_bytes() as f64);
    Scenario {
        name: "base",
        about: "30 repositories on one base of 60 MB, with 10 ms of latency each way",
        corpus,
        latency: 10,
        rate: None,
        targets: 1,
        parallel: 32,
        tools: vec![(ImageSync, ALWAYS), (Regsync, ALWAYS)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Read, unique, 1.05),
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Regsync, 0.3),
        ],
    }
}

fn fanout() -> Scenario {
    let corpus =
        Corpus { name: "fanout", repositories: 4, tags: 5, platforms: 1, layers: &[10_000_000], base: None };
    let once = Against::Number("one copy", corpus.unique_bytes() as f64);
    Scenario {
        name: "fanout",
        about: "4 repositories of 5 tags, 200 MB, to three registries from a source that sends 50 MB a second",
        corpus,
        latency: 0,
        rate: Some(50_000_000),
        targets: 3,
        parallel: 4,
        tools: vec![(ImageSync, ALWAYS), (Regsync, ALWAYS)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Read, once, 1.02),
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Regsync, 0.4),
        ],
    }
}

fn layer() -> Scenario {
    Scenario {
        name: "layer",
        about: "one image with one layer of 4 GB, on loopback",
        corpus: Corpus {
            name: "layer",
            repositories: 1,
            tags: 1,
            platforms: 1,
            layers: &[4_000_000_000],
            base: None,
        },
        latency: 0,
        rate: None,
        targets: 1,
        parallel: 4,
        tools: vec![(ImageSync, 3), (Regsync, 3), (Crane, 3)],
        goals: vec![Goal::new(ImageSync, Phase::Cold, Metric::Peak, Against::Nothing, 32e6)],
    }
}

fn plan() -> Scenario {
    Scenario {
        name: "plan",
        about: "what would be done with 10 repositories of 1,000 tags, to an empty target, on loopback",
        corpus: Corpus {
            name: "plan",
            repositories: 10,
            tags: 1_000,
            platforms: 1,
            layers: &[1_000],
            base: None,
        },
        latency: 0,
        rate: None,
        targets: 1,
        parallel: 4,
        tools: vec![(ImageSyncPlan, ALWAYS)],
        goals: vec![Goal::new(ImageSyncPlan, Phase::Cold, Metric::Peak, Against::Nothing, 100e6)],
    }
}
