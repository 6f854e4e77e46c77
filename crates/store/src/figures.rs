//! What storage counts of itself, for whoever operates it.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use rollcall_observe::{Counter, Durations, Gauge, Sizes, TRACE};
use tracing::Instrument;

use crate::Error;

/// What an open store has done since it was opened.
#[derive(Debug, Default)]
pub struct Figures {
    /// Units that read.
    pub reads: Units,
    /// Units that write.
    pub writes: Units,
    /// How many units shared each commit.
    pub commits: Sizes,
    /// How long the commits themselves took: on SQLite the sync of the disk, on PostgreSQL the answer of the database.
    pub commit_time: Durations,
}

/// Units of work of one kind.
#[derive(Debug, Default)]
pub struct Units {
    /// Those that storage carried out, whatever the unit itself answered.
    pub done: Counter,
    /// Those that were sent away because too many waited ([`Error::Busy`]).
    pub busy: Counter,
    /// Those that did not reach the store, or whose commit failed ([`Error::Unreachable`]).
    pub unreachable: Counter,
    /// Those that failed otherwise.
    pub failed: Counter,
    /// How long they took, with the wait and the commit.
    pub time: Durations,
    /// How long they waited for their turn.
    pub wait: Durations,
    /// How many wait at this moment.
    pub waiting: Gauge,
}

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Read,
    Write,
}

/// The connections to a database at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Those that somebody uses.
    pub in_use: usize,
    /// Those that wait to be used.
    pub idle: usize,
    /// How many there may be in all.
    pub most: usize,
}

impl Figures {
    fn units(&self, does: Does) -> &Units {
        match does {
            Does::Read => &self.reads,
            Does::Write => &self.writes,
        }
    }

    /// Counts a unit, and how it ended. Whoever gives up waiting for it takes it out of the count.
    pub(crate) async fn counted<T>(
        &self,
        does: Does,
        unit: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let span = match does {
            Does::Read => tracing::debug_span!(target: TRACE, "storage read"),
            Does::Write => tracing::debug_span!(target: TRACE, "storage write"),
        };
        let outcome = unit.instrument(span).await;
        let units = self.units(does);
        match &outcome {
            Err(Error::Busy) => &units.busy,
            Err(Error::Unreachable(_)) => &units.unreachable,
            Err(Error::Backend(_) | Error::Abandoned) => &units.failed,
            // what is taken, stale or missing is an answer
            Ok(_) | Err(_) => &units.done,
        }
        .increment();
        units.time.observe(begun.elapsed());
        outcome
    }

    /// Notes that a unit begins to wait for its turn.
    pub(crate) fn waits(self: &Arc<Self>, does: Does) -> Waiting {
        self.units(does).waiting.rise();
        Waiting {
            figures: Arc::clone(self),
            does,
            since: Instant::now(),
        }
    }

    /// Notes a commit that so many units shared.
    pub(crate) fn committed(&self, units: usize, begun: Instant) {
        self.commits.observe(units as u64);
        self.commit_time.observe(begun.elapsed());
    }
}

/// A unit that waits for its turn; the wait is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    figures: Arc<Figures>,
    does: Does,
    since: Instant,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let units = self.figures.units(self.does);
        units.waiting.fall();
        units.wait.observe(self.since.elapsed());
    }
}
