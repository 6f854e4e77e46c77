//! A text of people or groups, line by line, before anything is decided about it.
//!
//! **Is:** what CSV and JSON lines have in common. **Is not:** a source: that is [`super::files`], and `rollcall import` has
//! [`crate::files`].
//! **Start at** [`read`].

use std::sync::Arc;

use rollcall_model::Kind;
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use serde_json::{Map, Value};

use super::{csv, json_lines};
use crate::files::Mistake;

/// What is on one line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) kind: Kind,
    /// Its number, from 1.
    pub(crate) number: u64,
    /// Its identity, if it has one.
    pub(crate) key: Option<String>,
    /// Its userName or displayName, also when the rest is refused.
    pub(crate) name: Option<String>,
    /// Where in the line its identity is, and its name; absent: they are not in columns.
    pub(crate) columns: Option<(Arc<str>, Arc<str>)>,
    /// The resource without members and manager, or why it is none.
    pub(crate) body: Result<Value, String>,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) members: Vec<String>,
    pub(crate) manager: Option<String>,
}

/// A text, read.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub(crate) lines: Vec<Line>,
    /// What is wrong with its form.
    pub(crate) mistakes: Vec<Mistake>,
    /// Where it ends in the middle of a record.
    pub(crate) cut: Option<Mistake>,
    /// Columns that are attributes of the source alone.
    pub(crate) own_columns: Vec<String>,
}

/// What is said of a record in whose middle a text ends.
pub(crate) const CUT: &str = "the file ends in the middle of this record: write it again, whole";

impl Text {
    pub(crate) fn wrong(line: u64, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            mistakes: vec![Mistake { line, reason }],
            ..Self::default()
        }
    }
}

/// Reads a text: JSON lines when it begins with `{`, else CSV. `kind` is what its records are unless they say otherwise.
pub(crate) fn read(kind: Kind, registry: &Registry, text: &[u8], limits: &Limits) -> Text {
    if let Some(reason) = other_format(text) {
        return Text::wrong(1, reason);
    }
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            let before = text.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count() as u64;
            return Text::wrong(
                line,
                "the text is not UTF-8: save it as UTF-8 (in a spreadsheet, as `CSV UTF-8`)",
            );
        }
    };
    if text.trim_start().starts_with('{') {
        json_lines::read(kind, registry, text, limits)
    } else {
        csv::read(kind, registry, text, limits)
    }
}

fn other_format(text: &[u8]) -> Option<&'static str> {
    let begins = |with: &[u8]| text.starts_with(with);
    if begins(b"\xFF\xFE") || begins(b"\xFE\xFF") {
        return Some("the text is UTF-16: save it as UTF-8 (in a spreadsheet, as `CSV UTF-8`)");
    }
    if begins(b"PK\x03\x04") {
        return Some("this is a spreadsheet or an archive: save it as `CSV UTF-8`");
    }
    None
}
