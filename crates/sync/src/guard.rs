//! The deletion guard: leaving in numbers is a mistake more often than it is meant.
//!
//! **Is:** how many may leave within a day, counted over all cycles of that day, so that many small ones are no way around it.
//! **Is not:** the list of who is held back; each of those has it in its link
//! ([`LinkState::Held`](rollcall_model::LinkState::Held)), and an administrator allows exactly that list.

use rollcall_model::Kind;
use rollcall_model::application::Settings;
use rollcall_model::provisioning::{ObjectKey, QuarantineReason};

use crate::digest::Digest;

/// How many may leave within a day without somebody's word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    count: Option<u64>,
    percent: Option<u8>,
}

impl Limit {
    /// Nobody: each one is asked for.
    pub const NOBODY: Self = Self {
        count: Some(0),
        percent: None,
    };

    /// Takes the limit from an application's settings.
    pub fn of(settings: &Settings) -> Self {
        Self {
            count: settings.max_deletions,
            percent: settings.max_deletions_percent,
        }
    }

    /// Returns the number, for an application that manages so many accounts: the smaller one of count and percentage; when neither is
    /// configured ten, or a tenth, whichever is more.
    fn among(self, managed: u64) -> u64 {
        let share = |percent: u8| managed.saturating_mul(u64::from(percent)) / 100;
        match (self.count, self.percent) {
            (None, None) => share(10).max(10),
            (count, percent) => count
                .unwrap_or(u64::MAX)
                .min(percent.map_or(u64::MAX, share)),
        }
    }
}

/// Returns the name of a list of objects that are held back: whoever allows them names the list that was shown, and not one that has
/// grown meanwhile. The order does not matter.
pub fn list_code<'k>(objects: impl IntoIterator<Item = &'k ObjectKey>) -> String {
    let mut sorted: Vec<&ObjectKey> = objects.into_iter().collect();
    sorted.sort_unstable();
    let mut digest = Digest::default();
    for (kind, id) in sorted {
        digest.text(match kind {
            Kind::User => "user",
            Kind::Group => "group",
        });
        digest.bytes(id.as_bytes());
    }
    digest.finish().chars().take(12).collect()
}

/// What the guard says about a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Who leaves may leave.
    Pass,
    /// Nobody leaves until somebody allows it.
    Hold {
        /// How many would leave in this cycle.
        leaving: u64,
        /// How many have left in the last day.
        recent: u64,
        /// How many may leave in a day.
        limit: u64,
    },
}

/// What the guard looks at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Departures {
    /// How many objects would be disabled or deleted in this cycle.
    pub leaving: u64,
    /// How many were in the last day.
    pub recent: u64,
    /// How many objects of the target are in use now.
    pub in_use: u64,
}

/// Judges a cycle. Whom an administrator has allowed to leave is not among the departures.
pub fn judge(departures: Departures, limit: Limit) -> Verdict {
    let Departures {
        leaving,
        recent,
        in_use,
    } = departures;
    // who would leave has an account, also where a cycle that was cut short did not get as far as to see that it is in use
    let limit = limit.among(in_use.max(leaving) + recent);
    if leaving == 0 || leaving + recent <= limit {
        return Verdict::Pass;
    }
    Verdict::Hold {
        leaving,
        recent,
        limit,
    }
}

/// How many objects failed in a cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// Objects that failed themselves.
    pub objects: u64,
    /// People whose references failed, and groups whose members did.
    pub references: u64,
    /// Objects that were handled in all.
    pub handled: u64,
}

/// Tells whether so many failed that going on as before helps nobody. Judged from 5,000 failures on: more than 40 % of the objects, or more
/// than 40,000 of them, or 60,000 with references (Entra's thresholds).
pub fn too_many(failures: Failures) -> Option<QuarantineReason> {
    let Failures {
        objects,
        references,
        handled,
    } = failures;
    if objects + references < 5_000 {
        None
    } else if objects > 40_000 {
        Some(QuarantineReason::EncounteredBaseEscrowThreshold)
    } else if objects + references >= 60_000 {
        Some(QuarantineReason::EncounteredTotalEscrowThreshold)
    } else if objects * 10 > handled * 4 {
        Some(QuarantineReason::EncounteredEscrowProportionThreshold)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_tenth_and_more_than_ten_in_a_day_is_held() {
        let none = Limit::default();
        let at_most = |count| Limit {
            count: Some(count),
            percent: None,
        };
        let percent = |count, percent| Limit {
            count,
            percent: Some(percent),
        };
        for (leaving, recent, in_use, limit, passes) in [
            (10, 0, 20, none, true),
            (11, 0, 20, none, false),
            (1, 10, 20, none, false),
            (100, 0, 1_000, none, true),
            (101, 0, 1_000, none, false),
            (50, 51, 949, none, false),
            (0, 0, 0, at_most(0), true),
            (0, 500, 0, at_most(0), true),
            (1, 0, 1_000, at_most(0), false),
            (5, 0, 1_000, at_most(5), true),
            (6, 0, 1_000, at_most(5), false),
            (20, 0, 1_000, percent(None, 2), true),
            (21, 0, 1_000, percent(None, 2), false),
            (6, 0, 1_000, percent(Some(5), 2), false),
            (3, 0, 100, percent(Some(5), 2), false),
            (5, 0, 1, percent(None, 100), true),
            (5, 0, 1, percent(None, 50), false),
        ] {
            let departures = Departures {
                leaving,
                recent,
                in_use,
            };
            let verdict = judge(departures, limit);
            assert_eq!(
                verdict == Verdict::Pass,
                passes,
                "{departures:?} {limit:?}: {verdict:?}"
            );
        }
    }

    #[test]
    fn many_failures_stop_a_job_only_from_five_thousand_on() {
        use QuarantineReason as R;
        for (objects, references, handled, reason) in [
            (4_999, 0, 4_999, None),
            (5_000, 0, 12_500, None),
            (
                5_001,
                0,
                12_500,
                Some(R::EncounteredEscrowProportionThreshold),
            ),
            (1_000, 20_000, 1_000_000, None),
            (
                40_001,
                0,
                1_000_000,
                Some(R::EncounteredBaseEscrowThreshold),
            ),
            (
                30_000,
                30_000,
                1_000_000,
                Some(R::EncounteredTotalEscrowThreshold),
            ),
        ] {
            let failures = Failures {
                objects,
                references,
                handled,
            };
            assert_eq!(too_many(failures), reason, "{failures:?}");
        }
    }
}
