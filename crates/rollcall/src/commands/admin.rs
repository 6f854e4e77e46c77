//! `rollcall admin`.

use std::io::Read;

use rollcall_app::App;
use rollcall_app::administrators::{Handed, WayIn};
use rollcall_model::Secret;
use serde_json::json;

use crate::cli::{Admin, AdminAccess};
use crate::config::Config;
use crate::outcome::Exit;
use crate::{printer, runtime};

/// A password on standard input is cut off at the first line end.
const LONGEST_INPUT: u64 = 4_096;

pub(crate) async fn run(config: &Config, command: Admin, as_json: bool) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    match command {
        Admin::Create(access) => {
            let organisation = app.organisation(&access.org).await?;
            let way = way_in(&access)?;
            let origin = app.command_origin();
            let (administrator, handed) = app
                .create_administrator(organisation.id, access.email, way, origin)
                .await?;
            printer::say(&format!(
                "added {} to {}",
                administrator.email, organisation.name
            ));
            hand_out(&administrator.email.to_string(), &handed, as_json)?;
        }
        Admin::Reset(access) => {
            let organisation = app.organisation(&access.org).await?;
            let way = way_in(&access)?;
            let email = access.email.to_string();
            let handed = app
                .reset_administrator(organisation.id, access.email, way, app.command_origin())
                .await?;
            hand_out(&email, &handed, as_json)?;
        }
        Admin::List { org } => list(&app, &org, as_json).await?,
    }
    Ok(Exit::Done)
}

async fn list(app: &App, org: &rollcall_model::Slug, as_json: bool) -> anyhow::Result<()> {
    let organisation = app.organisation(org).await?;
    let administrators = app.administrators(organisation.id).await?;
    if as_json {
        return printer::json(&administrators);
    }
    let rows = administrators.into_iter().map(|administrator| {
        let role = administrator.role.word().to_owned();
        [
            administrator.email.to_string(),
            role,
            administrator.created.to_string(),
        ]
    });
    printer::table(["email", "role", "added"], rows);
    Ok(())
}

fn way_in(access: &AdminAccess) -> anyhow::Result<WayIn> {
    if !access.password_stdin {
        return Ok(WayIn::Link);
    }
    let mut input = zeroize::Zeroizing::new(String::new());
    std::io::stdin()
        .take(LONGEST_INPUT)
        .read_to_string(&mut input)?;
    let password = input.lines().next().unwrap_or_default();
    Ok(WayIn::Password(Secret::new(password)))
}

/// The link is data: it goes to stdout, alone.
fn hand_out(email: &str, handed: &Handed, as_json: bool) -> anyhow::Result<()> {
    let link = match handed {
        Handed::Nothing => None,
        Handed::Link(link) => Some(link.expose()),
    };
    match link {
        _ if as_json => printer::json(&json!({"email": email, "link": link}))?,
        None => printer::say("the password is set"),
        Some(link) => {
            printer::say("this link signs in once, within 24 hours:");
            printer::data(link);
        }
    }
    Ok(())
}
