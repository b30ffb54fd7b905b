//! A world that is only a table: sources, a target, two ImageSyncs with their records, other people and a clock. What plans and
//! records is the real code; what sends is replaced, step for step, and can end at each of its steps.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    super::is_as_planned,
    oracle::{SPECS, Spec},
};
use crate::{
    api::ImageSync,
    class::Class,
    digest::Digest,
    engine::{record, sparse::Shown},
    plan::{
        Judged, Kind, Listed, Listings, Observed, Ownership, Plan, Questions, Seen, Surroundings, Verdict,
        Walked, Wanted, Wants, decide, select,
    },
    records::Records,
    reference::Reference,
    registry::{Manifest, OCI_MANIFEST},
};

/// Each spec, as each of the two ImageSyncs has it.
static WANTED: LazyLock<Vec<[Wanted; 2]>> = LazyLock::new(|| {
    let read = |spec: &Spec, name: &str| {
        let yaml = format!(
            "apiVersion: imagesync.dev/v1alpha1\nkind: ImageSync\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  \
             defaults: {{referrers: Exclude}}\n  images: [{}]\n  targets: [{{name: t, repository: '{}', prune: {{{}}}}}]",
            spec.images, spec.target, spec.prune
        );
        let object: ImageSync =
            serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        Wanted::from_object(&object).unwrap_or_else(|invalid| panic!("{invalid:#?}\n{yaml}"))
    };
    SPECS.iter().map(|spec| [read(spec, "a"), read(spec, "b")]).collect()
});

pub(super) const GRACE: SignedDuration = SignedDuration::from_hours(10);

/// How a listing or a look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goes {
    Well,
    /// The listing is empty, and says that it is whole.
    Empty,
    /// The listing lacks its first tag, and says that it is whole.
    Partial,
    Fails(Class),
}

/// How the target deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletes {
    Tags,
    Digests,
    /// The dummy is taken, and then not deleted.
    DummyStays,
    Nothing,
}

/// What happens in a run besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The process ends after so many steps.
    Crash(usize),
    /// Somebody pushes, or deletes, between the plan and its deletions.
    Race(&'static str, Option<u8>),
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    SourceTag(&'static str, Option<u8>),
    Listing(Goes),
    SourceLooks(Goes),
    TargetLooks(Goes),
    Other(&'static str, Option<u8>),
    Spec(usize, usize),
    Suspend(usize),
    LoseRecords(usize),
    Clock(i64),
    Deletes(Deletes),
    Run(usize, Fault),
    RunBoth(Fault),
}

/// The process ended.
struct Ended;

#[derive(Clone)]
struct Sync {
    spec: usize,
    suspended: bool,
    /// In memory, and as they are on disk.
    records: Records,
    disk: Records,
    /// What it tried to write: name and digest.
    tried: BTreeSet<(String, String)>,
    /// When its runs found a name unwanted, since it was last wanted.
    unwanted: BTreeMap<String, Vec<Timestamp>>,
}

#[derive(Clone)]
pub(super) struct World {
    source: BTreeMap<&'static str, u8>,
    target: BTreeMap<String, Digest>,
    syncs: [Sync; 2],
    listing: Goes,
    source_looks: Goes,
    target_looks: Goes,
    deletes: Deletes,
    now: Timestamp,
    dummies: u64,
    fuse: Option<usize>,
    is_raced: bool,
    /// Records were lost, and with them who is held at a dummy.
    is_forgetful: bool,
    pub(super) met: Met,
}

/// What was met.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Met {
    pub(super) interleavings: usize,
    pub(super) deleted: usize,
    pub(super) restored: usize,
    pub(super) held: usize,
}

impl World {
    pub(super) fn new(specs: [usize; 2]) -> Self {
        let sync = |spec| Sync {
            spec,
            suspended: false,
            records: Records::default(),
            disk: Records::default(),
            tried: BTreeSet::new(),
            unwanted: BTreeMap::new(),
        };
        Self {
            source: BTreeMap::from([("1", 1), ("2", 2), ("3", 2), ("4", 3)]),
            target: BTreeMap::new(),
            syncs: specs.map(sync),
            listing: Goes::Well,
            source_looks: Goes::Well,
            target_looks: Goes::Well,
            deletes: Deletes::Tags,
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
            dummies: 0,
            fuse: None,
            is_raced: false,
            is_forgetful: false,
            met: Met::default(),
        }
    }

    pub(super) fn step(&mut self, op: &Op) {
        match op {
            Op::SourceTag(tag, Some(digest)) => drop(self.source.insert(tag, *digest)),
            Op::SourceTag(tag, None) => drop(self.source.remove(tag)),
            Op::Listing(goes) => self.listing = *goes,
            Op::SourceLooks(goes) => self.source_looks = *goes,
            Op::TargetLooks(goes) => self.target_looks = *goes,
            Op::Other(tag, digest) => self.other(tag, *digest),
            Op::Spec(who, spec) => self.syncs[*who].spec = *spec,
            Op::Suspend(who) => self.syncs[*who].suspended ^= true,
            Op::LoseRecords(who) => {
                let sync = &mut self.syncs[*who];
                (sync.records, sync.disk) = (Records::default(), Records::default());
                self.is_forgetful = true;
            }
            Op::Clock(hours) => self.now = self.now.checked_add(SignedDuration::from_hours(*hours)).unwrap(),
            Op::Deletes(deletes) => self.deletes = *deletes,
            Op::Run(who, fault) => self.run(&[*who], fault),
            Op::RunBoth(fault) => self.run(&[0, 1], fault),
        }
    }

    fn other(&mut self, tag: &str, number: Option<u8>) {
        match number {
            Some(number) => drop(self.target.insert(tag.to_owned(), digest(number))),
            None => drop(self.target.remove(tag)),
        }
    }

    fn spec(&self, who: usize) -> &'static Spec {
        &SPECS[self.syncs[who].spec]
    }

    fn run(&mut self, who: &[usize], fault: &Fault) {
        let active: Vec<usize> = who.iter().copied().filter(|&who| !self.syncs[who].suspended).collect();
        self.fuse = if let Fault::Crash(steps) = fault { Some(*steps) } else { None };
        self.is_raced = false;
        let plans = self.plan(&active);
        for &who in &active {
            self.remember_unwanted(who);
        }
        for (who, plan) in active.iter().copied().zip(plans) {
            if self.apply(who, &plan, fault).is_err() {
                // What was not on disk is lost.
                for sync in &mut self.syncs {
                    sync.records = sync.disk.clone();
                }
                return;
            }
            self.syncs[who].disk = self.syncs[who].records.clone();
            self.remember_wanted(who);
            self.check_ended(who);
        }
    }

    /// A run that nothing disturbs leaves no tag at a dummy.
    fn check_ended(&self, who: usize) {
        if self.is_raced || [self.listing, self.source_looks, self.target_looks] != [Goes::Well; 3] {
            return;
        }
        let mut entries = self.syncs[who].disk.iter().flat_map(|record| &record.targets);
        let held = entries.find(|entry| {
            let at: Reference = entry.reference.parse().unwrap();
            self.shown(&at).is_some_and(|shown| entry.dummy() == Some(&shown))
        });
        assert_eq!(held, None, "it is held at a dummy");
    }

    /// What this run sees of the source, if it sees it.
    fn seen(&self) -> Option<BTreeSet<&'static str>> {
        let all = || self.source.keys().copied();
        match self.listing {
            Goes::Well => Some(all().collect()),
            Goes::Empty => Some(BTreeSet::new()),
            Goes::Partial => Some(all().skip(1).collect()),
            Goes::Fails(_) => None,
        }
    }

    /// What a spec wants as this run sees the source; `None` where it does not see it.
    fn wants(&self, who: usize) -> Option<BTreeSet<String>> {
        let spec = self.spec(who);
        Some(spec.wants(&self.seen().or_else(|| (!spec.lists()).then(BTreeSet::new))?))
    }

    /// Which names the run finds unwanted, told from the spec alone.
    fn remember_unwanted(&mut self, who: usize) {
        let (spec, wants, now) = (self.spec(who), self.wants(who), self.now);
        let is_unwanted = |tag: &String| match &wants {
            Some(wants) => !wants.contains(tag),
            None => !spec.could_want(tag),
        };
        let tags: Vec<String> = self.target.keys().filter(|tag| is_unwanted(tag)).cloned().collect();
        for tag in tags {
            self.syncs[who].unwanted.entry(tag).or_default().push(now);
        }
    }

    /// A run that came to its end, and in which somebody wanted a name: what earlier runs found counts no more.
    fn remember_wanted(&mut self, who: usize) {
        let source: BTreeSet<&str> = self.source.keys().copied().collect();
        let mine = self.wants(who).unwrap_or_default();
        let others = self.spec(1 - who).wants(&source);
        self.syncs[who].unwanted.retain(|tag, _| !mine.contains(tag) && !others.contains(tag));
    }

    fn plan(&self, who: &[usize]) -> Vec<Plan> {
        let listed = if let Some(seen) = self.seen() {
            Listed::Tags(seen.iter().map(|tag| tag.parse().unwrap()).collect())
        } else {
            let Goes::Fails(class) = self.listing else { unreachable!() };
            Listed::Failed { class, message: "no".into(), until: None }
        };
        let listings = Listings::from([("s.example/app".parse().unwrap(), listed)]);
        let wanted: Vec<&Wanted> =
            self.syncs.iter().enumerate().map(|(who, sync)| &WANTED[sync.spec][who]).collect();
        let selections: Vec<_> = (0..2)
            .map(|one| {
                who.contains(&one).then(|| select(wanted[one], &listings, &self.syncs[one].records, self.now))
            })
            .collect();
        let (mut wants, mut ownership) = (Wants::default(), Ownership::default());
        for one in 0..2 {
            let (records, selection) = (&self.syncs[one].records, selections[one].as_ref());
            wants.add(wanted[one], records, selection);
            match selection {
                Some(selection) => ownership.claim_selected(wanted[one], selection, records),
                None => ownership.claim_recorded(wanted[one], records),
            }
        }
        let plan = |one: usize| {
            let (records, selection) = (&self.syncs[one].records, selections[one].as_ref().unwrap());
            let mut observed = Observed::at(self.now);
            loop {
                let questions = selection.questions(records, &observed);
                if questions.is_empty() {
                    break;
                }
                observed.extend(self.answer(questions));
            }
            let mut plan = decide(wanted[one], selection, records, &observed, &ownership, self.now);
            let around = Surroundings {
                wanted: wanted[one],
                selection: Some(selection),
                records,
                wants: &wants,
                in_use: None,
                approved: None,
                now: self.now,
            };
            loop {
                let questions = plan.prune_questions(&around, &observed);
                if questions.is_empty() {
                    break;
                }
                observed.extend(self.answer(questions));
            }
            plan.prune(&around, &observed);
            plan
        };
        who.iter().map(|&one| plan(one)).collect()
    }

    fn answer(&self, Questions { sources, targets, walks, .. }: Questions) -> Observed {
        let source = |at: &Reference| {
            if let Goes::Fails(class) = self.source_looks {
                return Seen::Failed { class, message: "no".into(), until: None };
            }
            let tag = at.tag.as_ref().map(|tag| self.source.get(tag.as_str()));
            tag.flatten().map_or(Seen::Absent, |&number| Seen::Digest(digest(number)))
        };
        let target = |at: &Reference| {
            if let Goes::Fails(class) = self.target_looks {
                return Seen::Failed { class, message: "no".into(), until: None };
            }
            self.shown(at).map_or(Seen::Absent, Seen::Digest)
        };
        Observed {
            sources: sources.into_iter().map(|at| (at.clone(), source(&at))).collect(),
            targets: targets.into_iter().map(|(name, at)| ((name, at.clone()), target(&at))).collect(),
            walks: walks.into_iter().map(|walk| (walk, Walked::Whole)).collect(),
            ..Observed::default()
        }
    }

    fn shown(&self, at: &Reference) -> Option<Digest> {
        self.target.get(at.tag.as_ref()?.as_str()).cloned()
    }

    /// A step: the process may end after it.
    fn tick(&mut self) -> Result<(), Ended> {
        match &mut self.fuse {
            Some(0) => Err(Ended),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn commit(&mut self, who: usize) -> Result<(), Ended> {
        self.tick()?;
        self.syncs[who].disk = self.syncs[who].records.clone();
        self.tick()
    }

    fn apply(&mut self, who: usize, plan: &Plan, fault: &Fault) -> Result<(), Ended> {
        let now = self.now;
        record::planned(&mut self.syncs[who].records, plan, now);
        plan.pruning.names.iter().for_each(|name| record::judged(&mut self.syncs[who].records, name, now));
        for action in plan.actions.iter().filter(|action| matches!(action.kind, Kind::Copy { .. })) {
            let source = action.digest.as_ref().unwrap();
            let is_rewritten = self.spec(who).rewrites;
            let digest = if is_rewritten { rewritten(source) } else { source.clone() };
            let (manifest, platforms) = (manifest(&digest), action.content.platforms.as_ref());
            let shown = Shown { manifest: &manifest, is_rewritten, source, platforms };
            let before = record::intended(&mut self.syncs[who].records, action, &shown, now);
            self.commit(who)?;
            let tag = action.destination.tag.clone().unwrap().to_string();
            self.syncs[who].tried.insert((tag.clone(), digest.to_string()));
            self.target.insert(tag, digest);
            self.tick()?;
            record::sent(&mut self.syncs[who].records, action, before, &Ok(()), now);
            record::complete(&mut self.syncs[who].records, action, &shown, now);
        }
        if let Fault::Race(tag, number) = fault {
            self.other(tag, *number);
            self.is_raced = true;
        }
        let written = self.syncs[who].records.iter().flat_map(|record| &record.targets).count();
        let before = self.met.deleted;
        for name in &plan.pruning.names {
            self.name(who, name)?;
        }
        let (deleted, most) =
            (self.met.deleted - before, (written * self.spec(who).limit).div_ceil(100).max(1));
        assert!(deleted <= most, "{deleted} were deleted, and the limit is {most}");
        self.met.held += usize::from(plan.pruning.held.is_some());
        Ok(())
    }

    /// As the engine does it.
    fn name(&mut self, who: usize, name: &Judged) -> Result<(), Ended> {
        if !matches!(name.verdict, Verdict::Delete | Verdict::PutBack | Verdict::Forget) {
            return Ok(());
        }
        let entry = record::entry(&self.syncs[who].records, name);
        if !entry.is_some_and(|entry| is_as_planned(&entry, name)) {
            return Ok(());
        }
        match (&name.verdict, &name.dummy) {
            (Verdict::Delete, _) => self.delete(who, name),
            (Verdict::PutBack, Some(dummy)) => self.put_back(who, name, dummy),
            _ => {
                self.forget(who, name);
                Ok(())
            }
        }
    }

    fn forget(&mut self, who: usize, name: &Judged) {
        record::forgotten(&mut self.syncs[who].records, name, self.now);
    }

    fn put_back(&mut self, who: usize, name: &Judged, dummy: &Digest) -> Result<(), Ended> {
        match self.shown(&name.reference) {
            Some(shown) if shown == *dummy => {
                self.set(name, Some(name.digest.clone()));
                self.met.restored += 1;
                self.tick()?;
            }
            Some(shown) if shown == name.digest => {}
            _ => {
                self.forget(who, name);
                return Ok(());
            }
        }
        record::undeleted(&mut self.syncs[who].records, name, self.now);
        Ok(())
    }

    fn delete(&mut self, who: usize, name: &Judged) -> Result<(), Ended> {
        if let Some(dummy) = &name.dummy {
            let shown = self.shown(&name.reference);
            if shown.as_ref() == Some(dummy) {
                return self.delete_dummy(who, name, dummy);
            }
            if shown.as_ref() != Some(&name.digest) {
                self.forget(who, name);
                return Ok(());
            }
        }
        let now = self.now;
        record::deleting(&mut self.syncs[who].records, name, None, now);
        self.commit(who)?;
        if self.shown(&name.reference).as_ref() != Some(&name.digest) {
            self.forget(who, name);
            return Ok(());
        }
        match self.deletes {
            Deletes::Nothing => {
                record::undeleted(&mut self.syncs[who].records, name, now);
                Ok(())
            }
            Deletes::Tags => {
                self.check(who, name);
                self.set(name, None);
                self.tick()?;
                self.forget(who, name);
                Ok(())
            }
            Deletes::Digests | Deletes::DummyStays => {
                self.dummies += 1;
                let dummy = Digest::sha256(format!("dummy {}", self.dummies).as_bytes());
                record::deleting(&mut self.syncs[who].records, name, Some(&dummy), now);
                self.commit(who)?;
                self.check(who, name);
                self.set(name, Some(dummy.clone()));
                self.tick()?;
                self.delete_dummy(who, name, &dummy)
            }
        }
    }

    fn delete_dummy(&mut self, who: usize, name: &Judged, dummy: &Digest) -> Result<(), Ended> {
        if self.deletes == Deletes::Digests {
            self.target.retain(|_, shown| shown != dummy);
            self.tick()?;
            self.forget(who, name);
            return Ok(());
        }
        self.set(name, Some(name.digest.clone()));
        self.tick()?;
        record::undeleted(&mut self.syncs[who].records, name, self.now);
        Ok(())
    }

    fn set(&mut self, name: &Judged, digest: Option<Digest>) {
        let tag = name.reference.tag.clone().unwrap().to_string();
        match digest {
            Some(digest) => drop(self.target.insert(tag, digest)),
            None => drop(self.target.remove(&tag)),
        }
    }

    /// What has to be so whenever a tag is taken away.
    fn check(&mut self, who: usize, name: &Judged) {
        let tag = name.reference.tag.clone().unwrap().to_string();
        let shown = self.target.get(&tag).unwrap();
        let me = &self.syncs[who];
        assert!(
            me.tried.contains(&(tag.clone(), shown.to_string())),
            "{tag} shows what this ImageSync never wrote there"
        );
        assert!(self.spec(who).is_enforced(), "{tag} is on a target that is not pruned");
        let source: BTreeSet<&str> = self.source.keys().copied().collect();
        for one in 0..2 {
            assert!(!self.spec(one).wants(&source).contains(&tag), "{tag} is wanted by the ImageSync {one}");
        }
        let found = me.unwanted.get(&tag).map(Vec::as_slice).unwrap_or_default();
        let (this, earlier) = found.split_last().expect("this run found it unwanted");
        assert_eq!(*this, self.now, "{tag} was not found unwanted in this run");
        let long_ago = |earlier: &&Timestamp| self.now.duration_since(**earlier) >= GRACE;
        assert!(
            earlier.iter().any(|earlier| long_ago(&earlier)),
            "{tag} was found unwanted only at {found:?}"
        );
        if !self.is_raced && self.spec(who).keep_last > 0 {
            let written = me.records.iter().flat_map(|record| &record.targets);
            let higher = written
                .filter(|entry| {
                    let at: Reference = entry.reference.parse().unwrap();
                    let there = at.tag.unwrap().to_string();
                    there > tag && self.target.get(&there) == Some(&entry.digest)
                })
                .count();
            assert!(higher >= self.spec(who).keep_last, "{tag} is among the last, above it are {higher}");
        }
        self.met.deleted += 1;
    }

    /// Whether each dummy on the target is known to those who put it there.
    pub(super) fn check_dummies(&self) {
        if self.is_forgetful {
            return;
        }
        let real: BTreeSet<Digest> = (1..=4).map(digest).flat_map(|one| [rewritten(&one), one]).collect();
        for (tag, shown) in self.target.iter().filter(|(_, shown)| !real.contains(shown)) {
            let entries =
                self.syncs.iter().flat_map(|sync| sync.disk.iter()).flat_map(|record| &record.targets);
            let known = entries.filter(|entry| entry.dummy() == Some(shown)).count();
            assert_eq!(known, 1, "{tag} is held at a dummy that nobody knows of");
        }
    }
}

/// A manifest of which nothing but the digest matters.
fn manifest(digest: &Digest) -> Manifest {
    let text = r#"{"schemaVersion": 2, "config": {"mediaType": "x/y", "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "size": 2}, "layers": []}"#;
    Manifest::parse(text.into(), Some(OCI_MANIFEST), digest.clone()).unwrap()
}

/// What an index is rewritten to.
fn rewritten(digest: &Digest) -> Digest {
    Digest::sha256(digest.as_str().as_bytes())
}

fn digest(number: u8) -> Digest {
    Digest::sha256(&[number])
}
