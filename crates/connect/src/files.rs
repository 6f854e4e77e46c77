//! Lists of people and groups in files: CSV with a header, or JSON lines of SCIM resources.
//!
//! A CSV column is a SCIM path (`name.givenName`, `emails[type eq "work"].value`, an extension's URN and attribute) or one of the
//! short names in [`ALIASES`]. What cannot be understood is named with its line; nothing is guessed.

use rollcall_model::Kind;
use rollcall_scim::limits::Limits;
use rollcall_scim::patch::Patch;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::ResourceType;
use serde_json::{Map, Value, json};

/// Short names of columns, for spreadsheets.
pub const ALIASES: [(&str, &str); 10] = [
    ("email", "emails[type eq \"work\"].value"),
    ("mail", "emails[type eq \"work\"].value"),
    ("phone", "phoneNumbers[type eq \"work\"].value"),
    ("mobile", "phoneNumbers[type eq \"mobile\"].value"),
    ("givenName", "name.givenName"),
    ("familyName", "name.familyName"),
    ("surname", "name.familyName"),
    (
        "department",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    ),
    (
        "employeeNumber",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    ),
    (
        "organization",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization",
    ),
];

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

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
    resource_type: &ResourceType,
    text: &[u8],
    limits: &Limits,
) -> Result<Vec<Record>, Vec<Mistake>> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => json_lines(kind, text, limits),
        _ => csv(kind, resource_type, text, limits),
    }
}

fn json_lines(kind: Kind, text: &[u8], limits: &Limits) -> Result<Vec<Record>, Vec<Mistake>> {
    let (mut records, mut mistakes) = (Vec::new(), Vec::new());
    for (line, bytes) in (1_u64..).zip(text.split(|byte| *byte == b'\n')) {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match rollcall_scim::json::parse(bytes, limits) {
            Ok(Value::Object(fields)) => records.push(record(kind, line, fields)),
            Ok(_) => mistakes.push(Mistake {
                line,
                reason: "a line is one JSON object: a SCIM resource".into(),
            }),
            Err(error) => mistakes.push(Mistake {
                line,
                reason: error.detail,
            }),
        }
    }
    if mistakes.is_empty() {
        Ok(records)
    } else {
        Err(mistakes)
    }
}

/// Takes references out of a resource: they can be understood only when everything is there.
fn record(kind: Kind, line: u64, mut fields: Map<String, Value>) -> Record {
    // an export holds both kinds; each resource says which it is
    let said = fields.get("meta").and_then(|meta| meta.get("resourceType"));
    let kind = match said.and_then(Value::as_str) {
        Some("User") => Kind::User,
        Some("Group") => Kind::Group,
        _ => kind,
    };
    let reference = fields.get("id").and_then(Value::as_str).map(str::to_owned);
    let value = |element: &Value| {
        element
            .get("value")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let members = match fields.shift_remove("members") {
        Some(Value::Array(members)) => members.iter().filter_map(value).collect(),
        _ => Vec::new(),
    };
    let extension = fields.get_mut(ENTERPRISE).and_then(Value::as_object_mut);
    let manager = extension
        .and_then(|extension| extension.shift_remove("manager"))
        .and_then(|manager| {
            manager
                .as_str()
                .map(str::to_owned)
                .or_else(|| value(&manager))
        });
    Record {
        kind,
        line,
        reference,
        body: Value::Object(fields),
        members,
        manager,
    }
}

fn csv(
    kind: Kind,
    resource_type: &ResourceType,
    text: &[u8],
    limits: &Limits,
) -> Result<Vec<Record>, Vec<Mistake>> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text);
    let header = reader
        .headers()
        .map_err(|error| vec![mistake_of(&error)])?
        .clone();
    let columns: Vec<Column> = header.iter().map(|name| Column::of(kind, name)).collect();
    check_header(&columns, resource_type)?;
    let (mut records, mut mistakes) = (Vec::new(), Vec::new());
    for row in reader.records() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                mistakes.push(mistake_of(&error));
                continue;
            }
        };
        let line = row.position().map_or(0, csv::Position::line);
        match from_row(kind, line, &columns, &row, resource_type, limits) {
            Ok(record) => records.push(record),
            Err(error) => mistakes.push(Mistake {
                line,
                reason: error.detail,
            }),
        }
    }
    if mistakes.is_empty() {
        Ok(records)
    } else {
        Err(mistakes)
    }
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Reference,
    Members,
    Manager,
    Path(String),
}

impl Column {
    fn of(kind: Kind, name: &str) -> Self {
        if name.eq_ignore_ascii_case("id") {
            return Self::Reference;
        }
        if kind == Kind::Group && name.eq_ignore_ascii_case("members") {
            return Self::Members;
        }
        if kind == Kind::User && name.eq_ignore_ascii_case("manager") {
            return Self::Manager;
        }
        let alias = ALIASES
            .iter()
            .find(|(alias, _)| kind == Kind::User && name.eq_ignore_ascii_case(alias));
        Self::Path(alias.map_or(name, |(_, path)| path).to_owned())
    }
}

fn check_header(columns: &[Column], resource_type: &ResourceType) -> Result<(), Vec<Mistake>> {
    let mistakes: Vec<Mistake> = columns
        .iter()
        .filter_map(|column| match column {
            Column::Path(path) => rollcall_scim::path::Path::parse(path, resource_type).err(),
            _ => None,
        })
        .map(|error| Mistake {
            line: 1,
            reason: format!("a column is a SCIM attribute: {}", error.detail),
        })
        .collect();
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(mistakes)
    }
}

/// Builds the resource of a row by the same operations by which a client would: one `add` for each cell that is not empty.
fn from_row(
    kind: Kind,
    line: u64,
    columns: &[Column],
    row: &csv::StringRecord,
    resource_type: &ResourceType,
    limits: &Limits,
) -> Result<Record, rollcall_scim::error::Error> {
    let mut record = Record {
        kind,
        line,
        reference: None,
        body: Value::Null,
        members: Vec::new(),
        manager: None,
    };
    let mut operations = Vec::new();
    for (column, cell) in columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        match column {
            Column::Reference => record.reference = Some(cell.to_owned()),
            Column::Manager => record.manager = Some(cell.to_owned()),
            Column::Members => {
                let names = cell
                    .split(';')
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                record.members = names.map(str::to_owned).collect();
            }
            Column::Path(path) => {
                operations.push(json!({"op": "add", "path": path, "value": cell}));
            }
        }
    }
    let mut resource = Resource::from_stored(json!({}));
    if !operations.is_empty() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        Patch::parse(&body, resource_type, limits)?.apply(&mut resource, resource_type, limits)?;
    }
    record.body = resource.into_value();
    Ok(record)
}

fn mistake_of(error: &csv::Error) -> Mistake {
    let line = error.position().map_or(1, csv::Position::line);
    Mistake {
        line,
        reason: error.to_string(),
    }
}
