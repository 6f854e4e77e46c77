//! Whether a value fits the attribute of the target, and the form in which it goes there.
//!
//! **Is:** the types and the lists of the attribute list. **Is not:** the target's own rules: lengths, patterns, uniqueness.
//! **Start at** [`Rule::fitted`].

use std::sync::LazyLock;

use rollcall_model::mapping::{Apply, ValueType};
use rollcall_scim::schema::Registry;
use serde_json::{Value, json};

use super::Rule;
use crate::target_path::TargetPath;

/// A value that is not of the attribute's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The value.
    pub value: String,
    /// What the attribute takes, with its article: `a whole number of 64 bits`.
    pub wanted: &'static str,
}

impl Rule {
    /// Brings a value into the form that the target's attribute takes: its type, and a list where it holds one.
    ///
    /// # Errors
    /// [`Misfit`] when the value cannot be read as the type.
    pub(crate) fn fitted(&self, value: Value) -> Result<Value, Misfit> {
        let value = match value {
            Value::Null => return Ok(Value::Null),
            Value::Array(values) => Value::Array(
                values
                    .into_iter()
                    .map(|value| typed(self.kind, value))
                    .collect::<Result<_, _>>()?,
            ),
            single => typed(self.kind, single)?,
        };
        if !self.holds_a_list() {
            return Ok(value);
        }
        let values = match value {
            Value::Array(values) => values,
            single => vec![single],
        };
        let is_complex = is_complex_list(&self.target);
        let element = |value: Value| match value {
            // the elements of such a list are objects, and a text is their value
            plain if is_complex && !plain.is_object() => json!({"value": plain}),
            other => other,
        };
        Ok(Value::Array(values.into_iter().map(element).collect()))
    }

    /// Tells whether the mapping fills a whole list, not a part of one of its elements.
    pub(crate) fn holds_a_list(&self) -> bool {
        (self.multi_valued || self.apply == Apply::AddOnly) && self.target.is_whole()
    }
}

/// Brings one value into a type.
pub(crate) fn typed(kind: ValueType, value: Value) -> Result<Value, Misfit> {
    let misfit = |value: &Value, wanted| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Err(Misfit {
            value: value.chars().take(SHOWN).collect(),
            wanted,
        })
    };
    match (kind, &value) {
        // the target alone knows what the parts of an object are
        (_, Value::Null | Value::Object(_) | Value::Array(_))
        | (ValueType::Boolean, Value::Bool(_))
        | (ValueType::String | ValueType::Reference, Value::String(_)) => Ok(value),
        (ValueType::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Value::Bool(true))
        }
        (ValueType::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Value::Bool(false))
        }
        (ValueType::Boolean, _) => misfit(&value, "`True` or `False`"),
        (ValueType::Integer, Value::Number(number)) if !number.is_f64() => Ok(value),
        (ValueType::Integer, Value::String(text)) => match text.trim().parse::<i64>() {
            Ok(number) => Ok(Value::from(number)),
            Err(_) => misfit(&value, "a whole number of 64 bits"),
        },
        (ValueType::Integer, _) => misfit(&value, "a whole number of 64 bits"),
        (ValueType::DateTime, Value::String(text)) if rollcall_expression::is_date(text) => {
            Ok(value)
        }
        (ValueType::DateTime, _) => misfit(&value, "a date such as `2030-01-31T12:00:00Z`"),
        (ValueType::Binary, Value::String(text)) if rollcall_scim::is_base64(text) => Ok(value),
        (ValueType::Binary, _) => misfit(&value, "bytes in base64"),
        (ValueType::String | ValueType::Reference, Value::Bool(flag)) => {
            Ok(Value::from(if *flag { "True" } else { "False" }))
        }
        (ValueType::String | ValueType::Reference, Value::Number(number)) => {
            Ok(Value::from(number.to_string()))
        }
    }
}

/// So many characters of a value that does not fit are shown.
const SHOWN: usize = 100;

/// Tells whether the elements of a core list are objects, as those of `emails` and `roles` are (RFC 7643 §4.1.2).
fn is_complex_list(target: &TargetPath) -> bool {
    static STANDARD: LazyLock<Registry> = LazyLock::new(Registry::standard);
    let types = [STANDARD.user(), STANDARD.group()];
    target.urn.is_none()
        && types.into_iter().any(|known| {
            known
                .top_attribute(&target.attribute)
                .is_some_and(|attribute| attribute.multi_valued && attribute.is_complex())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_the_type_of_the_attribute_or_does_not_fit() {
        use ValueType as T;
        let rows = [
            (T::Boolean, json!("TRUE"), Some(json!(true))),
            (T::Boolean, json!(false), Some(json!(false))),
            (T::Boolean, json!("yes"), None),
            (T::Boolean, json!(1), None),
            (T::Integer, json!(" 42 "), Some(json!(42))),
            (T::Integer, json!(42), Some(json!(42))),
            (T::Integer, json!("4.2"), None),
            (T::Integer, json!(4.2), None),
            (T::Integer, json!(true), None),
            (T::DateTime, json!("2024-02-29"), Some(json!("2024-02-29"))),
            (
                T::DateTime,
                json!("2024-02-29T07:00:00+02:00"),
                Some(json!("2024-02-29T07:00:00+02:00")),
            ),
            (
                T::DateTime,
                json!("3/16/2020 7:00:00 AM"),
                Some(json!("3/16/2020 7:00:00 AM")),
            ),
            (T::DateTime, json!("2023-02-29"), None),
            (T::DateTime, json!("soon"), None),
            (T::Binary, json!("aGVsbG8="), Some(json!("aGVsbG8="))),
            (T::Binary, json!("not base64!"), None),
            (T::String, json!(7), Some(json!("7"))),
            (T::String, json!(true), Some(json!("True"))),
            (T::Reference, json!("x"), Some(json!("x"))),
            (T::Integer, json!({"a": 1}), Some(json!({"a": 1}))),
            (T::Integer, json!(null), Some(json!(null))),
        ];
        for (kind, value, wanted) in rows {
            assert_eq!(typed(kind, value.clone()).ok(), wanted, "{kind:?} {value}");
        }
    }
}
