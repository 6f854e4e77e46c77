//! A directory integration: one foreign directory that provisions into an organisation.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Exchange, IntegrationId};

/// A directory connected to an organisation; tokens belong to it, and the people whom it created are managed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    /// Its identity.
    pub id: IntegrationId,
    /// Which product is at the other end.
    pub kind: IntegrationKind,
    /// When it was connected.
    pub created: Timestamp,
    /// What it was seen doing.
    #[serde(default)]
    pub seen: Seen,
}

/// When an integration was first seen doing what a set-up guide asks for, step by step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// It came with a good token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<Timestamp>,
    /// It looked for somebody with a filter: a connection test does that, and every cycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_up: Option<Timestamp>,
    /// It sent a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// It changed a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Timestamp>,
    /// It sent or changed a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouped: Option<Timestamp>,
}

impl Seen {
    /// Notes what an exchange of the integration shows; tells whether that is new.
    pub fn note(&mut self, exchange: &Exchange) -> bool {
        let before = *self;
        let at = Some(exchange.at);
        let path = exchange.path.to_ascii_lowercase();
        let done = (200..300).contains(&exchange.status);
        let writes = done && matches!(exchange.method.as_str(), "POST" | "PUT" | "PATCH");
        let searches = path.contains("filter=") || path.contains("/.search");
        if exchange.status != 429 {
            self.connected = self.connected.or(at);
        }
        if done && searches {
            self.looked_up = self.looked_up.or(at);
        } else if writes && path.starts_with("/users") {
            let step = if exchange.method == "POST" {
                &mut self.created
            } else {
                &mut self.changed
            };
            *step = step.or(at);
        } else if writes && path.starts_with("/groups") {
            self.grouped = self.grouped.or(at);
        }
        *self != before
    }
}

/// The product at the other end of an integration. An organisation has at most one integration of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntegrationKind {
    /// Microsoft Entra ID, once Azure AD.
    Entra,
    /// Okta.
    Okta,
    /// OneLogin.
    OneLogin,
    /// Google Workspace.
    Google,
    /// JumpCloud.
    JumpCloud,
    /// PingOne and PingFederate.
    Ping,
    /// Any other SCIM 2.0 client.
    Custom,
}

impl IntegrationKind {
    /// Every kind, in the order in which the console shows them.
    pub const ALL: [Self; 7] = [
        Self::Entra,
        Self::Okta,
        Self::OneLogin,
        Self::Google,
        Self::JumpCloud,
        Self::Ping,
        Self::Custom,
    ];

    /// Returns the word by which commands and the API name the kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::OneLogin => "onelogin",
            Self::Google => "google",
            Self::JumpCloud => "jumpcloud",
            Self::Ping => "ping",
            Self::Custom => "custom",
        }
    }

    /// Returns the product's name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Entra => "Azure AD (Microsoft Entra ID)",
            Self::Okta => "Okta",
            Self::OneLogin => "OneLogin",
            Self::Google => "Google Workspace",
            Self::JumpCloud => "JumpCloud",
            Self::Ping => "Ping Identity",
            Self::Custom => "Custom SCIM client",
        }
    }

    /// Returns its name inside a sentence.
    pub fn short(self) -> &'static str {
        match self {
            Self::Entra => "Entra ID",
            Self::Ping => "Ping",
            Self::Custom => "the SCIM client",
            _ => self.title(),
        }
    }
}

impl fmt::Display for IntegrationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A text that names no kind of integration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a kind of integration: use entra, okta, onelogin, google, jumpcloud, ping or custom"
)]
pub struct UnknownIntegration(String);

impl FromStr for IntegrationKind {
    type Err = UnknownIntegration;

    fn from_str(text: &str) -> Result<Self, UnknownIntegration> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.word() == text)
            .ok_or_else(|| UnknownIntegration(text.chars().take(40).collect()))
    }
}
