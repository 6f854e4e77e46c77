//! What is done to a person by hand: switched off and on, released, deleted, changed.

use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_app::directory::{Edit, Expected, Wanted, title};
use rollcall_model::{Kind, ResourceId};

use super::one::Typed;
use crate::Console;
use crate::download;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Mistakes, Place};
use crate::pages::object_question::{Question, Verb};
use crate::problem::Problem;
use crate::words::sentence;

pub(super) fn parsed(id: &str) -> Result<ResourceId, Problem> {
    id.parse().map_err(|_| Problem::missing())
}

pub(super) async fn edit(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let version = form
        .text("version")
        .parse()
        .map_err(|_| Problem::missing())?;
    let edit = Edit {
        display_name: form.text("display").to_owned(),
        email: form.text("email").to_owned(),
    };
    let context = known.visitor.context();
    let again = async |mistakes: Mistakes| {
        let typed = Typed {
            display: form.text("display").to_owned(),
            email: form.text("email").to_owned(),
            mistakes,
        };
        let page = console.user_page(&known, id, Some(typed)).await?;
        Ok(layout::rendered_again(&page))
    };
    if !edit.email.is_empty() && edit.email.parse::<rollcall_model::Email>().is_err() {
        let text = "This is no e-mail address: it needs a name, an @ and a domain.";
        return again(Mistakes::one("email", text)).await;
    }
    match console.app.edit_person(&context, id, version, edit).await {
        Ok(_) => Ok(layout::done(
            &console,
            &format!("/users/{id}"),
            &Flash::ok("Saved."),
        )),
        Err(failure @ (Failure::Malformed(_) | Failure::Precondition)) => {
            again(Mistakes::one("display", failure.to_string())).await
        }
        Err(failure) => Err(failure.into()),
    }
}

pub(super) async fn enable(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    console.app.set_active(&context, id, true).await?;
    let flash = Flash::ok("The account is enabled. It takes a seat again.");
    Ok(layout::done(&console, &format!("/users/{id}"), &flash))
}

pub(super) async fn ask(
    console: &Console,
    known: &Known,
    id: &str,
    verb: Verb,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let id = parsed(id)?;
    let shown = console
        .app
        .get(&context, Kind::User, id, Wanted::ALL)
        .await?;
    let parties = console.app.parties(&context).await?;
    let groups = shown.related.groups.map_or(0, |groups| groups.len() as u64);
    let question = Question {
        kind: Kind::User,
        verb,
        id: id.to_string(),
        name: title(&shown.entry),
        source: shown
            .entry
            .managed_by
            .map(|by| crate::people::source(Some(by), &parties)),
        belongs: groups,
    };
    let frame = console
        .frame(known, Place::Users, &question.title())
        .await?;
    Ok(layout::rendered(&question.page(frame)))
}

pub(super) async fn ask_disable(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    ask(&console, &known, &id, Verb::Disable).await
}

pub(super) async fn disable(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    console.app.set_active(&context, id, false).await?;
    let flash = Flash::ok(
        "The account is disabled, here and soon in every application that it was sent to.",
    );
    Ok(layout::done(&console, &format!("/users/{id}"), &flash))
}

pub(super) async fn ask_release(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    ask(&console, &known, &id, Verb::Release).await
}

pub(super) async fn release(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    console.app.release(&context, Kind::User, id).await?;
    let flash =
        Flash::ok("Released. The next directory that sends this account takes charge of it.");
    Ok(layout::done(&console, &format!("/users/{id}"), &flash))
}

pub(super) async fn ask_delete(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    ask(&console, &known, &id, Verb::Delete).await
}

pub(super) async fn delete(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    console
        .app
        .delete(&context, Kind::User, id, Expected::Any)
        .await?;
    Ok(layout::done(
        &console,
        "/users",
        &Flash::ok("The account was deleted."),
    ))
}

pub(super) async fn data(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    let document = console.app.person_data(&context, id).await?;
    Ok(download::json(&format!("{id}.json"), &document))
}

pub(super) async fn ask_erase(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    ask(&console, &known, &id, Verb::Erase).await
}

pub(super) async fn erase(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    match console.app.erase_person(&context, id).await {
        Ok(_) => Ok(layout::done(
            &console,
            "/users",
            &Flash::ok("Nothing is kept about this person any more but the id in the log."),
        )),
        Err(Failure::Forbidden { reason }) => {
            let flash = Flash::warn(format!("Nothing was erased. {}", sentence(&reason)));
            Ok(layout::done(&console, &format!("/users/{id}"), &flash))
        }
        Err(failure) => Err(failure.into()),
    }
}
