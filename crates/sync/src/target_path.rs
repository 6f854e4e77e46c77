//! The name of a target's attribute in a mapping: `emails[type eq "work"].value`.
//!
//! **Is:** the paths that mappings use, read without the target's schema, because a mapping may name attributes of an
//! extension that only the target knows. It finds the value in a reply of the target, and says where it goes in a request.
//! **Is not:** the paths of RFC 7644 in general: a filter here is one or several `eq`, joined by `and`, since a value that
//! does not exist yet must be made from it.
//! **Start at** [`TargetPath::parse`].

use std::fmt;

use rollcall_scim::key::canonical;
use serde_json::{Map, Value};

/// Where a target keeps a value.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetPath {
    /// The extension's URN; absent: the core schema.
    pub urn: Option<String>,
    /// The attribute.
    pub attribute: String,
    /// What the element of a multi-valued attribute has to have; empty: no element is chosen.
    pub filter: Vec<(String, Value)>,
    /// The sub-attribute.
    pub sub: Option<String>,
}

/// A text that names no attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an attribute of a target: {reason}")]
pub struct NotAPath {
    text: String,
    reason: &'static str,
}

impl TargetPath {
    /// Reads a path such as `userName`, `name.givenName`, `emails[type eq "work"].value` or
    /// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`.
    ///
    /// # Errors
    /// [`NotAPath`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NotAPath> {
        Self::read(text.trim()).map_err(|reason| NotAPath {
            text: text.chars().take(200).collect(),
            reason,
        })
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let (urn, rest) = split_urn(text)?;
        let (attribute, filter, tail) = match rest.split_once('[') {
            None => match rest.split_once('.') {
                Some((attribute, sub)) => (attribute, Vec::new(), Some(sub)),
                None => (rest, Vec::new(), None),
            },
            Some((attribute, after)) => {
                let (filter, tail) = read_filter(after)?;
                let sub = match tail {
                    "" => None,
                    tail => Some(
                        tail.strip_prefix('.')
                            .ok_or("a dot must follow the bracket")?,
                    ),
                };
                (attribute, filter, sub)
            }
        };
        if !is_name(attribute) {
            return Err("its attribute is not a name");
        }
        if tail.is_some_and(|sub| !is_name(sub)) {
            return Err("its sub-attribute is not a name");
        }
        Ok(Self {
            urn,
            attribute: attribute.to_owned(),
            filter,
            sub: tail.map(str::to_owned),
        })
    }

    /// Finds the value in a resource of the target. Names are compared without regard to case; a null is no value.
    pub fn find<'a>(&self, resource: &'a Map<String, Value>) -> Option<&'a Value> {
        let found = match (self.element(resource)?, &self.sub) {
            (Value::Object(element), Some(sub)) => member(element, sub)?,
            // `emails.value` without a filter: of the element that is primary, else of the first
            (Value::Array(elements), Some(sub)) => {
                let objects = || elements.iter().filter_map(Value::as_object);
                let primary =
                    objects().find(|one| member(one, "primary") == Some(&Value::Bool(true)));
                member(primary.or_else(|| objects().next())?, sub)?
            }
            (_, Some(_)) => return None,
            (value, None) => value,
        };
        (!found.is_null()).then_some(found)
    }

    /// Finds the attribute, or the element of it that the filter chooses.
    fn element<'a>(&self, resource: &'a Map<String, Value>) -> Option<&'a Value> {
        let container = match &self.urn {
            Some(urn) => member(resource, urn)?.as_object()?,
            None => resource,
        };
        let value = member(container, &self.attribute)?;
        if self.filter.is_empty() {
            return Some(value);
        }
        match value {
            Value::Array(elements) => elements.iter().find(|element| self.chooses(element)),
            single => self.chooses(single).then_some(single),
        }
    }

    /// Tells whether an element is one that the filter chooses.
    pub(crate) fn chooses(&self, element: &Value) -> bool {
        element.as_object().is_some_and(|element| {
            self.filter.iter().all(|(name, wanted)| {
                member(element, name).is_some_and(|there| is_same_literal(there, wanted))
            })
        })
    }

    /// Puts a value into the body of a new resource, creating what it goes through.
    pub fn insert(&self, body: &mut Map<String, Value>, value: Value) {
        let Some(container) = (match &self.urn {
            Some(urn) => body
                .entry(urn.clone())
                .or_insert_with(|| Value::Object(Map::new()))
                .as_object_mut(),
            None => Some(body),
        }) else {
            return;
        };
        if self.filter.is_empty() {
            match &self.sub {
                None => {
                    container.insert(self.attribute.clone(), value);
                }
                Some(sub) => {
                    if let Some(complex) = container
                        .entry(self.attribute.clone())
                        .or_insert_with(|| Value::Object(Map::new()))
                        .as_object_mut()
                    {
                        complex.insert(sub.clone(), value);
                    }
                }
            }
            return;
        }
        let Some(elements) = container
            .entry(self.attribute.clone())
            .or_insert_with(|| Value::Array(Vec::new()))
            .as_array_mut()
        else {
            return;
        };
        let place = elements.iter().position(|element| {
            self.filter
                .iter()
                .all(|(name, wanted)| element.get(name) == Some(wanted))
        });
        match place.and_then(|place| elements.get_mut(place)) {
            Some(element) => self.fill(element, value),
            None => elements.push(self.new_element(value)),
        }
    }

    /// Makes the element that the filter describes, with a value in it.
    pub(crate) fn new_element(&self, value: Value) -> Value {
        let mut element = Value::Object(self.filter.iter().cloned().collect());
        self.fill(&mut element, value);
        element
    }

    /// Puts a value into an element.
    fn fill(&self, element: &mut Value, value: Value) {
        let Some(members) = element.as_object_mut() else {
            return;
        };
        match (&self.sub, value) {
            (Some(sub), value) => {
                members.insert(sub.clone(), value);
            }
            (None, Value::Object(more)) => members.extend(more),
            (None, value) => {
                members.insert("value".to_owned(), value);
            }
        }
    }

    /// Tells whether this is a whole attribute, not an element or a part of one.
    pub fn is_whole(&self) -> bool {
        self.filter.is_empty() && self.sub.is_none()
    }

    /// Tells whether this is the core attribute of that name.
    pub fn is_core(&self, name: &str) -> bool {
        self.urn.is_none() && self.is_whole() && self.attribute.eq_ignore_ascii_case(name)
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        if !self.filter.is_empty() {
            f.write_str("[")?;
            for (place, (name, value)) in self.filter.iter().enumerate() {
                let joint = if place == 0 { "" } else { " and " };
                write!(f, "{joint}{name} eq {value}")?;
            }
            f.write_str("]")?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// Returns an object's member, whatever the case of its name.
pub fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

fn is_same_literal(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::String(there), Value::String(wanted)) => canonical(there) == canonical(wanted),
        (Value::String(there), Value::Bool(wanted)) => {
            there.eq_ignore_ascii_case(if *wanted { "true" } else { "false" })
        }
        _ => there == wanted,
    }
}

/// Separates `urn:…:User:` from what follows: the last colon before a bracket ends the URN.
fn split_urn(text: &str) -> Result<(Option<String>, &str), &'static str> {
    let head = text.split('[').next().unwrap_or(text);
    let Some(colon) = head.rfind(':') else {
        return Ok((None, text));
    };
    let (urn, rest) = (
        text.get(..colon).unwrap_or_default(),
        text.get(colon + 1..).unwrap_or_default(),
    );
    if !urn
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
    {
        return Err("a name before a colon must be a URN");
    }
    if urn
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == '"')
    {
        return Err("its URN holds characters that a URN cannot have");
    }
    let is_core = ["user", "group"].iter().any(|core| {
        urn.eq_ignore_ascii_case(&format!("urn:ietf:params:scim:schemas:core:2.0:{core}"))
    });
    Ok(((!is_core).then(|| urn.to_owned()), rest))
}

/// Attributes of an element, each with the value that it must have.
type Comparisons = Vec<(String, Value)>;

/// Reads `type eq "work" and primary eq true]…`; returns the comparisons and what follows the bracket.
fn read_filter(text: &str) -> Result<(Comparisons, &str), &'static str> {
    const SHAPE: &str = r#"its filter must look like `type eq "work"`"#;
    let mut comparisons = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = word(rest);
        let (operator, after) = word(after);
        if !is_name(name) || !operator.eq_ignore_ascii_case("eq") {
            return Err(SHAPE);
        }
        let after = after.trim_start();
        let mut stream = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        let Some(Ok(value @ (Value::String(_) | Value::Bool(_) | Value::Number(_)))) =
            stream.next()
        else {
            return Err(SHAPE);
        };
        let after = after
            .get(stream.byte_offset()..)
            .unwrap_or_default()
            .trim_start();
        comparisons.push((name.to_owned(), as_boolean(name, value)));
        if let Some(tail) = after.strip_prefix(']') {
            return Ok((comparisons, tail));
        }
        let (joint, after) = word(after);
        if !joint.eq_ignore_ascii_case("and") {
            return Err(SHAPE);
        }
        rest = after;
    }
}

/// `primary eq "True"` is how Entra writes `primary eq true`.
fn as_boolean(name: &str, value: Value) -> Value {
    match &value {
        Value::String(text) if name.eq_ignore_ascii_case("primary") => {
            match text.to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => value,
            }
        }
        _ => value,
    }
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text.split_at(end)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && text
            .chars()
            .skip(1)
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(text: &str) -> TargetPath {
        TargetPath::parse(text).unwrap()
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_path_of_the_default_mappings_prints_as_it_was_read() {
        use rollcall_model::mapping::defaults;
        for mapping in [defaults::users(), defaults::groups()] {
            for attribute in mapping.attributes {
                assert_eq!(path(&attribute.target).to_string(), attribute.target);
            }
        }
    }

    #[test]
    fn a_path_that_cannot_be_used_is_refused_with_the_reason() {
        for bad in [
            "",
            "a b",
            "1a",
            "a.",
            ".a",
            "a[",
            "a[]",
            "a[b]",
            "a[b eq]",
            "a[b eq \"x\"",
            "a[b eq \"x\"]c",
            "a[b eq null].c",
            "a[b pr].c",
            "a[b eq \"x\" or c eq \"y\"].d",
            "foo:bar",
            "urn:a b:c",
            "a.b.c",
        ] {
            assert!(TargetPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_found_whatever_the_case_of_names_and_of_the_filter_literal() {
        let resource = object(json!({
            "USERNAME": "ann",
            "name": {"givenname": "Ann"},
            "emails": [{"type": "home", "value": "h"}, {"Type": "Work", "value": "w", "primary": "True"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user": {"department": "Sales"},
            "title": null,
        }));
        let rows = [
            ("userName", json!("ann")),
            ("name.givenName", json!("Ann")),
            (r#"emails[type eq "work"].value"#, json!("w")),
            (r#"emails[primary eq "True"].value"#, json!("w")),
            ("emails.value", json!("h")),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                json!("Sales"),
            ),
            (
                "urn:ietf:params:scim:schemas:core:2.0:User:userName",
                json!("ann"),
            ),
        ];
        for (text, wanted) in rows {
            assert_eq!(path(text).find(&resource), Some(&wanted), "{text}");
        }
        for absent in [
            "title",
            r#"emails[type eq "other"].value"#,
            "name.familyName",
            "userName.x",
        ] {
            assert_eq!(path(absent).find(&resource), None, "{absent}");
        }
    }

    #[test]
    fn what_was_put_into_a_body_is_found_there() {
        let mut body = Map::new();
        let texts = [
            "userName",
            "name.givenName",
            "name.familyName",
            r#"addresses[type eq "work"].locality"#,
            r#"addresses[type eq "work"].region"#,
            r#"addresses[type eq "home"].region"#,
            r#"roles[primary eq "True"].value"#,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        ];
        for text in texts {
            path(text).insert(&mut body, json!(text));
        }
        for text in texts {
            assert_eq!(path(text).find(&body), Some(&json!(text)), "{text}");
        }
        assert_eq!(body["addresses"].as_array().unwrap().len(), 2);
    }
}
