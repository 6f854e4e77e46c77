//! Lists of people and groups for `rollcall import`: CSV with a header, or JSON lines of SCIM resources.
//!
//! **Is:** all or nothing: every mistake is named with its line; nothing is guessed. **Is not:** a source that is read again and
//! again; that is [`crate::sources::files`], which reads the same texts by the same rules and takes what it can.
//! **Start at** [`read`]; what columns mean is written at [`crate::sources::NAMES`].

use rollcall_model::Kind;
use rollcall_scim::limits::Limits;
use rollcall_scim::merge::Lists;
use rollcall_scim::schema::Registry;
use serde_json::Value;

use crate::sources::{self, Line};

/// A person or a group in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Its line.
    pub line: u64,
    /// The id by which other lines refer to it, if it has one.
    pub reference: Option<String>,
    /// The resource, without members and manager.
    pub body: Value,
    /// Whether what it says of a list is all of it: a row of a table has room for one value of a type.
    pub lists: Lists,
    /// Its members: ids, userNames or group names.
    pub members: Vec<String>,
    /// Its manager: an id or a userName.
    pub manager: Option<String>,
}

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line; 1 is the first, a CSV file's header.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads a file's text: JSON lines when it begins with `{`, else CSV.
///
/// # Errors
/// Every mistake in it.
pub fn read(
    kind: Kind,
    registry: &Registry,
    text: &[u8],
    limits: &Limits,
) -> Result<Vec<Record>, Vec<Mistake>> {
    let text = sources::read(kind, registry, text, limits);
    let mut mistakes = text.mistakes;
    mistakes.extend(text.own_columns.iter().map(|name| Mistake {
        line: 1,
        reason: format!("a column is a SCIM attribute, and there is none of the name `{name}`"),
    }));
    mistakes.extend(text.cut);
    let mut records = Vec::new();
    for line in text.lines {
        match record(line) {
            Ok(record) => records.push(record),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() {
        Ok(records)
    } else {
        mistakes.sort_by_key(|mistake| mistake.line);
        Err(mistakes)
    }
}

fn record(line: Line) -> Result<Record, Mistake> {
    let number = line.number;
    let body = line.body.map_err(|reason| Mistake {
        line: number,
        reason,
    })?;
    // only rows of tables have columns
    let lists = match line.columns {
        Some(_) => Lists::ByType,
        None => Lists::Whole,
    };
    Ok(Record {
        kind: line.kind,
        line: number,
        reference: line.key,
        body,
        lists,
        members: line.members,
        manager: line.manager,
    })
}
