//! What directories ask the SCIM endpoint, as an administrator may look at it.
//!
//! **Is:** one request and its answer, with secrets masked before they got here, and what is counted of them.
//! **Is not:** the audit log: this is kept for a short time, and may be dropped when there is too much of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{IntegrationId, RequestId, TokenId};

/// How many exchanges an organisation keeps; the oldest go first.
pub const KEPT: u64 = 10_000;
/// How much of a body is kept, in bytes.
pub const BODY_KEPT: usize = 8 * 1024;

/// One request to the SCIM endpoint, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The request's id.
    pub request: RequestId,
    /// When it came.
    pub at: Timestamp,
    /// How long the answer took, in microseconds.
    pub took: u64,
    /// The integration whose token it carried; absent: it was refused.
    pub integration: Option<IntegrationId>,
    /// The token that it carried; absent: it was refused.
    pub token: Option<TokenId>,
    /// The address from which it came.
    pub address: Option<String>,
    /// What the client calls itself, shortened.
    pub agent: Option<String>,
    /// The method.
    pub method: String,
    /// The path below the organisation's base URL, with its query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// The beginning of the request's body, with secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The beginning of the answer's body, with secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
}

impl Exchange {
    /// Tells whether the request did not get what it asked for. A look-up that finds nobody is an answer: Entra asks so for every person.
    pub fn failed(&self) -> bool {
        failed(&self.method, self.status)
    }
}

/// Tells likewise of a request of which only this is known.
pub fn failed(method: &str, status: u16) -> bool {
    status >= 400 && !(status == 404 && method == "GET")
}

/// What an integration asked in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    /// The beginning of the hour.
    pub from: Timestamp,
    /// The integration; absent: requests that were refused.
    pub integration: Option<IntegrationId>,
    /// How many requests.
    pub requests: u64,
    /// How many of them failed ([`Exchange::failed`]).
    pub failed: u64,
}

impl Hour {
    /// Returns the beginning of the hour in which an instant is.
    pub fn beginning(of: Timestamp) -> Timestamp {
        let second = of.as_second().div_euclid(3_600) * 3_600;
        // the first hour that there is has begun before there was time
        Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
    }
}
