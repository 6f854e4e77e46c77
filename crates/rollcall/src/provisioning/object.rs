//! What is shown of one person or group: what was done on demand, why it is what it is, the provisioning log.

use rollcall_engine::{OnDemand, Why};
use rollcall_model::link::Setback;
use rollcall_model::provisioning::{Identity, LogEntry, ModifiedProperty, Step, StepKind};
use rollcall_sync::explain::Outcome;
use rollcall_sync::plan::{Planned, word};
use rollcall_sync::task::Decision;
use serde_json::{Value, json};

use super::{noun, word_of};
use crate::outcome::Exit;
use crate::printer;

/// The four steps in which provisioning on demand is told.
const STEPS: [(&str, &[StepKind]); 4] = [
    ("1 import", &[StepKind::Import]),
    ("2 scope", &[StepKind::Scoping]),
    ("3 match", &[StepKind::Matching]),
    (
        "4 action",
        &[
            StepKind::Processing,
            StepKind::ReferenceResolution,
            StepKind::Export,
        ],
    ),
];

/// Prints what was done to one object on demand, step by step. The answer is no when something of it failed.
pub(crate) fn on_demand(done: &OnDemand, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(&json!({
            "decision": done.decision,
            "entry": done.entry,
            "references": done.references,
            "membersAdded": done.members_added,
            "membersRemoved": done.members_removed,
            "failed": done.failed,
        }))?;
    } else {
        printer::data(&on_demand_text(done));
    }
    if done.decision == Decision::Fail || done.failed > 0 {
        return Ok(Exit::No);
    }
    Ok(Exit::Done)
}

fn on_demand_text(done: &OnDemand) -> String {
    let entry = &done.entry;
    let mut lines = vec![format!("{}: {}", name(&entry.source), word(done.decision))];
    for (title, kinds) in STEPS {
        let mut steps = entry
            .steps
            .iter()
            .filter(|step| kinds.contains(&step.kind))
            .peekable();
        if steps.peek().is_none() {
            lines.push(format!("{title:<9} nothing"));
        }
        for step in steps {
            lines.push(format!(
                "{title:<9} {}: {}",
                word_of(&step.status),
                step.description
            ));
            lines.extend(details(step));
        }
    }
    let changed = entry.modified_properties.iter();
    lines.extend(changed.map(|property| format!("          {}", change(property))));
    if done.references > 0 {
        lines.push(format!("managers  {} set or removed", done.references));
    }
    if done.members_added + done.members_removed > 0 {
        lines.push(format!(
            "members   {} added, {} removed",
            done.members_added, done.members_removed
        ));
    }
    if done.failed > 0 {
        lines.push(format!(
            "failed    {} references or memberships; they are tried again",
            done.failed
        ));
    }
    lines.join("\n")
}

/// What a step saw, one line for each; a refused request is shown whole.
fn details(step: &Step) -> Vec<String> {
    step.details
        .iter()
        .filter(|(name, value)| *name != "ScopeEvaluationResult" || value.as_str() != Some("{}"))
        .map(|(name, value)| format!("          {name}: {}", plain(value)))
        .collect()
}

/// Prints why an object is what it is, and what would be done now.
pub(crate) fn why(why: &Why, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(why)?;
    } else {
        printer::data(&why_text(why));
    }
    Ok(match &why.target_trouble {
        None => Exit::Done,
        Some(_) => Exit::Unreachable,
    })
}

fn why_text(why: &Why) -> String {
    let mut lines = vec![format!(
        "{} {} ({})",
        noun(why.object.kind),
        name(&why.object),
        why.object.id
    )];
    let mut row = |what: &str, text: String| lines.push(format!("{what:<11} {text}"));
    let source = match (why.exists, why.is_enabled) {
        (false, _) => "does not have it any more",
        (true, false) => "has it, blocked",
        (true, true) => "has it, enabled",
    };
    row("the source", source.to_owned());
    row(
        "assignment",
        match &why.assigned_by {
            Some(words) => words.clone(),
            None => "none".to_owned(),
        },
    );
    for (clause, is_true) in &why.scope {
        row("scope", format!("{clause}: {}", plain(is_true)));
    }
    row("so", why.verdict.to_owned());
    for line in &why.mappings {
        if let Some(value) = mapped(&line.outcome) {
            row("mapping", format!("{} = {value}", line.target));
        }
    }
    let id = why.target_id.as_ref();
    row(
        "the target",
        id.map_or_else(
            || why.standing.clone(),
            |id| format!("{} ({id})", why.standing),
        ),
    );
    if let Some(failure) = &why.failure {
        row("failed", setback(failure));
    }
    row(
        "next",
        match (&why.would, &why.target_trouble) {
            (Some(planned), _) => prospect(planned),
            (None, Some(trouble)) => format!("unknown: {trouble}"),
            (None, None) => "unknown".to_owned(),
        },
    );
    for request in why.would.iter().flat_map(|planned| &planned.requests) {
        let body = request.body.as_ref().map(ToString::to_string);
        let body = body.unwrap_or_default();
        let said = format!("{} {} {body}", request.method, request.path);
        row("", said.trim_end().to_owned());
    }
    for entry in &why.log {
        row("log", line(entry));
    }
    lines.join("\n")
}

/// Says what a mapping came to; nothing when it gives no value.
fn mapped(outcome: &Outcome) -> Option<String> {
    Some(match outcome {
        Outcome::Value(value) => value.clone(),
        Outcome::DefaultAtCreation(value) => format!("{value} (the default, at creation)"),
        Outcome::Reference(value) => format!("the counterpart of {value}"),
        Outcome::Members => "its members".to_owned(),
        Outcome::LeftAlone => "left alone".to_owned(),
        Outcome::Failed { code, message } => format!("failed: {code}: {message}"),
        Outcome::Nothing => return None,
    })
}

/// Says what would be done with an object.
fn prospect(planned: &Planned) -> String {
    let word = word(planned.decision);
    if let Some(reason) = &planned.reason {
        return format!("{word}: {reason}");
    }
    let changes: Vec<String> = planned.properties.iter().map(change).collect();
    if changes.is_empty() {
        word.to_owned()
    } else {
        format!("{word}: {}", changes.join(", "))
    }
}

/// Says how often an object failed, since when, and when it is tried again.
pub(crate) fn setback(failure: &Setback) -> String {
    let Setback {
        count,
        since,
        code,
        next_attempt,
    } = failure;
    let times = if *count == 1 { "time" } else { "times" };
    format!("{code}, {count} {times} since {since}; tried again at {next_attempt}")
}

/// Prints entries of the provisioning log.
pub(crate) fn log(entries: &[LogEntry], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return printer::json(&entries);
    }
    if entries.is_empty() {
        printer::say("the log has no such entry");
        return Ok(());
    }
    let rows = entries.iter().map(|entry| {
        [
            entry.at.to_string(),
            word_of(&entry.action),
            word_of(&entry.status),
            noun(entry.source.kind).to_owned(),
            name(&entry.source),
            outcome(entry),
        ]
    });
    printer::table(["at", "action", "status", "kind", "name", "what"], rows);
    Ok(())
}

fn line(entry: &LogEntry) -> String {
    let what = outcome(entry);
    let (action, status) = (word_of(&entry.action), word_of(&entry.status));
    let rest = if what.is_empty() {
        what
    } else {
        format!(": {what}")
    };
    format!("{} {action} {status}{rest}", entry.at)
}

/// Says what came of an entry: the cause, or what changed.
fn outcome(entry: &LogEntry) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(error) = &entry.error {
        return format!("{}: {}", error.error_code, one_line(&error.reason));
    }
    let changes: Vec<String> = entry.modified_properties.iter().map(change).collect();
    one_line(&changes.join(", "))
}

fn change(property: &ModifiedProperty) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
    format!(
        "{} {} → {}",
        property.display_name,
        value(&property.old_value),
        value(&property.new_value)
    )
}

fn name(identity: &Identity) -> String {
    let name = identity
        .sign_in_name
        .as_ref()
        .or(identity.display_name.as_ref());
    name.unwrap_or(&identity.id).clone()
}

/// Writes a value as people read it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
