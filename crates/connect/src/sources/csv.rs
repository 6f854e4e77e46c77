//! CSV with a header: a record on each row.
//!
//! The delimiter is the one of `,`, `;` and tab that gives the header the most columns. Cells are trimmed; an empty one says nothing.
//! `members` are separated by `;`. A row is made into a resource by the operations with which a client would: one `add` per cell.

use rollcall_model::Kind;
use rollcall_scim::error::Error;
use rollcall_scim::limits::Limits;
use rollcall_scim::patch::{PATCH_SCHEMA, Patch};
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::{Registry, ResourceType};
use serde_json::{Map, Value, json};

use super::columns::{Column, OBJECT_ID, required};
use super::line::{Line, Text};
use crate::files::Mistake;

/// What may stand between columns.
const DELIMITERS: [u8; 3] = *b",;\t";

pub(crate) fn read(kind: Kind, registry: &Registry, text: &str, limits: &Limits) -> Text {
    let resource_type = match kind {
        Kind::User => registry.user(),
        Kind::Group => registry.group(),
    };
    if text.trim().is_empty() {
        return Text::default();
    }
    let delimiter = delimiter(text);
    let mut reader = reader(text, delimiter);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Text::wrong(1, error.to_string()),
    };
    let (columns, mistakes) = columns(kind, &header, resource_type);
    if !mistakes.is_empty() {
        return Text {
            mistakes,
            ..Text::default()
        };
    }
    let cut = cut(text, delimiter);
    let mut read = Text {
        own_columns: columns.iter().filter_map(own).map(str::to_owned).collect(),
        cut,
        ..Text::default()
    };
    let table = Table {
        kind,
        columns: &columns,
        resource_type,
        limits,
    };
    let mut lines = Lines::of(text);
    for row in reader.records() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                let line = lines.at(error.position());
                let reason = error.to_string();
                read.mistakes.push(Mistake { line, reason });
                continue;
            }
        };
        let line = lines.at(row.position());
        if row.iter().all(str::is_empty) || cut.is_some_and(|cut| line >= cut) {
            continue;
        }
        if row.len() == columns.len() {
            read.lines.push(table.line(line, &row));
        } else {
            let reason = format!(
                "the row has {} cells, the header {}: a value that holds the delimiter, a quote or a line's end stands in quotes",
                row.len(),
                columns.len()
            );
            read.mistakes.push(Mistake { line, reason });
        }
    }
    read
}

/// Counts lines. The reader's own count is one behind where lines end in CR LF.
struct Lines<'t> {
    rest: &'t [u8],
    passed: u64,
    line: u64,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            rest: text.as_bytes(),
            passed: 0,
            line: 1,
        }
    }

    /// Returns the line of the first character at or behind a position, which lies behind those asked for before.
    fn at(&mut self, position: Option<&csv::Position>) -> u64 {
        let position = position.map_or(0, csv::Position::byte);
        while let Some((byte, rest)) = self.rest.split_first()
            && (self.passed < position || matches!(byte, b'\r' | b'\n'))
        {
            self.line += u64::from(*byte == b'\n');
            self.passed += 1;
            self.rest = rest;
        }
        self.line
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes())
}

fn delimiter(text: &str) -> u8 {
    let columns = |delimiter: u8| {
        reader(text, delimiter)
            .headers()
            .map_or(0, csv::StringRecord::len)
    };
    // of several that give as many, the last wins
    let best = DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| columns(*delimiter));
    best.unwrap_or(b',')
}

/// Reads the header, with every mistake in it.
fn columns(
    kind: Kind,
    header: &csv::StringRecord,
    resource_type: &ResourceType,
) -> (Vec<Column>, Vec<Mistake>) {
    let mut columns: Vec<Column> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let mut mistakes = Vec::new();
    let mut wrong = |reason: String| mistakes.push(Mistake { line: 1, reason });
    for name in header {
        match Column::of(kind, name, resource_type) {
            Ok(column) => {
                let twin = columns.iter().position(|other| other.is_same(&column));
                if let Some(twin) = twin.and_then(|twin| names.get(twin)) {
                    wrong(format!(
                        "the columns `{twin}` and `{name}` hold the same: keep one of them"
                    ));
                }
                columns.push(column);
                names.push(name);
            }
            Err(reason) => wrong(reason),
        }
    }
    let (path, known_as) = required(kind);
    if !columns.contains(&Column::Path(path.to_owned())) {
        wrong(format!(
            "there is no column {known_as}: the first line names the columns, and this one is needed"
        ));
    }
    (columns, mistakes)
}

fn own(column: &Column) -> Option<&str> {
    match column {
        Column::Attribute(name) => Some(name),
        _ => None,
    }
}

/// Returns the line of the row in whose quotes the text ends.
fn cut(text: &str, delimiter: u8) -> Option<u64> {
    let (mut line, mut row) = (1, 1);
    let (mut is_quoted, mut at_start) = (false, true);
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        line += u64::from(byte == b'\n');
        if is_quoted {
            if byte == b'"' && bytes.next_if_eq(&b'"').is_none() {
                is_quoted = false;
            }
        } else if byte == b'"' && at_start {
            is_quoted = true;
        } else {
            at_start = byte == delimiter || byte == b'\n' || byte == b'\r';
            if byte == b'\n' {
                row = line;
            }
            continue;
        }
        at_start = false;
    }
    is_quoted.then_some(row)
}

struct Table<'t> {
    kind: Kind,
    columns: &'t [Column],
    resource_type: &'t ResourceType,
    limits: &'t Limits,
}

impl Table<'_> {
    fn line(&self, number: u64, row: &csv::StringRecord) -> Line {
        let (required, _) = required(self.kind);
        let mut line = Line {
            kind: self.kind,
            number,
            key: None,
            name: None,
            body: Ok(Value::Null),
            attributes: Map::new(),
            members: Vec::new(),
            manager: None,
        };
        let mut operations = Vec::new();
        let cells = self.columns.iter().zip(row);
        for (column, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
            match column {
                Column::Key { is_attribute } => {
                    line.key = Some(cell.to_owned());
                    if *is_attribute {
                        line.attributes.insert(OBJECT_ID.to_owned(), cell.into());
                    }
                }
                Column::Manager => line.manager = Some(cell.to_owned()),
                Column::Members => {
                    let members = cell.split(';').map(str::trim);
                    let members = members.filter(|member| !member.is_empty());
                    line.members = members.map(str::to_owned).collect();
                }
                Column::Attribute(name) => {
                    line.attributes.insert(name.clone(), cell.into());
                }
                Column::Path(path) => {
                    if path == required {
                        line.name = Some(cell.to_owned());
                    }
                    operations.push(json!({"op": "add", "path": path, "value": cell}));
                }
            }
        }
        line.body = self.body(operations).map_err(|error| error.detail);
        line
    }

    fn body(&self, operations: Vec<Value>) -> Result<Value, Error> {
        let mut resource = Resource::from_stored(json!({}));
        if !operations.is_empty() {
            let body = json!({"schemas": [PATCH_SCHEMA], "Operations": operations});
            let patch = Patch::parse(&body, self.resource_type, self.limits)?;
            patch.apply(&mut resource, self.resource_type, self.limits)?;
        }
        Ok(resource.into_value())
    }
}
