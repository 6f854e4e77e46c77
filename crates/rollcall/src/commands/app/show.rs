//! `rollcall app list` and `app show`: how applications are set up, and how they stand.

use rollcall_app::overview::Overview;
use rollcall_model::application::{Application, Leaving, Mode, NestedGroups, Scope, Status};
use rollcall_model::{Kind, Slug};
use serde_json::{Value, json};

use super::Desk;
use crate::cli::app::Which;
use crate::outcome::Exit;
use crate::printer;
use crate::provisioning::object::setback;
use crate::provisioning::{noun, profile, summary, word_of};

pub(super) async fn list(desk: &Desk<'_>, org: &Slug) -> anyhow::Result<Exit> {
    let organisation = desk.app.organisation(org).await?;
    let context = desk.app.command_context(organisation.id);
    let mut all = Vec::new();
    for application in desk.app.applications(&context).await? {
        all.push(desk.app.overview(&context, application.id).await?);
    }
    if desk.as_json {
        let described: Vec<Value> = all.iter().map(described).collect();
        printer::json(&described)?;
        return Ok(Exit::Done);
    }
    let rows = all.iter().map(|overview| {
        let application = &overview.application;
        let last = overview.job.last.as_ref();
        [
            application.name.clone(),
            status(overview),
            scope(application).to_owned(),
            overview.in_use.to_string(),
            last.map_or_else(|| "never".to_owned(), |report| report.ended.to_string()),
            address(application),
        ]
    });
    printer::table(
        ["name", "status", "scope", "in use", "last cycle", "address"],
        rows,
    );
    Ok(Exit::Done)
}

pub(super) async fn show(desk: &Desk<'_>, which: &Which) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let overview = desk.app.overview(&context, application.id).await?;
    if desk.as_json {
        printer::json(&described(&overview))?;
        return Ok(Exit::Done);
    }
    for (name, value) in configuration(&overview)
        .into_iter()
        .chain(standing(&overview))
    {
        printer::data(&format!("{name:<12} {value}"));
    }
    for kind in [Kind::User, Kind::Group] {
        mappings(&overview.application, kind);
    }
    printer::data("");
    profile(&overview.job.profile);
    Ok(Exit::Done)
}

/// The picture for programs; of the credential only whether there is one.
fn described(overview: &Overview) -> Value {
    let failures: Vec<Value> = overview
        .failures
        .iter()
        .map(|one| {
            json!({"kind": one.kind, "object": one.object, "name": one.name, "failure": one.failure})
        })
        .collect();
    json!({
        "application": overview.application,
        "hasCredential": overview.has_credential,
        "assigned": overview.assigned,
        "inUse": overview.in_use,
        "held": overview.held,
        "failing": overview.failing,
        "failures": failures,
        "job": overview.job,
    })
}

fn configuration(overview: &Overview) -> Vec<(&'static str, String)> {
    let application = &overview.application;
    let settings = &application.settings;
    let mode = match application.mode {
        Mode::Manual => "manual",
        Mode::Automatic => "automatic",
    };
    let token = if overview.has_credential {
        "stored"
    } else {
        "none"
    };
    let leaving = match settings.leaving {
        Leaving::Disable => "switched off; groups are deleted",
        Leaving::Delete => "deleted",
        Leaving::Unlink => "left as they are",
    };
    let nested = match settings.nested_groups {
        NestedGroups::Direct => "direct members only",
        NestedGroups::Keep => "kept nested",
        NestedGroups::Flatten => "flattened",
    };
    let drift = settings.drift.map_or_else(
        || "on demand only".to_owned(),
        |drift| {
            let then = if drift.repair { "repaired" } else { "reported" };
            format!("every {} h, and {then}", drift.every_hours)
        },
    );
    let told = match &application.notification_email {
        Some(email) if application.notify_on_failure => email.to_string(),
        _ => "nobody".to_owned(),
    };
    let by = application.job_file.as_ref().map_or_else(
        || "commands".to_owned(),
        |file| format!("the job file {file}; what commands change does not last"),
    );
    vec![
        ("name", application.name.clone()),
        ("id", application.id.to_string()),
        ("address", address(application)),
        ("token", token.to_owned()),
        ("mode", mode.to_owned()),
        ("status", status(overview)),
        (
            "scope",
            format!("{}, {} assigned", scope(application), overview.assigned),
        ),
        ("who leaves", leaving.to_owned()),
        ("nesting", nested.to_owned()),
        ("guard", guard(application)),
        ("comparison", drift),
        ("told", told),
        ("set up by", by),
    ]
}

fn guard(application: &Application) -> String {
    let settings = &application.settings;
    let limits: Vec<String> = [
        settings.max_deletions.map(|number| number.to_string()),
        settings
            .max_deletions_percent
            .map(|percent| format!("{percent} %")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if limits.is_empty() {
        "10 or a tenth may leave in a day, whichever is more".to_owned()
    } else {
        format!("{} may leave in a day", limits.join(" or "))
    }
}

fn standing(overview: &Overview) -> Vec<(&'static str, String)> {
    let job = &overview.job;
    let mut rows = vec![
        ("in use", overview.in_use.to_string()),
        (
            "last cycle",
            job.last.as_ref().map_or_else(
                || "never".to_owned(),
                |report| format!("{}, {}", report.ended, summary(report)),
            ),
        ),
    ];
    if let Some(quarantine) = &job.quarantine {
        let next = quarantine.next_attempt.map_or_else(
            || "tried again when an administrator has decided".to_owned(),
            |at| format!("tried again at {at}"),
        );
        rows.push((
            "quarantine",
            format!(
                "{} since {}, {next}: {}",
                word_of(&quarantine.reason),
                quarantine.since,
                quarantine.message
            ),
        ));
    }
    if overview.held > 0 {
        rows.push((
            "held",
            format!(
                "{} by the deletion guard; `rollcall app held` lists them",
                overview.held
            ),
        ));
    }
    if overview.failing > 0 {
        rows.push(("failing", overview.failing.to_string()));
    }
    for failing in &overview.failures {
        let id = failing.object.to_string();
        let name = failing.name.as_ref().unwrap_or(&id);
        let setback = setback(&failing.failure);
        rows.push(("", format!("{} {name}: {setback}", noun(failing.kind))));
    }
    if let Some(drift) = &job.drift {
        let said = match (&drift.trouble, drift.differing) {
            (Some(trouble), _) => format!("the ends could not be compared: {trouble}"),
            (None, 0) => "both ends agreed".to_owned(),
            (None, count) => format!("{count} differed: {}", drift.first.join("; ")),
        };
        rows.push(("drift", format!("{}: {said}", drift.at)));
    }
    rows
}

fn mappings(application: &Application, kind: Kind) {
    let object = application.mapping(kind);
    let state = if object.enabled { "on" } else { "off" };
    let allowed: Vec<&str> = [
        ("create", object.actions.create),
        ("update", object.actions.update),
        ("delete", object.actions.delete),
    ]
    .into_iter()
    .filter_map(|(word, is)| is.then_some(word))
    .collect();
    let allowed = if allowed.is_empty() {
        "nothing".to_owned()
    } else {
        allowed.join(", ")
    };
    let what = match kind {
        Kind::User => "people",
        Kind::Group => "groups",
    };
    printer::data(&format!("\n{what}: {state}; may {allowed}"));
    let mut matching: Vec<_> = object
        .attributes
        .iter()
        .filter_map(|one| Some((one.matching?, one.target.as_str())))
        .collect();
    matching.sort_unstable();
    let matching: Vec<&str> = matching.into_iter().map(|(_, target)| target).collect();
    printer::data(&format!("  matched by {}", matching.join(", then ")));
    for one in &object.input_filters {
        printer::data(&format!("  input filter {}: {}", one.name, one.sentence()));
    }
    for one in &object.filters {
        printer::data(&format!("  filter {}: {}", one.name, one.sentence()));
    }
    for one in &object.attributes {
        printer::data(&format!("  {}", one.sentence()));
    }
}

fn address(application: &Application) -> String {
    let target = application.target.as_ref();
    target.map_or_else(|| "none".to_owned(), |target| target.tenant_url.clone())
}

fn status(overview: &Overview) -> String {
    let status = match overview.application.status {
        Status::On => "on",
        Status::Off => "off",
    };
    match overview.job.quarantine {
        Some(_) if overview.job.held().is_some() => format!("{status}, held"),
        Some(_) => format!("{status}, in quarantine"),
        None => status.to_owned(),
    }
}

fn scope(application: &Application) -> &'static str {
    match application.scope {
        Scope::AssignedOnly => "who is assigned",
        Scope::All => "everybody",
    }
}
