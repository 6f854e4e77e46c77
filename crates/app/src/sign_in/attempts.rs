//! Who guesses has to wait, longer each time; who is locked out by a stranger's guesses is not.
//!
//! A failed attempt counts against the pair of account and network, so guesses from elsewhere do not keep the owner out, and, on its own
//! and with more patience, against the account, so guesses from very many networks come to an end. A browser in which the owner has
//! signed in before has a count of its own and does not meet that last limit.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// So many failures cost nothing.
const FREE: u32 = 5;
/// So many failures of one account, from anywhere, cost nothing.
const FREE_ANYWHERE: u32 = 50;
/// The first wait; it doubles with each failure.
const FIRST_WAIT: i64 = 2;
/// The longest wait, in seconds.
const LONGEST_WAIT: i64 = 15 * 60;
/// After so long without a failure everything is forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(1);
/// So many keys are remembered; beyond that the oldest go.
const REMEMBERED: usize = 100_000;

/// Against whom a failed attempt counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Against {
    /// An account, from one network or one known browser.
    From(String, String),
    /// An account, from anywhere that is not known.
    Anywhere(String),
}

impl Against {
    fn free(&self) -> u32 {
        match self {
            Self::From(..) => FREE,
            Self::Anywhere(_) => FREE_ANYWHERE,
        }
    }
}

/// What is remembered of failed attempts.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Against, Failures>>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Attempts {
    /// Returns how long whoever tries now has to wait first; absent: not at all.
    pub(crate) fn wait(&self, against: &[Against], now: Timestamp) -> Option<SignedDuration> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        against
            .iter()
            .filter_map(|key| Some((key.free(), remembered.get(key)?)))
            .filter_map(|(free, failures)| {
                let over = failures.count.checked_sub(free)?;
                let wait = FIRST_WAIT.checked_shl(over).unwrap_or(LONGEST_WAIT);
                let wait = SignedDuration::from_secs(wait.clamp(FIRST_WAIT, LONGEST_WAIT));
                let left = wait - now.duration_since(failures.last);
                left.is_positive().then_some(left)
            })
            .max()
    }

    /// Counts a failed attempt.
    pub(crate) fn failed(&self, against: &[Against], now: Timestamp) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, failures| now.duration_since(failures.last) < FORGOTTEN);
        }
        if remembered.len() >= REMEMBERED {
            let oldest = remembered.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                remembered.remove(&oldest);
            }
        }
        for key in against {
            let failures = remembered.entry(key.clone()).or_insert(Failures {
                count: 0,
                last: now,
            });
            if now.duration_since(failures.last) >= FORGOTTEN {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
        }
    }

    /// Forgets the failures of whoever got in.
    pub(crate) fn succeeded(&self, against: &[Against]) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in against {
            // what strangers tried elsewhere goes on to count against them
            if matches!(key, Against::From(..)) {
                remembered.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn from(network: &str) -> Vec<Against> {
        vec![
            Against::From("ann".into(), network.into()),
            Against::Anywhere("ann".into()),
        ]
    }

    #[test]
    fn the_sixth_guess_waits_and_each_further_one_twice_as_long() {
        let attempts = Attempts::default();
        for _ in 0..4 {
            attempts.failed(&from("a"), after(0));
            assert_eq!(attempts.wait(&from("a"), after(0)), None);
        }
        for expected in [2, 4, 8, 16] {
            attempts.failed(&from("a"), after(0));
            let wait = attempts.wait(&from("a"), after(0));
            assert_eq!(wait, Some(SignedDuration::from_secs(expected)));
        }
        assert_eq!(attempts.wait(&from("a"), after(16)), None);
        for _ in 0..200 {
            attempts.failed(&from("a"), after(0));
        }
        let wait = attempts.wait(&from("a"), after(0));
        assert_eq!(wait, Some(SignedDuration::from_secs(LONGEST_WAIT)));
    }

    #[test]
    fn a_stranger_elsewhere_does_not_keep_the_owner_out() {
        let attempts = Attempts::default();
        for _ in 0..20 {
            attempts.failed(&from("stranger"), after(0));
        }
        assert_eq!(attempts.wait(&from("owner"), after(0)), None);
    }

    #[test]
    fn guesses_from_very_many_networks_come_to_an_end_but_a_known_browser_gets_in() {
        let attempts = Attempts::default();
        for network in 0..100 {
            attempts.failed(&from(&network.to_string()), after(0));
        }
        assert!(attempts.wait(&from("new"), after(0)).is_some());
        let known = [Against::From("ann".into(), "browser".into())];
        assert_eq!(attempts.wait(&known, after(0)), None);
    }

    #[test]
    fn after_an_hour_without_failures_all_is_forgotten() {
        let attempts = Attempts::default();
        for _ in 0..9 {
            attempts.failed(&from("a"), after(0));
        }
        attempts.failed(&from("a"), after(3_600));
        assert_eq!(attempts.wait(&from("a"), after(3_600)), None);
    }
}
