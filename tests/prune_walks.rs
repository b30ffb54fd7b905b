//! Random walks on a real registry: sources that lie, other people, two ImageSyncs, clocks that jump; the engine itself plans,
//! copies, records and deletes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use imagesync::{
    api::ImageSync,
    digest::Digest,
    engine::{Access, Engine, Progress},
    plan::{Observed, Ownership, Surroundings, Wanted, Wants, decide, select},
    records::{Journal, Store},
    registry::{Registries, Settings},
    store::Stores,
};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::testbed::{
    images::{Image, Manifest},
    proxy::{Proxy, Verdict},
    registry::Registry,
};

/// Walks; `make soak` may ask for more.
fn walks() -> usize {
    std::env::var("IMAGESYNC_PRUNE_WALKS").ok().map_or(200, |walks| walks.parse().expect("a number"))
}

const LANES: usize = 4;
const STEPS: usize = 12;
const TAGS: [&str; 4] = ["1", "2", "3", "4"];
/// Selections, and the tags that they want of those at the source.
const SPECS: [(&str, usize); 4] =
    [("{newest: 3}", 3), ("{newest: 2}", 2), ("{newest: 1}", 1), ("{names: ['1', '2']}", 0)];

fn wants(spec: usize, source: &BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    match SPECS[spec].1 {
        0 => BTreeSet::from(["1", "2"]),
        newest => source.iter().copied().rev().take(newest).collect(),
    }
}

/// What the source answers to a listing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    Whole,
    Empty,
    Partial,
    Refused(u16),
}

struct Walk<'a> {
    registry: &'a Registry,
    proxy: &'a Proxy,
    listing: &'a Mutex<(Listing, Vec<&'static str>)>,
    images: &'a [Image],
    from: String,
    to: String,
    source: BTreeSet<&'static str>,
    specs: [usize; 2],
    suspended: [bool; 2],
    journals: [Journal; 2],
    tried: [BTreeSet<(String, Digest)>; 2],
    /// How many runs found a name unwanted, since it was last wanted.
    unwanted: [BTreeMap<&'static str, usize>; 2],
    engine: Engine,
    _state: TempDir,
}

impl<'a> Walk<'a> {
    async fn start(
        number: usize,
        registry: &'a Registry,
        proxy: &'a Proxy,
        listing: &'a Mutex<(Listing, Vec<&'static str>)>,
        images: &'a [Image],
        random: &mut fastrand::Rng,
    ) -> Self {
        let (from, to) = (format!("source{number}"), format!("target{number}"));
        for image in images {
            registry.push_parts(&from, image).await;
            registry.push_parts(&to, image).await;
        }
        let state = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(state.path()).unwrap());
        let journal = |name| Journal::open(Arc::clone(&store), "team", name).unwrap();
        let journals = [journal("a"), journal("b")];
        let stores = Stores::new(Registries::new(Settings::default()).unwrap());
        let mut walk = Self {
            registry,
            proxy,
            listing,
            images,
            from,
            to,
            source: BTreeSet::new(),
            specs: [random.usize(..SPECS.len()), random.usize(..SPECS.len())],
            suspended: [false; 2],
            journals,
            tried: Default::default(),
            unwanted: Default::default(),
            engine: Engine::new(stores, Progress::silent()),
            _state: state,
        };
        for tag in TAGS {
            walk.push_source(tag, random.usize(..images.len())).await;
        }
        walk
    }

    async fn push_source(&mut self, tag: &'static str, image: usize) {
        self.put(&self.from, tag, &self.images[image].root).await;
        self.source.insert(tag);
    }

    async fn put(&self, name: &str, tag: &str, manifest: &Manifest) {
        self.registry.put_manifest(name, tag, manifest).await;
    }

    async fn shown(&self) -> BTreeMap<String, Digest> {
        let mut shown = BTreeMap::new();
        for tag in self.registry.tags(&self.to).await {
            shown.extend(self.registry.digest(&self.to, &tag).await.map(|digest| (tag, digest)));
        }
        shown
    }

    async fn step(&mut self, random: &mut fastrand::Rng) -> usize {
        let (who, tag, image) =
            (random.usize(..2), TAGS[random.usize(..4)], random.usize(..self.images.len()));
        match random.u8(..20) {
            0..=1 => self.push_source(tag, image).await,
            2..=3 if self.source.remove(tag) => self.registry.delete(&self.from, tag).await,
            4 => self.put(&self.to, tag, &self.images[image].root).await,
            5 if self.registry.digest(&self.to, tag).await.is_some() => {
                self.registry.delete(&self.to, tag).await;
            }
            6..=7 => self.specs[who] = random.usize(..SPECS.len()),
            8 => self.suspended[who] ^= true,
            _ => return self.run(who, random).await,
        }
        0
    }

    fn wanted(&self, who: usize) -> Wanted {
        let (name, select) = (["a", "b"][who], SPECS[self.specs[who]].0);
        let yaml = format!(
            "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  \
             images: [{{name: app, source: '{}/{}', select: {select}, referrers: Exclude}}]\n  targets: [{{name: t, repository: '{}/{}', \
             prune: {{mode: Enforce, grace: 1h, keepLast: 0, limit: 100%}}}}]",
            self.proxy.host(),
            self.from,
            self.registry.host(),
            self.to,
        );
        let object: ImageSync = serde_saphyr::from_str(&yaml).unwrap();
        Wanted::from_object(&object).unwrap()
    }

    /// One run of one ImageSync; how many tags it deleted.
    async fn run(&mut self, who: usize, random: &mut fastrand::Rng) -> usize {
        if self.suspended[who] {
            return 0;
        }
        let listing = match random.u8(..8) {
            0 => Listing::Empty,
            1 => Listing::Partial,
            2 => Listing::Refused([401, 403, 404][random.usize(..3)]),
            _ => Listing::Whole,
        };
        let seen: Vec<&'static str> = match listing {
            Listing::Empty => Vec::new(),
            Listing::Partial => self.source.iter().copied().skip(1).collect(),
            _ => self.source.iter().copied().collect(),
        };
        *self.listing.lock().unwrap() = (listing, seen.clone());
        // The clock is right, late or early.
        let offset = SignedDuration::from_hours([0, 2, 2, 2, -2][random.usize(..5)]);
        let now = Timestamp::now().checked_add(offset).unwrap();

        let wanted = [self.wanted(0), self.wanted(1)];
        let records = [self.journals[0].records(), self.journals[1].records()];
        let access = Access::default();
        let list = async |one: usize| {
            select(&wanted[one], &self.engine.list(&wanted[one], &access).await, &records[one], now)
        };
        let selection = list(who).await;
        // The other one may take part, and then it is known what it selects.
        let other = if random.bool() && !self.suspended[1 - who] { Some(list(1 - who).await) } else { None };
        *self.listing.lock().unwrap() = (Listing::Whole, self.source.iter().copied().collect());
        let (mut wants, mut ownership) = (Wants::default(), Ownership::default());
        for one in 0..2 {
            let selected = if one == who { Some(&selection) } else { other.as_ref() };
            wants.add(&wanted[one], &records[one], selected);
            match selected {
                Some(selection) => ownership.claim_selected(&wanted[one], selection, &records[one]),
                None => ownership.claim_recorded(&wanted[one], &records[one]),
            }
        }
        let mut observed = Observed::at(Timestamp::now());
        loop {
            let questions = selection.questions(&records[who], &observed);
            if questions.is_empty() {
                break;
            }
            observed.extend(self.engine.look(questions, &access).await);
        }
        let mut plan = decide(&wanted[who], &selection, &records[who], &observed, &ownership, now);
        let around = Surroundings {
            wanted: &wanted[who],
            selection: Some(&selection),
            records: &records[who],
            wants: &wants,
            in_use: None,
            approved: None,
            now,
        };
        loop {
            let questions = plan.prune_questions(&around, &observed);
            if questions.is_empty() {
                break;
            }
            observed.extend(self.engine.look(questions, &access).await);
        }
        plan.prune(&around, &observed);

        // Somebody may come between the plan and what it does.
        if random.u8(..4) == 0 {
            let (tag, image) = (TAGS[random.usize(..4)], random.usize(..self.images.len()));
            self.put(&self.to, tag, &self.images[image].root).await;
        }
        self.remember(who, listing, &seen);
        let before = self.shown().await;
        for action in plan.actions.iter().filter(|action| action.kind.is_change()) {
            let tag = action.destination.tag.as_ref().unwrap().to_string();
            self.tried[who].insert((tag, action.digest.clone().unwrap()));
        }
        self.engine.apply(plan, &access, &self.journals[who], &CancellationToken::new()).await;
        self.journals[who].flush().await.unwrap();
        let after = self.shown().await;
        let gone: Vec<_> = before.iter().filter(|(tag, _)| !after.contains_key(*tag)).collect();
        for (tag, digest) in &gone {
            self.check(who, tag, digest);
        }
        gone.len()
    }

    /// Which names the run finds unwanted, told from the spec alone.
    fn remember(&mut self, who: usize, listing: Listing, seen: &[&'static str]) {
        let is_listed = SPECS[self.specs[who]].1 > 0;
        if is_listed && matches!(listing, Listing::Refused(_)) {
            return;
        }
        let wants = wants(self.specs[who], &seen.iter().copied().collect());
        for tag in TAGS {
            if wants.contains(tag) {
                self.unwanted[who].remove(tag);
            } else {
                *self.unwanted[who].entry(tag).or_default() += 1;
            }
        }
    }

    #[track_caller]
    fn check(&self, who: usize, tag: &str, digest: &Digest) {
        assert!(
            self.tried[who].contains(&(tag.to_owned(), digest.clone())),
            "{}:{tag} showed what this ImageSync never wrote there",
            self.to
        );
        for one in 0..2 {
            assert!(
                !wants(self.specs[one], &self.source).contains(tag),
                "{}:{tag} is wanted by {one}",
                self.to
            );
        }
        let runs = self.unwanted[who].get(tag).copied().unwrap_or_default();
        assert!(runs > 1, "{}:{tag} was found unwanted in {runs} run", self.to);
    }
}

/// Answers the listing of a source as the walk that is on wants it.
fn rule(
    listing: Arc<Mutex<(Listing, Vec<&'static str>)>>,
) -> impl Fn(&Parts) -> Verdict + Send + Sync + 'static {
    move |request| {
        if request.method != Method::GET || !request.uri.path().ends_with("/tags/list") {
            return Verdict::Pass;
        }
        let listing = listing.lock().unwrap();
        let json = vec![("content-type", "application/json".to_owned())];
        match &*listing {
            (Listing::Whole, _) => Verdict::Pass,
            (Listing::Refused(status), _) => {
                let body = r#"{"errors": [{"code": "UNKNOWN", "message": "no"}]}"#;
                Verdict::Answer(StatusCode::from_u16(*status).unwrap(), json, Bytes::from(body))
            }
            (_, tags) => {
                let body = serde_json::json!({"name": "x", "tags": tags}).to_string();
                Verdict::Answer(StatusCode::OK, json, Bytes::from(body))
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_walk_on_a_real_registry_deletes_what_somebody_needs() {
    let registry = &Registry::v3().start().await;
    // Three images, so that tags share digests.
    let images: &Vec<Image> = &(0..3).map(|seed| Image::single(seed, &[100])).collect();
    let lanes = (0..LANES).map(|lane| async move {
        let listing = Arc::new(Mutex::new((Listing::Whole, Vec::new())));
        let proxy = Proxy::with(&registry.host(), rule(Arc::clone(&listing))).await;
        let mut deleted = 0;
        for number in (0..walks()).filter(|number| number % LANES == lane) {
            let mut random = fastrand::Rng::with_seed(number as u64);
            let mut walk = Walk::start(number, registry, &proxy, &listing, images, &mut random).await;
            for who in 0..2 {
                walk.run(who, &mut random).await;
            }
            for _ in 0..STEPS {
                deleted += walk.step(&mut random).await;
            }
        }
        deleted
    });
    let deleted: usize = futures::future::join_all(lanes).await.into_iter().sum();
    println!("{deleted} tags were deleted in {} walks", walks());
    assert!(deleted > walks() / 20, "only {deleted} tags were deleted in {} walks", walks());
}
