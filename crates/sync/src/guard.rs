//! The deletion guard: leaving in numbers is a mistake more often than it is meant.

/// How many may leave in one cycle without somebody's word, when nothing is configured: ten, or a tenth of all.
fn default_limit(managed: u64) -> u64 {
    (managed / 10).max(10)
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

/// Judges a cycle. `configured` is the application's own limit for a day, `allowed` how many an administrator has allowed to leave now.
pub fn judge(departures: Departures, configured: Option<u64>, allowed: Option<u64>) -> Verdict {
    let Departures {
        leaving,
        recent,
        in_use,
    } = departures;
    let limit = configured.unwrap_or_else(|| default_limit(in_use + recent));
    if leaving + recent <= limit || allowed.is_some_and(|allowed| leaving <= allowed) {
        return Verdict::Pass;
    }
    Verdict::Hold {
        leaving,
        recent,
        limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_tenth_and_more_than_ten_in_a_day_is_held() {
        for (leaving, recent, in_use, configured, allowed, passes) in [
            (10, 0, 20, None, None, true),
            (11, 0, 20, None, None, false),
            (1, 10, 20, None, None, false),
            (100, 0, 1_000, None, None, true),
            (101, 0, 1_000, None, None, false),
            (50, 51, 949, None, None, false),
            (0, 0, 0, Some(0), None, true),
            (1, 0, 1_000, Some(0), None, false),
            (101, 0, 1_000, None, Some(101), true),
            (102, 0, 1_000, None, Some(101), false),
            (5, 100, 900, None, Some(5), true),
        ] {
            let departures = Departures {
                leaving,
                recent,
                in_use,
            };
            let verdict = judge(departures, configured, allowed);
            assert_eq!(
                verdict == Verdict::Pass,
                passes,
                "{departures:?}: {verdict:?}"
            );
        }
    }
}
