//! Tells an endpoint of another system what happened.
//!
//! **Is:** one request through the one client, under its guard; of the answer nothing but its status and how long to wait. What else it says
//! is not read, so it can be of any length, and is shown to nobody.
//! **Is not:** what is said, how it is signed, or whether it is tried again.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

use crate::client::{Client, Refused};
use crate::figures::End;
use crate::reply::send;

/// How long an endpoint may take for its answer.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What is said to an endpoint.
#[derive(Debug)]
pub struct Message<'m> {
    /// The id of the event.
    pub id: &'m str,
    /// When it is sent: seconds since 1970, as it was signed.
    pub timestamp: i64,
    /// The signature.
    pub signature: &'m str,
    /// The body: JSON.
    pub body: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The status of the answer; absent: there was none.
    pub status: Option<u16>,
    /// For how long the endpoint asked to be left alone.
    pub retry_after: Option<Duration>,
    /// Why there was no answer, for people.
    pub trouble: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Client {
    /// Tells an endpoint something, once. Redirects are not followed.
    ///
    /// # Errors
    /// [`Refused`] when the address may not be called at all.
    pub async fn tell(
        &self,
        url: &str,
        message: Message<'_>,
        now: Timestamp,
    ) -> Result<Told, Refused> {
        let url = self.address(url)?;
        let request = self
            .request(Method::POST, url)
            .timeout(PATIENCE)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", message.signature)
            .body(message.body);
        let begun = Instant::now();
        let outcome = send((self, End::Webhook), Method::POST, request, now).await;
        let took = begun.elapsed();
        Ok(match outcome {
            Ok(reply) => Told {
                status: Some(reply.status),
                retry_after: reply.retry_after,
                trouble: None,
                took,
            },
            Err(no_reply) => Told {
                status: None,
                retry_after: None,
                trouble: Some(no_reply.message),
                took,
            },
        })
    }
}
