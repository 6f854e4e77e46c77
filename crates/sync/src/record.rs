//! An object as a foreign source gives it: a file, another SCIM server.
//!
//! **Is:** what a source says about one person or group, with pointers to others as the source writes them.
//! **Is not:** resolved. Whoever mirrors the source finds out whom a pointer means.

use rollcall_model::Kind;
use serde_json::{Map, Value};

/// A person or a group as a source gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRecord {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// The source's own identity of it: it stays when the name changes.
    pub key: String,
    /// Where it stands, for messages: `people.csv, line 7`.
    pub place: String,
    /// Its SCIM resource, without members and manager.
    pub body: Value,
    /// Further attributes, under the names that mappings use; they win over those that follow from the resource.
    pub attributes: Map<String, Value>,
    /// Its members.
    pub members: Vec<Pointer>,
    /// Its manager.
    pub manager: Option<Pointer>,
}

/// How a source points to another of its objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pointer {
    /// By the identity that it has at the source.
    Key(String),
    /// By identity, or by userName or displayName: what was written may be either.
    Name(String),
}

/// A record that cannot be taken, while others can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Where it stands.
    pub place: String,
    /// What is wrong with it, and what to do.
    pub reason: String,
    /// Its identity, when it could be read: the object is not taken for one that left.
    pub key: Option<String>,
}
