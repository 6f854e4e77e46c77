//! Where people and groups come from: files, other SCIM endpoints, directories that speak LDAP, Entra ID.
//!
//! **Is:** the one form in which every source gives its objects, a batch at a time, all people before all groups, and whether
//! it gave all of them. **Is not:** what becomes of them: whoever reads a source keeps a copy of it, and decides who left.
//! **Start at** [`Source`]; the sources are [`files::Files`], [`scim::Scim`], [`ldap::Ldap`] and
//! [`graph::Graph`].

mod asking;
mod columns;
mod csv;
mod described;
pub mod files;
pub mod graph;
mod json_lines;
pub mod ldap;
mod line;
mod pages;
mod ready;
pub mod scim;

use async_trait::async_trait;

pub use columns::NAMES;
pub(crate) use line::{Line, Text, read};
pub use rollcall_sync::record::{Pointer, Refusal, SourceRecord};

/// At most so many objects come together.
pub const BATCH: usize = 500;

/// The next part of a reading.
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    /// Records, at most [`BATCH`] of them, and those between them that cannot be taken.
    Records(Vec<SourceRecord>, Vec<Refusal>),
    /// There are no more. Asking again gives this again.
    End(Completeness),
}

/// Whether a reading gave all that the source has. Only who is missing from a complete one may count as having left, or from an
/// empty one when somebody said that it may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// It gave all.
    Complete,
    /// It was read to its end and shows nobody, or a part of it does, which is a mistake more often than it is meant.
    Empty(String),
    /// It may have left some out, for this reason.
    Incomplete(String),
}

/// A source cannot be read at all, or no further. What it gave before may be kept; nobody left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unread {
    /// What stands in the way.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Whether it is the way to the source, which may be open later, rather than what it says.
    pub is_out_of_reach: bool,
    /// Every mistake in a text that somebody wrote.
    pub mistakes: Vec<Mistake>,
}

/// A mistake in a text that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is, for people: `people.csv, line 7`.
    pub place: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// A reading of a source, from its beginning to its end.
#[async_trait]
pub trait Source: Send {
    /// Returns the next part.
    ///
    /// # Errors
    /// [`Unread`]; then the reading is over, and another one begins from the start.
    async fn next(&mut self) -> Result<Batch, Unread>;
}

impl Unread {
    fn out_of_reach(message: impl Into<String>, help: &str) -> Self {
        Self {
            message: message.into(),
            help: help.to_owned(),
            is_out_of_reach: true,
            mistakes: Vec::new(),
        }
    }

    fn wrong(message: impl Into<String>, help: &str) -> Self {
        Self {
            is_out_of_reach: false,
            ..Self::out_of_reach(message, help)
        }
    }
}
