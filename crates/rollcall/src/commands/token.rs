//! `rollcall token`.

use rollcall_app::App;
use rollcall_app::tokens::Overlap;
use rollcall_model::{Organisation, Secret, Slug, TokenRecord};
use serde_json::json;

use crate::cli::{Lifetime, Token};
use crate::config::Config;
use crate::outcome::Exit;
use crate::{printer, runtime};

pub(crate) async fn run(config: &Config, command: Token, as_json: bool) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    match command {
        Token::Create {
            org,
            integration,
            expires,
        } => {
            let organisation = app.organisation(&org).await?;
            let expires = expires
                .map(|Lifetime(time)| app.now().saturating_add(time))
                .transpose()?;
            let issued = app
                .create_token(organisation.id, integration, expires, app.command_origin())
                .await?;
            print(&app, &organisation, issued, as_json)?;
        }
        Token::Reset {
            org,
            integration,
            overlap,
        } => {
            let organisation = app.organisation(&org).await?;
            let overlap = overlap.map_or(Overlap::None, |Lifetime(time)| Overlap::For(time));
            let issued = app
                .reset_token(organisation.id, integration, overlap, app.command_origin())
                .await?;
            print(&app, &organisation, issued, as_json)?;
        }
        Token::List { org } => list(&app, &org, as_json).await?,
        Token::Revoke { org, id } => {
            let organisation = app.organisation(&org).await?;
            app.revoke_token(organisation.id, id, app.command_origin())
                .await?;
            printer::say("revoked: the next request with it is refused");
        }
    }
    Ok(Exit::Done)
}

/// The token is data: it goes to stdout, alone, so that a script can take it.
fn print(
    app: &App,
    organisation: &Organisation,
    (record, token): (TokenRecord, Secret),
    as_json: bool,
) -> anyhow::Result<()> {
    let url = app.settings().tenant_url(organisation);
    if as_json {
        return printer::json(&json!({
            "id": record.id, "token": token.expose(), "url": url, "expires": record.expires,
        }));
    }
    printer::say(&format!("Tenant URL: {url}"));
    printer::say("Secret Token, shown this once:");
    printer::data(token.expose());
    Ok(())
}

async fn list(app: &App, org: &Slug, as_json: bool) -> anyhow::Result<()> {
    let organisation = app.organisation(org).await?;
    let now = app.now();
    let (integrations, tokens) = app.tokens(organisation.id).await?;
    let kind = |token: &TokenRecord| {
        let found = integrations
            .iter()
            .find(|integration| integration.id == token.integration);
        found.map_or("", |integration| integration.kind.word())
    };
    if as_json {
        let described: Vec<_> = tokens
            .iter()
            .map(|token| {
                json!({
                    "id": token.id, "integration": kind(token), "created": token.created, "expires": token.expires,
                    "last_used": token.last_used, "valid": token.is_valid(now),
                })
            })
            .collect();
        return printer::json(&described);
    }
    let or = |instant: Option<jiff::Timestamp>, none: &str| {
        instant.map_or_else(|| none.to_owned(), |at| at.to_string())
    };
    let rows = tokens.iter().map(|token| {
        [
            token.id.to_string(),
            kind(token).to_owned(),
            if token.is_valid(now) {
                "valid"
            } else {
                "ended"
            }
            .to_owned(),
            token.created.to_string(),
            or(token.expires, "never"),
            or(token.last_used, "never"),
        ]
    });
    printer::table(
        [
            "id",
            "integration",
            "state",
            "created",
            "expires",
            "last used",
        ],
        rows,
    );
    Ok(())
}
