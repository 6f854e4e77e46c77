//! The list of applications, and the form for a new one.

use askama::Template;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_app::Failure;
use rollcall_app::applications::Template as Kind;
use rollcall_app::overview::Listed;
use rollcall_engine::schedule::next_cycle;
use rollcall_model::Permission;
use rollcall_model::application::{Mode, Status};
use rollcall_model::provisioning::{CycleOutcome, CycleReport, Phase, Running};

use super::{State, initial, title_of};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Frame, Mistakes, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{Moment, Zone, number};

/// The longest name, in characters.
const LONGEST: usize = 120;

pub(super) fn routes() -> Routes {
    let manage = Needs::Role(Permission::ManageProvisioning);
    vec![
        page("/applications", Needs::Role(Permission::Read), look),
        page("/applications/new", manage, look_at_new),
        action("/applications", manage, create),
    ]
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    initial: String,
    host: String,
    state: State,
    detail: String,
    in_use: u64,
    last: Option<Moment>,
    did: String,
    next: String,
}

#[derive(Debug, Template)]
#[template(path = "applications/list.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
    q: String,
    status: String,
    /// Whether there is any application, whatever was asked for.
    any: bool,
}

#[derive(Debug, Template)]
#[template(path = "applications/new.html")]
struct NewPage {
    frame: Frame,
    name: String,
    template: String,
    mistakes: Mistakes,
}

/// Says what a cycle did, in a few words.
pub(super) fn did(report: &CycleReport) -> String {
    if let CycleOutcome::Stopped { reason, .. } = &report.outcome {
        return title_of(*reason).to_owned();
    }
    let mut parts = Vec::new();
    let of = |get: fn(&rollcall_model::provisioning::Counts) -> u64| {
        get(&report.users) + get(&report.groups)
    };
    for (count, word) in [
        (of(|counts| counts.deleted), "deleted"),
        (of(|counts| counts.disabled), "disabled"),
        (of(|counts| counts.created), "created"),
        (of(|counts| counts.adopted), "adopted"),
        (of(|counts| counts.updated), "updated"),
        (report.members_added, "memberships added"),
        (report.members_removed, "memberships removed"),
        (of(|counts| counts.failed), "failed"),
    ] {
        if count > 0 {
            parts.push(format!("{} {word}", number(count)));
        }
    }
    if parts.is_empty() {
        return if report.has_exports() {
            "References only".to_owned()
        } else {
            "No changes".to_owned()
        };
    }
    parts.truncate(3);
    parts.join(", ")
}

/// Says how far a cycle is.
pub(super) fn progress(running: &Running) -> String {
    let what = phase(running.progress.phase);
    match (running.progress.done, running.progress.total) {
        (_, 0) => what.to_owned(),
        (done, total) => format!("{what}, {} of {}", number(done), number(total)),
    }
}

/// Names a part of a cycle.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "Connect",
        Phase::Reading => "Read and work out the scope",
        Phase::Leaving => "Disable and delete",
        Phase::Writing => "Match and write",
        Phase::References => "Managers",
        Phase::Members => "Memberships",
        Phase::Finished => "Done",
    }
}

/// Says when the next cycle is.
pub(super) fn next(listed: &Listed, zone: &Zone) -> String {
    let Listed {
        application, job, ..
    } = listed;
    if application.mode == Mode::Manual || application.status == Status::Off {
        return String::new();
    }
    match next_cycle(application, job) {
        Some(at) if at <= zone.now() => "Now".to_owned(),
        Some(at) => zone.short(at).text,
        None if job.quarantine.is_some() => "After your decision".to_owned(),
        None => "Now".to_owned(),
    }
}

fn row(listed: &Listed, zone: &Zone) -> Row {
    let Listed {
        application,
        job,
        running,
        in_use,
    } = listed;
    let state = State::of(application, job, running.as_ref());
    let detail = match (running, &job.quarantine) {
        (Some(running), _) => progress(running),
        (None, Some(quarantine)) => {
            format!(
                "{}, since {}",
                title_of(quarantine.reason),
                zone.short(quarantine.since).text
            )
        }
        (None, None) => String::new(),
    };
    Row {
        id: application.id.to_string(),
        name: application.name.clone(),
        initial: initial(&application.name),
        host: host(
            application
                .target
                .as_ref()
                .map(|target| target.tenant_url.as_str()),
        ),
        state,
        detail,
        in_use: *in_use,
        last: job.last.as_ref().map(|last| zone.short(last.ended)),
        did: job.last.as_ref().map(did).unwrap_or_default(),
        next: next(listed, zone),
    }
}

fn host(address: Option<&str>) -> String {
    let Some(address) = address else {
        return "Not connected yet".to_owned();
    };
    let url = url::Url::parse(address).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    host.map_or_else(|| address.chars().take(60).collect(), str::to_owned)
}

/// Tells how pressing a state is: the smaller the more.
fn rank(row: &Row) -> u8 {
    match row.state.tone {
        "bad" => 0,
        "warn" => 1,
        "run" => 2,
        "ok" => 3,
        _ => 4,
    }
}

async fn look(
    Shared(console): Shared<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let (q, status) = (form.text("q"), form.text("status"));
    let frame = console
        .frame(&known, Place::Applications, "Enterprise applications")
        .await?;
    let zone = console.zone(&known);
    let context = known.visitor.context();
    let listed = console.app.applications_listed(&context).await?;
    let mut rows: Vec<Row> = listed.iter().map(|one| row(one, &zone)).collect();
    let any = !rows.is_empty();
    let wanted = q.to_lowercase();
    rows.retain(|row| {
        let is_named =
            row.name.to_lowercase().contains(&wanted) || row.host.to_lowercase().contains(&wanted);
        is_named
            && match status {
                "attention" => matches!(row.state.tone, "bad" | "warn"),
                "on" => row.state.tone != "off",
                "off" => row.state.tone == "off",
                _ => true,
            }
    });
    rows.sort_by_cached_key(|row| (rank(row), row.name.to_lowercase()));
    Ok(layout::rendered(&ListPage {
        frame,
        rows,
        q: q.to_owned(),
        status: status.to_owned(),
        any,
    }))
}

async fn look_at_new(
    Shared(console): Shared<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let frame = console
        .frame(&known, Place::Applications, "New application")
        .await?;
    let template = form.text("template").to_owned();
    let name = if template == "rollcall" {
        "Another Rollcall"
    } else {
        ""
    };
    Ok(layout::rendered(&NewPage {
        frame,
        name: name.to_owned(),
        template,
        mistakes: Mistakes::default(),
    }))
}

async fn create(
    Shared(console): Shared<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let (name, template) = (form.text("name"), form.text("template"));
    let again = async |text: &str| {
        let frame = console
            .frame(&known, Place::Applications, "Error: New application")
            .await?;
        Ok(layout::rendered_again(&NewPage {
            frame,
            name: name.to_owned(),
            template: template.to_owned(),
            mistakes: Mistakes::one("name", text),
        }))
    };
    if name.is_empty() {
        return again("Enter a name: usually the product's.").await;
    }
    if name.chars().count() > LONGEST {
        return again("The name is longer than 120 characters. Shorten it.").await;
    }
    let kind = match template {
        "rollcall" => Kind::Rollcall,
        _ => Kind::Generic,
    };
    let context = known.visitor.context();
    let created = console
        .app
        .create_application_from(&context, name.to_owned(), kind)
        .await;
    match created {
        Ok(application) => {
            let to = format!("/applications/{}/provisioning", application.id);
            Ok(Redirect::to(&to).into_response())
        }
        Err(Failure::Taken { .. }) => {
            again("There is an application of this name. Choose another one.").await
        }
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(any(test, feature = "samples"))]
pub(super) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};

    let zone = super::sample::zone();
    let row = |name: &str, tone: &'static str, icon, text, detail: &str| Row {
        id: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".to_owned(),
        name: name.to_owned(),
        initial: initial(name),
        host: host(Some("https://api.meridian.example/scim/v2")),
        state: State { tone, icon, text },
        detail: detail.to_owned(),
        in_use: 2_940,
        last: Some(zone.short(zone.now())),
        did: "12 created, 40 updated".to_owned(),
        next: "Today 15:20".to_owned(),
    };
    let page = |rows: Vec<Row>, q: &str, any| ListPage {
        frame: frame(Place::Applications, "Enterprise applications"),
        rows,
        q: q.to_owned(),
        status: String::new(),
        any,
    };
    let many = || {
        vec![
            row(
                "Meridian CRM",
                "bad",
                "xc",
                "In quarantine",
                "The target refuses the token, since 16 November, 03:20",
            ),
            row(
                "Keyhaven",
                "warn",
                "alert",
                "Held",
                "Held: too many people would lose access, since Today 14:30",
            ),
            row(
                "Quillworks Docs",
                "run",
                "sync",
                "Running",
                "Match and write, 1,418 of 2,086",
            ),
            row("Kestrel Service Desk", "ok", "okc", "Provisioning on", ""),
            row("Farewell Expenses", "off", "offc", "Provisioning off", ""),
            row(HOSTILE, "ok", "okc", "Provisioning on", ""),
        ]
    };
    let new = |name: &str, mistakes| NewPage {
        frame: frame(Place::Applications, "New application"),
        name: name.to_owned(),
        template: String::new(),
        mistakes,
    };
    let taken = Mistakes::one(
        "name",
        "There is an application of this name. Choose another one.",
    );
    vec![
        (
            "applications-empty".to_owned(),
            page(Vec::new(), "", false).render().unwrap_or_default(),
        ),
        (
            "applications-none".to_owned(),
            page(Vec::new(), HOSTILE, true).render().unwrap_or_default(),
        ),
        (
            "applications".to_owned(),
            page(many(), "", true).render().unwrap_or_default(),
        ),
        (
            "application-new".to_owned(),
            new("", Mistakes::default()).render().unwrap_or_default(),
        ),
        (
            "application-new-taken".to_owned(),
            new(HOSTILE, taken).render().unwrap_or_default(),
        ),
    ]
}
