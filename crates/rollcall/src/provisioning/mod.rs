//! How provisioning is shown at the terminal: plans, reports of cycles, connections, comparisons.
//!
//! **Is:** data to stdout, as text for people or as JSON, what to do to stderr, and the exit code that the answer means.
//! **Is not:** about where the data is from: commands for applications and for jobs print the same.
//! **Start at** [`plan`] and [`report`]; what is shown of one object is in [`object`].

pub(crate) mod job;
pub(crate) mod object;
pub(crate) mod plan_file;

use std::path::Path;

use rollcall_app::applications::Held;
use rollcall_engine::{Agreement, Connection};
use rollcall_model::provisioning::{
    Counts, CycleKind, CycleOutcome, CycleReport, QuarantineReason,
};
use rollcall_model::{Kind, Profile};
use rollcall_sync::plan::Plan;
use rollcall_sync::task::Decision;
use serde::Serialize;
use serde_json::{Value, json};

use crate::outcome::{self, Exit};
use crate::printer;

/// How many objects of each decision, or differences, are shown when nobody says.
pub(crate) const SHOWN: usize = 20;

/// Prints a plan with `shown` objects of each decision. The answer is no when the guard would hold it or objects would fail.
pub(crate) fn plan(plan: &Plan, shown: usize, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(plan)?;
    } else {
        printer::data(plan.text(shown).trim_end());
    }
    let failing = [Kind::User, Kind::Group].map(|kind| plan.count(Decision::Fail, kind));
    if plan.held_back.is_some() || failing.iter().sum::<u64>() > 0 {
        return Ok(Exit::No);
    }
    Ok(Exit::Done)
}

/// Prints a plan, and writes it to a file. `command` is `app` or `job`.
pub(crate) fn plan_with_file(
    made: &Plan,
    shown: usize,
    out: Option<&Path>,
    command: &str,
    as_json: bool,
) -> anyhow::Result<Exit> {
    if let Some(path) = out {
        plan_file::save(path, made)?;
    }
    let exit = plan(made, shown, as_json)?;
    if let Some(path) = out {
        printer::say(&format!(
            "`rollcall {command} run --plan {}` does exactly this, or nothing",
            path.display()
        ));
    }
    Ok(exit)
}

/// Says what can be done when a cycle did not succeed.
pub(crate) fn advise(report: &CycleReport, command: &str) {
    let hint = match &report.outcome {
        CycleOutcome::Succeeded => return,
        CycleOutcome::EntryLevelErrors if command == "app" => {
            "`rollcall app log --failed` shows the causes".to_owned()
        }
        CycleOutcome::EntryLevelErrors => {
            format!("`rollcall {command} why` shows the cause for one of them")
        }
        CycleOutcome::Stopped { reason, .. } => match reason {
            QuarantineReason::TooManyDeletes => format!(
                "`rollcall {command} held` lists them, `rollcall {command} allow` lets exactly that list go"
            ),
            QuarantineReason::CredentialRefused
            | QuarantineReason::EncounteredQuarantineException
            | QuarantineReason::ServiceIncompatible => {
                let test = if command == "app" { "test" } else { "check" };
                format!("`rollcall {command} {test}` asks the target again")
            }
            _ => {
                let show = if command == "app" { "show" } else { "status" };
                format!("`rollcall {command} {show}` shows how it stands")
            }
        },
    };
    printer::hint(&hint);
}

/// Prints what a cycle did; returns what its outcome means.
pub(crate) fn report(report: &CycleReport, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(report)?;
    } else {
        printer::data(&report_text(report));
    }
    Ok(match &report.outcome {
        CycleOutcome::Succeeded => Exit::Done,
        CycleOutcome::EntryLevelErrors => {
            let failed = report.users.failed + report.groups.failed;
            printer::error(&match failed {
                0 => "some references or memberships failed and are tried again".to_owned(),
                1 => "1 object failed and is tried again".to_owned(),
                count => format!("{count} objects failed and are tried again"),
            });
            Exit::No
        }
        CycleOutcome::Stopped { reason, message } => {
            printer::error(message);
            outcome::of_reason(*reason)
        }
    })
}

fn report_text(report: &CycleReport) -> String {
    let row = |what: &str, counts: &Counts| {
        [
            what.to_owned(),
            counts.created.to_string(),
            counts.adopted.to_string(),
            counts.updated.to_string(),
            counts.disabled.to_string(),
            counts.deleted.to_string(),
            counts.kept.to_string(),
            counts.skipped.to_string(),
            counts.held.to_string(),
            counts.failed.to_string(),
        ]
    };
    let header = [
        "what", "created", "adopted", "updated", "disabled", "deleted", "kept", "skipped", "held",
        "failed",
    ];
    let rows = [row("people", &report.users), row("groups", &report.groups)];
    format!("{}\n{}", printer::table_text(header, rows), summary(report))
}

/// Says in one line which cycle it was, how long it took, and what it did.
pub(crate) fn summary(report: &CycleReport) -> String {
    let kind = match report.kind {
        CycleKind::Initial => "initial",
        CycleKind::Incremental => "incremental",
    };
    let took = report.ended.duration_since(report.began).as_secs_f64();
    let state = match &report.outcome {
        CycleOutcome::Stopped { .. } => " (stopped)",
        CycleOutcome::Succeeded | CycleOutcome::EntryLevelErrors => "",
    };
    let failed = report.users.failed + report.groups.failed;
    let what = match (failed, report.has_exports()) {
        (0, _) => sentence(report),
        (failed, false) => format!("{failed} failed"),
        (failed, true) => format!("{}, {failed} failed", sentence(report)),
    };
    format!("{kind} cycle of {took:.1} s{state}: {what}")
}

/// Says in one sentence what a cycle did.
pub(crate) fn sentence(report: &CycleReport) -> String {
    let mut parts = Vec::new();
    let mut add = |count: u64, (one, many): (&str, &str), done: &str| match count {
        0 => {}
        1 => parts.push(format!("1 {one} {done}")),
        count => parts.push(format!("{count} {many} {done}")),
    };
    let nouns = [("person", "people"), ("group", "groups")];
    for (counts, noun) in [&report.users, &report.groups].into_iter().zip(nouns) {
        add(counts.created, noun, "created");
        add(counts.adopted, noun, "adopted");
        add(counts.updated, noun, "updated");
        add(counts.disabled, noun, "disabled");
        add(counts.deleted, noun, "deleted");
    }
    add(report.references, ("manager", "managers"), "set");
    let memberships = ("membership", "memberships");
    add(report.members_added, memberships, "added");
    add(report.members_removed, memberships, "removed");
    if parts.is_empty() {
        "nothing to do: both ends agree".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Prints what a connection test that succeeded found.
pub(crate) fn connection(connection: &Connection, as_json: bool) -> anyhow::Result<()> {
    let milliseconds = connection.latency.as_secs_f64() * 1_000.0;
    if as_json {
        return printer::json(&json!({
            "latencyInMilliseconds": milliseconds,
            "notes": connection.notes,
            "profile": connection.profile,
        }));
    }
    printer::good("the endpoint answers, filters, and takes the token");
    printer::data(&format!("latency {milliseconds:.1} ms"));
    for note in &connection.notes {
        printer::data(&format!("note    {note}"));
    }
    profile(&connection.profile);
    Ok(())
}

/// Prints what is known of a target's dialect.
pub(crate) fn profile(profile: &Profile) {
    let rows = profile
        .rows()
        .into_iter()
        .map(|row| [row.what.to_owned(), row.value, row.evidence.to_string()]);
    printer::table(["the target", "is known to", "from"], rows);
}

/// Prints what a comparison of both ends found, with the first `shown` differences.
pub(crate) fn agreement(
    agreement: &Agreement,
    shown: usize,
    as_json: bool,
) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(agreement)?;
    } else {
        printer::data(&agreement_text(agreement, shown));
    }
    Ok(if agreement.holds() {
        Exit::Done
    } else {
        Exit::No
    })
}

/// Says in words what a comparison found.
pub(crate) fn agreement_text(agreement: &Agreement, shown: usize) -> String {
    let Agreement {
        users,
        groups,
        memberships,
        others,
        differing,
        differences,
    } = agreement;
    let mut lines = Vec::new();
    if agreement.holds() {
        lines.push(format!(
            "both ends agree object by object: {users} people, {groups} groups, {memberships} memberships"
        ));
    } else {
        lines.push(format!("the ends differ in {differing} places:"));
        let told = differences.iter().take(shown);
        lines.extend(told.map(|difference| format!("  {}", difference.what)));
        let rest = differing.saturating_sub(shown.min(differences.len()) as u64);
        if rest > 0 {
            lines.push(format!("  … and {rest} more"));
        }
    }
    if *others > 0 {
        lines.push(format!(
            "{others} people, groups or memberships of the target are managed by others and left alone"
        ));
    }
    lines.join("\n")
}

/// Prints whom the deletion guard holds back, and the code by which exactly they can be allowed to go.
pub(crate) fn held(held: &Held, as_json: bool) -> anyhow::Result<()> {
    let code = (!held.links.is_empty()).then(|| held.code());
    if as_json {
        let links: Vec<Value> = held
            .links
            .iter()
            .map(|link| {
                json!({
                    "kind": link.kind, "object": link.object, "name": link.name, "targetId": link.target_id,
                    "since": link.changed,
                })
            })
            .collect();
        return printer::json(&json!({"code": code, "held": links}));
    }
    let Some(code) = code else {
        printer::say("nobody is held back");
        return Ok(());
    };
    let rows = held.links.iter().map(|link| {
        [
            noun(link.kind).to_owned(),
            link.name.clone().unwrap_or_else(|| link.object.to_string()),
            link.object.to_string(),
            link.changed.to_string(),
        ]
    });
    printer::table(["kind", "name", "id", "since"], rows);
    printer::data(&format!("code {code}"));
    Ok(())
}

/// Returns the word for a kind of object, as principals are written.
pub(crate) fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "user",
        Kind::Group => "group",
    }
}

/// Returns the word by which a value without fields is written in JSON.
pub(crate) fn word_of(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
