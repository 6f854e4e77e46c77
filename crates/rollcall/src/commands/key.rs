//! `rollcall key`: the keys that seal secrets in the store.

use std::path::Path;

use rollcall_app::App;
use serde_json::json;

use crate::cli::{KeyCommand, RotateKey};
use crate::config::Config;
use crate::key::{self, Place};
use crate::outcome::{Exit, Trouble};
use crate::{printer, runtime};

pub(crate) async fn run(
    config: &Config,
    command: KeyCommand,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    let place = Place::of(config);
    match command {
        KeyCommand::Show => show(&app, as_json).await,
        KeyCommand::Add => add(&app, file(&place)?, as_json),
        KeyCommand::Rotate(command) => rotate(&app, &place, &command, as_json).await,
        KeyCommand::Prune => prune(&app, file(&place)?, as_json).await,
    }
}

/// Returns the key file, to change it.
fn file(place: &Place) -> anyhow::Result<&Path> {
    match place {
        Place::File(path) => Ok(path),
        Place::Variable(_) => Err(Trouble::wrong(
            "the keys are in ROLLCALL_KEY, which no command can change".to_owned(),
        )
        .hint("put a new key before the others there (`openssl rand -base64 32`, a comma, the old one), restart the servers, then `rollcall key rotate`; take out what seals nothing any more")
        .into()),
    }
}

async fn show(app: &App, as_json: bool) -> anyhow::Result<Exit> {
    let used = app.key_use().await?;
    let sealed = |id| used.seals.get(&id).copied().unwrap_or_default();
    let missing = used.seals.keys().filter(|id| !used.at_hand.contains(id));
    let rows: Vec<_> = used
        .at_hand
        .iter()
        .enumerate()
        .map(|(place, id)| (*id, if place == 0 { "seals" } else { "opens" }))
        .chain(missing.clone().map(|id| (*id, "missing")))
        .collect();
    if as_json {
        let keys = rows.iter().map(
            |(id, state)| json!({"id": id.to_string(), "state": state, "sealed": sealed(*id)}),
        );
        printer::json(&keys.collect::<Vec<_>>())?;
    } else {
        let rows = rows
            .iter()
            .map(|(id, state)| [id.to_string(), (*state).to_owned(), sealed(*id).to_string()]);
        printer::table(["key", "state", "sealed with it"], rows);
    }
    Ok(if missing.count() == 0 {
        Exit::Done
    } else {
        Exit::No
    })
}

fn add(app: &App, path: &Path, as_json: bool) -> anyhow::Result<Exit> {
    let id = key::add(path, &**app.randomness())?;
    if as_json {
        printer::json(&json!({"id": id.to_string(), "key_file": path.display().to_string()}))?;
    } else {
        printer::good(&format!("the key {id} comes first in {}", path.display()));
        printer::say(
            "next: copy the file to all other nodes of this store, then `rollcall key rotate`",
        );
    }
    Ok(Exit::Done)
}

async fn rotate(
    app: &App,
    place: &Place,
    command: &RotateKey,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let organisations: Vec<_> = app
        .organisations()
        .await?
        .into_iter()
        .filter(|one| command.org.as_ref().is_none_or(|slug| *slug == one.slug))
        .collect();
    if let (Some(slug), true) = (&command.org, organisations.is_empty()) {
        return Err(Trouble::wrong(format!("there is no organisation `{slug}`"))
            .hint("`rollcall org list` shows them")
            .into());
    }
    let used = app.key_use().await?;
    let first = used.at_hand.first();
    let is_in_use = first.is_some_and(|id| used.seals.contains_key(id));
    let is_only = used.seals.len() <= 1;
    if let (true, true, Place::File(path)) = (is_in_use, is_only, place) {
        key::add(path, &**app.randomness())?;
    }
    let rotated = app.rotate_master_key().await?;
    let (mut secrets, mut kept) = (0, 0);
    if command.data {
        for organisation in &organisations {
            let replaced = app.replace_data_key(organisation).await?;
            secrets += replaced.secrets;
            kept += replaced.kept;
        }
    }
    if as_json {
        printer::json(&json!({
            "installation": rotated.installation, "data_keys": rotated.data_keys,
            "secrets": secrets, "data_keys_kept": kept,
        }))?;
        return Ok(Exit::Done);
    }
    if let (Place::Variable(_), 0) = (place, rotated.installation + rotated.data_keys) {
        printer::say("everything is sealed with the first key in ROLLCALL_KEY already");
    }
    printer::good(&format!(
        "sealed anew: {} keys of organisations, {} secrets of the installation, {secrets} secrets of organisations",
        rotated.data_keys, rotated.installation
    ));
    if kept > 0 {
        printer::say(
            "letters wait that older keys of organisations sealed: these keys go with the next `rollcall key rotate --data` after the letters were sent",
        );
    }
    if let Place::File(path) = place {
        printer::say(&format!(
            "next: keep a copy of {} apart from the store, and on every other node of it. The old key stays in it until `rollcall key prune`",
            path.display()
        ));
    }
    Ok(Exit::Done)
}

async fn prune(app: &App, path: &Path, as_json: bool) -> anyhow::Result<Exit> {
    let used = app.key_use().await?;
    let gone = key::prune(path, |id| used.seals.contains_key(&id))?;
    if as_json {
        let gone: Vec<_> = gone.iter().map(ToString::to_string).collect();
        printer::json(&json!({"removed": gone}))?;
    } else if gone.is_empty() {
        printer::say("every key in the file seals something, or is the one that seals now");
    } else {
        printer::good(&format!(
            "{} keys were taken out of {}",
            gone.len(),
            path.display()
        ));
    }
    Ok(Exit::Done)
}
