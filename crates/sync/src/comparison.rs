//! Whether the target holds a value already.
//!
//! **Is:** sameness across two systems that write the same thing differently. **Is not:** the operations that come of a difference; see
//! [`crate::wish`].
//! **Start at** [`is_same`].

use serde_json::Value;

use crate::rules::Rule;
use crate::target_path::member;

/// Tells whether a value is none: targets take an empty text or list for that.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

/// Returns what has to be added so that the target holds the values wanted; what it holds besides stays.
pub(crate) fn added(rule: &Rule, found: Option<&Value>, wanted: &Value) -> Option<Value> {
    let found = found.filter(|found| !is_empty(found));
    if !rule.holds_a_list() {
        // a part of one element: there is nothing beside it, and what is there may not be taken away
        return found.is_none().then(|| wanted.clone());
    }
    let there: &[Value] = match found {
        Some(Value::Array(there)) => there,
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    let missing: Vec<Value> = wanted
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| !has_element(there, one, rule.exact_case))
        .cloned()
        .collect();
    (!missing.is_empty()).then_some(Value::Array(missing))
}

/// Tells whether the target holds a value already. Text is compared without regard to case unless the attribute is exact; a
/// boolean as text equals the boolean; elements of a list are compared as a set.
pub(crate) fn is_same(found: Option<&Value>, wanted: &Value, exact_case: bool) -> bool {
    match (found, wanted) {
        (None, Value::Null) => true,
        (None, _) => false,
        // some targets show an empty text or list where they hold nothing
        (Some(found), Value::Null) => is_empty(found),
        (Some(Value::String(found)), Value::String(wanted)) if !exact_case => {
            rollcall_scim::key::canonical(found) == rollcall_scim::key::canonical(wanted)
        }
        (Some(Value::Bool(found)), Value::String(text))
        | (Some(Value::String(text)), Value::Bool(found)) => {
            text.eq_ignore_ascii_case(if *found { "true" } else { "false" })
        }
        (Some(Value::Number(found)), Value::String(text))
        | (Some(Value::String(text)), Value::Number(found)) => found.to_string() == *text,
        (Some(Value::Array(found)), Value::Array(wanted)) => {
            let is_wanted = |there: &Value| {
                wanted
                    .iter()
                    .any(|one| is_same_element(there, one, exact_case))
            };
            found.iter().all(is_wanted)
                && wanted.iter().all(|one| has_element(found, one, exact_case))
        }
        // a reference is told as an object by some targets and as its id by us
        (Some(Value::Object(found)), Value::String(_)) => {
            is_same(found.get("value"), wanted, exact_case)
        }
        (Some(found), wanted) => found == wanted,
    }
}

fn has_element(found: &[Value], wanted: &Value, exact_case: bool) -> bool {
    found
        .iter()
        .any(|there| is_same_element(there, wanted, exact_case))
}

/// Tells whether an element of a list is the one that is wanted. A target may know more of it: `display`, `$ref`.
fn is_same_element(found: &Value, wanted: &Value, exact_case: bool) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, one)| is_same(member(found, name), one, exact_case)),
        (found, wanted) => is_same(Some(found), wanted, exact_case),
    }
}
