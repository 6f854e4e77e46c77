//! The people who run an organisation in the console.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::AdminId;

/// An administrator of one organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Administrator {
    /// Their identity.
    pub id: AdminId,
    /// The address with which they sign in.
    pub email: Email,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created: Timestamp,
}

/// What an administrator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, including other administrators.
    Owner,
    /// Everything but other administrators and the organisation itself.
    Admin,
    /// People and groups.
    Helpdesk,
    /// Reads everything, changes nothing.
    Auditor,
}

impl Role {
    /// Returns its word in commands and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Helpdesk => "helpdesk",
            Self::Auditor => "auditor",
        }
    }
}

/// An e-mail address, kept as typed and compared without regard to case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Returns the address as it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form by which addresses are compared and looked up.
    pub fn key(&self) -> String {
        rollcall_scim::key::canonical(&self.0)
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Email {}

/// A text that is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an e-mail address")]
pub struct NotAnEmail(String);

impl FromStr for Email {
    type Err = NotAnEmail;

    /// Accepts `local@domain` without white space or control characters, at most 254 bytes (RFC 5321 §4.5.3.1). Whether it
    /// can be delivered only a mail shows.
    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim();
        let fits = text.len() <= 254
            && !text
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == '<' || c == '>')
            && text.rsplit_once('@').is_some_and(|(local, domain)| {
                !local.is_empty()
                    && !domain.is_empty()
                    && !domain.starts_with('.')
                    && !domain.ends_with('.')
            });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnEmail(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Email {
    type Error = NotAnEmail;
    fn try_from(text: String) -> Result<Self, NotAnEmail> {
        text.parse()
    }
}
impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}
impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
