//! Asks another end something, and hands over what it says as it is: for whoever judges the answer itself.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::client::Client;
use crate::reply;

/// How often the same is asked in all of an end that asks to be left alone for a while.
const TRIES: u32 = 4;
/// So long is waited at most before it is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// All header fields that are not the client's own.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<String>,
}

/// What was answered, whatever it is.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, of at most [`crate::client::REPLY_BYTES`].
    pub body: Vec<u8>,
}

impl Answer {
    /// Tells whether the other end asks to be left alone for a while, and has not done what it was asked.
    pub fn is_busy(&self) -> bool {
        self.wait(0).is_some()
    }

    /// Returns how long to wait before it is asked again; absent: it has answered. A 503 without `Retry-After` may last for ever.
    fn wait(&self, tries: u32) -> Option<Duration> {
        let asked_for = reply::retry_after(&self.headers);
        let wait = match self.status {
            429 => asked_for.unwrap_or(Duration::from_secs(1 << tries)),
            503 => asked_for?,
            _ => return None,
        };
        Some(wait.min(LONGEST_WAIT))
    }
}

/// There was no answer; says why, and what to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

impl Client {
    /// Asks another end; again after a while when it asks for that (RFC 6585 §4, RFC 9110 §10.2.3). Who is still busy then has said so as
    /// the [`Answer`].
    ///
    /// # Errors
    /// [`NoAnswer`] when it cannot be reached, breaks off, or says more than is read.
    pub async fn ask(&self, question: Question) -> Result<Answer, NoAnswer> {
        let mut tries = 0;
        loop {
            let answer = self.once(question.clone()).await?;
            tries += 1;
            match answer.wait(tries - 1) {
                Some(wait) if tries < TRIES => tokio::time::sleep(wait).await,
                _ => return Ok(answer),
            }
        }
    }

    async fn once(&self, question: Question) -> Result<Answer, NoAnswer> {
        let mut request = self
            .request(question.method, question.url)
            .headers(question.headers);
        if let Some(body) = question.body {
            request = request.body(body);
        }
        let told = |no_reply: reply::NoReply| NoAnswer(no_reply.message);
        let mut response = request
            .send()
            .await
            .map_err(|error| told(reply::explain(&error)))?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body: reply::whole(&mut response).await.map_err(told)?,
        })
    }
}
