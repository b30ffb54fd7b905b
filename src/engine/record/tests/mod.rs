//! What is remembered through failures, crashes and other people's pushes.

mod platforms;
mod stale;
mod writes;

use std::collections::BTreeSet;

use super::*;
use crate::{
    api::ImageSync,
    plan::{Listings, Observed, Ownership, Questions, Referring, Seen, Walked, Wanted, decide, select},
    records,
    reference::Reference,
    registry::{Answer, Cause, Manifest},
};

const NAME: &str = "r.example/a:3";

fn wanted(target: &str) -> Wanted {
    let yaml = format!(
        "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: a}}\nspec:\n  \
         images: [{{name: a, source: 'alpine:3'}}]\n  targets: [{{name: t, repository: r.example/a{target}}}]"
    );
    Wanted::from_object(&serde_saphyr::from_str::<ImageSync>(&yaml).unwrap()).unwrap()
}

/// The same, of which one platform is wanted.
fn wanted_in_part() -> Wanted {
    let yaml = "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {name: a}\nspec:\n  \
                images: [{name: a, source: 'alpine:3', platforms: [linux/amd64]}]\n  \
                targets: [{name: t, repository: r.example/a}]";
    Wanted::from_object(&serde_saphyr::from_str::<ImageSync>(yaml).unwrap()).unwrap()
}

/// A manifest of this digest; what is in it does not matter here.
fn manifest(digest: &Digest) -> Manifest {
    Manifest::parse(br#"{"layers": []}"#.as_slice().into(), None, digest.clone()).unwrap()
}

/// What an action makes its tag show.
fn as_it_is<'a>(action: &'a Action, manifest: &'a Manifest) -> Shown<'a> {
    Shown { manifest, is_rewritten: false, source: action.digest.as_ref().unwrap(), platforms: None }
}

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn refused() -> Error {
    let answer = Answer::bare(http::StatusCode::FORBIDDEN);
    let cause = Cause::Forbidden { registry: "r".into(), who: "nobody".into(), answer };
    Error::target(crate::registry::Error::new("write the manifest", cause).into())
}

fn lost() -> Error {
    let cause = Cause::Torn { host: "r".into(), reason: "reset".into() };
    Error::target(crate::registry::Error::new("write the manifest", cause).into())
}

fn not_recorded() -> Error {
    Error::records(records::Error::Gone("state".into()))
}

/// How a write goes, if there is one.
#[derive(Clone, Copy, Debug)]
enum Write {
    Done,
    Refused,
    NotRecorded,
    /// The answer did not come; it was done, or not.
    Lost(bool),
    /// The process was killed after the intent was on disk; the write was done, or not.
    Killed(bool),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The source moves from 1 to 2, or back.
    Source,
    /// Somebody else puts this on the target, or deletes what is there.
    Other(Option<&'static str>),
    Run(Write),
}

const STEPS: [Step; 11] = [
    Step::Source,
    Step::Other(Some("1")),
    Step::Other(Some("2")),
    Step::Other(None),
    Step::Run(Write::Done),
    Step::Run(Write::Refused),
    Step::Run(Write::NotRecorded),
    Step::Run(Write::Lost(false)),
    Step::Run(Write::Lost(true)),
    Step::Run(Write::Killed(false)),
    Step::Run(Write::Killed(true)),
];

#[derive(Clone)]
struct World {
    source: Digest,
    target: Option<Digest>,
    /// What is on the target was put there by us, and nobody was there since.
    ours: bool,
    /// The target takes no index of some platforms: it is rewritten.
    rewrites: bool,
    /// What we wrote or may have written.
    tried: BTreeSet<String>,
    records: Records,
}

impl World {
    fn new() -> Self {
        let (source, records) = (digest("1"), Records::default());
        Self { source, target: None, ours: false, rewrites: false, tried: BTreeSet::new(), records }
    }

    /// What is written for what the source shows.
    fn written(&self) -> Digest {
        if self.rewrites { digest(&format!("{} in part", self.source)) } else { self.source.clone() }
    }

    fn see(&self, at: &Reference) -> Seen {
        let shown = if at.to_string() == NAME { self.target.as_ref() } else { Some(&self.source) };
        shown.map_or(Seen::Absent, |digest| Seen::Digest(digest.clone()))
    }

    fn plan(&self, wanted: &Wanted) -> Plan {
        let selection = select(wanted, &Listings::new(), &self.records, now());
        let mut observed = Observed::default();
        loop {
            let questions = selection.questions(&self.records, &observed);
            if questions.is_empty() {
                return decide(wanted, &selection, &self.records, &observed, &Ownership::default(), now());
            }
            let Questions { sources, targets, referrers, walks } = questions;
            observed.extend(Observed {
                referrers: referrers
                    .into_iter()
                    .map(|look| (look.subject, Referring::found([], 0)))
                    .collect(),
                walks: walks.into_iter().map(|walk| (walk, Walked::Whole)).collect(),
                sources: sources.into_iter().map(|at| (at.clone(), self.see(&at))).collect(),
                targets: targets.into_iter().map(|(t, at)| ((t, at.clone()), self.see(&at))).collect(),
                ..Observed::default()
            });
        }
    }

    /// What the engine does with the records in a run.
    fn run(&mut self, wanted: &Wanted, write: Write) {
        let plan = self.plan(wanted);
        planned(&mut self.records, &plan, now());
        let [action] = plan.actions.as_slice() else { panic!("{plan:#?}") };
        if !matches!(action.kind, Kind::Copy { .. }) {
            return;
        }
        let (written, platforms) = (manifest(&self.written()), action.content.platforms.as_ref());
        let shown = Shown { is_rewritten: self.rewrites, platforms, ..as_it_is(action, &written) };
        let before = intended(&mut self.records, action, &shown, now());
        if matches!(write, Write::Done | Write::Lost(_) | Write::Killed(_)) {
            self.tried.insert(written.digest.to_string());
        }
        if matches!(write, Write::Done | Write::Lost(true) | Write::Killed(true)) {
            (self.target, self.ours) = (Some(written.digest.clone()), true);
        }
        let result = match write {
            Write::Killed(_) => return,
            Write::Done => Ok(()),
            Write::Refused => Err(refused()),
            Write::NotRecorded => Err(not_recorded()),
            Write::Lost(_) => Err(lost()),
        };
        sent(&mut self.records, action, before, &result, now());
        match result {
            Ok(()) => complete(&mut self.records, action, &shown, now()),
            Err(error) => failed(&mut self.records, action, &error, now()),
        }
    }

    fn step(&mut self, wanted: &Wanted, step: Step) {
        match step {
            Step::Source => self.source = digest(if self.source == digest("1") { "2" } else { "1" }),
            Step::Other(name) => (self.target, self.ours) = (name.map(digest), false),
            Step::Run(write) => self.run(wanted, write),
        }
    }

    fn entry(&self) -> Option<&TargetRecord> {
        self.records.get("a", Some("3"))?.targets.first()
    }
}

/// Goes through every sequence of so many steps.
fn explore(world: &World, wanted: &Wanted, path: &mut Vec<Step>, depth: usize) {
    let plan = world.plan(wanted);
    if let Kind::InSync { origin } = &plan.actions[0].kind {
        let shown = world.target.as_ref().unwrap();
        if world.ours {
            assert_eq!(*origin, Origin::Written, "what we wrote is taken for found: {path:?}");
        }
        if !world.tried.contains(shown.as_str()) {
            assert_eq!(*origin, Origin::Found, "what we never wrote is taken for ours: {path:?}");
        }
    }
    if depth == 0 {
        return;
    }
    for step in STEPS {
        let mut next = world.clone();
        next.step(wanted, step);
        path.push(step);
        explore(&next, wanted, path, depth - 1);
        path.pop();
    }
}

#[test]
fn what_is_ours_stays_ours_and_what_is_not_never_becomes_so() {
    explore_all(&World::new(), &wanted(""));
}

#[test]
fn an_index_that_we_rewrote_stays_ours_as_well() {
    explore_all(&World { rewrites: true, ..World::new() }, &wanted_in_part());
}

#[test]
fn an_index_that_was_rewritten_is_in_sync_as_long_as_the_source_stays() {
    let wanted = wanted_in_part();
    let mut world = World { rewrites: true, ..World::new() };
    world.run(&wanted, Write::Done);
    let entry = world.entry().unwrap().clone();
    assert_eq!((&entry.digest, entry.stands_for()), (&world.written(), &digest("1")));
    assert_eq!(entry.platforms, Some(vec!["linux/amd64".to_owned()]));
    let plan = world.plan(&wanted);
    assert_eq!(plan.actions[0].kind, Kind::InSync { origin: Origin::Written });
    planned(&mut world.records, &plan, now());
    assert_eq!(world.entry(), Some(&entry), "nothing is changed in the record of what is in sync");
    world.step(&wanted, Step::Source);
    assert!(matches!(world.plan(&wanted).actions[0].kind, Kind::Copy { replaces: Some(_) }));
}

fn explore_all(world: &World, wanted: &Wanted) {
    let mut world = world.clone();
    let mut path = Vec::new();
    for step in [Step::Run(Write::Done), Step::Source] {
        explore(&world, wanted, &mut path, 3);
        world.step(wanted, step);
        path.push(step);
    }
    explore(&world, wanted, &mut path, 3);
}
