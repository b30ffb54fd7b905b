//! The part of a plan that deletes, as people read it.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use jiff::Timestamp;

use super::{Judged, Pruning, Verdict};
use crate::api::APPROVE_PRUNE;

impl Pruning {
    /// The deletions as text, without colours, for people.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        if text.is_empty() { "\n  there is nothing to delete\n".to_owned() } else { text }
    }

    /// A line for each name that is deleted or would be, and one for each reason that keeps others, with their number.
    pub(in crate::plan) fn write(&self, to: &mut String) -> fmt::Result {
        if self.names.is_empty() && self.notes.is_empty() {
            return Ok(());
        }
        writeln!(to, "\n  nothing wants any more")?;
        let mut others: BTreeMap<(&str, &str), (usize, Option<Timestamp>)> = BTreeMap::new();
        let shown: Vec<(&Judged, &str)> =
            self.names.iter().filter_map(|judged| Some((judged, judged.verdict.sign()?))).collect();
        let widest =
            shown.iter().map(|(judged, _)| judged.reference.to_string().len()).max().unwrap_or_default();
        for (judged, sign) in shown {
            writeln!(to, "    {sign} {:widest$}  {}", judged.reference.to_string(), judged.reason)?;
        }
        for judged in self.names.iter().filter(|judged| judged.verdict.sign().is_none()) {
            let (count, first) = others.entry((judged.verdict.word(), &judged.reason)).or_default();
            *count += 1;
            if let Verdict::Wait { until: Some(until) } = judged.verdict {
                *first = Some(first.map_or(until, |first| first.min(until)));
            }
        }
        for ((word, reason), (count, first)) in others {
            let until = first.map(|first| format!(" (until {first}, the first)")).unwrap_or_default();
            writeln!(to, "      {count} {word}: {reason}{until}")?;
        }
        if let Some(held) = &self.held {
            for above in &held.targets {
                let (names, limit) = (above.names, above.limit);
                writeln!(to, "      held: {names} on {} are above the limit of {limit}", above.target)?;
            }
            writeln!(
                to,
                "      to approve exactly these, annotate the ImageSync with {APPROVE_PRUNE}: \"{}\"",
                held.approval
            )?;
        }
        self.notes.iter().try_for_each(|note| writeln!(to, "      note: {note}"))
    }
}

impl Verdict {
    /// The sign that a line begins with; none where names are counted.
    const fn sign(&self) -> Option<&'static str> {
        match self {
            Self::Delete => Some("-"),
            Self::WouldDelete => Some("(-)"),
            Self::Held => Some("!"),
            Self::PutBack => Some("~"),
            Self::Wait { .. } | Self::Keep | Self::Forget => None,
        }
    }

    /// What is said of names that are counted.
    const fn word(&self) -> &'static str {
        match self {
            Self::Wait { .. } => "wait",
            Self::Forget => "forgotten",
            _ => "kept",
        }
    }
}
