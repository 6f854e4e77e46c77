//! What happened, to what, by whom: the entries of the change feed and of the audit log.
//!
//! The feed is for machines: ordered, gap-free, enough to rebuild any object as of any entry. The audit log is for people: who
//! did what, from where, by which request. Both are written in the transaction of the change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AdminId, IntegrationId, KeyId, RequestId, ResourceId, TokenId};

/// The two kinds of object in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    User,
    /// A group of people and groups.
    Group,
}

impl Kind {
    /// Returns the SCIM resource type's name.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Actor {
    /// A foreign directory, by a provisioning token.
    Integration {
        /// The integration.
        id: IntegrationId,
        /// The token that it used.
        token: TokenId,
    },
    /// An administrator in the console.
    Administrator {
        /// The administrator.
        id: AdminId,
    },
    /// Whoever ran a command on the server.
    Command,
    /// Rollcall itself.
    System,
    /// A program, by an API key.
    Key {
        /// The key.
        id: KeyId,
    },
}

/// What kind of actor acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A foreign directory.
    Integration,
    /// An administrator in the console.
    Administrator,
    /// Whoever ran a command on the server.
    Command,
    /// Rollcall itself.
    System,
    /// A program with an API key.
    Key,
}

impl Actor {
    /// Returns what kind of actor it is.
    pub fn kind(&self) -> ActorKind {
        match self {
            Self::Integration { .. } => ActorKind::Integration,
            Self::Administrator { .. } => ActorKind::Administrator,
            Self::Command => ActorKind::Command,
            Self::System => ActorKind::System,
            Self::Key { .. } => ActorKind::Key,
        }
    }
}

/// Who acts and through which request: goes with every use case that changes something.
///
/// Whoever verifies the audit log writes it anew and compares: what an older version stored has to be written alike by a later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// The request or command.
    pub request: RequestId,
    /// The address from which the request came, if it came over the network.
    pub address: Option<String>,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It began to exist, or came back after a deletion.
    Created,
    /// A directory took charge of an account that none had managed.
    Adopted,
    /// Its attributes changed.
    Updated,
    /// It was switched off.
    Disabled,
    /// It was switched on again.
    Enabled,
    /// It ceased to exist.
    Deleted,
    /// Its members changed.
    Members,
}

/// A change of a group's members, as a set operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Who came in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<ResourceId>,
    /// Who went out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<ResourceId>,
}

impl Membership {
    /// Tells whether nobody came or went.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// What an entry of the feed tells of a change without any value: for whoever may know that something changed, and not what it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The object's version after the change; absent when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What kind of actor did it; absent where that was not noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorKind>,
    /// The names of the attributes that changed, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
}

/// An entry of an organisation's change feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its place in the feed, from 1, without gaps.
    pub sequence: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What kind of object.
    pub kind: Kind,
    /// Which object.
    pub id: ResourceId,
    /// What happened to it.
    pub action: Action,
    /// The object's document after the change; absent for a deletion and for a change of members alone, and where a person was erased.
    pub document: Option<Value>,
    /// Who came into the group and who went.
    pub membership: Membership,
    /// What may be told of it without values.
    pub summary: Summary,
}

/// An entry of an organisation's audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the log, from 1, without gaps.
    pub sequence: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it, and how.
    pub origin: Origin,
    /// What was done, as `noun.verb`: `user.created`, `token.reset`.
    pub action: String,
    /// What it was done to; an id of the kind that the action names.
    pub object: String,
    /// More about it: the changed attributes with old and new values, counts, reasons. Holds no secret. `null`: it was erased.
    pub detail: Value,
}
