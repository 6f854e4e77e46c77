//! `rollcall audit`.

use rollcall_app::App;
use rollcall_model::Organisation;
use rollcall_model::chain::{Head, Outcome};
use rollcall_store::Finding;
use serde_json::{Value, json};

use crate::cli::{Audit, KeptHead};
use crate::config::Config;
use crate::outcome::{Exit, Trouble};
use crate::{printer, runtime};

/// A file with a head is no longer than this, in bytes.
const LONGEST_FILE: u64 = 64 * 1024;

pub(crate) async fn run(config: &Config, command: Audit, as_json: bool) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    match command {
        Audit::Verify { org, head } => {
            let organisations = match org {
                Some(slug) => vec![app.organisation(&slug).await?],
                None => app.store().organisations().await?,
            };
            let kept = head.as_ref().map(kept).transpose()?;
            verify(&app, organisations, kept, as_json).await
        }
        Audit::Head { org } => {
            let organisation = app.organisation(&org).await?;
            let (head, at) = app.audit_head(organisation.id).await?;
            if as_json {
                printer::json(&json!({
                    "organisation": organisation.slug, "sequence": head.sequence, "hash": head.hash, "time": at,
                }))?;
            } else {
                let at = at.map_or(String::new(), |at| format!(" {at}"));
                printer::data(&format!("{head}{at}"));
            }
            Ok(Exit::Done)
        }
    }
}

async fn verify(
    app: &App,
    organisations: Vec<Organisation>,
    kept: Option<Head>,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let mut described = Vec::new();
    let mut exit = Exit::Done;
    for organisation in organisations {
        let outcome = app.verify_audit(organisation.id, kept).await?;
        let slug = &organisation.slug;
        if !outcome.damages.is_empty() {
            exit = Exit::No;
        }
        if as_json {
            described.push(description(&organisation, &outcome));
            continue;
        }
        for damage in &outcome.damages {
            printer::data(&format!("{slug}: {damage}"));
        }
        if outcome.damages.is_empty() {
            printer::good(&format!(
                "{slug}: {} entries, each follows from the one before",
                outcome.entries
            ));
        }
    }
    if as_json {
        printer::json(&described)?;
    } else if exit == Exit::No {
        printer::hint(REMEDY);
    }
    Ok(exit)
}

const REMEDY: &str = "somebody changed the store by other means than rollcall, or the disk fails: keep a copy, and compare with a backup";

/// Verifies the logs of all organisations.
pub(super) async fn findings(app: &App) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for organisation in app.store().organisations().await? {
        let outcome = app.verify_audit(organisation.id, None).await?;
        findings.extend(outcome.damages.iter().map(|damage| Finding {
            trouble: format!("{}: audit log: {damage}", organisation.slug),
            remedy: REMEDY.into(),
        }));
    }
    Ok(findings)
}

fn description(organisation: &Organisation, outcome: &Outcome) -> Value {
    let damages: Vec<_> = outcome
        .damages
        .iter()
        .map(|damage| json!({"kind": damage.word(), "sequence": damage.sequence(), "message": damage.to_string()}))
        .collect();
    json!({
        "organisation": organisation.slug, "entries": outcome.entries, "head": outcome.head, "damages": damages,
    })
}

/// Reads a head that was kept: as `audit head` prints it, with and without `--json`.
fn kept(head: &KeptHead) -> anyhow::Result<Head> {
    let path = match head {
        KeptHead::Here(head) => return Ok(*head),
        KeptHead::InFile(path) => path,
    };
    let wrong = |reason: &dyn std::fmt::Display| {
        Trouble::wrong(format!("the head in {}: {reason}", path.display()))
            .hint("give what `rollcall audit head` printed, HASH@SEQUENCE, or a file that holds it")
    };
    let length = std::fs::metadata(path)
        .map_err(|error| wrong(&error))?
        .len();
    if length > LONGEST_FILE {
        return Err(wrong(&"the file is too long").into());
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    if text.trim_start().starts_with('{') {
        return Ok(serde_json::from_str(&text).map_err(|error| wrong(&error))?);
    }
    let word = text.split_whitespace().next().unwrap_or_default();
    Ok(word.parse().map_err(|error| wrong(&error))?)
}
