//! `rollcall backup` and `rollcall restore`.

use rollcall_app::upkeep::{self, Unopened};
use rollcall_app::{App, SystemRandomness};
use rollcall_model::{Actor, Clock as _, Origin, RequestId, SystemClock};
use rollcall_store::{Contents, Ended, Existing, Finding};
use serde_json::{Map, Value, json};

use super::store::{refused, telling};
use crate::cli::{Backup, Restore};
use crate::config::Config;
use crate::outcome::Exit;
use crate::{printer, runtime};

pub(crate) async fn backup(
    config: &Config,
    command: &Backup,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let store = &config.store.value;
    let key_file = &config.key_file.value;
    let made = rollcall_store::backup(
        store,
        &command.file,
        existing(command.force),
        (now(), env!("CARGO_PKG_VERSION")),
        std::slice::from_ref(key_file),
        telling("writing"),
    )
    .await
    .map_err(refused)?;
    let (file, contents) = (command.file.display(), &made.contents);
    if as_json {
        let mut described = described(contents);
        described.insert("file".to_owned(), json!(file.to_string()));
        described.insert("key".to_owned(), json!(key_place(config)));
        described.insert("findings".to_owned(), findings(&made.findings));
        printer::json(&described)?;
    } else {
        tables(contents);
        tell(&made.findings);
        printer::good(&format!(
            "{file} has everything that {store} had at {}: {} rows, {} bytes, read again and compared",
            contents.made,
            rows(contents),
            contents.bytes
        ));
        printer::say(&format!(
            "the key is not in it: keep a copy of {} apart from the backup. Without it nobody opens the targets' tokens and the second factors",
            key_place(config)
        ));
    }
    Ok(outcome(&made.findings))
}

pub(crate) async fn restore(
    config: &Config,
    command: &Restore,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let store = &config.store.value;
    let restored = rollcall_store::restore(
        &command.file,
        store,
        existing(command.force),
        now(),
        telling("restoring"),
    )
    .await
    .map_err(refused)?;
    let contents = &restored.contents;
    let (opened, app) = runtime::whatever_its_key(config).await?;
    let origin = Origin {
        actor: Actor::Command,
        request: RequestId::new(now(), &SystemRandomness::default()),
        address: None,
    };
    upkeep::note_restored(&opened, contents.made, now(), &origin).await?;
    let trouble = of_key(config, &app).await?;
    let mut found = restored.findings;
    if as_json {
        found.extend(restored.warnings);
        let mut described = described(contents);
        let ended = &restored.ended;
        for (name, value) in [
            ("file", json!(command.file.display().to_string())),
            ("to", json!(store.to_string())),
            (
                "ended",
                json!({
                    "jobs": ended.jobs, "sessions": ended.sessions, "sign_in_links": ended.sign_in_links,
                    "invitations": ended.invitations, "letters": ended.letters,
                    "webhooks": ended.webhooks,
                }),
            ),
            (
                "key",
                json!({
                    "place": key_place(config), "fits": trouble.is_none(),
                    "trouble": trouble.as_ref().map(|finding| &finding.trouble),
                }),
            ),
            ("findings", findings(&found)),
        ] {
            described.insert(name.to_owned(), value);
        }
        printer::json(&described)?;
    } else {
        tables(contents);
        tell(&found);
        tell(&restored.warnings);
        printer::good(&format!(
            "{store} has what {} held at {}",
            command.file.display(),
            contents.made
        ));
        say_what_ended(&restored.ended);
        if let Some(finding) = trouble {
            tell(&[finding]);
        }
    }
    Ok(outcome(&found))
}

/// The present instant, to the millisecond: what is kept is what is shown.
fn now() -> jiff::Timestamp {
    let now = SystemClock.now();
    jiff::Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

fn existing(may_replace: bool) -> Existing {
    if may_replace {
        Existing::Replace
    } else {
        Existing::Keep
    }
}

fn say_what_ended(ended: &Ended) {
    let counted = |count: u64, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    let held = counted(ended.jobs, "application", "applications");
    printer::say(&if ended.jobs == 0 {
        "held: nothing, for no application was on".to_owned()
    } else {
        format!(
            "held: {held}. The targets may have moved on since the backup. Make a plan for each, then restart it (`rollcall app restart`, `rollcall job restart`): its first cycle compares everything, and disables and deletes nobody whom you do not allow to be"
        )
    });
    if ended.webhooks > 0 {
        printer::say(&format!(
            "paused: {}. `rollcall webhook set NAME --org SLUG --resume` goes on where the backup ended; receivers tell what they have already by its id",
            counted(ended.webhooks, "webhook", "webhooks")
        ));
    }
    printer::say(&format!(
        "ended: {}, {}, {}. Not sent any more: {}",
        counted(ended.sessions, "session", "sessions"),
        counted(ended.sign_in_links, "sign-in link", "sign-in links"),
        counted(ended.invitations, "invitation", "invitations"),
        counted(ended.letters, "letter that waited", "letters that waited"),
    ));
    printer::say(
        "tokens are as they were: those that were revoked or reset since the backup work again, and so do passwords and recovery codes. `rollcall token list --org SLUG` shows the tokens, `rollcall token revoke` ends one",
    );
}

/// Says where the key is.
fn key_place(config: &Config) -> String {
    match config.key.value {
        Some(_) => "ROLLCALL_KEY".to_owned(),
        None => config.key_file.value.display().to_string(),
    }
}

/// Says what is wrong with the key of a store; absent: it fits, or nothing is sealed.
pub(super) async fn of_key(
    config: &Config,
    app: &anyhow::Result<Option<App>>,
) -> anyhow::Result<Option<Finding>> {
    let place = key_place(config);
    let app = match app {
        Ok(Some(app)) => app,
        Ok(None) => return Ok(None),
        Err(error) => {
            return Ok(Some(Finding {
                trouble: format!("the key cannot be used: {error:#}"),
                remedy: format!(
                    "bring the right key to {place}, for its owner alone, before anything is started"
                ),
            }));
        }
    };
    let unopened = app.unopened().await?;
    if unopened.is_empty() {
        return Ok(None);
    }
    let count = unopened.applications.len() as u64
        + unopened.second_factors
        + unopened.webhooks.len() as u64;
    Ok(Some(Finding {
        trouble: format!(
            "{count} of {} sealed secrets cannot be opened with the keys in {place}{}",
            unopened.sealed,
            named(&unopened)
        ),
        remedy: "bring the keys back that were there when they were sealed (`rollcall key show`), or enter them again: `rollcall app connect`, `rollcall admin reset`, `rollcall webhook rotate`".to_owned(),
    }))
}

/// Names the first applications that are meant.
fn named(unopened: &Unopened) -> String {
    const NAMED: usize = 5;
    let applications = unopened.applications.iter();
    let applications = applications.map(|(slug, _, name)| (slug, name));
    let webhooks = unopened.webhooks.iter().map(|(slug, name)| (slug, name));
    let names: Vec<String> = applications
        .chain(webhooks)
        .take(NAMED)
        .map(|(slug, name)| format!("{slug}: {name}"))
        .collect();
    let many = unopened.applications.len() + unopened.webhooks.len();
    match (names.is_empty(), many > NAMED) {
        (true, _) => String::new(),
        (false, true) => format!(" ({}, …)", names.join(", ")),
        (false, false) => format!(" ({})", names.join(", ")),
    }
}

fn rows(contents: &Contents) -> u64 {
    contents.tables.iter().map(|table| table.rows).sum()
}

fn described(contents: &Contents) -> Map<String, Value> {
    let tables: Map<String, Value> = contents
        .tables
        .iter()
        .map(|table| {
            let value = json!({"rows": table.rows, "sha256": table.sha256});
            (table.name.clone(), value)
        })
        .collect();
    let mut described = Map::new();
    for (name, value) in [
        ("made", json!(contents.made)),
        ("rollcall", json!(contents.rollcall)),
        ("store", json!(contents.store)),
        ("format", json!(contents.format)),
        ("schema", json!(contents.schema)),
        ("sha256", json!(contents.sha256)),
        ("bytes", json!(contents.bytes)),
        ("rows", json!(rows(contents))),
        ("tables", Value::Object(tables)),
    ] {
        described.insert(name.to_owned(), value);
    }
    described
}

fn tables(contents: &Contents) {
    let rows = contents
        .tables
        .iter()
        .map(|table| [table.name.clone(), table.rows.to_string()]);
    printer::table(["table", "rows"], rows);
}

fn findings(findings: &[Finding]) -> Value {
    findings
        .iter()
        .map(|finding| json!({"trouble": finding.trouble, "remedy": finding.remedy}))
        .collect()
}

fn tell(findings: &[Finding]) {
    for finding in findings {
        printer::say(&format!("{}\n  → {}", finding.trouble, finding.remedy));
    }
}

fn outcome(findings: &[Finding]) -> Exit {
    if findings.is_empty() {
        Exit::Done
    } else {
        Exit::No
    }
}
