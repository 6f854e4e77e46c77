//! `rollcall api-key`.

use jiff::Timestamp;
use rollcall_app::App;
use rollcall_app::api_keys::NewKey;
use rollcall_model::{KeyRecord, Secret, Slug};
use serde_json::json;

use crate::cli::{ApiKey, Lifetime};
use crate::config::Config;
use crate::outcome::Exit;
use crate::{printer, runtime};

pub(crate) async fn run(config: &Config, command: ApiKey, as_json: bool) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    match command {
        ApiKey::Create {
            org,
            name,
            role,
            expires,
        } => {
            let organisation = app.organisation(&org).await?;
            let expires = expires
                .map(|Lifetime(time)| app.now().saturating_add(time))
                .transpose()?;
            let new = NewKey {
                name,
                role,
                expires,
            };
            let made = app
                .create_api_key(organisation.id, new, app.command_origin())
                .await?;
            print(&app, made, as_json)?;
        }
        ApiKey::List { org } => list(&app, &org, as_json).await?,
        ApiKey::Revoke { org, id } => {
            let organisation = app.organisation(&org).await?;
            let made = app
                .revoke_api_key(organisation.id, id, app.command_origin())
                .await?;
            let tokens = match made {
                0 => String::new(),
                1 => ", and so is the provisioning token that it made".to_owned(),
                many => format!(", and so are the {many} provisioning tokens that it made"),
            };
            printer::say(&format!(
                "revoked: the next request with it is refused{tokens}"
            ));
        }
    }
    Ok(Exit::Done)
}

/// The key is data: it goes to stdout, alone, so that a script can take it.
fn print(app: &App, (record, key): (KeyRecord, Secret), as_json: bool) -> anyhow::Result<()> {
    let url = format!("{}/api/v1", app.settings().public_url);
    if as_json {
        return printer::json(&json!({
            "id": record.id, "name": record.name, "role": record.role, "key": key.expose(), "url": url, "expires": record.expires,
        }));
    }
    printer::say(&format!("API: {url}"));
    printer::say(&format!("API key `{}`, shown this once:", record.name));
    printer::data(key.expose());
    Ok(())
}

async fn list(app: &App, org: &Slug, as_json: bool) -> anyhow::Result<()> {
    let organisation = app.organisation(org).await?;
    let now = app.now();
    let keys = app.api_keys(organisation.id).await?;
    if as_json {
        let described: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({
                    "id": key.id, "name": key.name, "role": key.role, "created": key.created, "expires": key.expires,
                    "last_used": key.last_used, "ending": key.ending, "valid": key.is_valid(now),
                })
            })
            .collect();
        return printer::json(&described);
    }
    let or_never = |instant: Option<Timestamp>| {
        instant.map_or_else(|| "never".to_owned(), |at| at.to_string())
    };
    let rows = keys.iter().map(|key| {
        [
            key.id.to_string(),
            key.name.to_string(),
            key.role.to_string(),
            if key.is_valid(now) { "valid" } else { "ended" }.to_owned(),
            key.created.to_string(),
            or_never(key.expires),
            or_never(key.last_used),
        ]
    });
    printer::table(
        [
            "id",
            "name",
            "role",
            "state",
            "created",
            "expires",
            "last used",
        ],
        rows,
    );
    Ok(())
}
