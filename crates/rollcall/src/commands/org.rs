//! `rollcall org`.

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use rollcall_app::App;
use rollcall_app::organisations::NewOrganisation;
use rollcall_model::retention::Retention;
use rollcall_model::{Organisation, Plan};
use rollcall_store::Counts;
use serde_json::{Value, json};

use super::confirmation;
use crate::cli::Org;
use crate::config::Config;
use crate::outcome::Exit;
use crate::{printer, runtime};

pub(crate) async fn run(config: &Config, command: Org, as_json: bool) -> anyhow::Result<Exit> {
    let app = match &command {
        Org::Create { .. } => runtime::begun(config).await?,
        _ => runtime::app(config).await?,
    };
    match command {
        Org::Create {
            slug,
            name,
            region,
            seats,
            trial_until,
        } => {
            let trial_until = trial_until
                .map(|last| {
                    last.tomorrow().and_then(|day| {
                        TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight()))
                    })
                })
                .transpose()
                .context("the trial's last day")?;
            let new = NewOrganisation {
                slug,
                name,
                region,
                seats,
                trial_until,
            };
            let organisation = app.create_organisation(new).await?;
            print(&app, &organisation, as_json).await?;
        }
        Org::List => list(&app, as_json).await?,
        Org::Show { slug } => {
            let organisation = app.organisation(&slug).await?;
            print(&app, &organisation, as_json).await?;
        }
        Org::Set {
            slug,
            keep_logs,
            keep_requests,
            keep_tombstones,
        } => {
            let organisation = app.organisation(&slug).await?;
            let was = organisation.retention;
            let retention = Retention {
                logs: keep_logs.unwrap_or(was.logs),
                requests: keep_requests.unwrap_or(was.requests),
                tombstones: keep_tombstones.unwrap_or(was.tombstones),
            };
            let context = app.command_context(organisation.id);
            app.set_retention(&context, retention).await?;
            let organisation = app.organisation(&slug).await?;
            print(&app, &organisation, as_json).await?;
        }
        Org::Delete { slug, yes } => {
            let organisation = app.organisation(&slug).await?;
            if !yes && !confirmed(&app, &organisation).await? {
                return Ok(Exit::No);
            }
            app.delete_organisation(&organisation).await?;
            printer::say(&format!("deleted `{slug}` with everything in it"));
        }
    }
    Ok(Exit::Done)
}

async fn confirmed(app: &App, organisation: &Organisation) -> anyhow::Result<bool> {
    let counts = app.counts(organisation.id).await?;
    let slug = organisation.slug.as_str();
    let says = format!(
        "This deletes `{slug}` with {} people and {} groups",
        counts.users, counts.groups
    );
    confirmation::confirmed("deleting an organisation", &says, slug)
}

async fn list(app: &App, as_json: bool) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for organisation in app.organisations().await? {
        let counts = app.counts(organisation.id).await?;
        all.push((organisation, counts));
    }
    if as_json {
        let described: Vec<Value> = all
            .iter()
            .map(|(organisation, counts)| describe(app, organisation, *counts))
            .collect();
        return printer::json(&described);
    }
    let now = app.now();
    let rows = all.into_iter().map(|(organisation, counts)| {
        [
            organisation.slug.to_string(),
            organisation.name.clone(),
            organisation.region.to_string(),
            plan(&organisation, now),
            match organisation.seats {
                Some(seats) => format!("{} of {seats}", counts.active_users),
                None => counts.active_users.to_string(),
            },
            counts.groups.to_string(),
        ]
    });
    printer::table(
        ["slug", "name", "region", "plan", "active people", "groups"],
        rows,
    );
    Ok(())
}

async fn print(app: &App, organisation: &Organisation, as_json: bool) -> anyhow::Result<()> {
    let counts = app.counts(organisation.id).await?;
    if as_json {
        return printer::json(&describe(app, organisation, counts));
    }
    let seats = organisation
        .seats
        .map_or_else(|| "any number".to_owned(), |seats| seats.to_string());
    let rows = [
        ("slug", organisation.slug.to_string()),
        ("name", organisation.name.clone()),
        ("id", organisation.id.to_string()),
        ("region", organisation.region.to_string()),
        ("plan", plan(organisation, app.now())),
        ("seats", seats),
        (
            "people",
            format!("{} ({} active)", counts.users, counts.active_users),
        ),
        ("groups", counts.groups.to_string()),
        ("SCIM URL", app.settings().tenant_url(organisation)),
        ("keeps", keeps(&organisation.retention)),
    ];
    for (name, value) in rows {
        printer::data(&format!("{name:<9} {value}"));
    }
    Ok(())
}

fn describe(app: &App, organisation: &Organisation, counts: Counts) -> Value {
    json!({
        "id": organisation.id,
        "slug": organisation.slug,
        "name": organisation.name,
        "region": organisation.region,
        "trial_until": match organisation.plan {
            Plan::Trial { until } => Some(until),
            Plan::Paid => None,
        },
        "seats": organisation.seats,
        "created": organisation.created,
        "users": counts.users,
        "active_users": counts.active_users,
        "groups": counts.groups,
        "keep": organisation.retention,
        "scim_url": app.settings().tenant_url(organisation),
    })
}

/// Says how long things are kept.
fn keeps(retention: &Retention) -> String {
    let Retention {
        logs,
        requests,
        tombstones,
    } = retention;
    format!("provisioning logs {logs}, requests {requests}, tombstones {tombstones}")
}

fn plan(organisation: &Organisation, now: Timestamp) -> String {
    match &organisation.plan {
        Plan::Paid => "paid".to_owned(),
        plan @ Plan::Trial { .. } => {
            let state = if organisation.is_open(now) {
                "trial until"
            } else {
                "trial, ended on"
            };
            format!("{state} {}", plan.last_day())
        }
    }
}
