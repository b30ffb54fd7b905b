//! What a run prints at its end: a table for people, a `v1` List for machines.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Color,
    args::Output,
    run::{self, Member},
    sync, table,
};
use crate::{
    engine::Applied,
    plan::{Detail, Plan},
    records::Journal,
};

/// What was applied.
pub(super) fn result(
    members: &[Member],
    applied: &[Applied],
    output: Option<Output>,
    color: Color,
) -> anyhow::Result<String> {
    match sync::format(output) {
        Output::Table => {
            let names: Vec<String> = members.iter().map(Member::title).collect();
            Ok(table::render(names.iter().map(String::as_str).zip(applied), sync::colours(color)))
        }
        Output::Json => json_text(&list(members, applied)?),
        Output::Yaml => Ok(serde_saphyr::to_string(&list(members, applied)?)?),
    }
}

/// What would be done.
pub(super) fn plans(plans: &[Plan], output: Option<Output>, color: Color) -> anyhow::Result<String> {
    match sync::format(output) {
        Output::Table => Ok(plans.iter().map(|plan| paint(&plan.render(Detail::Changes), color)).collect()),
        Output::Json => json_text(&serde_json::to_value(plans)?),
        Output::Yaml => Ok(serde_saphyr::to_string(&plans)?),
    }
}

/// The plan's lines in the colours of their signs.
fn paint(text: &str, color: Color) -> String {
    if !sync::colours(color) {
        return text.to_owned();
    }
    let sign = |line: &str| match line.trim_start().chars().next() {
        Some('+') => "32",
        Some('~') => "36",
        Some('!') => "31",
        Some('=') => "2",
        _ => "0",
    };
    text.lines().fold(String::new(), |text, line| text + &format!("\u{1b}[{}m{line}\u{1b}[0m\n", sign(line)))
}

fn json_text(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The objects with their status, and their slices, as a cluster would show them.
fn list(members: &[Member], applied: &[Applied]) -> anyhow::Result<Value> {
    let now = Timestamp::now();
    let mut items = Vec::new();
    for (member, applied) in members.iter().zip(applied) {
        let mut object = member.object.clone();
        object.status = Some(run::status(member, applied, Some(member.wanted.schedule().next(now)), now));
        items.push(serde_json::to_value(object)?);
    }
    for slice in members.iter().map(|member| &member.journal).flat_map(Journal::slices) {
        items.push(serde_json::to_value(slice)?);
    }
    Ok(json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}))
}
