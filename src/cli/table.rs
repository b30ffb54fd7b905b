//! The table that a run ends with.

use std::collections::BTreeMap;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

use crate::{
    engine::{Applied, Outcome},
    plan::{Action, Kind},
};

/// Rows that are in sync are summed up when there are more than this many.
const ROWS: usize = 40;

/// One row an action, those that need a person last, where the eye is; and a line that sums up.
pub(super) fn render<'a>(applied: impl Iterator<Item = (&'a str, &'a Applied)>, colour: bool) -> String {
    let rows: Vec<Row> = applied.flat_map(|(object, applied)| {
        applied.plan.actions.iter().zip(&applied.outcomes).map(move |(action, outcome)| Row::new(object, action, outcome))
    }).collect();
    if rows.is_empty() {
        return "Nothing is selected.\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
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
    format!("{table}\n{}\n", summary(&rows))
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
    word: &'static str,
    rank: u8,
    colour: Color,
}

impl Row {
    fn new(object: &str, action: &Action, outcome: &Outcome) -> Self {
        let (rank, word, colour, detail) = match (outcome, &action.kind) {
            (Outcome::InSync, _) => (0, "in sync", Color::DarkGrey, None),
            (Outcome::Written, Kind::Copy { replaces: Some(_) }) => (1, "updated", Color::Green, None),
            (Outcome::Written, _) => (1, "copied", Color::Green, None),
            (Outcome::NotTried, Kind::Deferred { .. }) => (2, "deferred", Color::Yellow, Some(action.reason.clone())),
            (Outcome::NotTried, Kind::Failed { class }) => {
                (4, "failed", Color::Red, Some(format!("{class}: {}", action.reason)))
            }
            (Outcome::NotTried, _) => (3, "conflict", Color::Yellow, Some(action.reason.clone())),
            (Outcome::Failed(error), _) if error.class() == crate::class::Class::RateLimited => {
                (2, "deferred", Color::Yellow, Some(error.message()))
            }
            (Outcome::Failed(error), _) => {
                (4, "failed", Color::Red, Some(format!("{}: {}", error.class(), error.message())))
            }
        };
        Self {
            object: object.to_owned(),
            source: source(action),
            target: action.destination.to_string(),
            digest: action.digest.as_ref().map(|digest| digest.short().to_owned()).unwrap_or_default(),
            result: detail.map_or_else(|| word.to_owned(), |detail| format!("{word}: {detail}")),
            word,
            rank,
            colour,
        }
    }
}

/// The source as the manifest names it: with its tag, where it has one, and not by digest.
fn source(action: &Action) -> String {
    match &action.tag {
        Some(tag) => format!("{}:{tag}", action.source.repository),
        None => action.source.to_string(),
    }
}
