//! Groups: the list, one group with its members page by page, release and deletion.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::directory::{self, Expected, Found, Listed, Named, Search, Wanted, Whole, title};
use rollcall_app::integrations::Parties;
use rollcall_model::{Kind, Permission, ResourceId};
use serde_json::Value;

use crate::Console;
use crate::code::{self, Line};
use crate::deeds::Row;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place, encoded};
use crate::pages::object_question::{Question, Verb};
use crate::pages::users::{Counterpart, counterpart};
use crate::people::{self, Person, ROWS, SourceChoice};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{Moment, Zone};

pub(crate) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    let manage = Needs::Role(Permission::ManagePeople);
    vec![
        page("/groups", read, look),
        page("/groups/{id}", read, look_at_one),
        page("/groups/{id}/release", manage, ask_release),
        action("/groups/{id}/release", manage, release),
        page("/groups/{id}/delete", manage, ask_delete),
        action("/groups/{id}/delete", manage, delete),
    ]
}

#[derive(Debug, Template)]
#[template(path = "groups.html")]
struct GroupsPage {
    frame: Frame,
    is_empty: bool,
    text: String,
    sources: Vec<SourceChoice>,
    rows: Vec<Person>,
    /// How many groups there are, when all are listed.
    total: Option<u64>,
    is_later: bool,
    next: Option<String>,
    /// Whether looking was given up before the page was full.
    is_partial: bool,
    base: String,
}

#[derive(Debug, Template)]
#[template(path = "group.html")]
struct GroupPage {
    frame: Frame,
    group: Person,
    rows: Vec<Person>,
    is_later: bool,
    next: Option<String>,
    history: Vec<Row>,
    lines: Vec<Line>,
    external: Option<String>,
    since: Moment,
    exact: Moment,
    groups: Vec<Named>,
    counterparts: Vec<Counterpart>,
}

/// What was asked of the list.
#[derive(Debug, Default)]
struct Asked {
    text: String,
    source: String,
    is_later: bool,
}

fn list(
    frame: Frame,
    asked: Asked,
    found: &Found,
    total: u64,
    parties: &Parties,
    zone: &Zone,
) -> GroupsPage {
    let is_whole = asked.text.is_empty() && asked.source.is_empty();
    GroupsPage {
        frame,
        is_empty: total == 0,
        sources: people::sources(&asked.source, parties),
        rows: found
            .entries
            .iter()
            .map(|entry| Person::new(entry, parties, zone))
            .collect(),
        total: is_whole.then_some(total),
        is_later: asked.is_later,
        next: found.next.map(|id| id.to_string()),
        is_partial: found.is_partial,
        base: format!(
            "/groups?q={}&source={}",
            encoded(&asked.text),
            encoded(&asked.source)
        ),
        text: asked.text,
    }
}

fn one(
    frame: Frame,
    whole: Whole,
    (members, next): (&[Listed], Option<ResourceId>),
    is_later: bool,
    parties: &Parties,
    zone: &Zone,
) -> GroupPage {
    let entry = &whole.entry;
    let rows = members.iter().filter_map(|listed| listed.entry.as_ref());
    GroupPage {
        frame,
        group: Person::new(entry, parties, zone),
        rows: rows
            .map(|entry| Person::new(entry, parties, zone))
            .collect(),
        is_later,
        next: next.map(|id| id.to_string()),
        history: people::history(&whole.history, &whole.memberships, parties, zone),
        lines: code::lines(&Value::Object(entry.resource.as_map().clone())),
        external: entry.resource.external_id().map(str::to_owned),
        since: zone.day(entry.created),
        exact: zone.exact(entry.modified),
        counterparts: whole.counterparts.iter().map(counterpart).collect(),
        groups: whole.groups,
    }
}

fn parsed(id: &str) -> Result<ResourceId, Problem> {
    id.parse().map_err(|_| Problem::missing())
}

async fn look(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let parties = console.app.parties(&context).await?;
    let after = form.text("after").parse().ok();
    let managed_by = people::chosen_source(form.text("source"), &parties);
    let search = Search {
        text: form.text("q").to_owned(),
        active: None,
        managed_by,
        after,
    };
    let asked = Asked {
        text: search.text.clone(),
        source: managed_by.map_or(String::new(), |_| form.text("source").to_owned()),
        is_later: after.is_some(),
    };
    let found = console
        .app
        .find(&context, Kind::Group, search, ROWS)
        .await?;
    let counts = console.app.counts(known.visitor.organisation.id).await?;
    let frame = console.frame(&known, Place::Groups, "Groups").await?;
    let zone = console.zone(&known);
    let page = list(frame, asked, &found, counts.groups, &parties, &zone);
    Ok(layout::rendered(&page))
}

async fn look_at_one(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let after: Option<ResourceId> = form.text("after").parse().ok();
    let context = known.visitor.context();
    let whole = console.app.whole(&context, Kind::Group, id).await?;
    let (members, next) = console
        .app
        .listed_members(&context, id, after, ROWS)
        .await?;
    let parties = console.app.parties(&context).await?;
    let name: String = directory::title(&whole.entry).chars().take(80).collect();
    let frame = console.frame(&known, Place::Groups, &name).await?;
    let zone = console.zone(&known);
    let page = one(
        frame,
        whole,
        (&members, next),
        after.is_some(),
        &parties,
        &zone,
    );
    Ok(layout::rendered(&page))
}

async fn ask(console: &Console, known: &Known, id: &str, verb: Verb) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let id = parsed(id)?;
    let shown = console
        .app
        .get(&context, Kind::Group, id, Wanted::NOTHING)
        .await?;
    let parties = console.app.parties(&context).await?;
    let managed_by = shown.entry.managed_by;
    let question = Question {
        kind: Kind::Group,
        verb,
        id: id.to_string(),
        name: title(&shown.entry),
        source: managed_by.map(|by| people::source(Some(by), &parties)),
        belongs: 0,
    };
    let frame = console
        .frame(known, Place::Groups, &question.title())
        .await?;
    Ok(layout::rendered(&question.page(frame)))
}

async fn ask_release(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    ask(&console, &known, &id, Verb::Release).await
}

async fn release(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    console.app.release(&context, Kind::Group, id).await?;
    let flash = Flash::ok("Released. The next directory that sends this group takes charge of it.");
    Ok(layout::done(&console, &format!("/groups/{id}"), &flash))
}

async fn ask_delete(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    ask(&console, &known, &id, Verb::Delete).await
}

async fn delete(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    console
        .app
        .delete(&context, Kind::Group, id, Expected::Any)
        .await?;
    Ok(layout::done(
        &console,
        "/groups",
        &Flash::ok("The group was deleted."),
    ))
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};
    use crate::pages::users::entry;
    use rollcall_model::{IntegrationId, IntegrationKind};
    use serde_json::json;

    let now = jiff::Timestamp::from_second(1_763_472_728).unwrap_or_default();
    let zone = Zone::new(Some("Europe/Oslo"), now);
    let parties = Parties::new(
        [(IntegrationId::from_bytes([1; 16]), IntegrationKind::Entra)],
        [],
    );
    let group = |number, name: &str| {
        let document = json!({"displayName": name, "externalId": "5c0e9b2d"});
        entry(Kind::Group, number, number != 2, document)
    };
    let this = || frame(Place::Groups, "Groups");
    let listed = |asked, entries, total| {
        let found = Found {
            invited: std::collections::BTreeSet::new(),
            entries,
            next: Some(ResourceId::from_bytes([5; 16])),
            is_partial: false,
        };
        list(this(), asked, &found, total, &parties, &zone)
            .render()
            .unwrap_or_default()
    };
    let whole = |entry| Whole {
        standing: rollcall_model::Standing::Active,
        activation: None,
        entry,
        groups: Vec::new(),
        more_groups: false,
        manager: None,
        reports: Vec::new(),
        more_reports: false,
        counterparts: Vec::new(),
        history: Vec::new(),
        memberships: Vec::new(),
    };
    let member = |number: u8, name: &str| {
        let document = json!({"userName": name, "active": number != 31});
        let entry = entry(Kind::User, number, true, document);
        Listed {
            member: rollcall_app::Member {
                id: entry.id,
                kind: Kind::User,
            },
            entry: Some(entry),
        }
    };
    let shown = |name: &str, members: &[Listed]| {
        let next = members.last().map(|listed| listed.member.id);
        one(
            this(),
            whole(group(1, name)),
            (members, next),
            false,
            &parties,
            &zone,
        )
        .render()
        .unwrap_or_default()
    };
    let none = Asked {
        text: HOSTILE.to_owned(),
        source: "entra".to_owned(),
        is_later: true,
    };
    let many = vec![
        group(1, "All employees"),
        group(2, "Board"),
        group(3, HOSTILE),
    ];
    let members = [
        member(30, "ingrid.solheim@alderbrook.example"),
        member(31, HOSTILE),
    ];
    [
        ("groups", listed(Asked::default(), many, 1_862)),
        ("groups-empty", listed(Asked::default(), vec![], 0)),
        ("groups-none", listed(none, vec![], 1_862)),
        ("group", shown("All employees", &members)),
        ("group-empty", shown(HOSTILE, &[])),
    ]
    .into_iter()
    .map(|(name, html)| (name.to_owned(), html))
    .collect()
}
