//! `rollcall app connect` and `app test`.

use std::io::Read;

use rollcall_app::directory::Context;
use rollcall_model::{Application, Secret};
use serde_json::json;
use zeroize::Zeroizing;

use super::Desk;
use crate::cli::app::{Connect, TokenFrom, Which};
use crate::outcome::{Exit, Trouble};
use crate::{printer, provisioning, runtime};

/// A longer token is cut off, and refused by the target.
const LONGEST_TOKEN: u64 = 65_536;

pub(super) async fn connect(desk: &Desk<'_>, command: Connect) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(&command.which).await?;
    // an address that can never be called is not stored
    runtime::client(desk.config)?.address(&command.url)?;
    let token = token(&command.token)?;
    let known = application.target.as_ref().map(|target| &target.tenant_url);
    if known.is_some_and(|known| *known != command.url) {
        printer::say("another address: the next cycle looks everybody up");
    }
    desk.app
        .set_credentials(&context, application.id, command.url.clone(), &token)
        .await?;
    if command.no_test {
        return desk.done(
            &format!("`{}` knows its address and its token", application.name),
            &json!({"id": application.id, "url": command.url}),
        );
    }
    if !desk.as_json {
        printer::good("the address and the token are stored");
    }
    examine(desk, &context, &application).await
}

pub(super) async fn test(desk: &Desk<'_>, which: &Which) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    examine(desk, &context, &application).await
}

async fn examine(
    desk: &Desk<'_>,
    context: &Context,
    application: &Application,
) -> anyhow::Result<Exit> {
    let engine = desk.engine()?;
    let connection = engine.test_connection(context, application.id).await?;
    provisioning::connection(&connection, desk.as_json)?;
    Ok(Exit::Done)
}

/// Reads the token, without the white space around it that files and pipes bring along.
pub(crate) fn token(from: &TokenFrom) -> anyhow::Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    let wrong = |what: String| Trouble::wrong(what);
    if let Some(path) = &from.file {
        let file = std::fs::File::open(path)
            .map_err(|error| wrong(format!("the token file `{}`: {error}", path.display())))?;
        file.take(LONGEST_TOKEN)
            .read_to_string(&mut text)
            .map_err(|error| wrong(format!("the token file `{}`: {error}", path.display())))?;
    } else if let Some(name) = &from.env {
        let value = std::env::var(name)
            .map_err(|_| wrong(format!("the variable `{name}` is not set, or is no text")))?;
        text = Zeroizing::new(value);
    } else {
        std::io::stdin()
            .take(LONGEST_TOKEN)
            .read_to_string(&mut text)
            .map_err(|error| wrong(format!("the token on standard input: {error}")))?;
    }
    let token = text.trim();
    if token.is_empty() {
        return Err(wrong("the token is empty".to_owned())
            .hint("the receiving end shows it when it is created, for example `rollcall token create`")
            .into());
    }
    if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(
            wrong("the token holds white space or control characters".to_owned())
                .hint("give the token alone, on one line")
                .into(),
        );
    }
    Ok(Secret::new(token))
}
