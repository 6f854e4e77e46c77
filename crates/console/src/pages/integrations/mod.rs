//! Settings, directory integrations: the address, the tokens, what arrives, and how each directory is set up.

mod guide;
mod view;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::SignedDuration;
use rollcall_app::integrations::Standing;
use rollcall_app::tokens::Overlap;
use rollcall_model::{IntegrationKind, Permission, TokenId};

use crate::Console;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use view::{Fresh, Material};

pub(crate) use view::tab;

const HOURS_OF_DAY: i64 = 24;

pub(crate) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    let manage = Needs::Role(Permission::ManageProvisioning);
    let fresh = Needs::Fresh(Permission::ManageProvisioning);
    vec![
        page("/settings/integrations", read, first),
        page("/settings/integrations/{kind}", read, look),
        action("/settings/integrations/{kind}/token", fresh, create),
        page(
            "/settings/integrations/{kind}/token/reset",
            manage,
            ask_reset,
        ),
        action("/settings/integrations/{kind}/token/reset", fresh, reset),
        page(
            "/settings/integrations/{kind}/tokens/{id}/revoke",
            manage,
            ask_revoke,
        ),
        action(
            "/settings/integrations/{kind}/tokens/{id}/revoke",
            fresh,
            revoke,
        ),
    ]
}

fn kind_of(word: &str) -> Result<IntegrationKind, Problem> {
    word.parse().map_err(|_| Problem::missing())
}

impl Console {
    async fn standing(&self, known: &Known, kind: IntegrationKind) -> Result<Standing, Problem> {
        let context = known.visitor.context();
        let standing = self.app.integration_standing(&context, kind).await?;
        standing.ok_or_else(Problem::missing)
    }

    async fn integration_page(
        &self,
        known: &Known,
        kind: IntegrationKind,
        fresh: Option<Fresh>,
    ) -> Result<Response, Problem> {
        let context = known.visitor.context();
        let title = format!("{}, directory integrations", tab(kind));
        let frame = self.frame(known, Place::Integrations, &title).await?;
        let organisation = &known.visitor.organisation;
        let material = Material {
            kind,
            url: self.app.settings().tenant_url(organisation),
            region: organisation.region.as_str(),
            parties: &self.app.parties(&context).await?,
            standing: self.app.integration_standing(&context, kind).await?,
            unmanaged: self.app.unmanaged(&context).await?.users,
            fresh,
            seats: organisation.seats,
        };
        Ok(layout::rendered(&view::page(
            frame,
            material,
            &self.zone(known),
        )))
    }
}

/// Leads to the directory that is connected, or to the first one.
async fn first(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let parties = console.app.parties(&known.visitor.context()).await?;
    let kind = parties.kinds().first().map(|(kind, _)| *kind);
    let word = kind.unwrap_or(IntegrationKind::Entra).word();
    Ok(Redirect::to(&format!("/settings/integrations/{word}")).into_response())
}

async fn look(
    State(console): State<Console>,
    known: Known,
    Path(word): Path<String>,
) -> Result<Response, Problem> {
    console
        .integration_page(&known, kind_of(&word)?, None)
        .await
}

/// Creates a token and shows it in the answer to the form itself, so that loading the page again does not show it again.
async fn create(
    State(console): State<Console>,
    known: Known,
    Path(word): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&word)?;
    let days = match form.text("expires") {
        "never" => None,
        "90" => Some(90),
        "180" => Some(180),
        "365" | "" => Some(365),
        _ => {
            return Err(Problem::refused(
                "choose one of the offered times after which the token expires".to_owned(),
            ));
        }
    };
    let expires =
        days.map(|days| console.app.now() + SignedDuration::from_hours(days * HOURS_OF_DAY));
    let visitor = &known.visitor;
    let (record, secret) = console
        .app
        .create_token(visitor.organisation.id, kind, expires, visitor.origin())
        .await?;
    let fresh = Fresh {
        secret: secret.expose().to_owned(),
        until: record.expires.map(|at| console.zone(&known).day(at)),
        old: None,
    };
    console.integration_page(&known, kind, Some(fresh)).await
}

async fn ask_reset(
    State(console): State<Console>,
    known: Known,
    Path(word): Path<String>,
) -> Result<Response, Problem> {
    let kind = kind_of(&word)?;
    let standing = console.standing(&known, kind).await?;
    let now = console.app.now();
    let newest = standing.tokens.iter().find(|token| token.is_valid(now));
    let newest = newest.ok_or_else(Problem::missing)?;
    let title = format!("Reset the token of {}", kind.short());
    let frame = console.frame(&known, Place::Integrations, &title).await?;
    let page = view::reset_page(frame, &standing, newest, &console.zone(&known));
    Ok(layout::rendered(&page))
}

async fn reset(
    State(console): State<Console>,
    known: Known,
    Path(word): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&word)?;
    let (overlap, minutes) = match form.text("overlap") {
        "0" => (Overlap::None, 0),
        "1440" => (
            Overlap::For(SignedDuration::from_hours(HOURS_OF_DAY)),
            1_440,
        ),
        "10080" => (
            Overlap::For(SignedDuration::from_hours(7 * HOURS_OF_DAY)),
            10_080,
        ),
        _ => {
            return Err(Problem::refused(
                "choose how long the old token keeps working".to_owned(),
            ));
        }
    };
    let visitor = &known.visitor;
    let (record, secret) = console
        .app
        .reset_token(visitor.organisation.id, kind, overlap, visitor.origin())
        .await?;
    let zone = console.zone(&known);
    let old = if minutes == 0 {
        "The old token does not work any more.".to_owned()
    } else {
        let at = zone.short(console.app.now() + SignedDuration::from_mins(minutes));
        format!(
            "The old token keeps working until {} at the latest.",
            at.text
        )
    };
    let fresh = Fresh {
        secret: secret.expose().to_owned(),
        until: record.expires.map(|at| zone.day(at)),
        old: Some(old),
    };
    console.integration_page(&known, kind, Some(fresh)).await
}

async fn ask_revoke(
    State(console): State<Console>,
    known: Known,
    Path((word, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let kind = kind_of(&word)?;
    let standing = console.standing(&known, kind).await?;
    let now = console.app.now();
    let token = standing
        .tokens
        .iter()
        .find(|token| token.id.to_string() == id && token.is_valid(now))
        .ok_or_else(Problem::missing)?;
    let parties = console.app.parties(&known.visitor.context()).await?;
    let title = format!("Revoke a token of {}", kind.short());
    let frame = console.frame(&known, Place::Integrations, &title).await?;
    let region = known.visitor.organisation.region.as_str();
    let zone = console.zone(&known);
    let page = view::revoke_page(frame, &standing, token, region, &parties, &zone);
    Ok(layout::rendered(&page))
}

async fn revoke(
    State(console): State<Console>,
    known: Known,
    Path((word, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let kind = kind_of(&word)?;
    let id: TokenId = id.parse().map_err(|_| Problem::missing())?;
    let visitor = &known.visitor;
    console
        .app
        .revoke_token(visitor.organisation.id, id, visitor.origin())
        .await?;
    let to = format!("/settings/integrations/{}", kind.word());
    let flash = Flash::ok("The token was revoked. The next request with it is refused.");
    Ok(layout::done(&console, &to, &flash))
}

#[cfg(any(test, feature = "samples"))]
pub(crate) use samples::samples;

#[cfg(any(test, feature = "samples"))]
mod samples;
