//! Time as an argument; and what becomes of what was noted by a clock that was wrong.
//!
//! INVARIANT: nobody waits longer than the longest pause, and nothing lasts longer than it may, whichever way a clock jumps. An instant
//! that lies further ahead than it could is not believed ([`has_come`], [`is_within`]).

use std::fmt::Debug;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// Tells the time; rules take an instant, and only surfaces hold a clock.
pub trait Clock: Debug + Send + Sync {
    /// Returns the present instant, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the time"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// How far the clocks of nodes that share a store may differ.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Tells whether an instant that somebody waits for has come. One that lies further ahead than `longest`, the longest pause there is,
/// was noted before the clock was set back: it counts as come.
pub fn has_come(at: Timestamp, now: Timestamp, longest: SignedDuration) -> bool {
    at <= now || at.duration_since(now) > longest.saturating_add(SKEW)
}

/// Tells whether less than `time` has passed since `then`. What was noted in the future was noted before the clock was set back: nobody
/// knows how long ago that is, so it does not count as recent.
pub fn is_within(time: SignedDuration, then: Timestamp, now: Timestamp) -> bool {
    let passed = now.duration_since(then);
    passed < time && passed >= -SKEW
}

/// A clock that stands still until it is moved; for tests and for replays.
#[derive(Debug)]
pub struct FixedClock(Mutex<Timestamp>);

impl FixedClock {
    /// Stops a clock at `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(Mutex::new(at))
    }

    /// Moves the clock; a negative duration moves it back.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(*now);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_a_year_makes_nobody_wait_longer_and_nothing_last_longer() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let year = SignedDuration::from_hours(365 * 24);
        let hour = SignedDuration::from_hours(1);

        assert!(has_come(now, now, hour));
        assert!(!has_come(now + hour, now, hour));
        // another node's clock is a little ahead
        assert!(!has_come(now + hour + SKEW, now, hour));
        assert!(has_come(now + year, now, hour));
        assert!(has_come(now - year, now, hour));

        assert!(is_within(hour, now, now));
        assert!(!is_within(hour, now - hour, now));
        assert!(is_within(hour, now + SKEW, now));
        assert!(!is_within(hour, now + year, now));
        assert!(!is_within(hour, now - year, now));
    }
}
