//! `kill -9` at any instant: each tag on each target stays complete, and the next run goes on where this one stopped.
//!
//! Tags move from one generation of images to the next. The targets take manifests without a look at what they name, so
//! that nothing but the order in which the program sends things keeps a tag complete.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::AddAssign,
    sync::{Arc, Mutex},
};

use http::{Method, request::Parts};
use imagesync::digest::Digest;
use tokio::sync::Notify;

use crate::{
    command::{Desk, Recorded},
    testbed::{
        images::{Format, Image, Layer},
        proxy::{Proxy, Verdict},
        referrers::{SIGNED, sign},
        registry::Registry,
    },
};

/// How often a run is killed; `make test` asks for 200, and `make soak` for more.
fn kills() -> usize {
    std::env::var("IMAGESYNC_KILLS").ok().map_or(60, |kills| kills.parse().expect("a number"))
}

/// Runs that are killed side by side.
const LANES: usize = 4;
/// After so many kills a lane begins anew, with targets that have nothing.
const ERA: usize = 10;

/// What the runs that are killed have to do.
#[derive(Clone, Copy)]
struct Work {
    /// Whether the images are signed, in all the ways there are.
    is_signed: bool,
    kills: usize,
    /// A whole run asks all registries nearly so many times; what comes later kills a run that is done.
    requests: usize,
    /// From here on manifests and tags are written, so more runs are killed there.
    manifests: usize,
}

/// What is at the source.
const SOURCES: [(&str, &str); 3] = [("app", "1.0"), ("app", "1.1"), ("web", "latest")];
/// What shall be on each target, and which of the sources it shows: `stable` is an alias of the newest.
const NAMES: [(&str, &str, usize); 4] =
    [("app", "1.0", 0), ("app", "1.1", 1), ("app", "stable", 1), ("web", "latest", 2)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_instant_a_run_is_killed_at_every_tag_is_complete_and_the_next_run_finishes() {
    let seen = kill(Work { is_signed: false, kills: kills(), requests: 155, manifests: 90 }).await;
    println!("{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_instant_a_run_is_killed_at_no_tag_is_there_without_all_that_signs_it() {
    let seen = kill(Work { is_signed: true, kills: kills() / 2, requests: 460, manifests: 230 }).await;
    println!("{seen:?}");
}

async fn kill(work: Work) -> Seen {
    let lanes = (0..LANES).map(|lane| async move {
        let mut random = fastrand::Rng::with_seed(lane as u64);
        let (mut seen, mut left) = (Seen::default(), work.kills.div_ceil(LANES));
        while left > 0 {
            let mut era = Era::start(work).await;
            for _ in 0..left.min(ERA) {
                seen += era.kill_once(&mut random).await;
            }
            left -= left.min(ERA);
        }
        seen
    });
    let mut seen = Seen::default();
    futures::future::join_all(lanes).await.into_iter().for_each(|lane| seen += lane);
    // The instants are spread over the runs: tags were met that had not come, not moved, and moved.
    assert!(seen.absent > 0 && seen.old > 0 && seen.new > 0, "{seen:?}");
    assert!(seen.mounted > 0, "the base that repositories share is mounted: {seen:?}");
    seen
}

/// What was met after kills.
#[derive(Debug, Default)]
struct Seen {
    absent: usize,
    old: usize,
    new: usize,
    mounted: usize,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.absent += other.absent;
        self.old += other.old;
        self.new += other.new;
        self.mounted += other.mounted;
    }
}

/// Kills the run at one of the requests that come by.
#[derive(Default)]
struct Trap(Mutex<Option<Shot>>);

struct Shot {
    /// Requests that come before it.
    before: usize,
    verdict: Verdict,
    due: Arc<Notify>,
}

impl Trap {
    fn set(&self, shot: Option<Shot>) {
        *self.0.lock().unwrap() = shot;
    }

    fn rule(self: &Arc<Self>) -> impl Fn(&Parts) -> Verdict + Send + Sync + 'static {
        let trap = Arc::clone(self);
        move |_| {
            let mut trap = trap.0.lock().unwrap();
            match &mut *trap {
                None => Verdict::Pass,
                Some(shot) if shot.before > 0 => {
                    shot.before -= 1;
                    Verdict::Pass
                }
                Some(_) => {
                    let shot = trap.take().unwrap();
                    shot.due.notify_one();
                    shot.verdict
                }
            }
        }
    }
}

/// One sync over several generations of images.
struct Era {
    work: Work,
    source: Registry,
    targets: [Registry; 2],
    from: Proxy,
    to: [Proxy; 2],
    trap: Arc<Trap>,
    desk: Desk,
    /// What is at the source now, in the order of [`SOURCES`].
    images: Vec<Image>,
}

impl Era {
    async fn start(work: Work) -> Self {
        let target = || Registry::v3().sparse_indexes().start();
        let (source, a, b) = tokio::join!(Registry::v3().start(), target(), target());
        let trap = Arc::<Trap>::default();
        let from = Proxy::with(&source.host(), trap.rule()).await;
        let to = [Proxy::credulous(&a, trap.rule()).await, Proxy::credulous(&b, trap.rule()).await];
        let desk = Desk::new(&format!(
            "images:\n- {{name: app, source: '{0}/app', select: {{semver: '>=1'}}}}\n\
             - {{name: web, source: '{0}/web:latest'}}\n\
             targets:\n\
             - {{name: a, repository: '{1}/{{path}}', aliases: [{{tag: stable, of: Newest}}]}}\n\
             - {{name: b, repository: '{2}/{{path}}', aliases: [{{tag: stable, of: Newest}}]}}",
            from.host(),
            to[0].host(),
            to[1].host(),
        ));
        Self { work, source, targets: [a, b], from, to, trap, desk, images: Vec::new() }
    }

    /// Moves every tag at the source to a new image. All of them share their first layer.
    async fn next_generation(&mut self, random: &mut fastrand::Rng) {
        let platforms = ["linux/amd64", "linux/arm64"];
        let bases = platforms.map(|_| Layer::new(random.u64(..), 70_000));
        self.images.clear();
        for (repository, tag) in SOURCES {
            let children = platforms.iter().zip(&bases).map(|(platform, base)| {
                let own = Layer::new(random.u64(..), 2_000);
                Image::of(Format::Oci, platform, vec![base.clone(), own])
            });
            let image = Image::index(children.collect());
            self.source.push(repository, tag, &image).await;
            if self.work.is_signed {
                sign(&self.source, repository, &image, &format!("{tag}, {}", random.u64(..))).await;
            }
            self.images.push(image);
        }
    }

    /// Kills one run at any of its requests, before, amid or after it, and lets the next one finish.
    async fn kill_once(&mut self, random: &mut fastrand::Rng) -> Seen {
        let old: Vec<Digest> = self.images.iter().map(|image| image.digest().clone()).collect();
        self.next_generation(random).await;
        let due = Arc::new(Notify::new());
        let verdict = match random.u8(..3) {
            0 => Verdict::Pass,
            1 => Verdict::TearRequest(0),
            _ => Verdict::TearRequest(random.u64(1..70_000)),
        };
        self.trap.set(Some(Shot {
            before: if random.bool() {
                random.usize(..self.work.requests)
            } else {
                random.usize(self.work.manifests..self.work.requests)
            },
            verdict,
            due: Arc::clone(&due),
        }));
        let mut run = self.desk.start();
        tokio::select! {
            () = due.notified() => run.kill().await.unwrap(),
            status = run.wait() => assert!(status.unwrap().code().is_some(), "nobody else kills it"),
        }
        self.trap.set(None);
        let mut seen = self.check_after_kill(&old).await;
        seen.mounted += self.mounted();

        let there = self.blobs_there().await;
        self.to.iter().for_each(Proxy::reset);
        self.desk.synced().await;
        self.check_after_run().await;
        seen.mounted += self.mounted();
        self.check_nothing_sent_again(&there);
        [&self.from, &self.to[0], &self.to[1]].into_iter().for_each(Proxy::reset);
        seen
    }

    /// Every tag shows its old image or its new one, complete; and one that was written is known as written by us.
    async fn check_after_kill(&self, old: &[Digest]) -> Seen {
        let mut seen = Seen::default();
        let records = self.desk.references();
        for (target, wire) in self.targets.iter().zip(&self.to) {
            for (repository, tag, source) in NAMES {
                let there = target.digest(repository, tag).await;
                if there.as_ref() == Some(self.images[source].digest()) {
                    let record = records.get(&format!("{}/{repository}:{tag}", wire.host()));
                    let record = record.expect("what is published was recorded before");
                    assert_eq!(record.digest, self.images[source].digest().as_str());
                    assert!(["Intended", "Written"].contains(&record.origin.as_str()), "{}", record.origin);
                    seen.new += 1;
                } else {
                    assert_eq!(there.as_ref(), old.get(source), "{repository}:{tag} is neither old nor new");
                    *(if there.is_some() { &mut seen.old } else { &mut seen.absent }) += 1;
                }
                if let Some(root) = &there {
                    target.complete(repository, tag).await;
                    self.check_signed(target, repository, root).await;
                }
            }
        }
        seen
    }

    /// All that belongs to the image at the source belongs to it at the target.
    async fn check_signed(&self, target: &Registry, repository: &str, root: &Digest) {
        let there = target.belongings(repository, root).await.unwrap();
        let wanted = self.source.belongings(repository, root).await.unwrap();
        assert!(there.is_superset(&wanted), "{repository}@{root} lacks {:?}", wanted.difference(&there));
        assert_eq!(wanted.len(), if self.work.is_signed { SIGNED } else { 0 });
    }

    /// Every tag shows its new image, complete, and is recorded as written by us.
    async fn check_after_run(&self) {
        let mut wanted = BTreeMap::new();
        for (target, wire) in self.targets.iter().zip(&self.to) {
            for (repository, tag, source) in NAMES {
                let digest = self.images[source].digest();
                assert_eq!(target.digest(repository, tag).await.as_ref(), Some(digest));
                target.complete(repository, tag).await;
                self.check_signed(target, repository, digest).await;
                let record = Recorded {
                    previous_digest: None,
                    digest: digest.to_string(),
                    origin: "Written".to_owned(),
                    state: "InSync".to_owned(),
                };
                wanted.insert(format!("{}/{repository}:{tag}", wire.host()), record);
            }
        }
        assert_eq!(self.desk.references(), wanted);
    }

    /// Which blobs of the new images each repository has, tagged or not.
    async fn blobs_there(&self) -> BTreeSet<(usize, &'static str, Digest)> {
        let mut there = BTreeSet::new();
        for (number, target) in self.targets.iter().enumerate() {
            for ((repository, _), image) in SOURCES.iter().zip(&self.images) {
                for blob in image.all_blobs() {
                    let at = format!("blobs/{}", blob.digest);
                    let head = target.request(Method::HEAD, repository, &at).send().await.unwrap();
                    if head.status().is_success() {
                        there.insert((number, *repository, blob.digest.clone()));
                    }
                }
            }
        }
        there
    }

    fn check_nothing_sent_again(&self, there: &BTreeSet<(usize, &'static str, Digest)>) {
        for (number, repository, digest) in there {
            let again = self.to[*number].requests().into_iter().find(|seen| {
                seen.method == Method::PUT
                    && seen.path.starts_with(&format!("/v2/{repository}/blobs/uploads/"))
                    && seen.path.ends_with(digest.hex())
            });
            assert!(again.is_none(), "{digest} was in {repository}, and was sent again");
        }
    }

    /// How many blobs came from another repository of the target.
    fn mounted(&self) -> usize {
        let requests = self.to.iter().flat_map(Proxy::requests);
        let mounts = requests.filter(|seen| {
            seen.status() == 201
                && (seen.path.starts_with("/v2/app/") && seen.path.ends_with("from=web")
                    || seen.path.starts_with("/v2/web/") && seen.path.ends_with("from=app"))
        });
        mounts.count()
    }
}
