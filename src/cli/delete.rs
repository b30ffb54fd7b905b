//! `imagesync delete`: forgets ImageSyncs, and deletes what they wrote where their `deletionPolicy` is `Prune`.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Color, DeleteArgs, Exit, Output,
    display::Display,
    member::{Member, names},
    run::ask,
    shared::Shared,
    sources::Sources,
    sync,
};
use crate::{
    api::{DeletionPolicy, Record, State},
    engine::{Engine, Pruned},
    plan::{Observed, Pruning, Verdict, Wants},
    records::Records,
    telemetry,
};

/// Deletes the ImageSyncs that the manifests name.
///
/// # Errors
///
/// A manifest that is refused, and what keeps it from beginning: then nothing was changed.
pub(super) fn run(args: &DeleteArgs, color: Color) -> anyhow::Result<Exit> {
    telemetry::init(color.wanted(io::stderr().is_terminal()));
    let (_, manifests) = Sources::open(&args.files, io::stdin().lock())?;
    let shared = if args.dry_run { Shared::look(&args.run)? } else { Shared::open(&args.run)? };
    super::runtime()?.block_on(async {
        let stop = sync::stop_on_signal()?;
        let display = Display::new();
        let engine = shared.engine(display.progress());
        let members = shared.members(&manifests)?;
        let mut wants = Wants::default();
        shared.others(&members).want(&mut wants);
        let plans = tokio::select! {
            plans = join_all(members.iter().map(|member| judge(&engine, member, &wants))) => plans,
            () = stop.cancelled() => return Ok(Exit::Interrupted),
        };
        let objects: Vec<(&Member, Pruning)> = members.iter().zip(plans).collect();
        if args.dry_run {
            display.print(&show(&objects, None, args.run.output)?)?;
            let is_change = |(member, _): &(&Member, Pruning)| !member.journal.records().is_empty();
            return Ok(if objects.iter().any(is_change) { Exit::Changes } else { Exit::Success });
        }
        if !args.yes && !confirmed(&objects)? {
            writeln!(io::stderr(), "nothing was deleted, and nothing forgotten")?;
            return Ok(Exit::Success);
        }
        let done = objects
            .iter()
            .map(|(member, pruning)| engine.prune(pruning, &member.access, &member.journal, &stop));
        let done: Vec<Vec<Pruned>> = join_all(done).await;
        let forgotten: Vec<_> = objects
            .iter()
            .zip(&done)
            .map(|((member, pruning), pruned)| forget(member, pruning, pruned, Timestamp::now()))
            .collect();
        display.print(&show(&objects, Some(&done), args.run.output)?)?;
        for forgotten in join_all(forgotten).await {
            forgotten?;
        }
        Ok(exit(&objects, &done))
    })
}

/// What becomes of each name that the ImageSync wrote.
async fn judge(engine: &Engine, member: &Member, wants: &Wants) -> Pruning {
    if member.object.spec.deletion_policy == DeletionPolicy::Retain {
        return Pruning::default();
    }
    let records = member.journal.records();
    let around = member.surroundings(None, &records, wants, Timestamp::now());
    let mut observed = Observed::at(Timestamp::now());
    ask(engine, member, &mut observed, |observed| Pruning::questions_of_deleted(&around, observed)).await;
    Pruning::of_deleted(&around, &observed)
}

/// Forgets all that is recorded of it but what is still to be deleted.
async fn forget(
    member: &Member,
    pruning: &Pruning,
    pruned: &[Pruned],
    now: Timestamp,
) -> Result<(), crate::records::Error> {
    let open = pruning.names.iter().zip(pruned).filter(|(name, pruned)| is_open(&name.verdict, pruned));
    let open: Vec<(&str, String)> =
        open.map(|(name, _)| (name.target.as_str(), name.reference.to_string())).collect();
    if open.is_empty() {
        // What was noted last must not be written after the files are gone.
        member.journal.flush().await?;
        return member.journal.forget();
    }
    member.journal.commit(|records| keep_only(records, &open, now)).await
}

/// Nothing wants what stays recorded.
fn keep_only(records: &mut Records, open: &[(&str, String)], now: Timestamp) {
    let all: Vec<Record> = records.iter().cloned().collect();
    for mut record in all {
        let is_open =
            |name: &str, reference: &str| open.iter().any(|open| open.0 == name && open.1 == reference);
        record.targets.retain(|entry| is_open(&entry.name, &entry.reference));
        record.targets.iter_mut().for_each(|entry| {
            entry.unwanted_since.get_or_insert(now);
        });
        record.candidates.clear();
        records.keep(record);
    }
}

/// Whether it is still to be deleted.
const fn is_open(verdict: &Verdict, pruned: &Pruned) -> bool {
    match pruned {
        Pruned::Deleted | Pruned::Forgotten => false,
        Pruned::PutBack | Pruned::Spared | Pruned::Interrupted | Pruned::Failed(_) => true,
        Pruned::Untouched => matches!(verdict, Verdict::Wait { .. }),
    }
}

fn exit(objects: &[(&Member, Pruning)], done: &[Vec<Pruned>]) -> Exit {
    let mut exit = Exit::Success;
    for (name, pruned) in
        objects.iter().zip(done).flat_map(|((_, pruning), done)| pruning.names.iter().zip(done))
    {
        if !is_open(&name.verdict, pruned) {
            continue;
        }
        match pruned {
            Pruned::Interrupted => return Exit::Interrupted,
            _ if pruned.trouble().is_some_and(|trouble| trouble.state() == State::Deferred) => {
                if exit == Exit::Success {
                    exit = Exit::Deferred;
                }
            }
            _ => exit = Exit::Failed,
        }
    }
    exit
}

/// Shows the plan, and asks.
fn confirmed(objects: &[(&Member, Pruning)]) -> anyhow::Result<bool> {
    let names = objects.iter().map(|(_, pruning)| pruning.with(&Verdict::Delete).count()).sum::<usize>();
    let mut to = io::stderr().lock();
    to.write_all(text(objects, None).as_bytes())?;
    let (names, objects) = (count(names, "tag"), count(objects.len(), "ImageSync"));
    write!(to, "Delete {names}, and forget what is recorded of {objects}? [y/N] ")?;
    to.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// What is going to be done, or what was.
fn show(
    objects: &[(&Member, Pruning)],
    done: Option<&[Vec<Pruned>]>,
    output: Option<Output>,
) -> anyhow::Result<String> {
    match output.unwrap_or(Output::Table) {
        Output::Table => Ok(text(objects, done)),
        Output::Json => Ok(serde_json::to_string_pretty(&values(objects, done)?)? + "\n"),
        Output::Yaml => Ok(serde_saphyr::to_string(&values(objects, done)?)?),
    }
}

fn values(objects: &[(&Member, Pruning)], done: Option<&[Vec<Pruned>]>) -> anyhow::Result<Value> {
    let mut list = Vec::new();
    for (index, (member, pruning)) in objects.iter().enumerate() {
        let mut value = serde_json::to_value(pruning)?;
        let outcomes = done.and_then(|done| done.get(index));
        let listed = value.get_mut("names").and_then(Value::as_array_mut);
        for (name, pruned) in listed.into_iter().flatten().zip(outcomes.into_iter().flatten()) {
            if let Some(name) = name.as_object_mut() {
                name.insert("outcome".to_owned(), json!(word(pruned)));
                if let Pruned::Failed(error) = pruned {
                    name.insert("message".to_owned(), json!(error.message()));
                }
            }
        }
        let (namespace, name) = names(&member.object);
        list.push(json!({
            "namespace": namespace, "name": name,
            "deletionPolicy": member.object.spec.deletion_policy, "pruning": value,
        }));
    }
    Ok(Value::Array(list))
}

fn text(objects: &[(&Member, Pruning)], done: Option<&[Vec<Pruned>]>) -> String {
    let mut text = String::new();
    for (index, (member, pruning)) in objects.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = match (member.object.spec.deletion_policy, done) {
            (DeletionPolicy::Retain, None) => {
                writeln!(text, "{}: its records are forgotten, and what it wrote stays", member.title())
            }
            (DeletionPolicy::Retain, Some(_)) => {
                writeln!(text, "{}: its records are forgotten, and what it wrote stayed", member.title())
            }
            (DeletionPolicy::Prune, None) => writeln!(text, "{}\n{}", member.title(), pruning.render()),
            (DeletionPolicy::Prune, Some(done)) => {
                let pruned = done.get(index).map(Vec::as_slice).unwrap_or_default();
                writeln!(text, "{}\n{}", member.title(), outcome(pruning, pruned))
            }
        };
    }
    text
}

/// A line for each name.
fn outcome(pruning: &Pruning, done: &[Pruned]) -> String {
    let lines = pruning.names.iter().zip(done).map(|(name, pruned)| {
        let why = match pruned {
            Pruned::Deleted => String::new(),
            Pruned::Failed(error) => format!(": {}", error.message()),
            _ => format!(": {}", name.reason),
        };
        format!("    {}  {}{why}\n", name.reference, word(pruned))
    });
    lines.collect()
}

const fn word(pruned: &Pruned) -> &'static str {
    match pruned {
        Pruned::Untouched => "kept",
        Pruned::Deleted => "deleted",
        Pruned::Forgotten => "not ours any more",
        Pruned::PutBack => "put back",
        Pruned::Spared => "changed meanwhile",
        Pruned::Interrupted => "interrupted",
        Pruned::Failed(_) => "failed",
    }
}
