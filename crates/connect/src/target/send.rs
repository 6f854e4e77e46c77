//! Sends requests at the target's pace, and again where that is safe.
//!
//! INVARIANT: a creation whose outcome is unknown is never sent again; the next cycle looks it up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::Method;
use rollcall_model::Randomness;
use rollcall_model::profile::{Evidence, Known, Rate};
use serde_json::Value;
use url::Url;

use super::Target;
use super::dialect::locked;
use crate::figures::End;
use crate::pace::present;
use crate::reply::{NoReply, Reply, send};

/// How often a request is tried in all.
const ATTEMPTS: u32 = 4;
/// The longest pause before the second attempt; it doubles with each.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that we choose ourselves.
const OWN_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause within a cycle; whoever asks for more is asked again in a later one.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(1);

impl Target {
    /// Sends a request without a body.
    pub(super) async fn exchange(&self, method: Method, url: Url) -> Result<Reply, NoReply> {
        self.send(method, url, None, None).await
    }

    /// Sends a request with a body, that holds for a version only if one is given.
    pub(super) async fn exchange_body(
        &self,
        method: Method,
        url: Url,
        body: &Value,
        version: Option<&str>,
    ) -> Result<Reply, NoReply> {
        self.send(method, url, Some(body.to_string()), version)
            .await
    }

    /// Sends a request, again when the target asks for patience or was not reached.
    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<String>,
        version: Option<&str>,
    ) -> Result<Reply, NoReply> {
        let shared = &*self.shared;
        let mut attempt = 1;
        loop {
            let turn = shared.pace.turn(self.urgency, LONGEST_PAUSE).await;
            let sent = turn.map_err(NoReply::held)?;
            // it is never closed
            let place = shared.places.acquire().await;
            if shared.lasts.get().is_some_and(|lasts| !(lasts.0)()) {
                return Err(NoReply::over());
            }
            let mut request = shared
                .client
                .request(method.clone(), url.clone())
                .bearer_auth(shared.token.expose())
                .header("accept", "application/scim+json");
            if let Some(body) = &body {
                request = request
                    .header("content-type", "application/scim+json; charset=utf-8")
                    .body(body.clone());
            }
            if let Some(version) = version {
                request = request.header("if-match", version);
            }
            let now = shared.surroundings.clock.now();
            let begun = present();
            let outcome = send((&shared.client, End::Target), method.clone(), request, now).await;
            drop(place);
            let took = present().duration_since(begun).as_micros();
            let traffic = &shared.traffic;
            traffic.requests.fetch_add(1, Ordering::Relaxed);
            let took = u64::try_from(took).unwrap_or(u64::MAX);
            traffic.microseconds.fetch_add(took, Ordering::Relaxed);
            if let Ok(reply) = &outcome
                && asks_for_patience(reply)
            {
                self.slow_down(reply, sent);
            }
            let is_worth_it = match &outcome {
                // what certainly had no effect may be sent again, whatever it is
                Ok(reply) if asks_for_patience(reply) => true,
                Err(NoReply {
                    was_not_sent: true, ..
                }) => true,
                Ok(reply) => matches!(reply.status, 502..=504) && method != Method::POST,
                Err(_) => method != Method::POST,
            };
            let asked = outcome.as_ref().ok().and_then(|reply| reply.retry_after);
            let pause =
                asked.unwrap_or_else(|| jittered(attempt, &*shared.surroundings.randomness));
            if !is_worth_it || attempt >= ATTEMPTS || pause > LONGEST_PAUSE {
                return outcome;
            }
            tracing::debug!(%method, path = url.path(), attempt, ?pause, "the target is asked again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Heeds that the target is asked too often.
    fn slow_down(&self, reply: &Reply, sent: std::time::Instant) {
        let mut rhythm = self.shared.pace.rhythm();
        let news = rhythm.throttled(present(), sent, reply.retry_after);
        let rate = rhythm.rate();
        drop(rhythm);
        if let (Some(before), Some(rate)) = (news, rate) {
            let observation = format!(
                "{} at {} requests per second",
                reply.status,
                rounded(before)
            );
            tracing::info!(rate, "the target asks for patience: {observation}");
            locked(&self.shared.profile).rate = Some(Known {
                value: Rate::from(rounded(rate)),
                evidence: Evidence::Learned {
                    at: self.shared.surroundings.clock.now(),
                    observation,
                },
            });
        }
    }
}

fn asks_for_patience(reply: &Reply) -> bool {
    reply.status == 429 || (reply.status == 503 && reply.retry_after.is_some())
}

/// Rounds a rate to what is worth telling.
pub(super) fn rounded(rate: f64) -> f64 {
    if rate < 10.0 {
        (rate * 10.0).round() / 10.0
    } else {
        rate.round()
    }
}

/// Returns the pause after the given attempt: any length up to one that doubles, so that those who failed together do not come back
/// together.
fn jittered(attempt: u32, randomness: &dyn Randomness) -> Duration {
    let longest = PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)))
        .min(OWN_PAUSE);
    let mut bytes = [0; 4];
    randomness.fill(&mut bytes);
    longest.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Randomness for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn a_pause_is_anything_up_to_one_that_doubles() {
        let longest: Vec<_> = (1..=8)
            .map(|attempt| jittered(attempt, &Always(255)).as_millis())
            .collect();

        assert_eq!(
            longest,
            [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]
        );
        assert_eq!(jittered(3, &Always(0)), Duration::ZERO);
        assert!((490..=510).contains(&jittered(3, &Always(127)).as_millis()));
    }
}
