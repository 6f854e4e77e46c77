//! The organisation: who receives people, who sends them, and what it has paid for.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::OrgId;
use crate::retention::Retention;

/// An organisation that uses this installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its identity; stays when the slug changes.
    pub id: OrgId,
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// The region in which its data lives.
    pub region: Region,
    /// What it has subscribed to.
    pub plan: Plan,
    /// How many active people it may have; absent: as many as it likes.
    pub seats: Option<u32>,
    /// When it was created.
    pub created: Timestamp,
    /// The name of the job whose foreign source it mirrors; absent: it is an organisation of people. In a mirror nobody signs in, and no
    /// directory gets a token for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrors: Option<String>,
    /// What it asks of its administrators.
    #[serde(default)]
    pub rules: Rules,
    /// The time zone in which the console shows times, by its name in the IANA database; absent: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether people whom a directory creates are asked by mail to activate their account.
    #[serde(default)]
    pub sends_invitations: bool,
    /// How long it keeps logs, requests and tombstones.
    #[serde(default)]
    pub retention: Retention,
}

/// What an organisation asks of its administrators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether everybody needs a second factor.
    pub second_factor: bool,
    /// After how many minutes without a request somebody is signed out.
    pub idle_minutes: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            second_factor: false,
            idle_minutes: 30,
        }
    }
}

impl Organisation {
    /// Tells whether provisioning may add to this organisation at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        match self.plan {
            Plan::Paid => true,
            Plan::Trial { until } => now < until,
        }
    }
}

/// What an organisation has subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// A trial that ends.
    Trial {
        /// The first instant at which provisioning is refused.
        until: Timestamp,
    },
    /// A paid account.
    Paid,
}

impl Plan {
    /// Returns the last day of a trial, UTC, as people write it; for a paid account, nothing.
    pub fn last_day(&self) -> String {
        match self {
            Self::Paid => String::new(),
            Self::Trial { until } => {
                let last = until.saturating_sub(jiff::SignedDuration::from_secs(1));
                let last = last.unwrap_or(*until);
                jiff::tz::TimeZone::UTC.to_datetime(last).date().to_string()
            }
        }
    }
}

/// A text that cannot name an organisation or a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameRefused {
    /// The slug breaks the rules.
    #[error(
        "`{0}` cannot be a slug: use 2 to 63 of a–z, 0–9 and `-`, beginning and ending with a letter or digit"
    )]
    Slug(String),
    /// The region breaks the rules.
    #[error("`{0}` cannot be a region: use 1 to 16 of a–z and 0–9, such as `eu` or `us2`")]
    Region(String),
}

/// An organisation's name in URLs: 2 to 63 of `a–z`, `0–9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = NameRefused;

    fn from_str(text: &str) -> Result<Self, NameRefused> {
        let fits = (2..=63).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameRefused::Slug(text.chars().take(80).collect()))
        }
    }
}

/// A region: a place where organisations' data lives, with URLs of its own. 1 to 16 of `a–z` and `0–9`, so that it fits
/// between the underscores of a token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    /// The region of an installation that names none.
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl FromStr for Region {
    type Err = NameRefused;

    fn from_str(text: &str) -> Result<Self, NameRefused> {
        let fits = (1..=16).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameRefused::Region(text.chars().take(80).collect()))
        }
    }
}

macro_rules! text_type {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameRefused;
            fn try_from(text: String) -> Result<Self, NameRefused> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}
text_type!(Slug);
text_type!(Region);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_what_fits_into_a_url_without_escaping() {
        for good in ["vault", "north-wind", "a1", "0x"] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        let long = "x".repeat(64);
        for bad in [
            "", "a", "-vault", "vault-", "Vault", "vau lt", "va/ult", "vält", &long,
        ] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_trial_is_open_until_the_instant_at_which_it_ends() {
        let until = Timestamp::from_second(100).unwrap();
        let organisation = Organisation {
            id: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".parse().unwrap(),
            slug: "vault".parse().unwrap(),
            name: "Vault".into(),
            region: Region::default(),
            plan: Plan::Trial { until },
            seats: None,
            created: Timestamp::UNIX_EPOCH,
            mirrors: None,
            rules: Rules::default(),
            time_zone: None,
            sends_invitations: false,
            retention: Retention::default(),
        };

        assert!(organisation.is_open(Timestamp::from_second(99).unwrap()));
        assert!(!organisation.is_open(until));
    }
}
