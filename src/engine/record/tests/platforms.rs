//! What is remembered of some platforms, while the list of them, the source and the target change.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::platform::{Platforms, list};

/// What is wanted: one platform, two of them, all.
const LISTS: [&str; 3] = ["", ", platforms: [linux/amd64]", ", platforms: [linux/amd64, linux/arm64]"];

#[derive(Clone, Copy, Debug)]
enum Change {
    Want(usize),
    Step(Step),
}

#[derive(Clone)]
struct Mirror {
    world: World,
    list: usize,
    /// What the target really has of what a tag may show: of which image of the source, which platforms.
    brought: BTreeMap<Digest, (Digest, BTreeSet<String>)>,
}

fn lists() -> Vec<Wanted> {
    let wanted = |platforms: &&str| {
        let yaml = format!(
            "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: a}}\nspec:\n  \
             images: [{{name: a, source: 'alpine:3'{platforms}}}]\n  targets: [{{name: t, repository: r.example/a}}]"
        );
        Wanted::from_object(&serde_saphyr::from_str::<ImageSync>(&yaml).unwrap()).unwrap()
    };
    LISTS.iter().map(wanted).collect()
}

/// What a source that has these two platforms brings for what is wanted.
fn parts(wanted: Option<&Platforms>) -> BTreeSet<String> {
    let all = ["linux/amd64", "linux/arm64"];
    let is_wanted = |part: &&&str| wanted.is_none_or(|wanted| wanted.matches(&part.parse().unwrap()));
    all.iter().filter(is_wanted).map(|part| (*part).to_owned()).collect()
}

impl Mirror {
    fn new(rewrites: bool) -> Self {
        Self { world: World { rewrites, ..World::new() }, list: 1, brought: BTreeMap::new() }
    }

    /// What is written for what the source shows: the same for each list, however often it comes.
    fn written(&self, platforms: Option<&Platforms>) -> Digest {
        let source = &self.world.source;
        match platforms.filter(|wanted| self.world.rewrites && parts(Some(wanted)).len() < 2) {
            Some(wanted) => digest(&format!("{source} for {}", list(wanted.iter()))),
            None => source.clone(),
        }
    }

    fn bring(&mut self, shown: &Digest, platforms: Option<&Platforms>) {
        let source = self.world.source.clone();
        self.brought.entry(shown.clone()).or_insert((source, BTreeSet::new())).1.extend(parts(platforms));
    }

    fn run(&mut self, wanted: &Wanted, write: Write) {
        let plan = self.world.plan(wanted);
        planned(&mut self.world.records, &plan, now());
        let action = &plan.actions[0];
        let platforms = action.content.platforms.as_ref();
        let written = manifest(&self.written(platforms));
        let cut = platforms.filter(|wanted| parts(Some(wanted)).len() < 2);
        let is_rewritten = Some(&written.digest) != action.digest.as_ref();
        let shown = Shown { is_rewritten, platforms: cut, ..as_it_is(action, &written) };
        let result = match write {
            Write::Done | Write::Killed(_) => Ok(()),
            Write::Refused => Err(refused()),
            Write::NotRecorded => Err(not_recorded()),
            Write::Lost(_) => Err(lost()),
        };
        match action.kind {
            Kind::Copy { .. } => {
                let before = intended(&mut self.world.records, action, &shown, now());
                if matches!(write, Write::Done | Write::Lost(true) | Write::Killed(true)) {
                    (self.world.target, self.world.ours) = (Some(written.digest.clone()), true);
                    self.bring(&written.digest, platforms);
                }
                if matches!(write, Write::Killed(_)) {
                    return;
                }
                sent(&mut self.world.records, action, before, &result, now());
            }
            Kind::Amend { .. } if matches!(write, Write::Done) => {
                self.bring(&written.digest, platforms);
            }
            Kind::Amend { .. } if matches!(write, Write::Killed(_)) => return,
            Kind::Amend { .. } => {}
            _ => return,
        }
        match result {
            Ok(()) => complete(&mut self.world.records, action, &shown, now()),
            Err(error) => failed(&mut self.world.records, action, &error, now()),
        }
    }

    /// What the plan says is in sync, and was put there by us, is the source's image for all platforms that are wanted.
    fn check(&self, wanted: &Wanted, path: &[Change]) {
        let plan = self.world.plan(wanted);
        let action = &plan.actions[0];
        if let (Kind::InSync { .. }, true, Some(target)) = (&action.kind, self.world.ours, &self.world.target)
        {
            let (source, there) = &self.brought[target];
            assert_eq!(*source, self.world.source, "{path:?}");
            let wanted = parts(action.content.platforms.as_ref());
            assert!(there.is_superset(&wanted), "{wanted:?} of {there:?}: {path:?}");
        }
    }

    fn explore(&self, lists: &[Wanted], path: &mut Vec<Change>, depth: usize) {
        self.check(&lists[self.list], path);
        if depth == 0 {
            return;
        }
        let wants = (0..lists.len()).filter(|list| *list != self.list).map(Change::Want);
        for change in wants.chain(STEPS.map(Change::Step)) {
            let mut next = self.clone();
            path.push(change);
            match change {
                Change::Want(list) => next.list = list,
                Change::Step(Step::Run(write)) => next.run(&lists[next.list], write),
                Change::Step(step) => next.world.step(&lists[next.list], step),
            }
            if matches!(change, Change::Step(Step::Run(Write::Done))) {
                let plan = next.world.plan(&lists[next.list]);
                let is_done = matches!(plan.actions[0].kind, Kind::InSync { .. });
                assert!(is_done, "a run leaves work: {}: {path:?}", plan.render());
                let mut again = next.clone();
                again.run(&lists[next.list], Write::Done);
                assert_eq!(again.world.entry(), next.world.entry(), "a second run changes records: {path:?}");
            }
            next.explore(lists, path, depth - 1);
            path.pop();
        }
    }
}

#[test]
fn what_is_in_sync_is_there_for_all_platforms_that_are_wanted_and_a_run_leaves_no_work() {
    let lists = lists();
    for rewrites in [false, true] {
        for first in [1, 2] {
            let mut mirror = Mirror { list: first, ..Mirror::new(rewrites) };
            mirror.explore(&lists, &mut Vec::new(), 2);
            mirror.run(&lists[first], Write::Done);
            mirror.explore(&lists, &mut vec![Change::Step(Step::Run(Write::Done))], 3);
        }
    }
}
