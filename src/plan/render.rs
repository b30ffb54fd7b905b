//! Plans as people read them.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use super::{Action, DeepCheck, ImageSummary, Kind, LeftOutCount, Plan, Verdict, Waiting};

/// How many actions of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// To be copied to where nothing is.
    pub copy: usize,
    /// To be copied to where something else is.
    pub replace: usize,
    /// There, and something that belongs to it is to be brought.
    pub amend: usize,
    /// As wanted already.
    pub in_sync: usize,
    /// Owned by somebody else, or not to be overwritten.
    pub conflict: usize,
    /// Not possible.
    pub failed: usize,
    /// Put off by a limit.
    pub deferred: usize,
    /// Names on targets to be deleted.
    pub delete: usize,
    /// Names on targets that wait for a person's approval to be deleted.
    pub held: usize,
}

impl Plan {
    /// The plan as text, without colours, for people.
    ///
    /// A line for the ImageSync, under it one for each image, and under that one for each action, which begins with a
    /// sign: `+` is copied to where nothing is, `~` replaces what is there, `^` brings what belongs to
    /// what is there, `!` is not done. What is in sync is counted, behind a `=`.
    /// Then come a line for what was left out, and in the end the numbers.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    /// How many actions of each kind there are.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let names = &self.pruning.names;
        let count = |verdict: Verdict| names.iter().filter(|judged| judged.verdict == verdict).count();
        Summary { delete: count(Verdict::Delete), held: count(Verdict::Held), ..Summary::of(&self.actions) }
    }

    fn write(&self, to: &mut String) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => writeln!(to, "{namespace}/{}", self.name)?,
            None => writeln!(to, "{}", self.name)?,
        }
        let mut actions: BTreeMap<&str, Vec<&Action>> = BTreeMap::new();
        for action in &self.actions {
            actions.entry(&action.image).or_default().push(action);
        }
        for image in &self.images {
            let actions = actions.remove(image.image.as_str()).unwrap_or_default();
            image.write(to, &actions)?;
        }
        self.pruning.write(to)?;
        writeln!(to)?;
        if let Some(found) = &self.deep_check {
            writeln!(to, "{found}")?;
        }
        writeln!(to, "{}", self.summary())
    }
}

impl ImageSummary {
    fn write(&self, to: &mut String, actions: &[&Action]) -> fmt::Result {
        writeln!(to, "\n  {}  from {}", self.image, self.source.familiar())?;
        let shown: Vec<&&Action> = actions.iter().filter(|action| action.sign() != '=').collect();
        let columns: Vec<_> =
            shown.iter().map(|action| (action.what(), action.destination.to_string())).collect();
        let widest =
            |column: fn(&(String, String)) -> usize| columns.iter().map(column).max().unwrap_or_default();
        let (left, right) = (widest(|columns| columns.0.len()), widest(|columns| columns.1.len()));
        for (action, (source, destination)) in shown.iter().zip(&columns) {
            let (sign, why) = (action.sign(), action.why());
            writeln!(to, "    {sign} {source:left$} -> {destination:right$}  {why}")?;
        }
        let hidden = actions.len() - shown.len();
        if hidden > 0 {
            writeln!(to, "    = {hidden} in sync")?;
        }
        let left_out: Vec<_> = self.left_out.iter().map(ToString::to_string).collect();
        if !left_out.is_empty() {
            writeln!(to, "      left out: {}", left_out.join(", "))?;
        }
        if let Some(waiting) = &self.waiting {
            writeln!(to, "      waiting: {waiting}")?;
        }
        for note in &self.notes {
            writeln!(to, "      note: {note}")?;
        }
        Ok(())
    }
}

impl Action {
    const fn sign(&self) -> char {
        match self.kind {
            Kind::Copy { replaces: None } => '+',
            Kind::Copy { replaces: Some(_) } => '~',
            Kind::Amend { .. } => '^',
            Kind::InSync { .. } => '=',
            Kind::Conflict | Kind::Failed { .. } | Kind::Deferred { .. } => '!',
        }
    }

    /// What is copied: the tag, or else the digest.
    fn what(&self) -> String {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => tag.to_string(),
            (None, Some(digest)) => digest.short().to_owned(),
            (None, None) => "*".to_owned(),
        }
    }

    /// The reason, behind what it is a reason for where that is not to be seen from the sign.
    fn why(&self) -> String {
        let reason = &self.reason;
        match &self.kind {
            Kind::Copy { .. } | Kind::Amend { .. } | Kind::InSync { .. } => reason.clone(),
            Kind::Conflict => format!("Conflict: {reason}"),
            Kind::Failed { class } => format!("{class}: {reason}"),
            Kind::Deferred { until } => format!("deferred until {until}: {reason}"),
        }
    }
}

impl fmt::Display for DeepCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, broken, failed } = self;
        write!(f, "deep check: {whole} whole")?;
        for (count, what) in [(broken, "broken"), (failed, "not seen")] {
            if *count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, min_age, until } = self;
        let (tags, show) = if *count == 1 { ("tag", "shows") } else { ("tags", "show") };
        write!(f, "{count} {tags} {show} what is not {min_age} old yet; the first is at {until}")
    }
}

impl fmt::Display for LeftOutCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.reason)
    }
}

impl Summary {
    /// Counts actions.
    #[must_use]
    pub fn of<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Self {
        let mut summary = Self::default();
        for action in actions {
            let count = match action.kind {
                Kind::Copy { replaces: None } => &mut summary.copy,
                Kind::Copy { replaces: Some(_) } => &mut summary.replace,
                Kind::Amend { .. } => &mut summary.amend,
                Kind::InSync { .. } => &mut summary.in_sync,
                Kind::Conflict => &mut summary.conflict,
                Kind::Failed { .. } => &mut summary.failed,
                Kind::Deferred { .. } => &mut summary.deferred,
            };
            *count += 1;
        }
        summary
    }
}

/// `2 to copy, 1 to replace, 40 in sync`; what there is none of is left out, but for what is in sync.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (count, what) in [
            (self.copy, "to copy"),
            (self.replace, "to replace"),
            (self.amend, "to amend"),
            (self.delete, "to delete"),
            (self.held, "held until approved"),
            (self.conflict, "in conflict"),
            (self.failed, "failed"),
            (self.deferred, "deferred"),
        ] {
            if count > 0 {
                write!(text, "{count} {what}, ")?;
            }
        }
        f.pad(&format!("{text}{} in sync", self.in_sync))
    }
}
