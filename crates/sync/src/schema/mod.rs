//! The synchronization schema of Microsoft Graph, read and written without loss.
//!
//! **Is:** the document in which an enterprise application's mappings are exported there, as our mappings and back. What is not understood
//! is kept, and comes out again where it was. **Is not:** the rules of a cycle; what is read here is checked by the same code as what is
//! typed ([`crate::rules::check`]).
//! **Start at** [`read`] and [`write()`]; what is acted on and what is kept only is in `docs/schema.md`.
//! **Source:** Microsoft Graph, resource types `synchronizationSchema`, `objectMapping`, `attributeMapping`, `directoryDefinition`.

mod align;
mod attributes;
mod choose;
mod document;
mod findings;
mod fresh;
mod lines;
mod object;
mod parts;
mod read;
mod write;

use rollcall_model::mapping::{ObjectMapping, defaults};
use serde_json::Value;

pub use crate::rules::Mistake;
pub use read::read;
pub use write::write;

/// What a document holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The document as it was read: hand it to [`write()`] so that nothing of it is lost.
    pub document: Value,
    /// How people are mapped.
    pub users: ObjectMapping,
    /// How groups are mapped; absent: the document does not map them.
    pub groups: Option<ObjectMapping>,
    /// What is kept and not acted on.
    pub notes: Vec<Note>,
}

impl Imported {
    /// Returns the mapping of groups, or a default one that is switched off: so [`write()`] adds none to the document.
    pub fn groups_or_none(&self) -> ObjectMapping {
        self.groups.clone().unwrap_or_else(|| ObjectMapping {
            enabled: false,
            ..defaults::groups()
        })
    }
}

/// A part of a document that is kept and not acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it is: a JSON pointer (RFC 6901).
    pub place: String,
    /// What it is, for people.
    pub message: String,
}

/// Largest document, in bytes.
pub const DOCUMENT_BYTES: usize = 8 * 1024 * 1024;
