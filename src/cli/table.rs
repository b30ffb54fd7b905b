//! The table that a run ends with.

use std::collections::BTreeMap;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

use crate::{
    api::State,
    engine::{Applied, Error, Outcome, Pruned, Trouble},
    plan::{Action, Judged, Kind, Verdict},
};

/// Columns that a terminal has at least for the table to be fitted into it.
const NARROWEST: u16 = 60;
/// Rows that are in sync are summed up when there are more than this many.
const ROWS: usize = 40;

/// One row an action, those that need a person last, where the eye is; and a line that sums up.
pub(super) fn render<'a>(applied: impl Iterator<Item = (&'a str, &'a Applied)>, colour: bool) -> String {
    let (mut rows, mut waiting) = (Vec::new(), String::new());
    for (object, applied) in applied {
        let results = applied.results();
        rows.extend(results.map(|(action, outcome, trouble)| Row::new(object, action, outcome, trouble)));
        rows.extend(applied.pruned().filter_map(|(name, pruned)| Row::pruned(object, name, pruned)));
        let images = applied.plan.images.iter().filter_map(|image| Some((&image.image, image.waiting?)));
        waiting.extend(images.map(|(image, waiting)| format!("{object} {image}: {waiting}\n")));
    }
    if rows.is_empty() && waiting.is_empty() {
        return "Nothing is selected.\n".to_owned();
    }
    if rows.is_empty() {
        return waiting;
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    // On a terminal that does not say how wide it is, or is too narrow, columns would be a letter wide.
    if table.width().is_some_and(|width| width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if colour {
        // By itself it leaves colours out where there is no terminal, whatever was asked for.
        table.enforce_styling();
    }
    table.set_header(["IMAGESYNC", "SOURCE", "TARGET", "DIGEST", "RESULT"]);
    let hidden = hide(&rows);
    let mut shown: Vec<&Row> = rows.iter().filter(|row| !(hidden && row.word == "in sync")).collect();
    shown.sort_by_key(|row| row.rank);
    for row in shown {
        let result = Cell::new(&row.result);
        table.add_row(vec![
            Cell::new(&row.object),
            Cell::new(&row.source),
            Cell::new(&row.target),
            Cell::new(&row.digest),
            if colour { result.fg(row.colour) } else { result },
        ]);
    }
    format!("{table}\n{}{waiting}{}\n", details(&rows), summary(&rows))
}

/// What people have to know about rows that are not as they should be, each once: one trouble may fail many rows.
fn details(rows: &[Row]) -> String {
    let mut told = BTreeMap::new();
    for row in rows {
        if let Some(detail) = &row.detail {
            told.entry((row.rank, detail)).or_insert_with(Vec::new).push(row.source.as_str());
        }
    }
    let lines = told.into_iter().map(|((_, detail), mut sources)| {
        sources.dedup();
        let more = sources.len().saturating_sub(1);
        let first = sources.first().copied().unwrap_or_default();
        if more == 0 {
            format!("{first}: {detail}\n")
        } else {
            format!("{first} and {more} more: {detail}\n")
        }
    });
    lines.collect()
}

fn hide(rows: &[Row]) -> bool {
    rows.iter().filter(|row| row.word == "in sync").count() > ROWS
}

fn summary(rows: &[Row]) -> String {
    let mut counts: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for row in rows {
        *counts.entry((row.rank, row.word)).or_default() += 1;
    }
    let parts: Vec<String> = counts.iter().map(|((_, word), count)| format!("{count} {word}")).collect();
    parts.join(", ")
}

struct Row {
    object: String,
    source: String,
    target: String,
    digest: String,
    result: String,
    detail: Option<String>,
    word: &'static str,
    rank: u8,
    colour: Color,
}

impl Row {
    fn new(object: &str, action: &Action, outcome: &Outcome, trouble: Option<Trouble>) -> Self {
        let (rank, word, colour) = match (outcome, &action.kind, trouble.as_ref().map(Trouble::state)) {
            (Outcome::InSync, ..) => (0, "in sync", Color::DarkGrey),
            (Outcome::Written, Kind::Copy { replaces: Some(_) }, _) => (1, "updated", Color::Green),
            (Outcome::Written, Kind::Amend { repair: true, .. }, _) => (1, "repaired", Color::Green),
            (Outcome::Written, Kind::Amend { .. }, _) => (1, "amended", Color::Green),
            (Outcome::Written, ..) => (1, "copied", Color::Green),
            (Outcome::Failed(Error::Interrupted), ..) => (2, "interrupted", Color::Yellow),
            (.., Some(State::Deferred)) => (2, "deferred", Color::Yellow),
            (.., Some(State::Conflict)) => (3, "conflict", Color::Yellow),
            _ => (4, "failed", Color::Red),
        };
        let class = trouble.as_ref().filter(|_| word == "failed").map(|trouble| trouble.class);
        let detail = trouble.filter(|_| word != "interrupted").map(|trouble| trouble.message);
        Self {
            object: object.to_owned(),
            source: source(action),
            target: action.destination.to_string(),
            digest: action.digest.as_ref().map(|digest| digest.short().to_owned()).unwrap_or_default(),
            result: class.map_or_else(|| word.to_owned(), |class| format!("{word}: {class}")),
            detail,
            word,
            rank,
            colour,
        }
    }
}

impl Row {
    /// The row of a name that nothing wants; none if it just stays.
    fn pruned(object: &str, name: &Judged, pruned: &Pruned) -> Option<Self> {
        let (rank, word, colour) = match (pruned, &name.verdict) {
            (Pruned::Deleted, _) => (1, "deleted", Color::Green),
            (Pruned::PutBack, _) => (1, "put back", Color::Green),
            (Pruned::Interrupted, _) => (2, "interrupted", Color::Yellow),
            (Pruned::Failed(_), _) => (4, "failed", Color::Red),
            (Pruned::Untouched, Verdict::Held) => (3, "held", Color::Yellow),
            (Pruned::Untouched, Verdict::WouldDelete) => (2, "would be deleted", Color::DarkGrey),
            _ => return None,
        };
        let trouble = pruned.trouble();
        let result =
            trouble.as_ref().map_or_else(|| word.to_owned(), |trouble| format!("{word}: {}", trouble.class));
        let held = (word == "held").then(|| name.reason.clone());
        Some(Self {
            object: object.to_owned(),
            source: name
                .tag
                .as_ref()
                .map_or_else(|| name.image.clone(), |tag| format!("{}:{tag}", name.image)),
            target: name.reference.to_string(),
            digest: name.digest.short().to_owned(),
            result,
            detail: trouble.map(|trouble| trouble.message).or(held),
            word,
            rank,
            colour,
        })
    }
}

/// The source as the manifest names it: with its tag, where it has one, and not by digest.
fn source(action: &Action) -> String {
    match &action.tag {
        Some(tag) => format!("{}:{tag}", action.source.repository),
        None => action.source.to_string(),
    }
}
