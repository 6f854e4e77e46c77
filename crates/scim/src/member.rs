//! The members of a group as requests give them.
//!
//! **Is:** a reader for the one attribute that is stored as rows. **Is not:** a check that the
//! member exists; that is asked of the store.
//! **Start at** [`Member`].

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::{Error, quoted};
use crate::leniency::named;
use crate::limits::Limits;

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// The id of the user or group.
    pub value: String,
    /// `User` or `Group`, when the client said so.
    pub kind: Option<String>,
    /// The name that the client wrote beside the id; not trustworthy.
    pub display: Option<String>,
}

impl Member {
    /// Returns a member of which only the id is known.
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            kind: None,
            display: None,
        }
    }

    /// Returns the member as an element of `members`, without `$ref`.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("value".to_owned(), self.value.as_str().into());
        if let Some(kind) = &self.kind {
            map.insert("type".to_owned(), kind.as_str().into());
        }
        if let Some(display) = &self.display {
            map.insert("display".to_owned(), display.as_str().into());
        }
        Value::Object(map)
    }
}

/// Returns the members that a JSON value lists, each id once, in order.
pub(crate) fn members(value: Value, limits: &Limits) -> Result<Vec<Member>, Error> {
    let given = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        one => vec![one],
    };
    let mut seen = HashSet::with_capacity(given.len());
    let mut members = Vec::with_capacity(given.len());
    for one in given {
        let one = member(one, limits)?;
        if seen.insert(one.value.clone()) {
            members.push(one);
        }
    }
    Ok(members)
}

fn member(value: Value, limits: &Limits) -> Result<Member, Error> {
    let wrong = || Error::invalid_value("a member must be an object with the `value` of its id");
    let map = match value {
        Value::String(id) => return identified(id, None, None, limits),
        Value::Object(map) => map,
        _ => return Err(wrong()),
    };
    let id = text(&map, "value")?
        .or_else(|| {
            let (_, reference) = named(&map, "$ref")?;
            reference.as_str()?.rsplit('/').next().map(str::to_owned)
        })
        .ok_or_else(wrong)?;
    let kind = match text(&map, "type")? {
        None => None,
        Some(kind) if kind.eq_ignore_ascii_case("user") => Some("User".to_owned()),
        Some(kind) if kind.eq_ignore_ascii_case("group") => Some("Group".to_owned()),
        Some(other) => {
            return Err(Error::invalid_value(format!(
                "`members.type` cannot be {}; known are User, Group",
                quoted(&other)
            )));
        }
    };
    identified(id, kind, text(&map, "display")?, limits)
}

fn identified(
    value: String,
    kind: Option<String>,
    display: Option<String>,
    limits: &Limits,
) -> Result<Member, Error> {
    let too_long = |text: &String| text.len() > limits.string_bytes || text.contains('\0');
    if value.trim().is_empty() {
        return Err(Error::invalid_value("`members.value` is blank"));
    }
    if too_long(&value) || display.as_ref().is_some_and(too_long) {
        return Err(Error::invalid_value(
            "a member's text is too long or contains U+0000",
        ));
    }
    Ok(Member {
        value,
        kind,
        display,
    })
}

/// Returns the text under a name, where null and empty text count as absent.
fn text(map: &Map<String, Value>, name: &str) -> Result<Option<String>, Error> {
    match named(map, name) {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, Value::String(text))) if text.is_empty() => Ok(None),
        Some((_, Value::String(text))) => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid_value(format!(
            "`members.{name}` must be a string"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STANDARD;
    use serde_json::json;

    #[test]
    fn members_come_in_the_shapes_that_clients_send() {
        let rows = [
            (
                json!([{"value": "u1"}, {"value": "u1", "display": "Ann"}]),
                Some(vec!["u1"]),
            ),
            (json!([{"$ref": null, "value": "u1"}]), Some(vec!["u1"])),
            (
                json!([{"$ref": "https://x.example/Users/u7"}]),
                Some(vec!["u7"]),
            ),
            (
                json!({"Value": "u1", "type": "user", "display": null}),
                Some(vec!["u1"]),
            ),
            (json!("u1"), Some(vec!["u1"])),
            (json!(null), Some(vec![])),
            (json!([]), Some(vec![])),
            (json!([{}]), None),
            (json!([{"value": ""}]), None),
            (json!([{"value": 5}]), None),
            (json!([{"value": "u1", "type": "Device"}]), None),
            (json!([["u1"]]), None),
        ];

        for (given, expected) in rows {
            let got = members(given.clone(), &STANDARD).ok();
            let ids = got
                .as_ref()
                .map(|list| list.iter().map(|one| one.value.as_str()).collect());
            assert_eq!(ids, expected, "{given}");
        }
    }
}
