//! What the engine counts: cycles, and what became of objects.

use std::time::Duration;

use rollcall_model::Kind;
use rollcall_model::provisioning::{CycleKind, CycleOutcome, CycleReport};
use rollcall_observe::{Counter, Durations, Gauge};
use rollcall_sync::task::Decision;

use crate::Error;

/// What an engine has done since it was made.
#[derive(Debug)]
pub struct Figures {
    /// Cycles that looked at the whole source.
    pub initial: Cycles,
    /// Cycles that looked at what changed.
    pub incremental: Cycles,
    /// Cycles that run at this moment.
    pub running: Gauge,
    /// Applications that are switched on and in quarantine, as the schedule saw them last.
    pub quarantined: Gauge,
    /// People.
    pub users: Objects,
    /// Groups.
    pub groups: Objects,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            initial: Cycles::new(),
            incremental: Cycles::new(),
            running: Gauge::default(),
            quarantined: Gauge::default(),
            users: Objects::default(),
            groups: Objects::default(),
        }
    }
}

/// Cycles of one kind.
#[derive(Debug)]
pub struct Cycles {
    /// Those that handled everything.
    pub succeeded: Counter,
    /// Those that handled everything, while some objects failed.
    pub with_errors: Counter,
    /// Those that stopped before the end, and put their job into quarantine.
    pub stopped: Counter,
    /// Those that somebody interrupted; the next one goes on.
    pub interrupted: Counter,
    /// Those that failed on our own side.
    pub failed: Counter,
    /// How long they took.
    pub time: Durations,
}

const SUCCEEDED: &str = "succeeded";
const WITH_ERRORS: &str = "with_errors";
const STOPPED: &str = "stopped";
const INTERRUPTED: &str = "interrupted";
const FAILED: &str = "failed";

impl Cycles {
    /// Returns how many ended how.
    pub fn outcomes(&self) -> [(&'static str, &Counter); 5] {
        [
            (SUCCEEDED, &self.succeeded),
            (WITH_ERRORS, &self.with_errors),
            (STOPPED, &self.stopped),
            (INTERRUPTED, &self.interrupted),
            (FAILED, &self.failed),
        ]
    }

    fn new() -> Self {
        Self {
            succeeded: Counter::default(),
            with_errors: Counter::default(),
            stopped: Counter::default(),
            interrupted: Counter::default(),
            failed: Counter::default(),
            time: Durations::long(),
        }
    }
}

/// What became of objects of one kind, over all cycles.
#[derive(Debug, Default)]
pub struct Objects {
    /// Created at the target.
    pub created: Counter,
    /// Found at the target and linked.
    pub adopted: Counter,
    /// Changed at the target.
    pub updated: Counter,
    /// Switched off at the target.
    pub disabled: Counter,
    /// Deleted at the target.
    pub deleted: Counter,
    /// Equal at both ends.
    pub kept: Counter,
    /// Left out.
    pub skipped: Counter,
    /// Held back by the guard.
    pub held: Counter,
    /// Failed.
    pub failed: Counter,
}

impl Figures {
    /// Counts a cycle that ended; returns what its outcome is called.
    pub(crate) fn ended(
        &self,
        kind: CycleKind,
        outcome: &Result<CycleReport, Error>,
        took: Duration,
    ) -> &'static str {
        let cycles = match kind {
            CycleKind::Initial => &self.initial,
            CycleKind::Incremental => &self.incremental,
        };
        let (counter, word) = match outcome {
            Ok(report) => match report.outcome {
                CycleOutcome::Succeeded => (&cycles.succeeded, SUCCEEDED),
                CycleOutcome::EntryLevelErrors => (&cycles.with_errors, WITH_ERRORS),
                CycleOutcome::Stopped { .. } => (&cycles.stopped, STOPPED),
            },
            Err(Error::Interrupted) => (&cycles.interrupted, INTERRUPTED),
            Err(Error::Stopped { .. }) => (&cycles.stopped, STOPPED),
            Err(Error::Busy | Error::Deviated(_) | Error::Failed(_)) => (&cycles.failed, FAILED),
        };
        counter.increment();
        cycles.time.observe(took);
        word
    }

    /// Counts what became of an object.
    pub(crate) fn decided(&self, kind: Kind, decision: Decision) {
        let objects = match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        };
        match decision {
            Decision::Delete => &objects.deleted,
            Decision::Disable => &objects.disabled,
            Decision::Hold => &objects.held,
            Decision::Create => &objects.created,
            Decision::Adopt => &objects.adopted,
            Decision::Update => &objects.updated,
            Decision::Keep => &objects.kept,
            Decision::Skip => &objects.skipped,
            Decision::Fail => &objects.failed,
        }
        .increment();
    }
}

/// Returns what a cycle is called among the figures.
pub(crate) fn word(kind: CycleKind) -> &'static str {
    match kind {
        CycleKind::Initial => "initial",
        CycleKind::Incremental => "incremental",
    }
}
