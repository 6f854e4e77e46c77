//! `rollcall job watch`: keeps both ends in step. A change of the own directory is at the target within a second; files are read when they
//! change; other sources every so often. A sweep is the truth.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rollcall_app::Failure;
use rollcall_engine::{Error, Watch, schedule};
use rollcall_model::provisioning::CycleOutcome;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::file::SourceSpec;
use super::stage::Stage;
use crate::commands::serve::stop_signal;
use crate::config::Config;
use crate::outcome::Exit;
use crate::{printer, provisioning};

/// How often the feed, and the times of files, are looked at.
const LOOK: Duration = Duration::from_millis(250);

pub(crate) async fn run(config: &Config, path: &Path) -> anyhow::Result<Exit> {
    let (stage, _) = Stage::open(config, path).await?;
    printer::say(&format!(
        "watching `{}`; stop with Ctrl-C",
        stage.job.file.name
    ));
    let job = stage.app.configured(&stage.context, stage.application);
    if let Some(held) = job.await?.job.held() {
        printer::say(&held.message);
        printer::hint("`rollcall job restart` lets it run again");
    }
    let stop = CancellationToken::new();
    let signal = stop.clone();
    tokio::spawn(async move {
        drop(stop_signal().await);
        signal.cancel();
    });
    let mut source = Reading::new();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(Exit::Done),
            _ = look.tick() => {}
        }
        if source.is_due(&stage) {
            match stage.read_source(config).await {
                // who is named may have come back under the name
                Ok(_) => {
                    if let Err(error) = stage.assign().await {
                        printer::error(&format!("the assignments stay as they are: {error:#}"));
                    }
                }
                // the next reading may do better, and nobody leaves by this one
                Err(error) => printer::error(&format!("the source was not read: {error:#}")),
            }
            source.done();
        }
        if is_due(&stage).await? {
            cycle(&stage, &stop).await?;
        }
    }
}

/// Runs a cycle, and compares both ends when it is time.
async fn cycle(stage: &Stage, stop: &CancellationToken) -> anyhow::Result<()> {
    let watch = Watch {
        interrupt: stop.clone(),
        ..Watch::default()
    };
    let (context, id) = (&stage.context, stage.application);
    match stage.engine.run(context, id, watch.clone()).await {
        Ok(report) => {
            if report.has_exports() || report.outcome != CycleOutcome::Succeeded {
                provisioning::report(&report, false)?;
            }
        }
        Err(Error::Interrupted | Error::Busy) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    match schedule::check_drift(&stage.engine, context, id, watch).await {
        Ok(()) | Err(Error::Interrupted | Error::Busy) => {}
        Err(error) => printer::error(&format!("both ends could not be compared: {error}")),
    }
    Ok(())
}

/// Tells whether a cycle is due.
async fn is_due(stage: &Stage) -> anyhow::Result<bool> {
    let (id, now) = (stage.application, stage.app.now());
    let due = stage.context.tenant().read::<_, Failure, _>(move |reader| {
        let Some(application) = reader.application(id)? else {
            return Ok(false);
        };
        let job = reader.job(id)?;
        Ok(schedule::is_cycle_due(
            &application,
            &job,
            reader.last_change()?,
            now,
        ))
    });
    Ok(due.await?)
}

/// When the source is to be read again.
struct Reading {
    last: Instant,
    seen: Vec<Option<(SystemTime, u64)>>,
}

impl Reading {
    /// Begins without having seen the files: what was written while the first reading went on is read at once.
    fn new() -> Self {
        Self {
            last: Instant::now(),
            seen: Vec::new(),
        }
    }

    /// Tells whether the files changed, or time has passed.
    fn is_due(&mut self, stage: &Stage) -> bool {
        if matches!(stage.job.file.source, SourceSpec::Directory { .. }) {
            return false;
        }
        let now = files(stage);
        let has_changed = now != self.seen;
        self.seen = now;
        has_changed || self.last.elapsed() >= stage.job.file.every
    }

    fn done(&mut self) {
        self.last = Instant::now();
    }
}

/// Returns the times and lengths of the source's files.
fn files(stage: &Stage) -> Vec<Option<(SystemTime, u64)>> {
    let SourceSpec::Files { users, groups } = &stage.job.file.source else {
        return Vec::new();
    };
    let stamp = |path: &std::path::PathBuf| {
        let data = std::fs::metadata(path).ok()?;
        Some((data.modified().ok()?, data.len()))
    };
    std::iter::once(users).chain(groups).map(stamp).collect()
}
