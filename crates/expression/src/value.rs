//! The values that flow through an expression.
//!
//! **Is:** [`Value`], its canonical text and its JSON form; where attributes come from. **Is not:** the conversion to the
//! type of a target attribute, which happens at export.

use std::borrow::Cow;

use jiff::civil::DateTime;
use serde_json::Map;

use crate::Number;
use crate::date;

/// A value: of an attribute, of an argument, of the whole expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An absent attribute, or no result. The empty text is not null.
    Null,
    /// Text.
    Text(String),
    /// A number; its text is decimal.
    Number(Number),
    /// `True` or `False`.
    Boolean(bool),
    /// An instant in UTC. Civil, because the year 9999 is in use for "never" to its last day.
    Date(DateTime),
    /// The values of a multi-valued attribute.
    List(Vec<Value>),
    /// An object with parts: an assigned role, for example.
    Complex(Map<String, serde_json::Value>),
}

impl Value {
    /// Reads a value of a JSON document. A number without an exact decimal form becomes text.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(boolean) => Self::Boolean(*boolean),
            serde_json::Value::Number(number) => Number::from_json(number)
                .map_or_else(|| Self::Text(number.to_string()), Self::Number),
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(values) => {
                Self::List(values.iter().map(Self::from_json).collect())
            }
            serde_json::Value::Object(parts) => Self::Complex(parts.clone()),
        }
    }

    /// Returns the JSON form: dates as text, whole numbers beyond 2^53 as text, the rest as what it is.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Text(text) => text.clone().into(),
            Self::Number(number) => number.to_json(),
            Self::Boolean(boolean) => (*boolean).into(),
            Self::Date(date) => date::text(*date).into(),
            Self::List(values) => values.iter().map(Self::to_json).collect(),
            Self::Complex(parts) => parts.clone().into(),
        }
    }

    /// Returns the canonical text: `True`, `7`, `3/16/2020 7:00:00 AM`.
    ///
    /// `None` for what has no single text: null, a list, an object.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(text.into()),
            Self::Number(number) => Some(number.to_string().into()),
            Self::Boolean(true) => Some("True".into()),
            Self::Boolean(false) => Some("False".into()),
            Self::Date(date) => Some(date::text(*date).into()),
            Self::Null | Self::List(_) | Self::Complex(_) => None,
        }
    }

    /// Returns every text: none for null, one for a single value, one for each value of a list.
    ///
    /// Objects give their JSON text. This is the `evaluationResult` of Microsoft Graph's `parseExpression`.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Null => Vec::new(),
            Self::List(values) => values.iter().flat_map(Self::texts).collect(),
            Self::Complex(parts) => vec![serde_json::Value::Object(parts.clone()).to_string()],
            single => single.text().map(Cow::into_owned).into_iter().collect(),
        }
    }

    /// Whether the value is absent.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether the value is absent, the empty text or a list without values. A space is a value.
    pub fn is_null_or_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::List(values) => values.is_empty(),
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

/// Where the attributes of a source object are read.
pub trait Attributes {
    /// Returns the attribute `name`, as it stands between the brackets; [`Value::Null`] when absent.
    fn attribute(&self, name: &str) -> Value;
}

/// A JSON object: the member of that name, else the part that a dotted name leads to.
impl Attributes for Map<String, serde_json::Value> {
    fn attribute(&self, name: &str) -> Value {
        if let Some(found) = self.get(name) {
            return Value::from_json(found);
        }
        let mut parts = self;
        let mut rest = name;
        while let Some((first, others)) = rest.split_once('.') {
            let Some(serde_json::Value::Object(inner)) = parts.get(first) else {
                return Value::Null;
            };
            if let Some(found) = inner.get(others) {
                return Value::from_json(found);
            }
            (parts, rest) = (inner, others);
        }
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_text_is_the_text_of_the_service() {
        for (json, text) in [
            (json!(true), Some("True")),
            (json!(false), Some("False")),
            (json!(7), Some("7")),
            (json!("a"), Some("a")),
            (json!(null), None),
            (json!(["a"]), None),
        ] {
            assert_eq!(Value::from_json(&json).text().as_deref(), text, "{json}");
        }
    }

    #[test]
    fn dotted_names_reach_into_objects_unless_a_member_has_that_very_name() {
        let object =
            json!({"name": {"givenName": "Zoe", "a.b": 1}, "x.y": "flat", "x": {"y": "deep"}});
        let object = object.as_object().unwrap();
        for (name, expected) in [
            ("name.givenName", Value::from("Zoe")),
            ("name.a.b", Number::from(1_i64).into()),
            ("x.y", "flat".into()),
            ("name.none", Value::Null),
            ("none.givenName", Value::Null),
        ] {
            assert_eq!(object.attribute(name), expected, "{name}");
        }
    }
}
