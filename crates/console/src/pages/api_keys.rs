//! API keys: a part of the page *Admins and security*, and the question before one is revoked.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::SignedDuration;
use rollcall_app::api_keys::NewKey;
use rollcall_model::{KeyId, KeyName, KeyRecord, KeyRole, Permission};

use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Mistakes, Place};
use crate::pages::security::Typed;
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{Moment, Zone, sentence};

/// So many keys that have ended are listed.
const ENDED: usize = 3;

pub(crate) fn routes() -> Routes {
    // a key is a way in, as an administrator is
    let fresh = Needs::Fresh(Permission::ManageAdministrators);
    vec![
        action("/settings/security/keys", fresh, create),
        page(
            "/settings/security/keys/{id}/revoke",
            Needs::Role(Permission::ManageAdministrators),
            ask_revoke,
        ),
        action("/settings/security/keys/{id}/revoke", fresh, revoke),
    ]
}

/// A key in the list.
#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) ending: String,
    pub(crate) manages: bool,
    pub(crate) created: Moment,
    pub(crate) by: String,
    pub(crate) used: Option<String>,
    pub(crate) ends: Option<Moment>,
    pub(crate) works: bool,
}

/// A key that was just made.
#[derive(Debug)]
pub(crate) struct FreshKey {
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) url: String,
    pub(crate) until: Option<Moment>,
}

#[derive(Debug, Template)]
#[template(path = "api_key_revoke.html")]
struct RevokePage {
    frame: Frame,
    row: KeyRow,
}

/// Lists the keys as the page shows them: those that work, and the last of those that have ended.
pub(crate) async fn rows(
    console: &Console,
    known: &Known,
    zone: &Zone,
) -> Result<Vec<KeyRow>, Problem> {
    let organisation = &known.visitor.organisation;
    let keys = console.app.api_keys(organisation.id).await?;
    let parties = console.app.parties(&known.visitor.context()).await?;
    let region = organisation.region.as_str();
    let mut rows: Vec<KeyRow> = keys
        .iter()
        .rev()
        .map(|key| row(key, region, parties.name(&key.created_by), zone))
        .collect();
    let mut ended = 0;
    rows.retain(|row| {
        ended += usize::from(!row.works);
        row.works || ended <= ENDED
    });
    Ok(rows)
}

fn row(key: &KeyRecord, region: &str, by: &str, zone: &Zone) -> KeyRow {
    KeyRow {
        id: key.id.to_string(),
        name: key.name.to_string(),
        prefix: format!("rk_{region}_"),
        ending: key.ending.clone(),
        manages: key.role == KeyRole::Manage,
        created: zone.short(key.created),
        by: by.to_owned(),
        used: key.last_used.map(|at| zone.relative(at)),
        ends: key.expires.map(|at| zone.short(at)),
        works: key.is_valid(zone.now()),
    }
}

/// Makes a key and shows it in the answer to the form itself, so that loading the page again does not show it again.
async fn create(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let typed = form.text("key_name");
    let name: KeyName = match typed.parse() {
        Ok(name) => name,
        Err(error) => {
            let mistakes = Mistakes::one("key_name", sentence(&format!("{error}")));
            let typed = Typed {
                key: typed,
                ..Typed::default()
            };
            return console.security(&known, typed, mistakes).await;
        }
    };
    let role: KeyRole =
        form.text("key_role")
            .parse()
            .map_err(|error: rollcall_model::key::UnknownKeyRole| {
                Problem::refused(error.to_string())
            })?;
    let days = match form.text("expires") {
        "never" => None,
        "90" | "" => Some(90),
        "365" => Some(365),
        _ => {
            return Err(Problem::refused(
                "choose one of the offered times after which the key expires".to_owned(),
            ));
        }
    };
    let new = NewKey {
        name,
        role,
        expires: days.map(|days| console.app.now() + SignedDuration::from_hours(days * 24)),
    };
    let visitor = &known.visitor;
    let (record, secret) = console
        .app
        .create_api_key(visitor.organisation.id, new, visitor.origin())
        .await?;
    let typed = Typed {
        fresh: Some(FreshKey {
            name: record.name.to_string(),
            secret: secret.expose().to_owned(),
            url: format!("{}/api/v1", console.app.settings().public_url),
            until: record.expires.map(|at| console.zone(&known).day(at)),
        }),
        ..Typed::default()
    };
    console.security(&known, typed, Mistakes::default()).await
}

async fn ask_revoke(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let zone = console.zone(&known);
    let rows = rows(&console, &known, &zone).await?;
    let row = rows.into_iter().find(|row| row.id == id && row.works);
    let row = row.ok_or_else(Problem::missing)?;
    let frame = console
        .frame(&known, Place::Security, "Revoke an API key")
        .await?;
    Ok(layout::rendered(&RevokePage { frame, row }))
}

async fn revoke(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: KeyId = id.parse().map_err(|_| Problem::missing())?;
    let visitor = &known.visitor;
    console
        .app
        .revoke_api_key(visitor.organisation.id, id, visitor.origin())
        .await?;
    let flash = Flash::ok(
        "The key was revoked, with the provisioning tokens that it made. The next request with it is refused.",
    );
    Ok(layout::done(&console, "/settings/security", &flash))
}

#[cfg(any(test, feature = "samples"))]
fn sample_row(name: &str, manages: bool, works: bool) -> KeyRow {
    let moment = || Moment {
        iso: "2025-11-18T12:05:00Z".to_owned(),
        text: "Today 13:05".to_owned(),
    };
    KeyRow {
        id: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e79".to_owned(),
        name: name.to_owned(),
        prefix: "rk_eu_".to_owned(),
        ending: "7q2a".to_owned(),
        manages,
        created: moment(),
        by: "Mira Castellan".to_owned(),
        used: manages.then(|| "3 minutes ago".to_owned()),
        ends: (!works || manages).then(moment),
        works,
    }
}

/// Returns none, or one of each sort.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn sample_rows(many: usize) -> Vec<KeyRow> {
    use crate::layout::sample::HOSTILE;
    if many <= 1 {
        return Vec::new();
    }
    vec![
        sample_row("Nightly export", false, true),
        sample_row(HOSTILE, true, true),
        sample_row("Old script", false, false),
    ]
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn sample_fresh() -> FreshKey {
    FreshKey {
        name: crate::layout::sample::HOSTILE.to_owned(),
        secret: "rk_eu_sample_key_that_opens_nothing".to_owned(),
        url: "https://rollcall.example/api/v1".to_owned(),
        until: None,
    }
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn sample_revoke() -> (String, String) {
    use crate::layout::sample::{HOSTILE, frame};
    let page = RevokePage {
        frame: frame(Place::Security, "Revoke an API key"),
        row: sample_row(HOSTILE, true, true),
    };
    (
        "api-key-revoke".to_owned(),
        page.render().unwrap_or_default(),
    )
}
