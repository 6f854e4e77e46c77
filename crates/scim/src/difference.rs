//! What changed between two versions of a resource.
//!
//! **Is:** the list that audit entries, history and the change feed show. **Is not:** a way to apply it.
//! **Start at** [`between`].

use serde_json::{Map, Value};

/// One attribute that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The canonical path: `displayName`, `name.familyName`, `emails`, `urn:…:User:department`.
    pub path: String,
    /// The value before; absent when it was added.
    pub old: Option<Value>,
    /// The value after; absent when it was removed.
    pub new: Option<Value>,
}

/// Returns what differs, in the order of the documents; `schemas` and `meta` follow from the rest and
/// are left out.
pub fn between(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Change> {
    let mut changes = Vec::new();
    collect("", old, new, &mut changes);
    changes
}

fn collect(
    prefix: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    changes: &mut Vec<Change>,
) {
    let added = new.keys().filter(|name| !old.contains_key(*name));
    for name in old.keys().chain(added) {
        if prefix.is_empty() && (name == "schemas" || name == "meta") {
            continue;
        }
        let (before, after) = (old.get(name), new.get(name));
        if before == after {
            continue;
        }
        let path = format!("{prefix}{name}");
        let empty = Map::new();
        let is_object = |value: Option<&Value>| value.is_none_or(Value::is_object);
        if is_object(before) && is_object(after) {
            // an extension's attributes follow its URN after a colon, sub-attributes after a dot
            let separator = if path.starts_with("urn:") && prefix.is_empty() {
                ':'
            } else {
                '.'
            };
            let before = before.and_then(Value::as_object).unwrap_or(&empty);
            let after = after.and_then(Value::as_object).unwrap_or(&empty);
            collect(&format!("{path}{separator}"), before, after, changes);
        } else {
            changes.push(Change {
                path,
                old: before.cloned(),
                new: after.cloned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_path() {
        let old = json!({"meta": {"version": "1"}, "title": "Buyer", "name": {"familyName": "Vance"},
            "emails": [{"value": "a"}], "urn:x:User": {"manager": {"value": "m1"}}});
        let new = json!({"meta": {"version": "2"}, "active": true, "name": {"familyName": "Lee"},
            "emails": [{"value": "b"}], "urn:x:User": {"manager": {"value": "m2"}, "division": "d"}});

        let shown: Vec<String> = between(old.as_object().unwrap(), new.as_object().unwrap())
            .into_iter()
            .map(|change| change.path)
            .collect();

        assert_eq!(
            shown,
            [
                "title",
                "name.familyName",
                "emails",
                "urn:x:User:manager.value",
                "urn:x:User:division",
                "active"
            ]
        );
    }
}
