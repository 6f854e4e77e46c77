//! `rollcall store`: a whole store into another database.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rollcall_store::{Copied, Location, NotCopied, Progress};
use serde_json::json;

use crate::cli::{CopyStore, StoreCommand};
use crate::config::{Config, Source};
use crate::key::Placed;
use crate::outcome::{Exit, Trouble};
use crate::{key, printer};

/// What the environment says. Addresses with passwords are better kept there.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(crate) async fn run(
    config: &Config,
    command: StoreCommand,
    variable: Variable<'_>,
    as_json: bool,
) -> anyhow::Result<Exit> {
    match command {
        StoreCommand::Copy(copy) => self::copy(config, &copy, variable, as_json).await,
    }
}

async fn copy(
    config: &Config,
    command: &CopyStore,
    variable: Variable<'_>,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let from = location(&command.from, variable)?;
    let to = location(&command.to, variable)?;
    // what is wrong with the stores is told before what is wrong with their keys
    rollcall_store::can_be_copied(&from, &to)
        .await
        .map_err(refused)?;
    let (old_key, new_key) = keys(config, &from, &to);
    // keys in the environment serve both stores
    let placed = match config.key.value {
        Some(_) => None,
        None => Some(key::place(&old_key, &new_key)?),
    };
    let copied = match rollcall_store::copy(&from, &to, telling()).await {
        Ok(copied) => copied,
        Err(error) => {
            // a key without a store would be in the way of the next one. Where it is not known that nothing was written, it stays
            let is_free = rollcall_store::can_be_copied(&from, &to).await.is_ok();
            if placed == Some(Placed::New) && is_free {
                drop(std::fs::remove_file(&new_key));
            }
            return Err(refused(error));
        }
    };
    if as_json {
        printer::json(&described(
            &copied,
            (&from, &to),
            &new_key.display().to_string(),
        ))?;
    } else {
        show(&copied, (&from, &to), (&new_key, placed));
    }
    Ok(if copied.findings.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

/// Reads an address, or the variable that it names as `env:NAME`.
fn location(text: &str, variable: Variable<'_>) -> anyhow::Result<Location> {
    let Some(name) = text.strip_prefix("env:") else {
        return Ok(text.parse()?);
    };
    let address = variable(name).ok_or_else(|| {
        Trouble::wrong(format!("the variable {name} is not set"))
            .hint("it holds the address of a store, such as postgres://rollcall:PASSWORD@localhost/rollcall")
    })?;
    Ok(address.parse()?)
}

/// Returns where the key of each store lies. One that the configuration names serves both.
fn keys(config: &Config, from: &Location, to: &Location) -> (PathBuf, PathBuf) {
    match config.key_file.source {
        Source::Default => (from.key_file(), to.key_file()),
        _ => (config.key_file.value.clone(), config.key_file.value.clone()),
    }
}

/// Returns what says how far it is, on stderr: a line for each table that has rows, and one for so many rows of a long one.
fn telling() -> impl Fn(Progress) + Send + Sync + 'static {
    const ROWS: u64 = 100_000;
    let said = Mutex::new(("", 0));
    move |progress| {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, text) = match progress {
            Progress::Written { rows: 0, .. } => return,
            Progress::Written { table, rows } => {
                ((table, rows / ROWS), format!("copying {table} ({rows}) …"))
            }
            Progress::Compared { .. } => (("", 1), "comparing both …".to_owned()),
        };
        if *said != at {
            printer::say(&text);
            *said = at;
        }
    }
}

fn described(
    copied: &Copied,
    (from, to): (&Location, &Location),
    key_file: &str,
) -> serde_json::Value {
    let tables: serde_json::Map<_, _> = copied
        .tables
        .iter()
        .map(|(table, rows)| ((*table).to_owned(), json!(rows)))
        .collect();
    let findings: Vec<_> = copied.findings.iter().chain(&copied.warnings).collect();
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| json!({"trouble": finding.trouble, "remedy": finding.remedy}))
        .collect();
    json!({
        "from": from.to_string(), "to": to.to_string(), "key_file": key_file,
        "tables": tables, "rows": copied.tables.iter().map(|(_, rows)| rows).sum::<u64>(),
        "findings": findings,
    })
}

fn show(
    copied: &Copied,
    (from, to): (&Location, &Location),
    (key_file, placed): (&std::path::Path, Option<Placed>),
) {
    let rows = copied
        .tables
        .iter()
        .map(|(table, rows)| [(*table).to_owned(), rows.to_string()]);
    printer::table(["table", "rows"], rows);
    for finding in copied.findings.iter().chain(&copied.warnings) {
        printer::say(&format!("{}\n  → {}", finding.trouble, finding.remedy));
    }
    let key_file = key_file.display();
    printer::good(&format!("{to} has everything that {from} has"));
    printer::say(&match placed {
        None => "the key belongs to the store: the new one needs the same ROLLCALL_KEY".to_owned(),
        Some(Placed::New) => format!(
            "the key belongs to the store: a copy of it lies in {key_file}. Where the new store is served from another folder or machine, take it there and name it with ROLLCALL_KEY_FILE"
        ),
        Some(Placed::Same) => format!(
            "the key belongs to the store: the new one needs {key_file} too. Where it is served from another folder or machine, take it there and name it with ROLLCALL_KEY_FILE"
        ),
    });
    printer::say(&format!(
        "next: set ROLLCALL_STORE to the address of {to} and start `rollcall serve`. {from} stays as it is: do not serve it any more, or both send to the same targets"
    ));
}

/// Says what can be done about a copy that was not made.
fn refused(error: NotCopied) -> anyhow::Error {
    let message = error.to_string();
    match error {
        NotCopied::NoStore(_) => Trouble::unreachable(message)
            .hint("the first address is the store that is copied: is it written correctly?"),
        NotCopied::Same(_) => Trouble::wrong(message).hint("name another store to copy to"),
        NotCopied::NotEmpty(_) => Trouble::wrong(message)
            .hint("nothing was changed: name a new file, or an empty database"),
        NotCopied::Foreign(_) => {
            Trouble::wrong(message).hint("name a new file, or an empty database")
        }
        NotCopied::Outdated { .. } => {
            Trouble::wrong(message).hint("bring it to this version first: `rollcall migrate`")
        }
        NotCopied::InUse(_) => Trouble::unreachable(message)
            .hint("stop every `rollcall` that works with it, then repeat; nothing was changed"),
        NotCopied::Character { .. } => Trouble::wrong(message)
            .hint("take the character out of that object, then repeat; nothing was changed"),
        NotCopied::Different { .. } => Trouble::no(message).hint(
            "nothing was kept. This is a defect of rollcall, or of the database: please report it",
        ),
        NotCopied::Store(error) => return error.into(),
        other => {
            // with its causes
            return Trouble::unreachable(format!("{:#}", anyhow::Error::new(other)))
                .hint("nothing was kept")
                .into();
        }
    }
    .into()
}
