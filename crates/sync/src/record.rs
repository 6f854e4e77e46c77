//! An object as a foreign source gives it: a file, another SCIM server.
//!
//! **Is:** what a source says about one person or group, with pointers to others as the source writes them.
//! **Is not:** resolved. Whoever mirrors the source finds out whom a pointer means.

use rollcall_model::Kind;
use serde_json::{Map, Value};

/// One object as a source gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRecord {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// By what the source tells it from others and knows it again: its `id`, or, where the source has none, its userName or
    /// displayName in the form in which names are compared. No two records of a kind in one reading have the same.
    pub key: String,
    /// Where the source has it, for people: `people.csv, line 7`, `/Users/2819c223`.
    pub place: String,
    /// The SCIM resource, without `members` and manager. It was put to the schema and is acceptable; `id` and other read-only
    /// values are the source's own.
    pub body: Value,
    /// More attributes under the names of the source directory, which win over those that the body leads to.
    pub attributes: Map<String, Value>,
    /// Its members, in the source's order.
    pub members: Vec<Pointer>,
    /// Its manager.
    pub manager: Option<Pointer>,
}

/// By what a record refers to another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pointer {
    /// By its key.
    Key(String),
    /// By its userName or displayName, as it was written.
    Name(String),
}

/// One record that cannot be taken, while the others can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Where the source has it, for people.
    pub place: String,
    /// Why it cannot be taken.
    pub reason: String,
    /// Its key: who has one is there and has not left. One without makes a reading incomplete.
    pub key: Option<String>,
    /// Its userName or displayName, if that could be read.
    pub name: Option<String>,
}
