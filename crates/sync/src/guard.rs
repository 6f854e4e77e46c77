//! The deletion guard: leaving in numbers is a mistake more often than it is meant.

/// How many may leave in one cycle without somebody's word, when nothing is configured: ten, or a tenth of all.
pub fn default_limit(managed: u64) -> u64 {
    (managed / 10).max(10)
}

/// What the guard says about a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Who leaves may leave.
    Pass,
    /// Nobody leaves until somebody allows it.
    Hold {
        /// How many would leave.
        leaving: u64,
        /// How many may.
        limit: u64,
    },
}

/// Judges a cycle in which `leaving` of `managed` objects would be disabled or deleted. `configured` is the application's own
/// limit, `allowed` what an administrator has allowed for this once.
pub fn judge(leaving: u64, managed: u64, configured: Option<u64>, allowed: Option<u64>) -> Verdict {
    let limit = configured
        .unwrap_or_else(|| default_limit(managed))
        .max(allowed.unwrap_or(0));
    if leaving > limit {
        Verdict::Hold { leaving, limit }
    } else {
        Verdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_tenth_and_more_than_ten_is_held() {
        for (leaving, managed, configured, allowed, passes) in [
            (10, 20, None, None, true),
            (11, 20, None, None, false),
            (100, 1_000, None, None, true),
            (101, 1_000, None, None, false),
            (0, 0, Some(0), None, true),
            (1, 1_000, Some(0), None, false),
            (101, 1_000, None, Some(101), true),
            (102, 1_000, None, Some(101), false),
        ] {
            let verdict = judge(leaving, managed, configured, allowed);
            assert_eq!(
                verdict == Verdict::Pass,
                passes,
                "{leaving} of {managed}: {verdict:?}"
            );
        }
    }
}
