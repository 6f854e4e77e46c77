//! The page on which a person whom a directory created activates their account. For everybody who has a link.
//!
//! The only page that needs a script: it makes keys of the password, and the password never leaves the browser.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_app::Failure;
use rollcall_app::invitations::{Made, Offer};
use rollcall_model::Secret;

use super::sign_in::answered;
use crate::Console;
use crate::assets::ACTIVATE_NAME;
use crate::filters;
use crate::form::Form;
use crate::guard::Visit;
use crate::layout::{self, Bare, Flash};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::sentence;

pub(crate) fn routes() -> Routes {
    vec![
        page("/activate", Needs::Nothing, look),
        action("/activate", Needs::Nothing, activate),
        page("/activate/done", Needs::Nothing, done),
    ]
}

#[derive(Debug, Template)]
#[template(path = "activate.html")]
struct ActivatePage {
    bare: Bare,
    script: &'static str,
    token: String,
    organisation: String,
    user_name: String,
    salt: String,
    rounds: u32,
    mistake: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "activated.html")]
struct ActivatedPage {
    bare: Bare,
    told: String,
}

fn view(csrf: &str, token: &Secret, offer: Offer, mistake: Option<String>) -> ActivatePage {
    let title = if mistake.is_some() {
        "Error: Activate your account"
    } else {
        "Activate your account"
    };
    ActivatePage {
        bare: Bare::with_forms(title, csrf),
        script: &ACTIVATE_NAME,
        token: token.expose().to_owned(),
        organisation: offer.organisation,
        user_name: offer.user_name,
        salt: offer.salt,
        rounds: offer.rounds,
        mistake,
    }
}

fn gone() -> Problem {
    Problem::refused(
        "this link was used already, is too old, or was replaced by another one: ask an administrator of your organisation for a new one"
            .to_owned(),
    )
}

async fn look(
    State(console): State<Console>,
    visit: Visit,
    query: Form,
) -> Result<Response, Problem> {
    let token = Secret::new(query.text("token"));
    let offer = console.app.activation_offer(&token).await?;
    let offer = offer.ok_or_else(gone)?;
    let make = |csrf: &str| layout::rendered(&view(csrf, &token, offer, None));
    // nobody is signed in by this page, so whoever is signed in stays so
    Ok(if visit.csrf.is_empty() {
        answered(&console, &visit, make)
    } else {
        make(&visit.csrf)
    })
}

async fn activate(
    State(console): State<Console>,
    visit: Visit,
    form: Form,
) -> Result<Response, Problem> {
    let token = Secret::new(form.text("token"));
    let made = Made {
        salt: form.text("salt").to_owned(),
        key: Secret::new(form.text("key")),
        wrapped_key: form.text("wrapped").to_owned(),
    };
    match console.app.activate(&token, made, &visit.knock).await {
        Ok(organisation) => {
            let told = format!(
                "Welcome to {organisation}. Your vault has a key, and only your password opens it."
            );
            Ok(layout::done(&console, "/activate/done", &Flash::ok(told)))
        }
        Err(Failure::Unauthenticated { .. }) => Err(gone()),
        Err(Failure::Forbidden { reason }) => {
            let offer = console.app.activation_offer(&token).await?;
            let offer = offer.ok_or_else(gone)?;
            let page = view(&visit.csrf, &token, offer, Some(sentence(&reason)));
            Ok(layout::rendered_again(&page))
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn done(State(_): State<Console>, visit: Visit) -> Response {
    // who comes here without having activated anything is not told that they have
    let Some(flash) = visit.flash else {
        return Redirect::to("/signin").into_response();
    };
    layout::rendered(&ActivatedPage {
        bare: Bare::new("Your account is active"),
        told: flash.text,
    })
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::HOSTILE;
    let page = |name: &str, mistake: Option<&str>| {
        let offer = Offer {
            organisation: name.to_owned(),
            user_name: "ingrid.solheim@alderbrook.example".to_owned(),
            salt: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            rounds: 600_000,
        };
        let mistake = mistake.map(str::to_owned);
        view("token", &Secret::new("token"), offer, mistake).render()
    };
    let done = ActivatedPage {
        bare: Bare::new("Your account is active"),
        told: format!("Welcome to {HOSTILE}."),
    };
    let mistake = Some(
        "The browser sent something else than the keys that belong to this page: load it again.",
    );
    [
        ("activate", page("Alderbrook Logistics", None)),
        ("activate-again", page(HOSTILE, mistake)),
        ("activate-done", done.render()),
    ]
    .into_iter()
    .map(|(name, html)| (name.to_owned(), html.unwrap_or_default()))
    .collect()
}
