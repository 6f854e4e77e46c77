//! Who guesses has to wait, longer each time; who is locked out by a stranger's guesses is not.
//!
//! A failed attempt counts against the pair of account and network, so guesses from elsewhere do not keep the owner out, and, on its own
//! and with more patience, against the account, so guesses from very many networks come to an end; and against the network, so that one
//! password is not tried on all accounts. A browser in which the owner has signed in before has a count of its own and does not meet these
//! last two limits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rollcall_model::clock::{has_come, is_within};

/// So many failures cost nothing.
const FREE: u32 = 5;
/// So many failures of one account, from anywhere, cost nothing.
const FREE_ANYWHERE: u32 = 50;
/// So many failures from one network, whatever the accounts, cost nothing.
const FREE_NETWORK: u32 = 20;
/// The first wait; it doubles with each failure.
const FIRST_WAIT: i64 = 2;
/// The longest wait, in seconds.
const LONGEST_WAIT: i64 = 15 * 60;
/// Likewise for a network: a whole office may be behind one address, and what one of them does must not keep the others out for long.
const LONGEST_NETWORK_WAIT: i64 = 60;
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
    /// Any account, from one network: somebody tries one password on many.
    Network(String),
}

impl Against {
    fn free(&self) -> u32 {
        match self {
            Self::From(..) => FREE,
            Self::Anywhere(_) => FREE_ANYWHERE,
            Self::Network(_) => FREE_NETWORK,
        }
    }

    /// The longest wait, in seconds.
    fn longest(&self) -> i64 {
        match self {
            Self::From(..) | Self::Anywhere(_) => LONGEST_WAIT,
            Self::Network(_) => LONGEST_NETWORK_WAIT,
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
            .filter_map(|key| Some((key, remembered.get(key)?)))
            .filter_map(|(key, failures)| {
                let over = failures.count.checked_sub(key.free())?;
                let longest = key.longest();
                let wait = FIRST_WAIT.checked_shl(over).unwrap_or(longest);
                // the bits that are shifted out at the top leave nothing
                let wait = if over >= 32 { longest } else { wait };
                let wait = SignedDuration::from_secs(wait.clamp(FIRST_WAIT, longest));
                let end = failures.last.saturating_add(wait).unwrap_or(now);
                let waits = !has_come(end, now, wait);
                waits.then(|| end.duration_since(now))
            })
            .max()
    }

    /// Counts a failed attempt.
    pub(crate) fn failed(&self, against: &[Against], now: Timestamp) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, failures| is_within(FORGOTTEN, failures.last, now));
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
            if !is_within(FORGOTTEN, failures.last, now) {
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

    #[test]
    fn one_password_tried_on_many_accounts_is_slowed_down_and_an_office_never_waits_long() {
        let attempts = Attempts::default();
        let against = |account: &str, network: &str| {
            vec![
                Against::From(account.into(), network.into()),
                Against::Anywhere(account.into()),
                Against::Network(network.into()),
            ]
        };
        for account in 0..FREE_NETWORK {
            assert_eq!(attempts.wait(&against("ann", "office"), after(0)), None);
            attempts.failed(&against(&account.to_string(), "office"), after(0));
        }
        let wait = attempts.wait(&against("ann", "office"), after(0));
        assert_eq!(wait, Some(SignedDuration::from_secs(FIRST_WAIT)));
        assert_eq!(attempts.wait(&against("ann", "home"), after(0)), None);
        for account in 0..200 {
            attempts.failed(&against(&format!("x{account}"), "office"), after(0));
            let wait = attempts.wait(&against("ann", "office"), after(0));
            let longest = SignedDuration::from_secs(LONGEST_NETWORK_WAIT);
            assert!(wait.is_some_and(|wait| wait <= longest), "{wait:?}");
        }
        // whoever signs in themselves does not wipe out what else they tried
        attempts.succeeded(&against("ann", "office"));
        assert!(attempts.wait(&against("bob", "office"), after(0)).is_some());
        let known = [Against::From("ann".into(), "browser".into())];
        assert_eq!(attempts.wait(&known, after(0)), None);
    }

    #[test]
    fn failures_of_a_clock_that_was_a_year_ahead_keep_nobody_out() {
        let attempts = Attempts::default();
        let year = 365 * 24 * 3_600;
        for _ in 0..9 {
            attempts.failed(&from("a"), after(year));
        }
        assert!(attempts.wait(&from("a"), after(year)).is_some());

        assert_eq!(attempts.wait(&from("a"), after(0)), None);
        // and back there again they are the old ones
        assert_eq!(attempts.wait(&from("a"), after(2 * year)), None);
    }
}
