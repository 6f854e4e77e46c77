//! `rollcall app set`, `app start` and `app stop`.

use rollcall_model::Application;
use rollcall_model::application::DriftCheck;
use serde_json::json;

use super::{Desk, kinds};
use crate::cli::app::{Changes, Set, Which};
use crate::cli::words::{Interval, Notified, NumberOrDefault, PercentOrDefault};
use crate::outcome::{Exit, Trouble};
use crate::printer;

pub(super) async fn set(desk: &Desk<'_>, command: Set) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(&command.which).await?;
    let Set { changes, kind, .. } = command;
    let speaks_of_kinds =
        changes.create.is_some() || changes.update.is_some() || changes.delete.is_some();
    if kind.is_some() && !speaks_of_kinds {
        return Err(Trouble::wrong("--kind says nothing alone")
            .hint("it goes with --create, --update or --delete")
            .into());
    }
    let will_check = match changes.drift_every {
        Some(Interval(every)) => every.is_some(),
        None => application.settings.drift.is_some(),
    };
    if changes.drift_repair.is_some() && !will_check {
        return Err(Trouble::wrong("nothing is repaired that is never compared")
            .hint("say how often with --drift-every 24h")
            .into());
    }
    let kinds = kinds(kind);
    let application = desk
        .app
        .configure(&context, application.id, move |application| {
            change(application, &changes);
            for kind in kinds {
                let mapping = match kind {
                    rollcall_model::Kind::User => &mut application.users,
                    rollcall_model::Kind::Group => &mut application.groups,
                };
                let actions = &mut mapping.actions;
                put(&mut actions.create, changes.create);
                put(&mut actions.update, changes.update);
                put(&mut actions.delete, changes.delete);
            }
        })
        .await?;
    desk.done(
        &format!("`{}` is changed", application.name),
        &serde_json::to_value(&application)?,
    )
}

fn change(application: &mut Application, changes: &Changes) {
    put(&mut application.scope, changes.scope);
    if let Some(on) = changes.groups {
        application.groups.enabled = on.into();
    }
    if let Some(Notified(email)) = &changes.notify {
        application.notify_on_failure = email.is_some();
        application.notification_email.clone_from(email);
    }
    let settings = &mut application.settings;
    put(&mut settings.nested_groups, changes.nested);
    put(&mut settings.leaving, changes.leaving);
    if let Some(NumberOrDefault(number)) = changes.max_deletions {
        settings.max_deletions = number;
    }
    if let Some(PercentOrDefault(percent)) = changes.max_deletions_percent {
        settings.max_deletions_percent = percent;
    }
    if let Some(Interval(every)) = changes.drift_every {
        let repair = settings.drift.is_some_and(|drift| drift.repair);
        settings.drift = every.map(|every_hours| DriftCheck {
            every_hours,
            repair,
        });
    }
    if let (Some(drift), Some(repair)) = (&mut settings.drift, changes.drift_repair) {
        drift.repair = repair.into();
    }
}

/// Takes over what was said; what was not stays.
fn put<T: From<W>, W>(place: &mut T, word: Option<W>) {
    if let Some(word) = word {
        *place = word.into();
    }
}

pub(super) async fn start(desk: &Desk<'_>, which: &Which) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let application = desk.app.start(&context, application.id).await?;
    let configured = desk.app.configured(&context, application.id).await?;
    if let Some(held) = configured.job.held() {
        printer::say(&held.message);
        printer::hint("`rollcall app restart` lets it run again");
    }
    desk.done(
        &format!(
            "`{}` is switched on: `rollcall serve` runs its cycles",
            application.name
        ),
        &json!({"id": application.id, "status": application.status, "mode": application.mode}),
    )
}

pub(super) async fn stop(desk: &Desk<'_>, which: &Which) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let application = desk.app.stop(&context, application.id).await?;
    desk.done(
        &format!(
            "`{}` is switched off; what was provisioned stays",
            application.name
        ),
        &json!({"id": application.id, "status": application.status, "mode": application.mode}),
    )
}
