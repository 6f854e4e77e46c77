//! What is asked, and how it is said in SCIM.

use std::fmt::Write as _;

use rollcall_model::Kind;
use serde_json::{Map, Value, json};

use super::condition::Condition;

/// A request.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Create {
        kind: Kind,
        attributes: Map<String, Value>,
        members: Vec<String>,
    },
    Get {
        kind: Kind,
        id: String,
        /// The version that the client has already.
        has: Option<u64>,
    },
    Patch {
        kind: Kind,
        id: String,
        /// Attributes with their new value; none: it goes.
        changes: Vec<(&'static str, Option<Value>)>,
        members: Vec<MemberChange>,
        /// The version that the client means to change.
        expected: Option<u64>,
    },
    Put {
        kind: Kind,
        id: String,
        attributes: Map<String, Value>,
        members: Option<Vec<String>>,
        expected: Option<u64>,
    },
    Delete {
        kind: Kind,
        id: String,
        expected: Option<u64>,
    },
    List {
        kind: Kind,
        condition: Option<Condition>,
        order: Order,
        start: usize,
        count: usize,
        shows: Shows,
    },
}

/// A change of a group's members.
#[derive(Debug, Clone)]
pub(super) enum MemberChange {
    Add(Vec<String>),
    Remove(Vec<String>),
    /// One after the other, each picked out by a condition.
    RemoveEach(Vec<String>),
    Replace(Vec<String>),
}

/// The order of a listing: by age, or by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Age,
    Forwards,
    Backwards,
}

/// What a listing shows of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    Everything,
    NamesOnly,
    NoRows,
}

pub(super) fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "Users",
        Kind::Group => "Groups",
    }
}

pub(super) fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    }
}

/// Returns the name of the rows that belong to an object.
pub(super) fn rows_of(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "groups",
        Kind::Group => "members",
    }
}

fn values(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({"value": id})).collect()
}

impl Deed {
    /// Returns method, path and body.
    pub(super) fn request(&self) -> (&'static str, String, Option<Value>) {
        let at = |kind: &Kind, id: &str| format!("/{}/{id}", collection(*kind));
        match self {
            Self::Create {
                kind,
                attributes,
                members,
            } => {
                let path = format!("/{}", collection(*kind));
                let members = (!members.is_empty()).then_some(members);
                let members = members.map(Vec::as_slice);
                ("POST", path, Some(resource(attributes, members)))
            }
            Self::Get { kind, id, .. } => ("GET", at(kind, id), None),
            Self::Patch {
                kind,
                id,
                changes,
                members,
                ..
            } => {
                let mut operations: Vec<Value> = changes.iter().map(attribute).collect();
                for change in members {
                    operations.extend(change.operations());
                }
                let body = json!({
                    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                    "Operations": operations,
                });
                ("PATCH", at(kind, id), Some(body))
            }
            Self::Put {
                kind,
                id,
                attributes,
                members,
                ..
            } => (
                "PUT",
                at(kind, id),
                Some(resource(attributes, members.as_deref())),
            ),
            Self::Delete { kind, id, .. } => ("DELETE", at(kind, id), None),
            Self::List {
                kind,
                condition,
                order,
                start,
                count,
                shows,
            } => {
                let mut path = format!("/{}?startIndex={start}&count={count}", collection(*kind));
                if let Some(condition) = condition {
                    write!(path, "&filter={condition}").unwrap();
                }
                if *order != Order::Age {
                    write!(path, "&sortBy={}", name_of(*kind)).unwrap();
                }
                if *order == Order::Backwards {
                    path.push_str("&sortOrder=descending");
                }
                match shows {
                    Shows::Everything => {}
                    Shows::NamesOnly => write!(path, "&attributes={}", name_of(*kind)).unwrap(),
                    Shows::NoRows => {
                        write!(path, "&excludedAttributes={}", rows_of(*kind)).unwrap();
                    }
                }
                ("GET", path, None)
            }
        }
    }

    /// Returns the header that names a version, with that version.
    pub(super) fn condition(&self) -> Option<(&'static str, u64)> {
        match self {
            Self::Get { has, .. } => has.map(|version| ("if-none-match", version)),
            Self::Patch { expected, .. }
            | Self::Put { expected, .. }
            | Self::Delete { expected, .. } => expected.map(|version| ("if-match", version)),
            Self::Create { .. } | Self::List { .. } => None,
        }
    }
}

fn resource(attributes: &Map<String, Value>, members: Option<&[String]>) -> Value {
    let mut body = attributes.clone();
    if let Some(members) = members {
        body.insert("members".to_owned(), values(members));
    }
    body.into()
}

fn attribute((path, value): &(&'static str, Option<Value>)) -> Value {
    match value {
        Some(value) => json!({"op": "replace", "path": path, "value": value}),
        None => json!({"op": "remove", "path": path}),
    }
}

impl MemberChange {
    fn operations(&self) -> Vec<Value> {
        let one = |op: &str, ids: &[String]| {
            vec![json!({"op": op, "path": "members", "value": values(ids)})]
        };
        match self {
            Self::Add(ids) => one("add", ids),
            Self::Remove(ids) => one("remove", ids),
            Self::Replace(ids) => one("replace", ids),
            Self::RemoveEach(ids) => ids
                .iter()
                .map(|id| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}))
                .collect(),
        }
    }
}
