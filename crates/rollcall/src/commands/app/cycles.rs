//! What is asked of the engine: plans, cycles, one object on demand, comparisons; and what its guard holds back.

use std::io::Write as _;
use std::path::Path;

use rollcall_app::Failure;
use rollcall_app::directory::Context;
use rollcall_engine::plan::{Plan, document};
use rollcall_engine::{Agreement, Engine, Error};
use rollcall_model::ApplicationId;
use rollcall_model::provisioning::{CycleOutcome, CycleReport, QuarantineReason, ResetScope};
use serde_json::json;

use super::Desk;
use crate::cli::app::{One, Which};
use crate::commands::serve::stop_signal;
use crate::outcome::{Exit, Trouble};
use crate::provisioning::{self, SHOWN};
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
    if let Some(path) = out {
        save(path, &plan).map_err(|error| {
            Trouble::wrong(format!(
                "the plan cannot be written to `{}`: {error}",
                path.display()
            ))
        })?;
    }
    let exit = provisioning::plan(&plan, shown, desk.as_json)?;
    if let Some(path) = out {
        printer::say(&format!(
            "`rollcall app run --plan {}` does exactly this, or nothing",
            path.display()
        ));
    }
    Ok(exit)
}

/// Writes a plan for its owner's eyes only: people's data is in it. What was there is replaced when the new one is whole.
fn save(path: &Path, plan: &Plan) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(document::write(plan).as_bytes())?;
    file.persist(path)?;
    Ok(())
}

pub(super) async fn run(
    desk: &Desk<'_>,
    which: &Which,
    plan: Option<&Path>,
) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(which).await?;
    let plan = plan.map(read).transpose()?;
    let engine = desk.engine()?;
    let id = application.id;
    let report = match plan {
        Some(plan) => {
            bar::followed("running", |watch| engine.apply(&context, id, plan, watch)).await?
        }
        None => bar::followed("running", |watch| engine.run(&context, id, watch)).await?,
    };
    let exit = provisioning::report(&report, desk.as_json)?;
    advise(&report);
    Ok(exit)
}

fn read(path: &Path) -> anyhow::Result<Plan> {
    let wrong = |reason: String| {
        Trouble::wrong(format!("the plan `{}`: {reason}", path.display()))
            .hint("`rollcall app plan --out FILE` makes one")
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Ok(document::read(&text).map_err(|error| wrong(error.to_string()))?)
}

/// Says what can be done when a cycle did not succeed.
fn advise(report: &CycleReport) {
    match &report.outcome {
        CycleOutcome::Succeeded => {}
        CycleOutcome::EntryLevelErrors => {
            printer::hint("`rollcall app log --failed` shows the causes");
        }
        CycleOutcome::Stopped { reason, .. } => match reason {
            QuarantineReason::TooManyDeletes => printer::hint(
                "`rollcall app held` lists them, `rollcall app allow` lets exactly that list go",
            ),
            QuarantineReason::EncounteredQuarantineException
            | QuarantineReason::ServiceIncompatible => {
                printer::hint("`rollcall app test` asks the target again");
            }
            _ => printer::hint("`rollcall app show` shows how it is set up"),
        },
    }
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
    advise(&report);
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
