//! For as long as `make soak` says: tags move, registries fail and runs die, and every tag stays complete, and known as
//! ours. As in [`kill`](super::kill), the target takes manifests without a look at what they name.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use imagesync::digest::Digest;
use tokio::sync::Notify;

use crate::{
    command::Desk,
    testbed::{
        images::{Format, Image, Layer},
        proxy::{Proxy, Verdict},
        registry::Registry,
    },
};

const REPOSITORIES: [&str; 3] = ["team/app", "team/api", "base"];
const TAGS: [&str; 4] = ["1.0.0", "1.1.0", "latest", "edge"];
/// Every so many rounds nothing fails, and the run has to bring all into sync.
const CALM: u64 = 5;

/// How long it goes on, in seconds.
fn duration() -> Duration {
    let seconds = env::var("IMAGESYNC_SOAK").ok().map_or(60, |seconds| seconds.parse().expect("seconds"));
    Duration::from_secs(seconds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "goes on for as long as it is told to: `make soak`"]
async fn while_tags_move_and_registries_fail_and_runs_die_every_tag_stays_complete() {
    let mut world = World::new().await;
    let end = Instant::now() + duration();
    while Instant::now() < end {
        world.round().await;
    }
    println!(
        "{} rounds, of which {} runs were killed and {} failed",
        world.round, world.killed, world.failed
    );
}

struct World {
    source: Registry,
    target: Registry,
    wires: [Proxy; 2],
    weather: Arc<Weather>,
    desk: Desk,
    random: fastrand::Rng,
    /// Every digest that a tag has had at the source.
    history: BTreeMap<(usize, usize), BTreeSet<Digest>>,
    round: u64,
    killed: u64,
    failed: u64,
}

/// What the wires do to requests.
#[derive(Default)]
struct Weather(Mutex<State>);

#[derive(Default)]
struct State {
    random: fastrand::Rng,
    /// Requests out of a thousand that go wrong.
    trouble: u16,
    /// Requests until the run is killed.
    fuse: Option<u32>,
    kill: Arc<Notify>,
}

impl Weather {
    fn rule(self: &Arc<Self>) -> impl Fn(&Parts) -> Verdict + Send + Sync + 'static {
        let weather = Arc::clone(self);
        move |_| weather.0.lock().unwrap().verdict()
    }
}

impl State {
    fn verdict(&mut self) -> Verdict {
        if let Some(fuse) = &mut self.fuse {
            *fuse = fuse.saturating_sub(1);
            if *fuse == 0 {
                self.kill.notify_one();
            }
        }
        if self.random.u16(..1000) >= self.trouble {
            return Verdict::Pass;
        }
        let answer = |status, headers| Verdict::Answer(status, headers, Bytes::from_static(b"{}"));
        match self.random.u8(..5) {
            0 => answer(StatusCode::SERVICE_UNAVAILABLE, Vec::new()),
            1 => answer(StatusCode::TOO_MANY_REQUESTS, vec![("retry-after", "0".to_owned())]),
            2 => Verdict::TearResponse(self.random.u64(..200_000)),
            3 => Verdict::TearRequest(self.random.u64(..200_000)),
            _ => answer(StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        }
    }
}

impl World {
    async fn new() -> Self {
        let (source, target) = (Registry::v3().start().await, Registry::v3().sparse_indexes().start().await);
        let weather = Arc::<Weather>::default();
        let wires = [
            Proxy::with(&source.host(), weather.rule()).await,
            Proxy::credulous(&target, weather.rule()).await,
        ];
        let (from, to) = (wires[0].host(), wires[1].host());
        let image = |(n, repository)| {
            format!("- {{name: image-{n}, source: \"{from}/{repository}\", select: {{patterns: ['.*']}}}}")
        };
        let images: Vec<String> = REPOSITORIES.iter().enumerate().map(image).collect();
        let targets = format!("- {{name: copy, repository: \"{to}/{{path}}\"}}");
        let spec = format!("images:\n{}\ntargets:\n{targets}", images.join("\n"));
        let mut world = Self {
            desk: Desk::new(&spec),
            source,
            target,
            wires,
            weather,
            random: fastrand::Rng::with_seed(1),
            history: BTreeMap::new(),
            round: 0,
            killed: 0,
            failed: 0,
        };
        for repository in 0..REPOSITORIES.len() {
            for tag in 0..TAGS.len() {
                world.push(repository, tag).await;
            }
        }
        world
    }

    /// Moves a tag at the source to a new image.
    async fn push(&mut self, repository: usize, tag: usize) {
        let platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];
        let base = Layer::new(self.random.u64(..4), 500_000);
        let random = &mut self.random;
        let mut image = |platform: &&str| {
            let own = Layer::new(random.u64(100..), random.u64(1_000..300_000));
            Image::of(Format::Oci, platform, vec![base.clone(), own])
        };
        let mut images: Vec<Image> = platforms.iter().map(&mut image).collect();
        images.truncate(self.random.usize(1..=3));
        let image = if images.len() == 1 { images.remove(0) } else { Image::index(images) };
        self.source.push(REPOSITORIES[repository], TAGS[tag], &image).await;
        self.history.entry((repository, tag)).or_default().insert(image.digest().clone());
    }

    async fn round(&mut self) {
        self.round += 1;
        for _ in 0..self.random.u8(..4) {
            let (repository, tag) =
                (self.random.usize(..REPOSITORIES.len()), self.random.usize(..TAGS.len()));
            self.push(repository, tag).await;
        }
        let calm = self.round.is_multiple_of(CALM);
        let kill = Arc::new(Notify::new());
        *self.weather.0.lock().unwrap() = State {
            random: fastrand::Rng::with_seed(self.round),
            trouble: if calm { 0 } else { *self.random.choice(&[0, 10, 50, 300]).unwrap() },
            fuse: (!calm && self.random.bool()).then(|| self.random.u32(1..120)),
            kill: Arc::clone(&kill),
        };
        if calm {
            self.desk.synced().await;
        } else {
            let mut run = self.desk.start();
            tokio::select! {
                () = kill.notified() => {
                    run.kill().await.unwrap();
                    self.killed += 1;
                }
                output = run.wait() => self.failed += u64::from(!output.unwrap().success()),
            }
        }
        self.check(calm).await;
        self.wires.iter().for_each(Proxy::reset);
    }

    /// Every tag that is on the target is complete, one that the source has had, and recorded as written by us; after a
    /// calm run, it is the newest, and nothing else is recorded.
    async fn check(&self, calm: bool) {
        let records = self.desk.references();
        let mut recorded = 0;
        for (repository, name) in REPOSITORIES.iter().enumerate() {
            for (tag, label) in TAGS.iter().enumerate() {
                let there = self.target.digest(name, label).await;
                let record = records.get(&format!("{}/{name}:{label}", self.wires[1].host()));
                recorded += usize::from(record.is_some());
                if let Some(digest) = &there {
                    assert!(self.history[&(repository, tag)].contains(digest), "{name}:{label} is {digest}");
                    self.target.complete(name, label).await;
                    let record = record.expect("what is published was recorded before");
                    let (digest, previous) = (digest.as_str(), record.previous_digest.as_deref());
                    match record.origin.as_str() {
                        "Written" => assert_eq!(record.digest, digest, "{name}:{label}"),
                        // It was being written when the run ended: what it was to replace is remembered too.
                        "Intended" => {
                            assert!(!calm, "{name}:{label}");
                            assert!(record.digest == digest || previous == Some(digest), "{name}:{label}");
                        }
                        origin => panic!("{name}:{label} is {origin}"),
                    }
                }
                if calm {
                    assert_eq!(there, self.source.digest(name, label).await, "{name}:{label}");
                    assert_eq!(record.map(|record| record.state.as_str()), Some("InSync"), "{name}:{label}");
                }
            }
        }
        assert_eq!(records.len(), recorded, "{records:?}");
    }
}
