//! What a run prints at its end: a table for people, a `v1` List for machines.

use std::io::IsTerminal as _;

use serde_json::{Value, json};

use super::{
    Color,
    args::Output,
    member::{Member, Shown},
    table,
};
use crate::{api::ImageSync, plan::Plan};

/// Where all ImageSyncs are suspended.
const NONE_ACTIVE: &str = "Nothing is done: every ImageSync is suspended.\n";

/// What was applied, and which ImageSyncs took no part because they are suspended.
pub(super) fn result(
    shown: &[Shown<'_>],
    suspended: &[Member],
    output: Option<Output>,
    color: Color,
) -> anyhow::Result<String> {
    match output.unwrap_or(Output::Table) {
        Output::Table if shown.is_empty() => Ok(NONE_ACTIVE.to_owned()),
        Output::Table => {
            let names: Vec<String> = shown.iter().map(|shown| shown.member.title()).collect();
            let applied = shown.iter().map(|shown| shown.applied);
            Ok(table::render(names.iter().map(String::as_str).zip(applied), colours(color)))
        }
        Output::Json => json_text(&list(shown, suspended)?),
        // With --watch there are several.
        Output::Yaml => Ok(format!("---\n{}", serde_saphyr::to_string(&list(shown, suspended)?)?)),
    }
}

/// What would be done.
pub(super) fn plans(plans: &[Plan], output: Option<Output>, color: Color) -> anyhow::Result<String> {
    match output.unwrap_or(Output::Table) {
        Output::Table if plans.is_empty() => Ok(NONE_ACTIVE.to_owned()),
        Output::Table => Ok(plans.iter().map(|plan| paint(&plan.render(), color)).collect()),
        Output::Json => json_text(&serde_json::to_value(plans)?),
        Output::Yaml => Ok(serde_saphyr::to_string(&plans)?),
    }
}

/// The plan's lines in the colours of their signs.
fn paint(text: &str, color: Color) -> String {
    if !colours(color) {
        return text.to_owned();
    }
    let sign = |line: &str| match line.trim_start().chars().next() {
        Some('+') => "32",
        Some('~') => "36",
        Some('!' | '-') => "31",
        Some('=') => "2",
        _ => "0",
    };
    text.lines().fold(String::new(), |text, line| text + &format!("\u{1b}[{}m{line}\u{1b}[0m\n", sign(line)))
}

fn json_text(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The objects with their status, and their slices, as a cluster would show them.
fn list(shown: &[Shown<'_>], suspended: &[Member]) -> anyhow::Result<Value> {
    let mut items = Vec::new();
    for Shown { member: Member { object, .. }, status, .. } in shown {
        let object = ImageSync { status: Some(status.clone()), ..object.clone() };
        items.push(serde_json::to_value(object)?);
    }
    for member in suspended {
        items.push(serde_json::to_value(&member.object)?);
    }
    let members = shown.iter().map(|shown| shown.member).chain(suspended);
    for slice in members.flat_map(|member| member.journal.slices()) {
        items.push(serde_json::to_value(slice)?);
    }
    Ok(json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}))
}

/// Whether to write in colours.
fn colours(color: Color) -> bool {
    color.wanted(std::io::stdout().is_terminal())
}
