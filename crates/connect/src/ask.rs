//! Asks another end something, and hands over what it says as it is: for whoever judges the answer itself.

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::client::Client;
use crate::reply;

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

/// There was no answer; says why, and what to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

impl Client {
    /// Asks another end.
    ///
    /// # Errors
    /// [`NoAnswer`] when it cannot be reached, breaks off, or says more than is read.
    pub async fn ask(&self, question: Question) -> Result<Answer, NoAnswer> {
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
