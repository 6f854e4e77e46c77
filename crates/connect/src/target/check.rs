//! The connection test.

use std::time::Duration;

use rollcall_model::Kind;
use rollcall_sync::task::{Answer, Extent, INCOMPATIBLE, Trouble};

use super::Target;
use crate::pace::present;

/// From which time on an endpoint counts as slow. Entra expects 25 requests per second of an endpoint.
const SLOW: Duration = Duration::from_secs(2);

/// What a connection test that succeeded has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// How long the endpoint takes to answer a look-up: the median.
    pub latency: Duration,
    /// What is worth knowing, and no failure.
    pub notes: Vec<String>,
}

impl Target {
    /// Tests the connection as Entra does: a look-up of a value that cannot exist, for each kind with its matching attribute. A target
    /// that finds something does not filter, and would lead to writes on the wrong person.
    ///
    /// # Errors
    /// A [`Trouble`] that says exactly what is wrong, and what to do.
    pub async fn test(&self, kinds: &[(Kind, String)], nobody: &str) -> Result<Tested, Trouble> {
        let mut times = Vec::new();
        for (kind, attribute) in kinds {
            let begun = present();
            let answer = self.find(*kind, attribute, nobody).await;
            times.push(present().saturating_duration_since(begun));
            let observation = "a search for a value that nobody has";
            match answer {
                Answer::Found(found) if found.is_empty() => {
                    let observation = format!("{observation} found nobody");
                    self.learn("filters", observation, |profile, at, observation| {
                        profile.filters.learn(true, at, observation)
                    });
                }
                Answer::Failed(trouble) | Answer::Unknown(trouble)
                    if trouble.code != "DuplicateTargetEntries" =>
                {
                    return Err(Trouble {
                        extent: Extent::Target,
                        ..trouble
                    });
                }
                _ => {
                    let observation = format!("{observation} found somebody");
                    self.learn("filters", observation, |profile, at, observation| {
                        profile.filters.learn(false, at, observation)
                    });
                    let message = format!(
                        "the endpoint ignores filters: it found {}s whose `{attribute}` is a value that nobody has; it has to support \
                         `filter={attribute} eq \"…\"`, or another matching attribute has to be chosen",
                        kind.resource_type()
                    );
                    return Err(Trouble::of_target(INCOMPATIBLE, message));
                }
            }
        }
        let latency = median(times);
        Ok(Tested {
            latency,
            notes: self.notes(latency),
        })
    }

    /// Returns what is worth knowing of a connection that works.
    pub(super) fn notes(&self, latency: Duration) -> Vec<String> {
        let mut notes = Vec::new();
        if latency > SLOW {
            notes.push(format!(
                "the endpoint takes {:.1} seconds for a look-up: cycles will take long; look there for a missing index",
                latency.as_secs_f64()
            ));
        }
        if self.shared.base.scheme() == "http" {
            notes.push(
                "the address is http: the credential and people's data travel unencrypted; use https outside of tests"
                    .to_owned(),
            );
        }
        notes
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
