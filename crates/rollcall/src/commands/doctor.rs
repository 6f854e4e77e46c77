//! `rollcall doctor` and `rollcall migrate`.

use jiff::SignedDuration;
use rollcall_app::App;
use rollcall_model::application::Status;
use rollcall_model::provisioning::QuarantineReason;
use rollcall_model::webhook::{Status as State, Why};
use rollcall_store::{Finding, Store};
use serde_json::json;

use super::{backup, files};

use crate::config::Config;
use crate::outcome::Exit;
use crate::{printer, runtime};

/// So long before a token or a key ends there is word of it.
const WARNING: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A key that was made for no longer than this is meant to end.
const PASSING: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Looks for trouble, explains it, and says what to do. Exit code 1 when there is any.
pub(crate) async fn run(config: &Config, as_json: bool) -> anyhow::Result<Exit> {
    // before the store is opened, which makes its files private
    let of_files = files::look(config);
    let (store, app) = runtime::whatever_its_key(config).await?;
    let mut findings = store.examine().await?;
    findings.extend(of_files);
    findings.extend(backup::of_key(config, &app).await?);
    findings.extend(stopped(&store).await?);
    findings.extend(paused_webhooks(&store).await?);
    if let Ok(Some(app)) = &app {
        findings.extend(super::audit::findings(app).await?);
        findings.extend(tokens_near_their_end(app).await?);
        findings.extend(keys_near_their_end(app).await?);
    }
    if as_json {
        let described: Vec<_> = findings
            .iter()
            .map(|f| json!({"trouble": f.trouble, "remedy": f.remedy}))
            .collect();
        printer::json(&described)?;
    } else {
        for finding in &findings {
            printer::data(&format!("{}\n  → {}", finding.trouble, finding.remedy));
        }
        if findings.is_empty() {
            printer::good(&format!("{} is in order", config.store.value));
        }
    }
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

/// Finds the applications that send nothing until somebody decides, or mends what is in the way.
async fn stopped(store: &Store) -> anyhow::Result<Vec<Finding>> {
    let organisations = store.organisations().await?;
    let mut findings = Vec::new();
    for one in store.schedule(None).await? {
        let Some(quarantine) = &one.job.quarantine else {
            continue;
        };
        let application = &one.application;
        let runs = application.status == Status::On || application.job_file.is_some();
        let is_held = one.job.held().is_some();
        if !runs && !is_held {
            continue;
        }
        let organisation = organisations.iter().find(|org| org.id == one.organisation);
        let slug = organisation.map_or("", |organisation| organisation.slug.as_str());
        let command = |job: &str, app: &str| match &application.job_file {
            Some(file) => format!("rollcall job {job} {file}"),
            None => format!("rollcall app {app} {:?} --org {slug}", application.name),
        };
        let state = if is_held { "held" } else { "in quarantine" };
        findings.push(Finding {
            trouble: format!(
                "{slug}: {} is {state} since {}: {}",
                application.name, quarantine.since, quarantine.message
            ),
            remedy: match quarantine.reason {
                QuarantineReason::RestoredFromBackup => format!(
                    "{}, to see what would be done; then {}",
                    command("plan", "plan"),
                    command("restart", "restart")
                ),
                QuarantineReason::TooManyDeletes => command("held", "held"),
                _ => command("status", "show"),
            },
        });
    }
    Ok(findings)
}

/// Finds the webhooks that are told nothing, though nobody asked for that.
async fn paused_webhooks(store: &Store) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for organisation in store.organisations().await? {
        let tenant = store.tenant(organisation.id);
        let hooks = tenant.read::<_, rollcall_store::Error, _>(|reader| reader.webhooks());
        for hook in hooks.await? {
            let webhook = hook.webhook;
            let State::Paused { since, why } = webhook.status else {
                continue;
            };
            let why = match why {
                Why::Asked => continue,
                Why::Failing => "nothing arrived there for three days",
                Why::Gone => "it answered that it is gone for good",
                Why::Restored => "the store was restored from a backup",
            };
            let (slug, name) = (&organisation.slug, &webhook.name);
            findings.push(Finding {
                trouble: format!("{slug}: the webhook {name} is paused since {since}: {why}"),
                remedy: format!(
                    "rollcall webhook test {name:?} --org {slug}; then rollcall webhook set {name:?} --org {slug} --resume"
                ),
            });
        }
    }
    Ok(findings)
}

async fn tokens_near_their_end(app: &App) -> anyhow::Result<Vec<Finding>> {
    let now = app.now();
    let mut findings = Vec::new();
    for organisation in app.organisations().await? {
        let (integrations, tokens) = app.tokens(organisation.id).await?;
        for integration in integrations {
            let of_it = || {
                tokens
                    .iter()
                    .filter(|token| token.integration == integration.id)
            };
            let last = of_it()
                .map(|token| token.expires.unwrap_or(jiff::Timestamp::MAX))
                .max();
            let Some(end) = last.filter(|end| end.duration_since(now) < WARNING) else {
                continue;
            };
            let state = if end <= now {
                "has no valid token since"
            } else {
                "loses its last token at"
            };
            findings.push(Finding {
                trouble: format!(
                    "{}: the {} integration {state} {end}",
                    organisation.slug, integration.kind
                ),
                remedy: format!(
                    "rollcall token create --org {} --integration {}",
                    organisation.slug, integration.kind
                ),
            });
        }
    }
    Ok(findings)
}

/// Finds the API keys that work and end soon. What has ended may have been meant to: nobody needs word of it for ever.
async fn keys_near_their_end(app: &App) -> anyhow::Result<Vec<Finding>> {
    let now = app.now();
    let mut findings = Vec::new();
    for organisation in app.organisations().await? {
        let slug = &organisation.slug;
        for key in app.api_keys(organisation.id).await? {
            let Some(end) = key.expires.filter(|_| key.is_valid(now)) else {
                continue;
            };
            let is_soon = end.duration_since(now) < WARNING;
            if !is_soon || end.duration_since(key.created) <= PASSING {
                continue;
            }
            findings.push(Finding {
                trouble: format!("{slug}: the API key `{}` ends at {end}", key.name),
                remedy: format!(
                    "rollcall api-key create --org {slug} --name {:?} --role {}; then give it to the program that has the old one",
                    key.name.as_str(),
                    key.role
                ),
            });
        }
    }
    Ok(findings)
}

/// Brings the store to this version's schema; opening it does.
pub(crate) async fn migrate(config: &Config, as_json: bool) -> anyhow::Result<Exit> {
    Store::open(&config.store.value).await?;
    if as_json {
        printer::json(&json!({"store": config.store.value.to_string(), "migrated": true}))?;
    } else {
        printer::say(&format!(
            "{} has the schema of this version",
            config.store.value
        ));
    }
    Ok(Exit::Done)
}
