//! JSON lines: a SCIM resource on each, people and groups in any order.

use rollcall_model::Kind;
use rollcall_scim::limits::Limits;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::{ENTERPRISE_USER, Registry};
use rollcall_sync::target_path::member;
use serde_json::{Map, Value};

use super::columns::required;
use super::line::{CUT, Line, Text};
use crate::files::Mistake;

/// Most values in one line. What a request may hold is too little here: a group of a million members, as we export it ourselves, has
/// five million.
const VALUES: usize = 16_000_000;

pub(crate) fn read(kind: Kind, registry: &Registry, text: &str, limits: &Limits) -> Text {
    let mut read = Text::default();
    let limits = &Limits {
        json_values: limits.json_values.max(VALUES),
        ..limits.clone()
    };
    for (number, line) in (1_u64..).zip(text.split_inclusive('\n')) {
        if line.trim().is_empty() {
            continue;
        }
        let mut wrong = |reason: String| {
            let line = number;
            read.mistakes.push(Mistake { line, reason });
        };
        match rollcall_scim::json::parse(line.as_bytes(), limits) {
            Ok(Value::Object(fields)) => read
                .lines
                .push(from_fields(kind, registry, number, fields, limits)),
            Ok(_) => wrong("a line is one JSON object: a SCIM resource".to_owned()),
            Err(_) if !line.ends_with('\n') && is_cut(line) => {
                read.cut = Some(Mistake {
                    line: number,
                    reason: CUT.to_owned(),
                });
            }
            Err(error) => wrong(error.detail),
        }
    }
    read
}

/// Tells whether a JSON text lacks its end.
fn is_cut(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

fn from_fields(
    kind: Kind,
    registry: &Registry,
    number: u64,
    fields: Map<String, Value>,
    limits: &Limits,
) -> Line {
    // an export holds both kinds; each resource says which it is
    let said = fields.get("meta").and_then(|meta| meta.get("resourceType"));
    let kind = match said.and_then(Value::as_str) {
        Some("User") => Kind::User,
        Some("Group") => Kind::Group,
        _ => kind,
    };
    let parts = Parts::of(kind, fields);
    Line {
        kind,
        number,
        key: parts.key,
        name: parts.name,
        columns: None,
        body: checked(kind, registry, parts.body, limits),
        attributes: Map::new(),
        members: parts.members.unwrap_or_default(),
        manager: parts.manager,
    }
}

/// Puts a resource to the schema; returns it as it was, or why it is none.
pub(crate) fn checked(
    kind: Kind,
    registry: &Registry,
    body: Map<String, Value>,
    limits: &Limits,
) -> Result<Value, String> {
    let resource_type = match kind {
        Kind::User => registry.user(),
        Kind::Group => registry.group(),
    };
    let body = Value::Object(body);
    match Resource::from_request(resource_type, body.clone(), limits) {
        Ok(_) => Ok(body),
        Err(error) => Err(error.detail),
    }
}

/// A resource, taken apart: references can be understood only when everything is there.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) key: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) body: Map<String, Value>,
    /// Absent: the resource did not mention them.
    pub(crate) members: Option<Vec<String>>,
    pub(crate) manager: Option<String>,
}

impl Parts {
    pub(crate) fn of(kind: Kind, mut body: Map<String, Value>) -> Self {
        let (attribute, _) = required(kind);
        let text = |body: &Map<String, Value>, name: &str| {
            let text = member(body, name)?.as_str()?;
            Some(text.to_owned()).filter(|text| !text.trim().is_empty())
        };
        let key = text(&body, "id");
        let name = text(&body, attribute);
        let members = match take(&mut body, "members") {
            Some(Value::Array(members)) => Some(members.iter().filter_map(target).collect()),
            Some(Value::Null) | None => None,
            Some(one) => Some(target(&one).into_iter().collect()),
        };
        let extension = body
            .iter_mut()
            .find(|(name, _)| name.eq_ignore_ascii_case(ENTERPRISE_USER));
        let manager = extension
            .and_then(|(_, extension)| take(extension.as_object_mut()?, "manager"))
            .and_then(|manager| target(&manager));
        Self {
            key,
            name,
            body,
            members,
            manager,
        }
    }
}

/// Takes a field out of an object, whatever the case of its name.
fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let spelling = object
        .keys()
        .find(|key| key.eq_ignore_ascii_case(name))?
        .clone();
    object.shift_remove(&spelling)
}

/// Returns to whom a reference points: by `value`, else by the end of `$ref`; a bare text is a value.
fn target(reference: &Value) -> Option<String> {
    let given = match reference {
        Value::Object(parts) => {
            let value = member(parts, "value")
                .and_then(Value::as_str)
                .filter(|value| !value.is_empty());
            value.or_else(|| member(parts, "$ref")?.as_str()?.rsplit('/').next())
        }
        other => other.as_str(),
    };
    given.filter(|given| !given.is_empty()).map(str::to_owned)
}
