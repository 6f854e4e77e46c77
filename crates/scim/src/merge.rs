//! What a resource says, put into another one that says more.
//!
//! **Is:** how the values of a list find their counterparts. **Is not:** a check of the outcome; [`crate::resource`] does that.
//! **Start at** [`put_into`].

use serde_json::{Map, Value};

use crate::value::is_primary;

/// What becomes of the lists of a resource that another one mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// They are replaced: who has them has said all.
    Whole,
    /// Each value takes the place of that of its type and leaves it what it does not mention itself; other types stay. So a row of a table
    /// means it, which has room for one value of a type.
    ByType,
}

/// Puts what `new` says into what is there; what it does not mention stays.
pub(crate) fn put_into(there: &mut Map<String, Value>, new: &Map<String, Value>, lists: Lists) {
    for (name, value) in new {
        match (there.get_mut(name), value) {
            (Some(Value::Object(there)), Value::Object(new)) => match lists {
                Lists::Whole => there.extend(new.clone()),
                Lists::ByType => put_into(there, new, lists),
            },
            (Some(Value::Array(there)), Value::Array(new)) if lists == Lists::ByType => {
                for value in new {
                    put_value(there, value);
                }
            }
            _ => {
                there.insert(name.clone(), value.clone());
            }
        }
    }
}

fn put_value(list: &mut Vec<Value>, new: &Value) {
    let same_value = |there: &Value| there.get("value") == new.get("value");
    let counterparts = || {
        let all = list.iter().enumerate();
        all.filter(|(_, there)| is_counterpart(there, new))
    };
    let found = counterparts()
        .find(|(_, there)| same_value(there))
        .or_else(|| counterparts().next())
        .map(|(place, _)| place);
    let place = found.unwrap_or(list.len());
    match (list.get_mut(place), new) {
        (Some(Value::Object(there)), Value::Object(new)) => there.extend(new.clone()),
        (Some(_), _) => {}
        (None, _) => list.push(new.clone()),
    }
    if is_primary(new) {
        // there is one at most (RFC 7643 §2.4)
        let others = list.iter_mut().enumerate();
        for (_, other) in others.filter(|(at, other)| *at != place && is_primary(other)) {
            if let Value::Object(other) = other {
                other.insert("primary".to_owned(), Value::Bool(false));
            }
        }
    }
}

/// Tells whether a value is what another one speaks of: that of its type, or the primary one where it names no type.
fn is_counterpart(there: &Value, new: &Value) -> bool {
    if !new.is_object() {
        return there == new;
    }
    let kind = |value: &Value| {
        let kind = value.get("type").and_then(Value::as_str);
        kind.map(str::to_lowercase)
    };
    match kind(new) {
        None if is_primary(new) => is_primary(there),
        named => kind(there) == named,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_of_a_row_finds_its_counterpart_and_leaves_the_others() {
        let work = json!({"type": "work", "value": "w@x", "primary": true});
        let (home, bare) = (
            json!({"type": "home", "value": "h@x"}),
            json!({"value": "b@x"}),
        );
        let rows = [
            (
                json!({"type": "work", "value": "w@x"}),
                json!([work, home, bare]),
            ),
            (
                json!({"type": "Work", "value": "n@x"}),
                json!([{"type": "Work", "value": "n@x", "primary": true}, home, bare]),
            ),
            (
                json!({"value": "n@x"}),
                json!([work, home, {"value": "n@x"}]),
            ),
            (
                json!({"primary": true, "value": "n@x"}),
                json!([{"type": "work", "value": "n@x", "primary": true}, home, bare]),
            ),
            (
                json!({"type": "other", "value": "o@x", "primary": true}),
                json!([
                    {"type": "work", "value": "w@x", "primary": false}, home, bare,
                    {"type": "other", "value": "o@x", "primary": true}
                ]),
            ),
        ];
        for (value, expected) in rows {
            let mut there = Map::from_iter([("emails".to_owned(), json!([work, home, bare]))]);
            let new = Map::from_iter([("emails".to_owned(), json!([value]))]);
            put_into(&mut there, &new, Lists::ByType);
            assert_eq!(there["emails"], expected, "{value}");

            put_into(&mut there, &new, Lists::Whole);
            assert_eq!(there["emails"], new["emails"]);
        }
    }

    #[test]
    fn of_two_values_of_a_type_the_one_that_is_named_is_meant() {
        let two = json!([{"type": "work", "value": "a"}, {"type": "work", "value": "b"}]);
        let mut there = Map::from_iter([("emails".to_owned(), two.clone())]);
        let new = json!([{"type": "work", "value": "b"}]);
        let new = Map::from_iter([("emails".to_owned(), new)]);

        put_into(&mut there, &new, Lists::ByType);

        assert_eq!(there["emails"], two);
    }
}
