//! CSV with a header: a record on each row.
//!
//! The delimiter is the one of `,`, `;` and tab that gives the header the most columns. Cells are trimmed; an empty one says nothing.
//! `members` are separated by `;`. A row is made into a resource by the operations with which a client would: one `add` per cell.

use std::sync::Arc;

use rollcall_model::Kind;
use rollcall_model::cell::plain;
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::{Registry, ResourceType};
use serde_json::{Map, Value, json};

use super::columns::{Column, OBJECT_ID, required, resource};
use super::line::{CUT, Line, Text};
use crate::files::Mistake;

/// A row has at most so many columns; the longest export of a directory has a few hundred.
const COLUMNS: usize = 1_000;
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
    if header.len() > COLUMNS {
        let reason = format!(
            "the first line names {} columns, and {COLUMNS} are the most: leave out those that nobody reads",
            header.len()
        );
        return Text::wrong(1, reason);
    }
    let (columns, mistakes) = columns(kind, &header, resource_type);
    if !mistakes.is_empty() {
        return Text {
            mistakes,
            ..Text::default()
        };
    }
    let places = Places(&header);
    let cut = cut(text, delimiter).map(|(line, column)| {
        let reason = format!("{}: {CUT}", places.of(column));
        Mistake { line, reason }
    });
    let cut_line = cut.as_ref().map(|cut| cut.line);
    let mut read = Text {
        own_columns: columns.iter().filter_map(own).map(str::to_owned).collect(),
        cut,
        ..Text::default()
    };
    let table = Table {
        kind,
        columns: &columns,
        identifying: identifying(kind, &columns, places),
        places,
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
        if row.iter().all(str::is_empty) || cut_line.is_some_and(|cut| line >= cut) {
            continue;
        }
        if row.len() == columns.len() {
            read.lines.push(table.line(line, &row));
        } else {
            let reason = format!(
                "{}: the row has {} cells, the header {}: a value that holds the delimiter, a quote or a line's end stands in quotes",
                table.places.of(row.len().min(columns.len())),
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
    let places = Places(header);
    for (number, name) in header.iter().enumerate() {
        match Column::of(kind, name, resource_type) {
            Ok(column) => {
                let twin = columns.iter().position(|other| other.is_same(&column));
                if let Some(twin) = twin.and_then(|twin| names.get(twin)) {
                    wrong(format!(
                        "{}: the columns `{twin}` and `{name}` hold the same: keep one of them",
                        places.of(number)
                    ));
                }
                columns.push(column);
                names.push(name);
            }
            Err(reason) => wrong(format!("{}: {reason}", places.of(number))),
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

/// The columns as people find them.
#[derive(Clone, Copy)]
struct Places<'h>(&'h csv::StringRecord);

impl Places<'_> {
    /// Returns the place of a column, counted from 0, with its name in the header.
    fn of(self, column: usize) -> String {
        match self.0.get(column) {
            Some(name) if !name.is_empty() => format!("column {} (`{name}`)", column + 1),
            _ => format!("column {}, which has no name", column + 1),
        }
    }
}

/// Returns the places of the columns by which a record is known: of its identity, which may be its name, and of its name.
fn identifying(kind: Kind, columns: &[Column], places: Places<'_>) -> Option<(Arc<str>, Arc<str>)> {
    let (path, _) = required(kind);
    let of_name = columns
        .iter()
        .position(|column| *column == Column::Path(path.to_owned()))?;
    let of_key = columns
        .iter()
        .position(|column| matches!(column, Column::Key { .. }));
    let place = |column| Arc::from(places.of(column));
    Some((place(of_key.unwrap_or(of_name)), place(of_name)))
}

/// Returns the line of the row in whose quotes the text ends, and the column.
fn cut(text: &str, delimiter: u8) -> Option<(u64, usize)> {
    let (mut line, mut row, mut column) = (1, 1, 0);
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
            column += usize::from(byte == delimiter);
            if byte == b'\n' {
                row = line;
                column = 0;
            }
            continue;
        }
        at_start = false;
    }
    is_quoted.then_some((row, column))
}

struct Table<'t> {
    kind: Kind,
    columns: &'t [Column],
    places: Places<'t>,
    identifying: Option<(Arc<str>, Arc<str>)>,
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
            columns: self.identifying.clone(),
            body: Ok(Value::Null),
            attributes: Map::new(),
            members: Vec::new(),
            manager: None,
        };
        let mut operations = Vec::new();
        let cells = self.columns.iter().zip(row).enumerate();
        for (number, (column, cell)) in cells.filter(|(_, (_, cell))| !cell.is_empty()) {
            // our own exports put a quote before what a spreadsheet would take for a formula
            let cell = plain(cell);
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
                    let operation = json!({"op": "add", "path": path, "value": cell});
                    operations.push((number, operation));
                }
            }
        }
        line.body = match (&line.name, &self.identifying) {
            (None, Some((_, place))) => Err(format!("{place} is empty, and is needed")),
            _ => self.described(&operations),
        };
        line
    }

    /// Makes the resource of a row, or says which cells stand in its way.
    fn described(&self, operations: &[(usize, Value)]) -> Result<Value, String> {
        let all = operations.iter().map(|(_, operation)| operation.clone());
        let error = match resource(all.collect(), self.resource_type, self.limits) {
            Ok(body) => return Ok(body),
            Err(error) => error,
        };
        let wrong = operations.iter().filter_map(|(number, operation)| {
            let alone = vec![operation.clone()];
            let error = resource(alone, self.resource_type, self.limits).err()?;
            Some(format!("{}: {}", self.places.of(*number), error.detail))
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() {
            return Err(error.detail);
        }
        Err(wrong.join("; "))
    }
}
