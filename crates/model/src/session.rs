//! An administrator's session in the console.
//!
//! **Is:** how far a sign-in has come, and how long it lasts.
//! **Is not:** the cookie: of its secret only a digest is kept, beside the session.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::is_within;
use crate::{AdminId, SessionId};

/// How long a session lasts without a request, when the organisation says nothing else.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// How long a session lasts at most.
pub const ABSOLUTE: SignedDuration = SignedDuration::from_hours(12);
/// How long a sign-in may stop between password and second factor.
pub const UNFINISHED: SignedDuration = SignedDuration::from_mins(10);
/// How fresh the proof of identity has to be for what hands out or changes a secret.
pub const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name, by which it is listed and ended.
    pub id: SessionId,
    /// Whose it is.
    pub administrator: AdminId,
    /// How far the sign-in has come.
    pub stage: Stage,
    /// When it began.
    pub created: Timestamp,
    /// When it was used last, to the minute.
    pub seen: Timestamp,
    /// When its holder last proved who they are.
    pub proven: Timestamp,
    /// The address from which it began.
    pub address: Option<String>,
    /// What the browser calls itself, shortened.
    pub agent: Option<String>,
}

/// How far a sign-in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The first factor was right; the second one is asked for.
    SecondFactor,
    /// The first factor was right, and there is no second one yet, though the organisation wants one.
    Enrolment,
    /// Signed in.
    Full,
}

impl Session {
    /// Tells whether it still lasts at `now`, where a signed-in session may rest for `idle`.
    pub fn lasts(&self, now: Timestamp, idle: SignedDuration) -> bool {
        match self.stage {
            Stage::Full => {
                is_within(ABSOLUTE, self.created, now) && is_within(idle, self.seen, now)
            }
            Stage::SecondFactor | Stage::Enrolment => is_within(UNFINISHED, self.created, now),
        }
    }

    /// Tells whether its holder proved a short time ago who they are.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.stage == Stage::Full && is_within(FRESH, self.proven, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(stage: Stage) -> Session {
        Session {
            id: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".parse().unwrap(),
            administrator: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e78".parse().unwrap(),
            stage,
            created: Timestamp::UNIX_EPOCH,
            seen: Timestamp::UNIX_EPOCH,
            proven: Timestamp::UNIX_EPOCH,
            address: None,
            agent: None,
        }
    }

    #[test]
    fn a_session_ends_when_it_rests_or_grows_old() {
        let after = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        let mut full = session(Stage::Full);
        assert!(full.lasts(after(29), IDLE));
        assert!(!full.lasts(after(30), IDLE));
        full.seen = after(719);
        assert!(full.lasts(after(719), IDLE));
        assert!(!full.lasts(after(720), IDLE));
        assert!(!session(Stage::SecondFactor).lasts(after(10), IDLE));
    }

    #[test]
    fn a_session_of_a_clock_that_was_a_year_ahead_is_over_and_none_lasts_longer() {
        let year = SignedDuration::from_hours(365 * 24);
        for stage in [Stage::Full, Stage::SecondFactor, Stage::Enrolment] {
            let begun = session(stage);
            assert!(!begun.lasts(begun.created + year, IDLE), "{stage:?}");
            assert!(!begun.lasts(begun.created - year, IDLE), "{stage:?}");
            assert!(!begun.is_fresh(begun.created - year), "{stage:?}");
        }
    }

    #[test]
    fn a_proof_is_fresh_for_five_minutes_and_only_once_signed_in() {
        let after = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        assert!(session(Stage::Full).is_fresh(after(299)));
        assert!(!session(Stage::Full).is_fresh(after(300)));
        assert!(!session(Stage::Enrolment).is_fresh(after(1)));
    }
}
