//! `rollcall job`: the sending end without a server.
//!
//! **Start at** [`run`]. A job file is read in [`file`], brought to life in [`stage`], checked in [`check`], kept running in [`watch`].

mod check;
mod file;
mod stage;
mod watch;

use std::io::IsTerminal as _;
use std::path::Path;

use rollcall_engine::{NotApplied, Watch};
use rollcall_model::application::Principal;
use rollcall_model::{Kind, ResourceId};
use rollcall_sync::plan::document;

use crate::cli::{Job, JobFile, One};
use crate::config::Config;
use crate::outcome::{Exit, Trouble};
use crate::{printer, provisioning, runtime};
use stage::Stage;

/// The longest plan that is read, in bytes.
const LONGEST_PLAN: u64 = 1024 * 1024 * 1024;

pub(crate) async fn run(config: &Config, command: Job, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        Job::Check { file, offline } => check::run(config, &file.path, offline, as_json).await,
        Job::Plan { file, out, show } => plan(config, &file, out.as_deref(), show, as_json).await,
        Job::Run { file, plan: None } => cycle(config, &file, as_json).await,
        Job::Run {
            file,
            plan: Some(plan),
        } => apply(config, &file, &plan, as_json).await,
        Job::Watch(file) => watch::run(config, &file.path).await,
        Job::Status(file) => status(config, &file, as_json).await,
        Job::Held(file) => {
            let stage = Stage::existing(config, &file.path).await?;
            let held = stage.app.held(&stage.context, stage.application).await?;
            provisioning::held(&held, as_json)
        }
        Job::Allow { file, code } => {
            let stage = Stage::existing(config, &file.path).await?;
            let allowed =
                stage
                    .app
                    .allow_deletions(&stage.context, stage.application, code.clone());
            provisioning::allowed(allowed.await, &code)
        }
        Job::Provision(one) => provision(config, &one, as_json).await,
        Job::Why(one) => {
            let stage = Stage::existing(config, &one.file.path).await?;
            let (kind, id) = meant(&stage, &one.principal).await?;
            let why = stage
                .engine
                .why(&stage.context, stage.application, kind, id);
            provisioning::why(&why.await?, as_json)
        }
        Job::Compare { file, repair } => compare(config, &file, repair, as_json).await,
        Job::Restart { file, reset } => {
            let stage = Stage::existing(config, &file.path).await?;
            stage
                .app
                .restart(&stage.context, stage.application, reset)
                .await?;
            printer::say("restarted: the next cycle compares everything again");
            Ok(Exit::Done)
        }
        Job::Forget { file, yes } => forget(config, &file, yes).await,
    }
}

async fn plan(
    config: &Config,
    file: &JobFile,
    out: Option<&Path>,
    show: usize,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let (stage, _) = Stage::open(config, &file.path).await?;
    let (watch, bar) = crate::progress::watched("planning");
    let plan = stage
        .engine
        .plan(&stage.context, stage.application, watch)
        .await;
    bar.finish().await;
    provisioning::plan(&plan?, out, show, as_json)
}

async fn cycle(config: &Config, file: &JobFile, as_json: bool) -> anyhow::Result<Exit> {
    let (stage, mirroring) = Stage::open(config, &file.path).await?;
    let (watch, bar) = crate::progress::watched("running");
    let report = stage
        .engine
        .run(&stage.context, stage.application, watch)
        .await;
    bar.finish().await;
    let exit = provisioning::report(&report?, as_json)?;
    let is_whole = mirroring
        .is_none_or(|mirroring| mirroring.refused.is_empty() && mirroring.incomplete.is_none());
    // what the source gave wrongly is not in the target
    Ok(match exit {
        Exit::Done if !is_whole => Exit::No,
        exit => exit,
    })
}

async fn apply(
    config: &Config,
    file: &JobFile,
    plan: &Path,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let plan = read_plan(plan)?;
    let (stage, _) = Stage::open(config, &file.path).await?;
    let (watch, bar) = crate::progress::watched("running");
    let report = stage
        .engine
        .apply(&stage.context, stage.application, plan, watch)
        .await;
    bar.finish().await;
    match report {
        Ok(report) => provisioning::report(&report, as_json),
        Err(NotApplied::Moved(moved)) => provisioning::moved(&moved, as_json),
        Err(NotApplied::Failed(error)) => Err(error.into()),
    }
}

/// Reads a plan file.
pub(crate) fn read_plan(path: &Path) -> anyhow::Result<rollcall_sync::plan::Plan> {
    let unreadable = |error| Trouble::wrong(format!("{} cannot be read: {error}", path.display()));
    if std::fs::metadata(path).map_err(unreadable)?.len() > LONGEST_PLAN {
        return Err(Trouble::wrong(format!("{} is too long for a plan", path.display())).into());
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let plan = document::read(&text).map_err(|error| {
        Trouble::wrong(format!("{}: {error}", path.display()))
            .hint("make a new one with --out, and do not change it")
    })?;
    Ok(plan)
}

async fn status(config: &Config, file: &JobFile, as_json: bool) -> anyhow::Result<Exit> {
    let stage = Stage::existing(config, &file.path).await?;
    let configured = stage
        .app
        .configured(&stage.context, stage.application)
        .await?;
    let held = stage.app.held(&stage.context, stage.application).await?;
    provisioning::status(&configured, &held, as_json)
}

async fn provision(config: &Config, one: &One, as_json: bool) -> anyhow::Result<Exit> {
    let (stage, _) = Stage::open(config, &one.file.path).await?;
    let (kind, id) = meant(&stage, &one.principal).await?;
    let done = stage
        .engine
        .provision(&stage.context, stage.application, kind, id)
        .await?;
    provisioning::on_demand(&done, as_json)
}

/// Finds whom a principal means.
async fn meant(stage: &Stage, principal: &Principal) -> anyhow::Result<(Kind, ResourceId)> {
    let (found, _) = stage
        .app
        .resolve(&stage.context, vec![principal.clone()])
        .await?;
    let nobody = || {
        Trouble::wrong(format!(
            "`{principal}`: the source has no such {}",
            file::noun(principal.kind)
        ))
        .hint("`rollcall job run` reads the source again")
    };
    Ok(found.first().copied().ok_or_else(nobody)?)
}

async fn compare(
    config: &Config,
    file: &JobFile,
    repair: bool,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let stage = Stage::existing(config, &file.path).await?;
    let (context, id) = (&stage.context, stage.application);
    let agreement = stage.engine.compare(context, id).await?;
    let exit = provisioning::agreement(&agreement, as_json && !repair)?;
    if !repair || agreement.holds() {
        return Ok(exit);
    }
    let report = stage
        .engine
        .repair(context, id, &agreement, Watch::default())
        .await?;
    provisioning::report(&report, as_json)
}

async fn forget(config: &Config, file: &JobFile, yes: bool) -> anyhow::Result<Exit> {
    let stage = Stage::existing(config, &file.path).await?;
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(Trouble::wrong("forgetting a job needs a yes")
                .hint("repeat the command with --yes")
                .into());
        }
        printer::say(&format!(
            "This forgets which account is whose for `{}`, for good. Type its name to go on:",
            stage.job.file.name
        ));
        let mut typed = String::new();
        std::io::stdin().read_line(&mut typed)?;
        if typed.trim() != stage.job.file.name {
            return Ok(Exit::No);
        }
    }
    stage
        .app
        .remove_application(&stage.context, stage.application)
        .await?;
    if let Some(organisation) = stage.app.job_organisation(&stage.job.file.name).await? {
        stage.app.delete_organisation(&organisation).await?;
    }
    printer::say(&format!("forgot `{}`", stage.job.file.name));
    Ok(Exit::Done)
}

/// Opens the store for a check, if it is there: a check makes nothing.
async fn store(config: &Config) -> anyhow::Result<Option<rollcall_app::App>> {
    let rollcall_store::Location::Sqlite(path) = &config.store.value;
    if path.exists() {
        Ok(Some(runtime::app(config).await?))
    } else {
        Ok(None)
    }
}
