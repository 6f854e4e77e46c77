//! `rollcall job`: the sending end without a server.
//!
//! **Start at** [`run`]. A job file is read in [`file`], brought to life in [`stage`], checked in [`check`], kept running in [`watch`].

mod check;
mod file;
mod stage;
mod watch;

use std::path::Path;

use rollcall_app::Failure;
use rollcall_app::mirror::Mirroring;
use rollcall_engine::Watch;
use rollcall_model::application::Principal;
use rollcall_model::{Kind, ResourceId};

use super::confirmation;
use crate::cli::{Job, JobFile, One};
use crate::config::Config;
use crate::outcome::{Exit, Trouble};
use crate::provisioning::plan_file;
use crate::{bar, printer, provisioning, runtime};
use stage::Stage;

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
            provisioning::held(&held, as_json)?;
            Ok(Exit::Done)
        }
        Job::Allow { file, code } => {
            let stage = Stage::existing(config, &file.path).await?;
            allow(&stage, code).await
        }
        Job::Provision(one) => provision(config, &one, as_json).await,
        Job::Why(one) => {
            let stage = Stage::existing(config, &one.file.path).await?;
            let (kind, id) = meant(&stage, &one.principal).await?;
            let why = stage
                .engine
                .why(&stage.context, stage.application, kind, id);
            provisioning::object::why(&why.await?, as_json)
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
    let (stage, mirroring) = Stage::open(config, &file.path).await?;
    let plan = bar::followed("planning", |watch| {
        stage.engine.plan(&stage.context, stage.application, watch)
    });
    let exit = provisioning::plan_with_file(&plan.await?, show, out, "job", as_json)?;
    Ok(whole(exit, mirroring.as_ref()))
}

/// Returns how a command ends that did its part: what the source gave wrongly, or may have left out, is not in the target.
fn whole(exit: Exit, mirroring: Option<&Mirroring>) -> Exit {
    let is_whole = mirroring
        .is_none_or(|mirroring| mirroring.refused.is_empty() && mirroring.incomplete.is_none());
    match exit {
        Exit::Done if !is_whole => Exit::No,
        exit => exit,
    }
}

async fn cycle(config: &Config, file: &JobFile, as_json: bool) -> anyhow::Result<Exit> {
    let (stage, mirroring) = Stage::open(config, &file.path).await?;
    let report = bar::followed("running", |watch| {
        stage.engine.run(&stage.context, stage.application, watch)
    });
    let report = report.await?;
    let exit = provisioning::report(&report, as_json)?;
    provisioning::advise(&report, "job");
    Ok(whole(exit, mirroring.as_ref()))
}

async fn apply(
    config: &Config,
    file: &JobFile,
    plan: &Path,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let plan = plan_file::read(plan)?;
    let (stage, mirroring) = Stage::open(config, &file.path).await?;
    let report = bar::followed("running", |watch| {
        stage
            .engine
            .apply(&stage.context, stage.application, plan, watch)
    });
    let report = report.await?;
    let exit = provisioning::report(&report, as_json)?;
    provisioning::advise(&report, "job");
    Ok(whole(exit, mirroring.as_ref()))
}

async fn allow(stage: &Stage, code: String) -> anyhow::Result<Exit> {
    let allowed = stage
        .app
        .allow_deletions(&stage.context, stage.application, code.clone())
        .await;
    match allowed {
        Err(Failure::Precondition) => Err(Trouble::no(format!(
            "`{code}` is not the code of those who are held now"
        ))
        .hint("`rollcall job held` shows the list and its code")
        .into()),
        allowed => {
            printer::say(&format!("{} may go in the next cycle", allowed?));
            Ok(Exit::Done)
        }
    }
}

async fn status(config: &Config, file: &JobFile, as_json: bool) -> anyhow::Result<Exit> {
    let stage = Stage::existing(config, &file.path).await?;
    let configured = stage
        .app
        .configured(&stage.context, stage.application)
        .await?;
    let held = stage.app.held(&stage.context, stage.application).await?;
    provisioning::job::status(&configured, &held, as_json)
}

async fn provision(config: &Config, one: &One, as_json: bool) -> anyhow::Result<Exit> {
    let (stage, mirroring) = Stage::open(config, &one.file.path).await?;
    let (kind, id) = meant(&stage, &one.principal).await?;
    let done = stage
        .engine
        .provision(&stage.context, stage.application, kind, id)
        .await?;
    let exit = provisioning::object::on_demand(&done, as_json)?;
    Ok(whole(exit, mirroring.as_ref()))
}

/// Finds whom a principal means; who left the source is found as long as the job remembers them.
async fn meant(stage: &Stage, principal: &Principal) -> anyhow::Result<(Kind, ResourceId)> {
    let found = stage
        .app
        .principal(&stage.context, stage.application, principal.clone())
        .await;
    match found {
        Ok(id) => Ok((principal.kind, id)),
        Err(Failure::Principals(_)) => Err(Trouble::wrong(format!(
            "`{principal}`: the source has no such {}",
            file::noun(principal.kind)
        ))
        .hint("`rollcall job run` reads the source again")
        .into()),
        Err(failure) => Err(failure.into()),
    }
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
    let exit = provisioning::agreement(&agreement, provisioning::SHOWN, as_json && !repair)?;
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
    let name = &stage.job.file.name;
    let says = format!("This forgets which account is whose for `{name}`");
    if !yes && !confirmation::confirmed("forgetting a job", &says, name)? {
        return Ok(Exit::No);
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
    if config.store.value.holds_store().await? {
        Ok(Some(runtime::app(config).await?))
    } else {
        Ok(None)
    }
}
