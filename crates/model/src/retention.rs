//! How long an organisation keeps what grows by itself: logs, requests, tombstones.
//!
//! The audit log is not among them: each of its entries rests on the one before, and one that was cut could not be told from one that was
//! forged. Neither is the history of people and groups (the change feed): what a group was is told by all of it.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long an organisation keeps things when nobody has said otherwise.
pub const DEFAULT: Retention = Retention {
    logs: Keep::Days(365),
    requests: Keep::Days(30),
    tombstones: Keep::Days(1_095),
};

/// The longest time that can be said in days: a century.
const MOST_DAYS: u32 = 36_500;

/// How long an organisation keeps what grows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// The provisioning log of each application.
    pub logs: Keep,
    /// What directories asked, and what they were answered; of these the latest [`crate::traffic::KEPT`] at most.
    pub requests: Keep,
    /// What gives somebody who was deleted the same id when they come back.
    pub tombstones: Keep,
}

impl Default for Retention {
    fn default() -> Self {
        DEFAULT
    }
}

/// How long one thing is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    /// So many days, from 1 to 36 500.
    Days(u32),
    /// Until somebody says otherwise.
    Forever,
}

impl Keep {
    /// Returns the instant before which things are not kept any more; absent: everything is kept.
    pub fn horizon(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Forever => None,
            Self::Days(days) => now
                .checked_sub(SignedDuration::from_hours(i64::from(days) * 24))
                .ok(),
        }
    }
}

/// A text that says no time to keep something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time to keep something: write days, from 1d to 36500d, such as 90d, or forever"
)]
pub struct NoTime(String);

impl FromStr for Keep {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let days = text.strip_suffix('d').unwrap_or(text).parse();
        match days {
            Ok(days @ 1..=MOST_DAYS) => Ok(Self::Days(days)),
            _ => Err(NoTime(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days}d"),
            Self::Forever => f.write_str("forever"),
        }
    }
}

impl TryFrom<String> for Keep {
    type Error = NoTime;

    fn try_from(text: String) -> Result<Self, NoTime> {
        text.parse()
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> Self {
        keep.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for (text, expected) in [
            ("1d", Some(Keep::Days(1))),
            ("90", Some(Keep::Days(90))),
            ("36500d", Some(Keep::Days(36_500))),
            ("forever", Some(Keep::Forever)),
            ("0d", None),
            ("36501d", None),
            ("-1d", None),
            ("3 weeks", None),
            ("", None),
        ] {
            let read = text.parse::<Keep>();
            assert_eq!(read.clone().ok(), expected, "{text}");
            if let Ok(keep) = read {
                assert_eq!(keep.to_string().parse(), Ok(keep));
            }
        }
    }

    #[test]
    fn an_organisation_stored_before_keeps_what_the_defaults_say() {
        let read: Retention = serde_json::from_str(r#"{"logs": "7d"}"#).unwrap();
        assert_eq!(
            read,
            Retention {
                logs: Keep::Days(7),
                ..DEFAULT
            }
        );
        let now: Timestamp = "2026-01-31T09:00:00Z".parse().unwrap();
        assert_eq!(
            Keep::Days(30).horizon(now),
            "2026-01-01T09:00:00Z".parse().ok()
        );
        assert_eq!(Keep::Forever.horizon(now), None);
    }
}
