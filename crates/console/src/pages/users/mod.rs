//! Users: the list, one person, and what is done by hand.

mod change;
mod invitation;
mod one;
#[cfg(any(test, feature = "samples"))]
mod samples;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use rollcall_app::Counts;
use rollcall_app::directory::{Found, Search};
use rollcall_app::integrations::Parties;
use rollcall_model::{Kind, Permission, Standing};

use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Frame, Place, encoded};
use crate::people::{self, Person, ROWS, SourceChoice};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::Zone;

pub(crate) use one::{Counterpart, counterpart};
#[cfg(any(test, feature = "samples"))]
pub(crate) use samples::{entry, samples};

pub(crate) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    let manage = Needs::Role(Permission::ManagePeople);
    let fresh = Needs::Fresh(Permission::ManagePeople);
    let owns = Needs::Role(Permission::ManageOrganisation);
    let owns_freshly = Needs::Fresh(Permission::ManageOrganisation);
    vec![
        page("/users", read, look),
        page("/users/{id}", read, one::look),
        action("/users/{id}/edit", manage, change::edit),
        action("/users/{id}/enable", manage, change::enable),
        page("/users/{id}/disable", manage, change::ask_disable),
        action("/users/{id}/disable", manage, change::disable),
        page("/users/{id}/release", manage, change::ask_release),
        action("/users/{id}/release", manage, change::release),
        page("/users/{id}/delete", manage, change::ask_delete),
        action("/users/{id}/delete", manage, change::delete),
        page("/users/{id}/data", owns, change::data),
        page("/users/{id}/erase", owns, change::ask_erase),
        action("/users/{id}/erase", owns_freshly, change::erase),
        action("/users/{id}/invite", manage, invitation::send),
        action("/users/{id}/invitation-link", fresh, invitation::hand),
        page(
            "/users/{id}/reset-activation",
            manage,
            invitation::ask_reset,
        ),
        action("/users/{id}/reset-activation", fresh, invitation::reset),
        action(
            "/users/{id}/confirm-address",
            fresh,
            invitation::confirm_address,
        ),
    ]
}

#[expect(clippy::struct_excessive_bools, reason = "each is shown by itself")]
#[derive(Debug, Template)]
#[template(path = "users.html")]
pub(super) struct UsersPage {
    frame: Frame,
    /// Whether there is nobody at all.
    is_empty: bool,
    text: String,
    status: &'static str,
    statuses: Vec<(&'static str, &'static str, Option<u64>)>,
    sources: Vec<SourceChoice>,
    is_filtered: bool,
    rows: Vec<Person>,
    is_later: bool,
    next: Option<String>,
    /// Whether looking was given up before the page was full.
    is_partial: bool,
    /// The address of this list without status and place.
    base: String,
    /// The address of this search without filters.
    unfiltered: String,
}

/// What was asked of the list.
#[derive(Debug, Default)]
pub(super) struct Asked {
    text: String,
    status: &'static str,
    source: String,
    is_later: bool,
}

pub(super) fn list(
    frame: Frame,
    asked: Asked,
    found: &Found,
    counts: Counts,
    parties: &Parties,
    zone: &Zone,
) -> UsersPage {
    let is_filtered = !asked.source.is_empty();
    let is_whole = asked.text.is_empty() && !is_filtered;
    let count = |count| is_whole.then_some(count);
    let disabled = counts.users.saturating_sub(counts.active_users);
    UsersPage {
        frame,
        is_empty: counts.users == 0,
        statuses: vec![
            ("", "All", count(counts.users)),
            ("active", "Active", count(counts.active_users)),
            ("disabled", "Disabled", count(disabled)),
        ],
        sources: people::sources(&asked.source, parties),
        is_filtered,
        rows: found
            .entries
            .iter()
            .map(|entry| {
                let mut person = Person::new(entry, parties, zone);
                if found.invited.contains(&entry.id) {
                    person.standing = Standing::Invited;
                }
                person
            })
            .collect(),
        is_later: asked.is_later,
        next: found.next.map(|id| id.to_string()),
        is_partial: found.is_partial,
        base: format!(
            "/users?q={}&source={}",
            encoded(&asked.text),
            encoded(&asked.source)
        ),
        unfiltered: format!("/users?q={}", encoded(&asked.text)),
        status: asked.status,
        text: asked.text,
    }
}

async fn look(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let parties = console.app.parties(&context).await?;
    let (status, active) = match form.text("status") {
        "active" => ("active", Some(true)),
        "disabled" => ("disabled", Some(false)),
        _ => ("", None),
    };
    let after = form.text("after").parse().ok();
    let managed_by = people::chosen_source(form.text("source"), &parties);
    let source = managed_by.map_or("", |_| form.text("source"));
    let search = Search {
        text: form.text("q").to_owned(),
        active,
        managed_by,
        after,
    };
    let asked = Asked {
        text: search.text.clone(),
        status,
        source: source.to_owned(),
        is_later: after.is_some(),
    };
    let found = console.app.find(&context, Kind::User, search, ROWS).await?;
    let counts = console.app.counts(known.visitor.organisation.id).await?;
    let frame = console.frame(&known, Place::Users, "Users").await?;
    let page = list(
        frame,
        asked,
        &found,
        counts,
        &parties,
        &console.zone(&known),
    );
    Ok(layout::rendered(&page))
}
