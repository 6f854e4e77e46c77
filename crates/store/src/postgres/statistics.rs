//! What PostgreSQL's planner has to know of the tables: how much there is in them.
//!
//! Of a new table it knows nothing, and takes every index that begins with the organisation for as good as the right one. A plan that was
//! made then is kept, and looks through everything that is there by and by: importing some thousand people into an empty database took
//! time that grew with their square. The server gathers statistics by itself, but only once a minute, and never of what a transaction has
//! not committed yet.

use std::sync::atomic::{AtomicU64, Ordering};

/// Gathers them, also of what the own transaction has written; plans that were made before are made anew. A table of which somebody
/// else gathers them at this moment is left to them.
pub(super) const GATHER: &str = "ANALYZE (SKIP_LOCKED) resources, emails, members, tombstones, changes, audit, links, exported_members, provisioning_log";

/// After so many rows they are gathered for the first time.
const FIRST: u64 = 256;
/// And again whenever there are so many times as many.
const GROWTH: u64 = 4;
/// From so many rows on the server's own way is enough.
const LAST: u64 = 1_000_000;

/// How much was written by this process.
#[derive(Debug)]
pub(super) struct Statistics {
    rows: AtomicU64,
    next: AtomicU64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            rows: AtomicU64::new(0),
            next: AtomicU64::new(FIRST),
        }
    }
}

impl Statistics {
    /// Notes that rows were written; tells whether the statistics are to be gathered, to one of those who note it.
    pub(super) fn wrote(&self, rows: u64) -> bool {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let next = self.next.load(Ordering::Relaxed);
        rows >= next
            && next <= LAST
            && self
                .next
                .compare_exchange(
                    next,
                    rows.saturating_mul(GROWTH),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_gathered_as_the_tables_grow_and_not_for_ever() {
        let statistics = Statistics::default();

        let gathered = (1..=5_000_000_u64)
            .filter(|_| statistics.wrote(1))
            .collect::<Vec<_>>();

        assert_eq!(gathered, [256, 1_024, 4_096, 16_384, 65_536, 262_144]);
    }
}
