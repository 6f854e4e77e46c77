//! Prints what the sending end has to say, and says how a command ends by it: for `rollcall app`, `rollcall job` and the demonstration.

use std::path::Path;

use anyhow::Context as _;
use rollcall_app::Failure;
use rollcall_app::applications::{Configured, Held};
use rollcall_engine::{Agreement, OnDemand, Why};
use rollcall_model::Kind;
use rollcall_model::provisioning::{
    CycleOutcome, CycleReport, LogEntry, LogStatus, QuarantineReason,
};
use rollcall_sync::explain::Outcome;
use rollcall_sync::plan::{self, Plan, document};
use serde_json::json;

use crate::outcome::{Exit, Trouble};
use crate::printer;

/// So many differences, or people who are held back, are shown.
const SHOWN: usize = 50;

/// Prints a plan, and writes it to a file.
pub(crate) fn plan(
    plan: &Plan,
    out: Option<&Path>,
    show: usize,
    as_json: bool,
) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(plan)?;
    } else {
        printer::data(plan.text(show).trim_end());
    }
    if let Some(path) = out {
        // it tells who works where, like the store
        private(path, document::write(plan).as_bytes())
            .with_context(|| format!("writing the plan to {}", path.display()))?;
        printer::say(&format!(
            "the plan is in {}: `run --plan` carries it out exactly, or not at all",
            path.display()
        ));
    }
    Ok(Exit::Done)
}

fn private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}

/// Prints how a cycle went.
pub(crate) fn report(report: &CycleReport, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(report)?;
        return Ok(exit_of(report));
    }
    match &report.outcome {
        CycleOutcome::Succeeded => printer::good(&sentence(report)),
        CycleOutcome::EntryLevelErrors => {
            printer::error(&format!(
                "{}; {} objects failed and are tried again",
                sentence(report),
                report.users.failed + report.groups.failed
            ));
        }
        CycleOutcome::Stopped { reason, message } => {
            printer::error(message);
            if *reason == QuarantineReason::TooManyDeletes {
                printer::hint("`held` lists them, and `allow` with the list's code lets them go");
            }
        }
    }
    Ok(exit_of(report))
}

fn exit_of(report: &CycleReport) -> Exit {
    match &report.outcome {
        CycleOutcome::Succeeded => Exit::Done,
        CycleOutcome::EntryLevelErrors => Exit::No,
        CycleOutcome::Stopped { reason, .. } => match reason {
            QuarantineReason::InvalidConfiguration => Exit::Wrong,
            QuarantineReason::EncounteredQuarantineException
            | QuarantineReason::ServiceIncompatible => Exit::Unreachable,
            _ => Exit::No,
        },
    }
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

/// Says why a plan was not carried out.
pub(crate) fn moved(moved: &[String], as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(&json!({"moved": moved}))?;
        return Ok(Exit::No);
    }
    printer::error("the plan does not hold any more; nothing was sent");
    for what in moved {
        printer::detail(what);
    }
    printer::hint("make a new plan, and look at it again");
    Ok(Exit::No)
}

/// Lists whom the deletion guard holds back.
pub(crate) fn held(held: &Held, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        let links = held.links.iter().map(|link| {
            json!({"kind": link.kind, "object": link.object, "name": link.name, "target_id": link.target_id})
        });
        printer::json(&json!({"code": held.code(), "held": links.collect::<Vec<_>>()}))?;
        return Ok(Exit::Done);
    }
    if held.links.is_empty() {
        printer::say("nobody is held back");
        return Ok(Exit::Done);
    }
    let rows = held.links.iter().take(SHOWN).map(|link| {
        [
            noun(link.kind).to_owned(),
            link.name.clone().unwrap_or_else(|| link.object.to_string()),
            link.target_id.clone().unwrap_or_default(),
        ]
    });
    printer::table(["kind", "name", "id in the target"], rows);
    more(held.links.len());
    printer::say(&format!(
        "{} would be disabled or deleted. Bring them back at the source, or allow the list {}",
        held.links.len(),
        held.code()
    ));
    Ok(Exit::Done)
}

fn more(count: usize) {
    if count > SHOWN {
        printer::say(&format!("… and {} more (--json shows all)", count - SHOWN));
    }
}

/// Says whether a list was allowed.
pub(crate) fn allowed(outcome: Result<u64, Failure>, code: &str) -> anyhow::Result<Exit> {
    match outcome {
        Ok(count) => {
            printer::say(&format!(
                "allowed: the next cycle disables or deletes these {count}"
            ));
            Ok(Exit::Done)
        }
        Err(Failure::Precondition) => {
            printer::error(&format!(
                "the list `{code}` is not the one that is held now"
            ));
            printer::hint("`held` shows it; allow it when you have looked at it");
            Ok(Exit::No)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Explains how an object stands.
pub(crate) fn why(why: &Why, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(why)?;
        return Ok(Exit::Done);
    }
    let name = why
        .object
        .sign_in_name
        .as_ref()
        .or(why.object.display_name.as_ref());
    printer::title(name.unwrap_or(&why.object.id));
    let flag = |flag: bool| if flag { "yes" } else { "no" };
    let mut rows = vec![
        ["at the source".to_owned(), flag(why.exists).to_owned()],
        [
            "account enabled".to_owned(),
            flag(why.is_enabled).to_owned(),
        ],
        [
            "assigned".to_owned(),
            match &why.assigned_by {
                Some(by) => by.clone(),
                None => "no".to_owned(),
            },
        ],
    ];
    for (clause, passed) in &why.scope {
        rows.push([format!("filter {clause}"), passed.to_string()]);
    }
    rows.push(["verdict".to_owned(), why.verdict.to_owned()]);
    rows.push(["in the target".to_owned(), why.standing.clone()]);
    if let Some(id) = &why.target_id {
        rows.push(["id there".to_owned(), id.clone()]);
    }
    if let Some(failure) = &why.failure {
        rows.push([
            "failed".to_owned(),
            format!(
                "{} times since {} ({}); next attempt {}",
                failure.count, failure.since, failure.code, failure.next_attempt
            ),
        ]);
    }
    printer::table(["what", "how"], rows);
    let mappings = why.mappings.iter().map(|line| {
        let value = match &line.outcome {
            Outcome::Value(value) => value.clone(),
            Outcome::DefaultAtCreation(value) => format!("{value} (default, at creation)"),
            Outcome::Nothing => "–".to_owned(),
            Outcome::LeftAlone => "left alone".to_owned(),
            Outcome::Reference(value) => format!("{value} (reference)"),
            Outcome::Members => "members".to_owned(),
            Outcome::Failed { message, .. } => format!("failed: {message}"),
        };
        let matching = line.matching.map(|place| format!("match {place}"));
        [line.target.clone(), value, matching.unwrap_or_default()]
    });
    printer::data("");
    printer::table(["target attribute", "value", ""], mappings);
    printer::data("");
    match (&why.would, &why.target_trouble) {
        (Some(would), _) => {
            let reason = would.reason.as_deref().unwrap_or_default();
            let code = would.code.as_deref().unwrap_or_default();
            let said = [plan::word(would.decision), code, reason];
            let said: Vec<&str> = said.into_iter().filter(|part| !part.is_empty()).collect();
            printer::data(&format!("the next cycle would: {}", said.join(": ")));
            for property in &would.properties {
                let value =
                    |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
                printer::data(&format!(
                    "  {} {} → {}",
                    property.display_name,
                    value(&property.old_value),
                    value(&property.new_value)
                ));
            }
            for request in &would.requests {
                printer::data(&format!("  {} {}", request.method, request.path));
                if let Some(body) = &request.body {
                    printer::data(&format!("  {body}"));
                }
            }
        }
        (None, trouble) => printer::data(&format!(
            "the target cannot be asked: {}",
            trouble.as_deref().unwrap_or_default()
        )),
    }
    for logged in &why.log {
        printer::data(&format!("{}  {}", logged.at, told(logged)));
    }
    Ok(Exit::Done)
}

/// Says in one line what an entry of the provisioning log says.
pub(crate) fn told(logged: &LogEntry) -> String {
    let name = logged
        .source
        .sign_in_name
        .as_ref()
        .or(logged.source.display_name.as_ref());
    let line = format!(
        "{} {} {}",
        word(&logged.status),
        word(&logged.action),
        name.unwrap_or(&logged.source.id)
    );
    match &logged.error {
        Some(error) => format!("{line}: {}: {}", error.error_code, error.reason),
        None => line,
    }
}

/// Returns the word under which a value of the log is stored.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Prints the state of an application's job.
pub(crate) fn status(configured: &Configured, held: &Held, as_json: bool) -> anyhow::Result<Exit> {
    let job = &configured.job;
    if as_json {
        printer::json(&json!({
            "name": configured.application.name, "job": job,
            "assignments": configured.assignments.len(),
            "held": {"count": held.links.len(), "code": held.code()},
        }))?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    let mut row = |what: &str, how: String| rows.push([what.to_owned(), how]);
    row("job", configured.application.name.clone());
    if let Some(target) = &configured.application.target {
        row("target", target.tenant_url.clone());
    }
    match &job.last {
        None => row("last cycle", "it never ran".to_owned()),
        Some(last) => {
            row("last cycle", format!("{}: {}", last.ended, sentence(last)));
            if let CycleOutcome::Stopped { message, .. } = &last.outcome {
                row("it stopped", message.clone());
            }
            let failed = last.users.failed + last.groups.failed;
            if failed > 0 {
                row("failed", format!("{failed} objects, tried again"));
            }
        }
    }
    if let Some(retry) = job.retry {
        row("next attempt", retry.to_string());
    }
    if let Some(quarantine) = &job.quarantine {
        row(
            "quarantine",
            format!("since {}: {}", quarantine.since, quarantine.message),
        );
        let next = quarantine
            .next_attempt
            .map_or_else(|| "after somebody's word".to_owned(), |at| at.to_string());
        row("next attempt", next);
    }
    if !held.links.is_empty() {
        row(
            "held back",
            format!("{} (list {})", held.links.len(), held.code()),
        );
    }
    if let Some(drift) = &job.drift {
        row(
            "compared",
            format!("{}: {} differ", drift.at, drift.differing),
        );
    }
    printer::table(["what", "how"], rows);
    printer::data("");
    let profile = job.profile.rows();
    printer::table(
        ["the target's dialect", "", "known from"],
        profile
            .into_iter()
            .map(|row| [row.what.to_owned(), row.value, row.evidence.to_string()]),
    );
    Ok(Exit::Done)
}

/// Shows what was done on demand, step by step.
pub(crate) fn on_demand(done: &OnDemand, as_json: bool) -> anyhow::Result<Exit> {
    let has_failed = done.entry.status == LogStatus::Failure || done.failed > 0;
    let exit = if has_failed { Exit::No } else { Exit::Done };
    if as_json {
        printer::json(&json!({
            "decision": done.decision, "entry": done.entry, "references": done.references,
            "members_added": done.members_added, "members_removed": done.members_removed, "failed": done.failed,
        }))?;
        return Ok(exit);
    }
    for (number, step) in (1..).zip(&done.entry.steps) {
        let said = format!("{number}  {}: {}", step.name, step.description);
        match step.status {
            LogStatus::Success => printer::good(&said),
            LogStatus::Failure => printer::error(&said),
            LogStatus::Warning | LogStatus::Skipped => printer::detail(&said),
        }
        for (name, value) in &step.details {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            printer::detail(&format!("     {name}: {value}"));
        }
    }
    printer::say(&format!(
        "{}; {} managers, {} memberships added, {} removed",
        plan::word(done.decision),
        done.references,
        done.members_added,
        done.members_removed
    ));
    Ok(exit)
}

/// Says whether both ends agree.
pub(crate) fn agreement(agreement: &Agreement, as_json: bool) -> anyhow::Result<Exit> {
    let exit = if agreement.holds() {
        Exit::Done
    } else {
        Exit::No
    };
    if as_json {
        printer::json(agreement)?;
        return Ok(exit);
    }
    if agreement.holds() {
        printer::good(&format!(
            "both ends agree: {} people, {} groups, {} memberships; {} others are left alone",
            agreement.users, agreement.groups, agreement.memberships, agreement.others
        ));
        return Ok(exit);
    }
    for difference in agreement.differences.iter().take(SHOWN) {
        printer::data(&difference.what);
    }
    more(agreement.differences.len());
    printer::error(&format!(
        "the ends differ in {} places",
        agreement.differing
    ));
    Ok(exit)
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "person",
        Kind::Group => "group",
    }
}

/// Returns how a command ends that the engine did not let through.
pub(crate) fn trouble(error: &rollcall_engine::Error) -> Option<Trouble> {
    use rollcall_engine::Error;
    match error {
        Error::Stopped { reason, message } => Some(match reason {
            QuarantineReason::InvalidConfiguration => Trouble::wrong(message.clone()),
            QuarantineReason::TooManyDeletes => Trouble::no(message.clone()),
            _ => Trouble::unreachable(message.clone()),
        }),
        Error::Busy => Some(
            Trouble::unreachable(error.to_string()).hint("a server or another command runs it"),
        ),
        Error::Deviated(message) => Some(Trouble::no(message.clone()).hint("make a new plan")),
        Error::Interrupted | Error::Failed(_) => None,
    }
}
