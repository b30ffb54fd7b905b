//! The highest versions of each image on a target.

use hashbrown::{HashMap, HashSet};
use semver::Version;

use crate::{
    api::{Origin, Record, TargetRecord},
    plan::{Observed, Seen, Wanted, version::version, wanted::Tags},
    records::Records,
    reference::Reference,
};

/// The artifacts that are among the highest versions of their images: by target, image and tag.
#[derive(Default)]
pub(super) struct Last<'a>(HashSet<(&'a str, &'a str, &'a str)>);

impl<'a> Last<'a> {
    /// Ranks what the records say is on the targets and `observed` does not deny, of those targets and images that are in
    /// `ranked`.
    pub(super) fn of(
        wanted: &'a Wanted,
        records: &'a Records,
        observed: &Observed,
        ranked: &HashSet<(&str, &str)>,
    ) -> Self {
        let kept: HashMap<&str, usize> = wanted
            .targets
            .iter()
            .filter(|target| target.prunes() && target.prune.keep_last > 0)
            .map(|target| (target.name.as_str(), target.prune.keep_last))
            .collect();
        let mut versions: HashMap<(&str, &str), Vec<(Version, &str)>> = HashMap::new();
        if !kept.is_empty() && !ranked.is_empty() {
            for record in records.iter() {
                let Some(tag) = record.tag.as_deref() else { continue };
                let mut read = None;
                for entry in record.targets.iter().filter(|entry| kept.contains_key(entry.name.as_str())) {
                    let is_ranked = ranked.contains(&(entry.name.as_str(), record.image.as_str()));
                    if !is_ranked || !is_there(entry, observed) {
                        continue;
                    }
                    let Some(version) = read.get_or_insert_with(|| version_of(wanted, record)) else { break };
                    let of_image = versions.entry((&entry.name, &record.image)).or_default();
                    // It may have several names there.
                    if of_image.last().is_none_or(|(_, last)| *last != tag) {
                        of_image.push((version.clone(), tag));
                    }
                }
            }
        }
        let mut last = HashSet::new();
        for ((target, image), mut versions) in versions {
            let keep = kept.get(target).copied().unwrap_or_default();
            if keep < versions.len() {
                // The newest first, as a selection has them.
                versions
                    .select_nth_unstable_by(keep, |a, b| (&b.0, b.1.len(), a.1).cmp(&(&a.0, a.1.len(), b.1)));
            }
            last.extend(versions.into_iter().take(keep).map(|(_, tag)| (target, image, tag)));
        }
        Self(last)
    }

    pub(super) fn has(&self, record: &Record, entry: &TargetRecord) -> bool {
        let Some(tag) = record.tag.as_deref() else { return false };
        self.0.contains(&(entry.name.as_str(), record.image.as_str(), tag))
    }
}

/// Whether the entry's name shows what it is recorded to show, as far as that was looked at.
fn is_there(entry: &TargetRecord, observed: &Observed) -> bool {
    if !matches!(entry.origin, Origin::Written | Origin::Found) {
        return false;
    }
    if observed.targets.is_empty() {
        return true;
    }
    let seen = entry.reference.parse::<Reference>().ok();
    match seen.and_then(|reference| observed.target(&entry.name, &reference)) {
        Some(Seen::Digest(found)) => *found == entry.digest,
        Some(Seen::Absent) => false,
        Some(Seen::Failed { .. }) | None => true,
    }
}

/// The version that a record's tag is, found as its image says, if that is still in the spec.
fn version_of(wanted: &Wanted, record: &Record) -> Option<Version> {
    let tag = record.tag.as_deref()?;
    match wanted.images.iter().find(|image| image.name == record.image).map(|image| &image.tags) {
        Some(Tags::Some(filter)) => filter.version(&tag.parse().ok()?),
        _ => version(tag),
    }
}
