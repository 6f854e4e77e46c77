//! What is known of the dialect that a target speaks.
//!
//! **Is:** the few things in which SCIM endpoints differ and that provisioning has to heed, each with where the knowledge is from:
//! assumed, stated by the endpoint, or learned from its answers. Plain data that is stored with an application.
//! **Is not:** configuration. Nobody types it; whoever distrusts it starts again from [`Profile::default`].
//! **Start at** [`Profile`]; [`Profile::rows`] shows it to people.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How resources are changed in a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Updates {
    /// By PATCH (RFC 7644 §3.5.2): only what differs is sent.
    Patch,
    /// By PUT (RFC 7644 §3.5.1): the resource is read, changed and sent whole.
    Put,
}

/// Where a piece of knowledge is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "from")]
pub enum Evidence {
    /// It is assumed, as long as nothing speaks against it.
    Default,
    /// The target says so in its `ServiceProviderConfig` (RFC 7643 §5).
    Stated,
    /// An answer of the target showed it.
    Learned {
        /// When.
        at: Timestamp,
        /// What was seen, for people: `405 to PATCH`.
        observation: String,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Stated => f.write_str("stated"),
            Self::Learned { at, observation } => {
                // a year, day and time of day are enough for people
                let at = at.strftime("%Y-%m-%d %H:%M");
                write!(f, "learned {at} UTC: {observation}")
            }
        }
    }
}

/// A piece of knowledge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Known<T> {
    /// What is known.
    pub value: T,
    /// Where it is from.
    #[serde(flatten)]
    pub evidence: Evidence,
}

impl<T: PartialEq> Known<T> {
    /// Makes an assumption.
    pub fn assumed(value: T) -> Self {
        Self {
            value,
            evidence: Evidence::Default,
        }
    }

    /// Takes over what the target says of itself. What was learned stays: a target that answers 405 to PATCH does not take PATCH,
    /// whatever it says.
    pub fn state(&mut self, value: T) {
        if !matches!(self.evidence, Evidence::Learned { .. }) {
            *self = Self {
                value,
                evidence: Evidence::Stated,
            };
        }
    }

    /// Takes over what an answer showed. What was known already keeps its evidence; returns whether it was news.
    pub fn learn(&mut self, value: T, at: Timestamp, observation: impl Into<String>) -> bool {
        let is_news = self.value != value;
        if is_news {
            let observation = observation.into();
            *self = Self {
                value,
                evidence: Evidence::Learned { at, observation },
            };
        }
        is_news
    }
}

/// How many requests a target bears, in thousandths of a request per second; written as requests per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Rate(u32);

impl From<f64> for Rate {
    /// Takes requests per second, at least a thousandth.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a conversion to an integer stops at its bounds"
    )]
    fn from(per_second: f64) -> Self {
        Self(((per_second * 1000.0).round() as u32).max(1))
    }
}

impl From<Rate> for f64 {
    /// Returns requests per second.
    fn from(rate: Rate) -> Self {
        Self::from(rate.0) / 1000.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", f64::from(*self))
    }
}

/// The dialect of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Profile {
    /// How changes are sent.
    pub updates: Known<Updates>,
    /// How many members one request may add, at least 1.
    pub members_added: Known<usize>,
    /// How many members one request may take out, at least 1.
    pub members_removed: Known<usize>,
    /// How many resources are asked for at a time, at least 1.
    pub page_size: Known<u64>,
    /// Whether filters work. Nothing can be provisioned where they do not.
    pub filters: Known<bool>,
    /// Whether `excludedAttributes=members` is honoured.
    pub excludes_members: Known<bool>,
    /// Whether pages can be asked for by cursor (RFC 9865).
    pub cursors: Known<bool>,
    /// Whether the target offers Bulk (RFC 7644 §3.7). It is told only; requests are sent one by one.
    pub bulk: Known<bool>,
    /// How many requests the target was seen to bear; absent: it never asked for patience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Known<Rate>>,
}

impl Default for Profile {
    /// The optimistic view: everything that Entra relies on works, and nothing beyond.
    fn default() -> Self {
        Self {
            updates: Known::assumed(Updates::Patch),
            members_added: Known::assumed(500),
            members_removed: Known::assumed(100),
            page_size: Known::assumed(200),
            filters: Known::assumed(true),
            excludes_members: Known::assumed(true),
            cursors: Known::assumed(false),
            bulk: Known::assumed(false),
            rate: None,
        }
    }
}

/// A line of a profile, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What it is about.
    pub what: &'static str,
    /// What is known.
    pub value: String,
    /// Where it is from.
    pub evidence: Evidence,
}

impl Profile {
    /// Returns the profile as a table.
    pub fn rows(&self) -> Vec<Row> {
        let updates = match self.updates.value {
            Updates::Patch => "PATCH",
            Updates::Put => "PUT of the whole resource",
        };
        let work = |works: bool| if works { "work" } else { "ignored" };
        let offered = |is: bool| if is { "offered" } else { "not offered" };
        let mut rows = vec![
            row("updates", updates, &self.updates),
            row(
                "members added per request",
                self.members_added.value,
                &self.members_added,
            ),
            row(
                "members removed per request",
                self.members_removed.value,
                &self.members_removed,
            ),
            row("page size", self.page_size.value, &self.page_size),
            row("filters", work(self.filters.value), &self.filters),
            row(
                "excludedAttributes=members",
                if self.excludes_members.value {
                    "honoured"
                } else {
                    "ignored"
                },
                &self.excludes_members,
            ),
            row("cursor paging", offered(self.cursors.value), &self.cursors),
            row("bulk", offered(self.bulk.value), &self.bulk),
        ];
        rows.push(match &self.rate {
            Some(rate) => row("requests", rate.value, rate),
            None => row("requests", "never throttled", &Known::assumed(())),
        });
        rows
    }

    /// Returns the lines that read otherwise than in an earlier profile.
    pub fn changes_since(&self, earlier: &Self) -> Vec<Row> {
        let earlier = earlier.rows();
        let mut rows = self.rows();
        rows.retain(|row| !earlier.contains(row));
        rows
    }
}

fn row<T>(what: &'static str, value: impl ToString, known: &Known<T>) -> Row {
    Row {
        what,
        value: value.to_string(),
        evidence: known.evidence.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn noon() -> Timestamp {
        "2026-01-05T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_was_learned_outweighs_what_is_stated() {
        let mut updates = Known::assumed(Updates::Patch);

        assert!(updates.learn(Updates::Put, noon(), "405 to PATCH"));
        updates.state(Updates::Patch);

        assert_eq!(updates.value, Updates::Put);
        assert_eq!(
            updates.evidence.to_string(),
            "learned 2026-01-05 12:00 UTC: 405 to PATCH"
        );
    }

    #[test]
    fn what_is_known_already_is_no_news_and_keeps_its_evidence() {
        let mut filters = Known::assumed(true);
        filters.state(true);

        assert!(!filters.learn(true, noon(), "a search found what it should"));

        assert_eq!(filters.evidence, Evidence::Stated);
    }

    #[test]
    fn a_profile_is_read_as_it_was_written_and_an_older_one_with_defaults() {
        let mut profile = Profile::default();
        profile.updates.state(Updates::Put);
        profile
            .members_added
            .learn(250, noon(), "413 to 500 members");
        profile.rate = Some(Known {
            value: Rate::from(2.5),
            evidence: Evidence::Default,
        });

        let written = serde_json::to_value(&profile).unwrap();

        assert_eq!(
            written["updates"],
            json!({"value": "put", "from": "stated"})
        );
        assert_eq!(written["rate"]["value"], json!(2.5));
        assert_eq!(serde_json::from_value::<Profile>(written).unwrap(), profile);
        assert_eq!(
            serde_json::from_value::<Profile>(json!({})).unwrap(),
            Profile::default()
        );
    }

    #[test]
    fn a_change_is_shown_by_its_line_alone() {
        let mut profile = Profile::default();
        profile
            .members_added
            .learn(250, noon(), "413 to 500 members");

        let changes = profile.changes_since(&Profile::default());

        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].what, "members added per request");
        assert_eq!(changes[0].value, "250");
        assert!(profile.changes_since(&profile).is_empty());
        assert_eq!(profile.rows().len(), 9);
    }
}
