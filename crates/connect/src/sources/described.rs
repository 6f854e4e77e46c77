//! An object of a directory, whose attributes go by the names of columns, made into a record.

use rollcall_model::Kind;
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use serde_json::{Map, Value, json};

use super::columns::{Column, required, resource};
use super::ready::Taken;
use super::{Pointer, Refusal, SourceRecord};

/// An object as a directory shows it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) kind: Kind,
    /// By what the directory tells it from others for good.
    pub(super) key: String,
    /// Where it is, for people.
    pub(super) place: String,
    /// Values by the names of columns; the first of two of a name counts. What is no part of a resource is an attribute of the source.
    pub(super) values: Vec<(String, Value)>,
    /// Attributes of the source, by their own names.
    pub(super) own: Map<String, Value>,
    pub(super) members: Vec<Pointer>,
    pub(super) manager: Option<Pointer>,
}

impl Described {
    /// Makes the record; `named` says, for people, where its name is looked for.
    pub(super) fn taken(self, registry: &Registry, limits: &Limits, named: &str) -> Taken {
        let (needed, _) = required(self.kind);
        let resource_type = match self.kind {
            Kind::User => registry.user(),
            Kind::Group => registry.group(),
        };
        let mut attributes = self.own;
        let (mut known, mut operations): (Vec<Column>, Vec<(String, Value)>) = Default::default();
        let (mut name, mut wrong) = (None, Vec::new());
        for (called, value) in self.values {
            let column = match Column::of(self.kind, &called, resource_type) {
                Ok(column) => column,
                Err(reason) => {
                    wrong.push(reason);
                    continue;
                }
            };
            if known.iter().any(|other| other.is_same(&column)) {
                continue;
            }
            match &column {
                Column::Path(path) => {
                    if path == needed {
                        name = value.as_str().map(str::to_owned);
                    }
                    let operation = json!({"op": "add", "path": path, "value": value});
                    operations.push((called, operation));
                }
                Column::Attribute(own) => {
                    attributes.insert(own.clone(), value);
                }
                Column::Key { .. } | Column::Members | Column::Manager => {}
            }
            known.push(column);
        }
        if name.is_none() {
            wrong.insert(0, format!("it has no name: {named}"));
        }
        let made = |operations: Vec<Value>| resource(operations, resource_type, limits);
        let all = operations.iter().map(|(_, operation)| operation.clone());
        let body = made(all.collect()).map_err(|error| {
            let before = wrong.len();
            for (called, operation) in &operations {
                if let Err(error) = made(vec![operation.clone()]) {
                    wrong.push(format!("`{called}`: {}", error.detail));
                }
            }
            if wrong.len() == before {
                wrong.push(error.detail);
            }
        });
        match body {
            Ok(body) if wrong.is_empty() => Ok(SourceRecord {
                kind: self.kind,
                key: self.key,
                place: self.place,
                body,
                attributes,
                members: self.members,
                manager: self.manager,
            }),
            Ok(_) | Err(()) => Err(Refusal {
                kind: self.kind,
                place: self.place,
                reason: wrong.join("; "),
                key: Some(self.key),
                name,
            }),
        }
    }
}
