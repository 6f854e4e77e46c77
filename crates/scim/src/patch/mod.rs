//! PATCH (RFC 7644 §3.5.2): operations read once, applied together or not at all.
//!
//! **Is:** every form that clients send, brought to operations on resolved paths; see [`crate::leniency`] for the dialects.
//! **Is not:** the members of a group, which are rows: they are taken out with [`Patch::take_members`] and are changed as sets.
//! **Start at** [`Patch::parse`].

mod apply;
mod parse;

use serde_json::Value;

pub use crate::difference::{Change, between as differences_of_maps};
use crate::error::Error;
use crate::filter::Filter;
use crate::limits::Limits;
use crate::member::Member;
use crate::path::Path;
use crate::resource::Resource;
use crate::schema::ResourceType;

/// The schema URI of a PATCH.
pub const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A PATCH request, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    operations: Vec<Operation>,
    members: Vec<MemberChange>,
}

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    verb: Verb,
    path: Path,
    /// Null when there is none.
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// A change of a group's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// These become members.
    Add(Vec<Member>),
    /// These cease to be members.
    Remove(Vec<String>),
    /// These are the members.
    Replace(Vec<Member>),
    /// Nobody is a member.
    RemoveAll,
    /// Those that fulfil a condition on `value` and `type` cease to be members.
    RemoveWhere(Filter),
}

impl Patch {
    /// Reads the body of a PATCH.
    ///
    /// # Errors
    /// `invalidSyntax`, `invalidPath`, `invalidValue`, `noTarget` or `mutability` for what is not understood or not allowed:
    /// nothing is passed over that a client could take for done.
    pub fn parse(body: &Value, kind: &ResourceType, limits: &Limits) -> Result<Self, Error> {
        parse::parse(body, kind, limits)
    }

    /// Takes out the changes of members, in order.
    pub fn take_members(&mut self) -> Vec<MemberChange> {
        std::mem::take(&mut self.members)
    }

    /// Tells whether nothing is left to apply.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.members.is_empty()
    }

    /// Applies the operations, in order, all or none; returns what changed.
    ///
    /// # Errors
    /// As [`Self::parse`], and `tooMany` when the operations together cost too much; the resource is then as it was.
    pub fn apply(
        &self,
        resource: &mut Resource,
        kind: &ResourceType,
        limits: &Limits,
    ) -> Result<Vec<Change>, Error> {
        let mut document = resource.as_map().clone();
        let budget = apply::Budget::new(limits);
        for operation in &self.operations {
            apply::apply(operation, &mut document, kind, limits, &budget)?;
        }
        crate::resource::settle(&mut document, kind, limits)?;
        let changes = differences_of_maps(resource.as_map(), &document);
        if !changes.is_empty() {
            *resource.document_mut() = document;
        }
        Ok(changes)
    }
}

/// Returns what differs between two states of a resource.
pub fn differences(old: &Resource, new: &Resource) -> Vec<Change> {
    differences_of_maps(old.as_map(), new.as_map())
}
