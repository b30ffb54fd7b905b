//! What is compared, and what ImageSync is meant to reach.

use crate::{
    corpus::Corpus,
    goals::{Against, Goal, Metric, Phase},
    tools::Tool::{
        self, Crane, ImageSync, ImageSyncDeep, ImageSyncDirectory, ImageSyncImmutable, ImageSyncPlan,
        ImageSyncPlatform, Regsync, RegsyncDeep, RegsyncPlatform, RegsyncReferrers, Skopeo, SkopeoDirectory,
    },
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
    /// Where the copies go.
    pub target: Target,
    /// How much the tools that can be told do at the same time.
    pub parallel: usize,
    /// Who takes part, and how often at most.
    pub tools: Vec<(Tool, usize)>,
    /// What is meant to be reached.
    pub goals: Vec<Goal>,
}

/// Where the copies go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// So many registries.
    Registries(usize),
    /// A registry that takes an index whose images it lacks.
    Sparse,
    /// A directory.
    Directory,
}

const ALWAYS: usize = usize::MAX;

impl Target {
    /// How many registries there are.
    pub const fn registries(self) -> usize {
        match self {
            Self::Registries(count) => count,
            Self::Sparse => 1,
            Self::Directory => 0,
        }
    }
}

impl Scenario {
    /// When a tool runs.
    pub fn phases(&self, tool: Tool) -> Vec<Phase> {
        let mut phases = vec![Phase::Cold];
        // skopeo does not write into a directory again.
        if tool.copies() && self.target != Target::Directory {
            phases.push(Phase::Again);
        }
        // What a digest is signed with is looked at for a day.
        if tool == ImageSyncImmutable || (tool == ImageSync && self.corpus.referrers > 0) {
            phases.push(Phase::Later);
        }
        phases
    }
}

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
    vec![
        cold(),
        small(),
        tags(),
        base(),
        fanout(),
        layer(),
        plan(),
        referrers(),
        platforms("platforms", Target::Registries(1)),
        platforms("sparse", Target::Sparse),
        deep(),
        directory(),
    ]
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
            ..Corpus::default()
        },
        latency: 0,
        rate: None,
        target: Target::Registries(1),
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
            ..Corpus::default()
        },
        latency: 10,
        rate: None,
        target: Target::Registries(1),
        parallel: 32,
        tools: vec![(ImageSync, ALWAYS), (Regsync, ALWAYS)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Of(Regsync), 0.5),
            Goal::new(ImageSync, Phase::Again, Metric::Wall, Against::Of(Regsync), 1.0),
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
            ..Corpus::default()
        },
        latency: 10,
        rate: None,
        target: Target::Registries(1),
        parallel: 32,
        // regsync copies the tags of a repository one after another, which takes minutes.
        tools: vec![(ImageSync, ALWAYS), (ImageSyncImmutable, ALWAYS), (Regsync, 1)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Of(Regsync), 0.05),
            Goal::new(ImageSync, Phase::Again, Metric::Wall, Against::Of(Regsync), 0.05),
            Goal::new(ImageSync, Phase::Again, Metric::Heads, Against::Number("tags", count as f64), 2.0),
            Goal::new(ImageSyncImmutable, Phase::Later, Metric::Heads, Against::Nothing, 0.0),
            Goal::new(ImageSyncImmutable, Phase::Later, Metric::Lists, Against::Nothing, 1.0),
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
        ..Corpus::default()
    };
    let unique = Against::Number("unique bytes", corpus.unique_bytes() as f64);
    Scenario {
        name: "base",
        about: "30 repositories on one base of 60 MB, with 10 ms of latency each way",
        corpus,
        latency: 10,
        rate: None,
        target: Target::Registries(1),
        parallel: 32,
        tools: vec![(ImageSync, ALWAYS), (Regsync, ALWAYS)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Read, unique, 1.05),
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Of(Regsync), 0.3),
        ],
    }
}

fn fanout() -> Scenario {
    let corpus = Corpus {
        name: "fanout",
        repositories: 4,
        tags: 5,
        platforms: 1,
        layers: &[10_000_000],
        ..Corpus::default()
    };
    let once = Against::Number("one copy", corpus.unique_bytes() as f64);
    Scenario {
        name: "fanout",
        about: "4 repositories of 5 tags, 200 MB, to three registries from a source that sends 50 MB a second",
        corpus,
        latency: 0,
        rate: Some(50_000_000),
        target: Target::Registries(3),
        parallel: 4,
        tools: vec![(ImageSync, ALWAYS), (Regsync, ALWAYS)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Read, once, 1.02),
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Of(Regsync), 0.4),
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
            ..Corpus::default()
        },
        latency: 0,
        rate: None,
        target: Target::Registries(1),
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
            ..Corpus::default()
        },
        latency: 0,
        rate: None,
        target: Target::Registries(1),
        parallel: 4,
        tools: vec![(ImageSyncPlan, ALWAYS)],
        goals: vec![Goal::new(ImageSyncPlan, Phase::Cold, Metric::Peak, Against::Nothing, 100e6)],
    }
}

fn referrers() -> Scenario {
    let (repositories, tags) = (40, 5);
    Scenario {
        name: "referrers",
        about: "40 repositories of 5 tags, each signed and attested, with 10 ms of latency each way; then again, and later",
        corpus: Corpus {
            name: "referrers",
            repositories,
            tags,
            platforms: 1,
            layers: &[20_000],
            referrers: 2,
            ..Corpus::default()
        },
        latency: 10,
        rate: None,
        target: Target::Registries(1),
        parallel: 32,
        tools: vec![(ImageSync, ALWAYS), (RegsyncReferrers, 3)],
        goals: vec![
            Goal::new(ImageSync, Phase::Cold, Metric::Wall, Against::Of(RegsyncReferrers), 0.4),
            Goal::new(ImageSync, Phase::Again, Metric::Wall, Against::Of(RegsyncReferrers), 0.5),
            Goal::new(
                ImageSync,
                Phase::Later,
                Metric::Heads,
                Against::Number("tags", (repositories * tags) as f64),
                2.0,
            ),
        ],
    }
}

fn platforms(name: &'static str, target: Target) -> Scenario {
    let corpus = Corpus {
        name: "platforms",
        repositories: 4,
        tags: 5,
        platforms: 8,
        layers: &[2_000_000],
        ..Corpus::default()
    };
    let one = Against::Number("that platform's bytes", (corpus.unique_bytes() / 8) as f64);
    Scenario {
        name,
        about: match target {
            Target::Sparse => {
                "1 of 8 platforms of 20 images, to a registry that takes an index without its images"
            }
            _ => "1 of 8 platforms of 20 images, to a registry that refuses an index without its images",
        },
        corpus,
        latency: 0,
        rate: None,
        target,
        parallel: 4,
        // regsync writes the index as it is, which this registry has to take.
        tools: if target == Target::Sparse {
            vec![(ImageSyncPlatform, ALWAYS), (RegsyncPlatform, ALWAYS)]
        } else {
            vec![(ImageSyncPlatform, ALWAYS)]
        },
        goals: vec![
            Goal::new(ImageSyncPlatform, Phase::Cold, Metric::Read, one, 1.02),
            Goal::new(ImageSyncPlatform, Phase::Again, Metric::Writes, Against::Nothing, 0.0),
        ],
    }
}

fn deep() -> Scenario {
    Scenario {
        name: "deep",
        about: "40 repositories of 5 tags, 5 layers of 20 kB each, with 10 ms of latency each way; then all is walked",
        tools: vec![(ImageSyncDeep, ALWAYS), (RegsyncDeep, ALWAYS)],
        goals: vec![Goal::new(ImageSyncDeep, Phase::Again, Metric::Wall, Against::Of(RegsyncDeep), 0.6)],
        ..small()
    }
}

fn directory() -> Scenario {
    Scenario {
        name: "directory",
        about: "8 repositories of 5 tags for 2 platforms, 1.02 GB, from loopback into a directory",
        target: Target::Directory,
        tools: vec![(ImageSyncDirectory, ALWAYS), (SkopeoDirectory, ALWAYS)],
        goals: vec![
            Goal::new(ImageSyncDirectory, Phase::Cold, Metric::Wall, Against::Of(SkopeoDirectory), 0.7),
            Goal::new(ImageSyncDirectory, Phase::Cold, Metric::Peak, Against::Nothing, 32e6),
        ],
        ..cold()
    }
}
