//! *Users and groups*: who is assigned, and what an assignment or its end would mean.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use rollcall_app::assignments::{AssignmentRow, Effect, Named, ScopeAnswer};
use rollcall_model::{ApplicationId, Kind, Permission, ResourceId};

use super::{Head, Tab, parsed};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{Moment, Zone, initials, number, people};

/// How many are shown on a page.
const ROWS: u64 = 50;

pub(super) fn routes() -> Routes {
    let manage = Needs::Role(Permission::ManageProvisioning);
    vec![
        page(
            "/applications/{id}/assignments",
            Needs::Role(Permission::Read),
            look,
        ),
        page("/applications/{id}/assignments/add", manage, look_for),
        action("/applications/{id}/assignments/add", manage, add),
        page("/applications/{id}/assignments/remove", manage, ask_remove),
        action("/applications/{id}/assignments/remove", manage, remove),
    ]
}

/// A person or group in a list.
#[derive(Debug, Clone)]
pub(super) struct Who {
    /// `user:ID` or `group:ID`.
    pub(super) key: String,
    pub(super) is_group: bool,
    pub(super) initials: String,
    pub(super) name: String,
    pub(super) sub: String,
    /// The page of the person or group.
    pub(super) href: String,
}

impl Who {
    pub(super) fn of(named: &Named) -> Self {
        let is_group = named.kind == Kind::Group;
        let title = named.display.as_ref().unwrap_or(&named.name);
        Self {
            key: key(named.kind, named.id),
            is_group,
            initials: initials(title),
            name: title.clone(),
            sub: match (is_group, &named.display) {
                (true, _) => "Group".to_owned(),
                (false, Some(_)) => named.name.clone(),
                (false, None) => "Person".to_owned(),
            },
            href: href(named.kind, named.id),
        }
    }
}

pub(super) fn key(kind: Kind, id: ResourceId) -> String {
    match kind {
        Kind::User => format!("user:{id}"),
        Kind::Group => format!("group:{id}"),
    }
}

pub(super) fn href(kind: Kind, id: ResourceId) -> String {
    match kind {
        Kind::User => format!("/users/{id}"),
        Kind::Group => format!("/groups/{id}"),
    }
}

/// Reads `user:ID` or `group:ID`.
pub(super) fn object(text: &str) -> Option<(Kind, ResourceId)> {
    let (kind, id) = text.split_once(':')?;
    let kind = match kind {
        "user" => Kind::User,
        "group" => Kind::Group,
        _ => return None,
    };
    Some((kind, id.parse().ok()?))
}

#[derive(Debug)]
struct Row {
    who: Who,
    is_gone: bool,
    since: Moment,
}

#[derive(Debug)]
struct Answer {
    is_in: bool,
    name: String,
    text: String,
    key: String,
}

#[derive(Debug, Template)]
#[template(path = "applications/assignments.html")]
struct AssignmentsPage {
    frame: Frame,
    head: Head,
    may: bool,
    rows: Vec<Row>,
    q: String,
    check: String,
    answers: Vec<Answer>,
    from: u64,
    next: Option<String>,
    people: u64,
    groups: u64,
    is_all: bool,
    is_partial: bool,
}

#[derive(Debug, Template)]
#[template(path = "applications/assign.html")]
struct AssignPage {
    frame: Frame,
    head: Head,
    q: String,
    found: Vec<Who>,
    /// What the chosen one would bring.
    effect: Option<EffectView>,
}

#[derive(Debug)]
struct EffectView {
    who: Who,
    is_assigned: bool,
    text: String,
    /// How many come or go.
    count: String,
    nobody: bool,
}

#[derive(Debug, Template)]
#[template(path = "applications/unassign.html")]
struct UnassignPage {
    frame: Frame,
    head: Head,
    effect: EffectView,
    leaving: &'static str,
    guard: String,
}

fn row(row: &AssignmentRow, zone: &Zone) -> Row {
    let assignment = row.assignment;
    let gone = Named {
        kind: assignment.kind,
        id: assignment.principal,
        name: assignment.principal.to_string(),
        display: None,
        is_active: false,
    };
    Row {
        who: Who::of(row.who.as_ref().unwrap_or(&gone)),
        is_gone: row.who.is_none(),
        since: zone.day(assignment.since),
    }
}

fn answer(answer: &ScopeAnswer) -> Answer {
    let by: Vec<&str> = answer.by.iter().map(|one| one.name.as_str()).collect();
    let is_in = answer.is_everybody || !by.is_empty();
    let mut text = match (answer.is_everybody, by.is_empty()) {
        (true, _) => "Everybody is in scope.".to_owned(),
        (false, true) => "Neither assigned directly, nor by a group.".to_owned(),
        (false, false) => format!("Assigned by {}.", by.join(", ")),
    };
    if is_in && !answer.is_active {
        text.push_str(" The account is disabled here, so it is switched off there.");
    }
    Answer {
        is_in,
        name: answer.who.name.clone(),
        text,
        key: key(answer.who.kind, answer.who.id),
    }
}

fn effect(effect: &Effect) -> EffectView {
    let more = if effect.is_partial { "more than " } else { "" };
    let text = match effect.who.kind {
        Kind::User => String::new(),
        Kind::Group => {
            let others = effect.people - effect.alone;
            let rest = match others {
                0 => String::new(),
                1 => ", 1 of them by another assignment too".to_owned(),
                others => format!(", {} of them by other assignments too", number(others)),
            };
            format!("The group brings {more}{}{rest}.", people(effect.people))
        }
    };
    EffectView {
        who: Who::of(&effect.who),
        is_assigned: effect.is_assigned,
        text,
        count: format!("{more}{}", people(effect.alone)),
        nobody: effect.alone == 0 || !effect.matters,
    }
}

async fn look(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    let (q, check) = (form.text("q"), form.text("check"));
    let from: u64 = form.text("from").parse().unwrap_or_default();
    let asked = (q.to_owned(), from, ROWS);
    let found = console.app.assignment_page(&context, id, asked).await?;
    let mut answers = Vec::new();
    if !check.is_empty() {
        for one in console
            .app
            .find_named(&context, check)
            .await?
            .iter()
            .take(5)
        {
            let by = console
                .app
                .in_scope_by(&context, id, one.kind, one.id)
                .await?;
            answers.push(answer(&by));
        }
    }
    let (application, head) = console
        .application_head(&known, id, Tab::Assignments)
        .await?;
    let title = format!("Users and groups · {}", head.name);
    let frame = console.frame(&known, Place::Applications, &title).await?;
    let zone = console.zone(&known);
    Ok(layout::rendered(&AssignmentsPage {
        may: frame.may.provisioning && application.job_file.is_none(),
        rows: found.rows.iter().map(|one| row(one, &zone)).collect(),
        q: q.to_owned(),
        check: check.to_owned(),
        answers,
        from,
        next: found.next.map(|next| {
            let q = layout::encoded(q);
            format!("/applications/{id}/assignments?q={q}&from={next}")
        }),
        people: found.people,
        groups: found.groups,
        is_all: application.scope == rollcall_model::application::Scope::All,
        is_partial: found.is_partial,
        frame,
        head,
    }))
}

async fn look_for(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let context = known.visitor.context();
    let q = form.text("q");
    let found = if q.is_empty() {
        Vec::new()
    } else {
        console.app.find_named(&context, q).await?
    };
    let chosen = match object(form.text("object")) {
        Some((kind, principal)) => Some(
            console
                .app
                .assignment_effect(&context, id, kind, principal)
                .await?,
        ),
        None => None,
    };
    let (_, head) = console
        .application_head(&known, id, Tab::Assignments)
        .await?;
    let title = format!("Assign · {}", head.name);
    let frame = console.frame(&known, Place::Applications, &title).await?;
    Ok(layout::rendered(&AssignPage {
        frame,
        head,
        q: q.to_owned(),
        found: found.iter().map(Who::of).collect(),
        effect: chosen.as_ref().map(effect),
    }))
}

fn back(id: ApplicationId) -> String {
    format!("/applications/{id}/assignments")
}

async fn add(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let (kind, principal) = object(form.text("object")).ok_or_else(Problem::missing)?;
    let context = known.visitor.context();
    console.app.assign(&context, id, kind, principal).await?;
    let named = console.app.named(&context, kind, principal).await?;
    let name = named.map_or_else(|| principal.to_string(), |named| named.name);
    let flash = Flash::ok(format!(
        "{name} is assigned. The next cycle provisions them."
    ));
    Ok(layout::done(&console, &back(id), &flash))
}

async fn ask_remove(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let application = console.changeable(&known, parsed(&id)?).await?;
    let id = application.id;
    let (kind, principal) = object(form.text("object")).ok_or_else(Problem::missing)?;
    let context = known.visitor.context();
    let counted = console
        .app
        .assignment_effect(&context, id, kind, principal)
        .await?;
    let (_, head) = console
        .application_head(&known, id, Tab::Assignments)
        .await?;
    let title = format!("Remove · {}", head.name);
    let frame = console.frame(&known, Place::Applications, &title).await?;
    Ok(layout::rendered(&UnassignPage {
        frame,
        head,
        effect: effect(&counted),
        leaving: leaving(&application),
        guard: super::overview::guard(&application),
    }))
}

/// Says what becomes of accounts whose owners leave the scope.
fn leaving(application: &rollcall_model::Application) -> &'static str {
    use rollcall_model::application::Leaving;
    match application.settings.leaving {
        Leaving::Disable => "Their accounts are disabled",
        Leaving::Delete => "Their accounts are deleted",
        Leaving::Unlink => "Their accounts stay as they are, and nobody looks after them",
    }
}

async fn remove(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let (kind, principal) = object(form.text("object")).ok_or_else(Problem::missing)?;
    let context = known.visitor.context();
    let named = console.app.named(&context, kind, principal).await?;
    console.app.unassign(&context, id, kind, principal).await?;
    let name = named.map_or_else(|| principal.to_string(), |named| named.name);
    let flash = Flash::ok(format!(
        "{name} is assigned no more. The next cycle carries it out."
    ));
    Ok(layout::done(&console, &back(id), &flash))
}

#[cfg(any(test, feature = "samples"))]
#[expect(clippy::too_many_lines, reason = "a sample for each case")]
pub(super) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};

    let zone = super::sample::zone();
    let Ok(id) = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".parse::<ResourceId>() else {
        return Vec::new();
    };
    let named = |kind, name: &str, display: Option<&str>| Named {
        kind,
        id,
        name: name.to_owned(),
        display: display.map(str::to_owned),
        is_active: true,
    };
    let nordic = named(Kind::Group, "Nordic depots", None);
    let ingrid = named(
        Kind::User,
        "ingrid.solheim@alderbrook.example",
        Some("Ingrid Solheim"),
    );
    let hostile = named(Kind::User, HOSTILE, Some(HOSTILE));
    let head = || super::sample::head("Keyhaven", Tab::Assignments, ("warn", "alert", "Held"));
    let page = |who: &[&Named], answers, next: Option<&str>| AssignmentsPage {
        frame: frame(Place::Applications, "Users and groups"),
        head: head(),
        may: true,
        rows: who
            .iter()
            .map(|who| Row {
                who: Who::of(who),
                is_gone: false,
                since: zone.day(zone.now()),
            })
            .collect(),
        q: String::new(),
        check: String::new(),
        answers,
        from: 0,
        next: next.map(str::to_owned),
        people: 3,
        groups: 12,
        is_all: false,
        is_partial: false,
    };
    let answers = vec![
        Answer {
            is_in: false,
            name: "marek.dvorak@alderbrook.example".to_owned(),
            text: "Neither assigned directly, nor by a group.".to_owned(),
            key: key(Kind::User, id),
        },
        Answer {
            is_in: true,
            name: HOSTILE.to_owned(),
            text: format!("Assigned by {HOSTILE}."),
            key: key(Kind::User, id),
        },
    ];
    let view = |who: &Named, is_assigned| {
        effect(&Effect {
            who: who.clone(),
            is_assigned,
            people: 353,
            alone: 59,
            is_partial: false,
            matters: true,
        })
    };
    let assign = |found: &[&Named], chosen| AssignPage {
        frame: frame(Place::Applications, "Assign"),
        head: head(),
        q: "n".to_owned(),
        found: found.iter().map(|who| Who::of(who)).collect(),
        effect: chosen,
    };
    let unassign = UnassignPage {
        frame: frame(Place::Applications, "Remove"),
        head: head(),
        effect: view(&nordic, true),
        leaving: "Their accounts are disabled",
        guard: "50 in a day".to_owned(),
    };
    let many: Vec<&Named> = std::iter::repeat_n(&nordic, 20)
        .chain([&ingrid, &hostile])
        .collect();
    [
        ("assignments-empty", page(&[], Vec::new(), None).render()),
        (
            "assignments",
            page(&many, answers, Some("/applications")).render(),
        ),
        (
            "assign",
            assign(&[&nordic, &ingrid, &hostile], None).render(),
        ),
        ("assign-none", assign(&[], None).render()),
        (
            "assign-effect",
            assign(&[&nordic], Some(view(&nordic, false))).render(),
        ),
        ("unassign", unassign.render()),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.unwrap_or_default()))
    .collect()
}
