//! Members of objects and elements of lists, found and set whatever the case of their names.

use serde_json::{Map, Value, json};

use crate::target_path::member;

/// Says in `schemas` that the resource has an extension.
pub(super) fn declare(resource: &mut Map<String, Value>, urn: &str) {
    if member(resource, urn).is_some() {
        return;
    }
    if let Some(Value::Array(schemas)) = member_mut(resource, "schemas") {
        let is_urn = |one: &Value| {
            one.as_str()
                .is_some_and(|one| one.eq_ignore_ascii_case(urn))
        };
        if !schemas.iter().any(is_urn) {
            schemas.push(Value::from(urn));
        }
    }
}

/// Sets a part of a complex value. The address of what the value pointed to before goes with it.
pub(super) fn set_part(object: &mut Map<String, Value>, name: &str, value: Value) {
    let place = entry(object, name);
    if *place == value {
        return;
    }
    *place = value;
    if name.eq_ignore_ascii_case("value") {
        object.shift_remove("$ref");
    }
}

/// A new primary value takes the place of the old one (RFC 7644 §3.5.2).
pub(super) fn keep_one_primary(list: &mut [Value], newest: usize) {
    let is_primary = |one: &Value| {
        let primary = one.as_object().and_then(|one| member(one, "primary"));
        primary.is_some_and(|it| {
            *it == json!(true)
                || it
                    .as_str()
                    .is_some_and(|it| it.eq_ignore_ascii_case("true"))
        })
    };
    if !list.get(newest).is_some_and(is_primary) {
        return;
    }
    for (place, one) in list.iter_mut().enumerate() {
        if place != newest
            && is_primary(one)
            && let Some(primary) = one
                .as_object_mut()
                .and_then(|one| member_mut(one, "primary"))
        {
            *primary = Value::Bool(false);
        }
    }
}

/// Tells whether an element says of what kind it is, and nothing else.
pub(super) fn is_hollow(element: &Map<String, Value>) -> bool {
    let labels = ["type", "primary"];
    element.iter().all(|(name, value)| {
        value.is_null() || labels.iter().any(|label| name.eq_ignore_ascii_case(label))
    })
}

/// Returns an object's member, whatever the case of its name.
pub(super) fn member_mut<'a>(
    object: &'a mut Map<String, Value>,
    name: &str,
) -> Option<&'a mut Value> {
    let key = key(object, name)?;
    object.get_mut(&key)
}

/// Returns an object's member, whatever the case of its name; null when there was none.
pub(super) fn entry<'a>(object: &'a mut Map<String, Value>, name: &str) -> &'a mut Value {
    let key = key(object, name).unwrap_or_else(|| name.to_owned());
    object.entry(key).or_insert(Value::Null)
}

fn key(object: &Map<String, Value>, name: &str) -> Option<String> {
    if object.contains_key(name) {
        return Some(name.to_owned());
    }
    object
        .keys()
        .find(|key| key.eq_ignore_ascii_case(name))
        .cloned()
}
