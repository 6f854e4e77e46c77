//! Conditions of listings, evaluated in the simplest way.

use std::fmt;

use serde_json::{Map, Value};

/// A condition on an object.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Equals(&'static str, String),
    StartsWith(&'static str, String),
    Contains(&'static str, String),
    Present(&'static str),
    Active(bool),
    /// A person is in this group; a group has this member.
    Related(&'static str, String),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// Tells whether an object is meant. `related` are the groups of a person, or the members of a group.
    pub(super) fn holds(&self, attributes: &Map<String, Value>, related: &[&str]) -> bool {
        let compare = |name: &str, text: &str, compare: fn(&str, &str) -> bool| {
            let value = attributes.get(name).and_then(Value::as_str);
            value.is_some_and(|value| {
                if name == "externalId" {
                    compare(value, text)
                } else {
                    compare(&value.to_lowercase(), &text.to_lowercase())
                }
            })
        };
        match self {
            Self::Equals(name, text) => compare(name, text, |value, text| value == text),
            Self::StartsWith(name, text) => {
                compare(name, text, |value, text| value.starts_with(text))
            }
            Self::Contains(name, text) => compare(name, text, |value, text| value.contains(text)),
            Self::Present(name) => attributes.contains_key(*name),
            Self::Active(is_active) => attributes.get("active") == Some(&Value::Bool(*is_active)),
            Self::Related(_, id) => related.contains(&id.as_str()),
            Self::Not(inner) => !inner.holds(attributes, related),
            Self::And(one, other) => {
                one.holds(attributes, related) && other.holds(attributes, related)
            }
            Self::Or(one, other) => {
                one.holds(attributes, related) || other.holds(attributes, related)
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(name, text) => write!(f, "{name} eq \"{text}\""),
            Self::StartsWith(name, text) => write!(f, "{name} sw \"{text}\""),
            Self::Contains(name, text) => write!(f, "{name} co \"{text}\""),
            Self::Present(name) => write!(f, "{name} pr"),
            Self::Active(is_active) => write!(f, "active eq {is_active}"),
            Self::Related(name, id) => write!(f, "{name}.value eq \"{id}\""),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::And(one, other) => write!(f, "({one}) and ({other})"),
            Self::Or(one, other) => write!(f, "({one}) or ({other})"),
        }
    }
}
