//! What is asked of the engine: plans, cycles, one object on demand, comparisons; and what its guard holds back.

use std::path::Path;

use rollcall_app::Failure;
use rollcall_app::directory::Context;
use rollcall_engine::{Agreement, Engine, Error};
use rollcall_model::ApplicationId;
use rollcall_model::provisioning::{CycleOutcome, ResetScope};
use serde_json::json;

use super::Desk;
use crate::cli::app::{One, Which};
use crate::commands::serve::stop_signal;
use crate::outcome::{Exit, Trouble};
use crate::provisioning::{self, SHOWN, plan_file};
use crate::{bar, printer};

pub(super) async fn plan(
    desk: &Desk<'_>,
    which: &Which,
    out: Option<&Path>,
    shown: usize,
) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let engine = desk.engine()?;
    let plan = bar::followed("planning", |watch| {
        engine.plan(&context, application.id, watch)
    })
    .await?;
    provisioning::plan_with_file(&plan, shown, out, "app", desk.as_json)
}

pub(super) async fn run(
    desk: &Desk<'_>,
    which: &Which,
    plan: Option<&Path>,
) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let plan = plan.map(plan_file::read).transpose()?;
    let engine = desk.engine()?;
    let id = application.id;
    let report = match plan {
        Some(plan) => {
            bar::followed("running", |watch| engine.apply(&context, id, plan, watch)).await?
        }
        None => bar::followed("running", |watch| engine.run(&context, id, watch)).await?,
    };
    let exit = provisioning::report(&report, desk.as_json)?;
    provisioning::advise(&report, "app");
    Ok(exit)
}

pub(super) async fn provision(desk: &Desk<'_>, command: One) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(&command.which).await?;
    let (kind, object) = desk
        .principal(&context, &application, command.principal)
        .await?;
    let engine = desk.engine()?;
    let done = engine
        .provision(&context, application.id, kind, object)
        .await?;
    provisioning::object::on_demand(&done, desk.as_json)
}

pub(super) async fn why(desk: &Desk<'_>, command: One) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(&command.which).await?;
    let (kind, object) = desk
        .principal(&context, &application, command.principal)
        .await?;
    let engine = desk.engine()?;
    let why = engine.why(&context, application.id, kind, object).await?;
    provisioning::object::why(&why, desk.as_json)
}

pub(super) async fn held(desk: &Desk<'_>, which: &Which) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let held = desk.app.held(&context, application.id).await?;
    provisioning::held(&held, desk.as_json)?;
    Ok(Exit::Done)
}

pub(super) async fn allow(desk: &Desk<'_>, which: &Which, code: String) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let allowed = desk
        .app
        .allow_deletions(&context, application.id, code.clone())
        .await;
    let count = match allowed {
        Err(Failure::Precondition) => {
            return Err(Trouble::no(format!(
                "`{code}` is not the code of those who are held now"
            ))
            .hint("`rollcall app held` shows the list and its code")
            .into());
        }
        allowed => allowed?,
    };
    desk.done(
        &format!("{count} may go in the next cycle"),
        &json!({"allowed": count}),
    )
}

pub(super) async fn restart(
    desk: &Desk<'_>,
    which: &Which,
    reset: Option<ResetScope>,
) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let scope = reset.unwrap_or_default();
    desk.app.restart(&context, application.id, scope).await?;
    desk.done(
        &format!("`{}` is reset for its next cycle", application.name),
        &json!({
            "id": application.id, "watermark": scope.watermark, "escrows": scope.escrows,
            "quarantine": scope.quarantine, "links": scope.links, "forceDeletes": scope.force_deletes,
        }),
    )
}

pub(super) async fn compare(desk: &Desk<'_>, which: &Which, repair: bool) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let engine = desk.engine()?;
    let id = application.id;
    let found = both(&engine, &context, id).await?;
    if !repair || found.holds() {
        let exit = if desk.as_json && repair {
            printer::json(&json!({"found": found, "repair": null, "after": null}))?;
            Exit::Done
        } else {
            provisioning::agreement(&found, SHOWN, desk.as_json)?
        };
        return Ok(exit);
    }
    if !desk.as_json {
        printer::say(&provisioning::agreement_text(&found, SHOWN));
    }
    let report = bar::followed("repairing", |watch| {
        engine.repair(&context, id, &found, watch)
    })
    .await?;
    let after = both(&engine, &context, id).await?;
    if desk.as_json {
        printer::json(&json!({"found": found, "repair": report, "after": after}))?;
    } else {
        printer::say(&provisioning::summary(&report));
    }
    let exit = match &report.outcome {
        CycleOutcome::Stopped { reason, message } => {
            printer::error(message);
            crate::outcome::of_reason(*reason)
        }
        _ if after.holds() => Exit::Done,
        _ => Exit::No,
    };
    provisioning::advise(&report, "app");
    if !desk.as_json {
        provisioning::agreement(&after, SHOWN, false)?;
    }
    Ok(exit)
}

/// Compares both ends; Ctrl-C ends it, as nothing is changed.
async fn both(
    engine: &Engine,
    context: &Context,
    application: ApplicationId,
) -> Result<Agreement, Error> {
    tokio::select! {
        agreement = engine.compare(context, application) => agreement,
        _ = stop_signal() => Err(Error::Interrupted),
    }
}
