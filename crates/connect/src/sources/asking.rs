//! Asks over HTTP until there is an answer that is worth something; and what such answers have in common.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use url::Url;

use super::Unread;
use crate::client::{Client, Surroundings};
use crate::figures::End;
use crate::reply::{Reply, send};

/// How often a request is tried in all.
const ATTEMPTS: u32 = 5;
/// The pause before the second attempt; it doubles. A `Retry-After` wins.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that is waited for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Longest text of the other end's own words that is passed on, in characters.
const WORDS: usize = 300;

/// Whoever asks.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) client: Client,
    pub(super) pause: Duration,
    pub(super) surroundings: Surroundings,
}

impl Asking {
    /// Asks what can be repeated whatever became of it; returns the answer, which may still be one of those that pass.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: &Url,
        dressed: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Reply, Unread> {
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            let request = dressed(self.client.request(method.clone(), url.clone()));
            let now = self.surroundings.clock.now();
            let outcome = send((&self.client, End::Source), method.clone(), request, now).await;
            let is_worth_something = outcome.as_ref().is_ok_and(|reply| !passes(reply.status));
            let patience = match &outcome {
                Ok(reply) if matches!(reply.status, 429 | 503) => {
                    reply.retry_after.unwrap_or(pause)
                }
                Ok(_) | Err(_) => pause,
            };
            if is_worth_something || attempt == ATTEMPTS || patience > LONGEST_PAUSE {
                return outcome.map_err(|no_reply| {
                    Unread::out_of_reach(
                        &no_reply.message,
                        "it is tried again; if it stays so, check the address and the network",
                    )
                });
            }
            tracing::debug!(
                path = url.path(),
                attempt,
                ?patience,
                "the source is asked again"
            );
            tokio::time::sleep(patience).await;
            pause *= 2;
            attempt += 1;
        }
    }
}

/// Tells whether an answer of this status may be another one later.
pub(super) fn passes(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502..=504)
}

/// Shortens the other end's own words to what is passed on.
pub(super) fn words(text: &str) -> String {
    text.chars().take(WORDS).collect()
}

/// Returns an address without its query.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    format!("`{url}`")
}
