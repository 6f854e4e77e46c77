//! Assigned roles: `[appRoleAssignments]` is a list of objects with `id`, `value` and `displayName`.
//!
//! How the values are sent (packed in a text, added or replaced) is the matter of the export.

use serde_json::{Map, json};

use crate::Value;
use crate::evaluate::{Evaluated, Evaluator, Stop};
use crate::syntax::Call;

type Role = Map<String, serde_json::Value>;

/// What Entra sends as the type of every role.
const TYPE: &str = "WindowsAzureActiveDirectoryRole";

fn roles(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Result<Vec<Role>, Stop> {
    let mut roles = Vec::new();
    for value in evaluator.list(call, 0)? {
        match value {
            Value::Complex(role) => roles.push(role),
            _ => return Err(evaluator.failure(call, Some(0), "assigned roles are expected")),
        }
    }
    Ok(roles)
}

fn part(role: &Role, name: &str) -> serde_json::Value {
    role.get(name).cloned().unwrap_or_default()
}

pub(crate) fn single(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let roles = roles(evaluator, call)?;
    let first = roles.first();
    let name = first.and_then(|role| {
        ["value", "displayName"]
            .iter()
            .find_map(|name| role.get(*name)?.as_str().filter(|text| !text.is_empty()))
    });
    Ok(name.map_or(Value::Null, Value::from))
}

fn all(
    evaluator: &mut Evaluator<'_, '_>,
    call: &Call,
    object: impl Fn(&Role) -> serde_json::Value,
) -> Evaluated {
    let roles = roles(evaluator, call)?;
    if roles.is_empty() {
        return Ok(Value::Null);
    }
    Ok(Value::List(
        roles
            .iter()
            .map(|role| Value::from_json(&object(role)))
            .collect(),
    ))
}

pub(crate) fn complex(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    all(evaluator, call, |role| {
        json!({
            "id": part(role, "id"),
            "value": part(role, "value"),
            "displayName": part(role, "displayName"),
            "type": TYPE,
            "primary": false,
        })
    })
}

/// An empty list when there is none: this form also takes roles away.
pub(crate) fn assertive(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let value = all(evaluator, call, |role| {
        json!({
            "value": part(role, "value"),
            "display": part(role, "displayName"),
            "type": TYPE,
            "primary": false,
        })
    })?;
    Ok(if value.is_null() {
        Value::List(Vec::new())
    } else {
        value
    })
}
