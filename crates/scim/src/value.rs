//! Checks values against their definitions, and brings them into the one shape that is stored.
//!
//! **Is:** the single place where type, length, canonical values and the spelling of names are
//! enforced, for POST, PUT, PATCH and import alike. **Is not:** mutability across requests, which needs
//! the present state ([`crate::resource`], [`crate::patch`]).
//! **Start at** [`Checker::attribute`].

use std::collections::HashSet;

use serde_json::{Map, Number, Value};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::error::{Error, quoted};
use crate::key;
use crate::leniency;
use crate::limits::Limits;
use crate::schema::{Attribute, AttributeType, Mutability, Uniqueness};

/// Most names that a report of ignored attributes lists.
const MOST_IGNORED: usize = 100;

/// Carries the limits, and collects what was passed over.
#[derive(Debug)]
pub(crate) struct Checker<'l> {
    pub(crate) limits: &'l Limits,
    pub(crate) ignored: Vec<String>,
}

impl<'l> Checker<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            ignored: Vec::new(),
        }
    }

    /// Notes that something in the request has no effect.
    pub(crate) fn ignore(&mut self, place: impl Into<String>) {
        if self.ignored.len() < MOST_IGNORED {
            self.ignored.push(place.into());
        }
    }

    /// Returns the canonical value of a whole attribute, `None` when it comes to nothing.
    ///
    /// `place` is the path shown in messages.
    pub(crate) fn attribute(
        &mut self,
        attribute: &Attribute,
        value: Value,
        place: &str,
    ) -> Result<Option<Value>, Error> {
        if attribute.multi_valued {
            return Ok(self.list(attribute, value, place)?.map(Value::Array));
        }
        self.element(attribute, only(value, place)?, place)
    }

    /// Returns the canonical values of a multi-valued attribute, `None` when there are none.
    pub(crate) fn list(
        &mut self,
        attribute: &Attribute,
        value: Value,
        place: &str,
    ) -> Result<Option<Vec<Value>>, Error> {
        let given = match value {
            Value::Array(list) => list,
            one => vec![one],
        };
        if given.len() > self.limits.attribute_values {
            return Err(too_many(place, self.limits));
        }
        let mut values = Vec::with_capacity(given.len());
        let mut seen = HashSet::with_capacity(given.len());
        for one in given {
            if let Some(one) = self.element(attribute, one, place)?
                && seen.insert(one.to_string())
            {
                values.push(one);
            }
        }
        check_primary(&values, place)?;
        Ok((!values.is_empty()).then_some(values))
    }

    /// Returns one canonical value of an attribute, `None` when it comes to nothing.
    pub(crate) fn element(
        &mut self,
        attribute: &Attribute,
        value: Value,
        place: &str,
    ) -> Result<Option<Value>, Error> {
        if attribute.is_complex() {
            return self.object(attribute, value, place);
        }
        let value = leniency::unwrapped(value);
        if value.is_null() || value.as_str() == Some("") {
            return Ok(None);
        }
        let checked = simple(attribute, value)
            .map_err(|wanted| Error::invalid_value(format!("`{place}` must be {wanted}")))?;
        if let Value::String(text) = &checked {
            self.text(attribute, text, place)?;
        }
        canonical_value(attribute, checked, place).map(Some)
    }

    fn object(
        &mut self,
        attribute: &Attribute,
        value: Value,
        place: &str,
    ) -> Result<Option<Value>, Error> {
        let set = self
            .parts(attribute, value, place)?
            .map_or_else(Map::new, |parts| parts.set);
        Ok((!is_hollow(attribute, &set)).then_some(Value::Object(set)))
    }

    /// Returns what a value asks of the parts of a complex attribute, or of one element of a list; `None` when the value itself
    /// is empty, and so asks nothing of any part.
    pub(crate) fn parts(
        &mut self,
        attribute: &Attribute,
        value: Value,
        place: &str,
    ) -> Result<Option<Parts>, Error> {
        let value = if attribute.multi_valued {
            value
        } else {
            only(value, place)?
        };
        let given = match leniency::object_from_bare_value(attribute, value) {
            Value::Object(map) if map.is_empty() => return Ok(None),
            Value::Object(map) => map,
            Value::Null => return Ok(None),
            Value::String(text) if text.is_empty() => return Ok(None),
            _ => return Err(Error::invalid_value(format!("`{place}` must be an object"))),
        };
        let given = if attribute.name == "roles" {
            leniency::proper_role(given)
        } else {
            given
        };
        // absent: not mentioned
        let mut parts: Vec<Option<Option<Value>>> = vec![None; attribute.sub_attributes.len()];
        for (name, value) in given {
            let found = attribute
                .sub_attributes
                .iter()
                .zip(parts.iter_mut())
                .find(|(definition, _)| definition.is_named(&name));
            let Some((definition, slot)) = found else {
                self.ignore(format!("{place}.{name}"));
                continue;
            };
            if definition.mutability == Mutability::ReadOnly || definition.is_secret() {
                self.ignore(format!("{place}.{}", definition.name));
                continue;
            }
            let inner = format!("{place}.{}", definition.name);
            *slot = Some(self.attribute(definition, value, &inner)?);
        }
        let mut asked = Parts::default();
        for (definition, part) in attribute.sub_attributes.iter().zip(parts) {
            match part {
                Some(Some(value)) => {
                    asked.set.insert(definition.name.clone(), value);
                }
                Some(None) => asked.cleared.push(definition.name.clone()),
                None => {}
            }
        }
        Ok(Some(asked))
    }

    fn text(&self, attribute: &Attribute, text: &str, place: &str) -> Result<(), Error> {
        if text.len() > self.limits.string_bytes {
            return Err(Error::invalid_value(format!(
                "`{place}` is longer than {} bytes",
                self.limits.string_bytes
            )));
        }
        if text.contains('\0') {
            return Err(Error::invalid_value(format!("`{place}` contains U+0000")));
        }
        if attribute.uniqueness != Uniqueness::None {
            if let Some(hidden) = text.chars().find(|&character| is_hidden(character)) {
                return Err(Error::invalid_value(format!(
                    "`{place}` contains the invisible character U+{:04X}",
                    u32::from(hidden)
                )));
            }
            if let Some(unassigned) = text.chars().find(|&character| is_unassigned(character)) {
                return Err(Error::invalid_value(format!(
                    "`{place}` contains U+{:04X}, which is no character of Unicode {}.{}",
                    u32::from(unassigned),
                    unicode_properties::UNICODE_VERSION.0,
                    unicode_properties::UNICODE_VERSION.1,
                )));
            }
            if key::canonical(text).is_empty() {
                return Err(Error::invalid_value(format!("`{place}` is blank")));
            }
        }
        Ok(())
    }
}

/// What a value asks of the parts of a complex attribute.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// The parts that get a value, in the order of the schema.
    pub(crate) set: Map<String, Value>,
    /// The parts that were given as empty.
    pub(crate) cleared: Vec<String>,
}

/// Returns the one value of a list; a value that is no list is itself, an empty list is null.
fn only(value: Value, place: &str) -> Result<Value, Error> {
    let Value::Array(mut list) = value else {
        return Ok(value);
    };
    match (list.pop(), list.is_empty()) {
        (None, _) => Ok(Value::Null),
        (Some(only), true) => Ok(only),
        _ => Err(Error::invalid_value(format!(
            "`{place}` has one value, not a list"
        ))),
    }
}

/// Returns the refusal of a list that is too long.
pub(crate) fn too_many(place: &str, limits: &Limits) -> Error {
    Error::invalid_value(format!(
        "`{place}` has more than {} values",
        limits.attribute_values
    ))
}

/// Returns whether an object says nothing: empty, or a list element with only labels.
pub(crate) fn is_hollow(attribute: &Attribute, map: &Map<String, Value>) -> bool {
    map.is_empty()
        || (attribute.multi_valued && map.keys().all(|name| name == "type" || name == "primary"))
}

/// Refuses a list with more than one `primary` (RFC 7643 §2.4).
pub(crate) fn check_primary(values: &[Value], place: &str) -> Result<(), Error> {
    let count = values.iter().filter(|value| is_primary(value)).count();
    if count > 1 {
        return Err(Error::invalid_value(format!(
            "`{place}` has more than one primary value"
        )));
    }
    Ok(())
}

/// Returns whether a list element is the preferred one.
pub(crate) fn is_primary(value: &Value) -> bool {
    value
        .get("primary")
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

/// Returns the instant of an `xsd:dateTime`; without an offset it is taken as UTC.
pub(crate) fn instant(text: &str) -> Option<jiff::Timestamp> {
    if !text.contains(['T', 't']) {
        return None;
    }
    text.parse().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(local).ok()
    })
}

/// Returns the value as its type, or what was wanted.
fn simple(attribute: &Attribute, value: Value) -> Result<Value, &'static str> {
    match attribute.kind {
        AttributeType::String => match value {
            Value::String(_) => Ok(value),
            _ => Err("a string"),
        },
        AttributeType::Boolean => match value {
            Value::Bool(_) => Ok(value),
            Value::String(text) => leniency::boolean_from_text(&text)
                .map(Value::Bool)
                .ok_or("true or false"),
            _ => Err("true or false"),
        },
        AttributeType::Integer => match value {
            Value::Number(number) if !number.is_f64() => Ok(Value::Number(number)),
            Value::String(text) => text
                .parse::<i64>()
                .map(Value::from)
                .map_err(|_| "a whole number of 64 bits"),
            _ => Err("a whole number of 64 bits"),
        },
        AttributeType::Decimal => match value {
            Value::Number(_) => Ok(value),
            Value::String(text) => number(&text).map(Value::Number).ok_or("a number"),
            _ => Err("a number"),
        },
        AttributeType::DateTime => match value {
            Value::String(text) if instant(&text).is_some() => Ok(Value::String(text)),
            _ => Err("a date and time such as 2030-01-31T12:00:00Z"),
        },
        AttributeType::Binary => match value {
            Value::String(text) if is_base64(&text) => Ok(Value::String(text)),
            _ => Err("base64 text"),
        },
        AttributeType::Reference => match value {
            Value::String(text) if is_reference(&text) => Ok(Value::String(text)),
            _ => Err("a URI without spaces"),
        },
        AttributeType::Complex => Err("an object"),
    }
}

/// Returns a JSON number written as text.
pub(crate) fn number(text: &str) -> Option<Number> {
    match serde_json::from_str(text) {
        Ok(Value::Number(number)) => Some(number),
        _ => None,
    }
}

fn canonical_value(attribute: &Attribute, value: Value, place: &str) -> Result<Value, Error> {
    if !attribute.admits_only_canonical_values() {
        return Ok(value);
    }
    let Value::String(text) = value else {
        return Ok(value);
    };
    let known = attribute.canonical_values.iter().find(|known| {
        if attribute.case_exact {
            **known == text
        } else {
            known.eq_ignore_ascii_case(&text)
        }
    });
    known
        .map(|known| Value::String(known.clone()))
        .ok_or_else(|| {
            Error::invalid_value(format!(
                "`{place}` cannot be {}; known are {}",
                quoted(&text),
                attribute.canonical_values.join(", ")
            ))
        })
}

/// Tells whether a text is base64, in either alphabet; the padding may be left out.
pub fn is_base64(text: &str) -> bool {
    let padding = text.bytes().rev().take_while(|&byte| byte == b'=').count();
    let data = text.len() - padding;
    padding <= 2
        && data % 4 != 1
        && (padding == 0 || text.len().is_multiple_of(4))
        && text
            .bytes()
            .take(data)
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
}

fn is_reference(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Returns whether a character cannot be seen, or changes how its neighbours are seen. Such
/// characters in a unique name let one person look like another.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F
            | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0xFDD0..=0xFDEF | 0xE0000..=0xE0FFF)
        || u32::from(character) & 0xFFFE == 0xFFFE
}

/// Returns whether Unicode has no such character. What it may become one day, and whether it is then the same as another one, nobody knows.
fn is_unassigned(character: char) -> bool {
    !character.is_ascii() && character.general_category() == GeneralCategory::Unassigned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STANDARD;
    use crate::schema::{Registry, Schema};
    use serde_json::json;

    #[test]
    fn each_type_takes_its_spellings_and_refuses_the_rest() {
        let rows = [
            ("string", json!("x"), Some(json!("x"))),
            ("string", json!(1), None),
            ("string", json!({"value": "x"}), Some(json!("x"))),
            ("string", json!(["x"]), Some(json!("x"))),
            ("string", json!(["x", "y"]), None),
            ("string", json!({"other": "x"}), None),
            ("boolean", json!("TRUE"), Some(json!(true))),
            ("boolean", json!("yes"), None),
            ("boolean", json!(1), None),
            ("integer", json!(5), Some(json!(5))),
            ("integer", json!("-5"), Some(json!(-5))),
            ("integer", json!(5.5), None),
            ("integer", json!("5x"), None),
            ("decimal", json!("5.25"), Some(json!(5.25))),
            ("decimal", json!("five"), None),
            (
                "dateTime",
                json!("2030-01-31T12:00:00+01:00"),
                Some(json!("2030-01-31T12:00:00+01:00")),
            ),
            (
                "dateTime",
                json!("2030-01-31T12:00:00"),
                Some(json!("2030-01-31T12:00:00")),
            ),
            ("dateTime", json!("2030-01-31"), None),
            ("dateTime", json!("2030-02-31T12:00:00Z"), None),
            ("binary", json!("AAE="), Some(json!("AAE="))),
            ("binary", json!("AAE-_w"), Some(json!("AAE-_w"))),
            ("binary", json!("A"), None),
            ("binary", json!("A B="), None),
            (
                "reference",
                json!("https://x.example/y"),
                Some(json!("https://x.example/y")),
            ),
            ("reference", json!("a b"), None),
        ];

        for (kind, given, expected) in rows {
            let document = json!({"id": "urn:x:y", "attributes": [{"name": "a", "type": kind}]});
            let schema = Schema::from_json(&document).expect("a good schema");
            let attribute = schema.attribute("a").expect("defined above");

            let got = Checker::new(&STANDARD).attribute(attribute, given.clone(), "a");

            assert_eq!(got.ok().flatten(), expected, "{kind} {given}");
        }
    }

    #[test]
    fn canonical_values_bind_except_for_labels_of_lists() {
        let document = json!({"id": "urn:x:y", "attributes": [
            {"name": "grade", "canonicalValues": ["Junior", "Senior"]}]});
        let schema = Schema::from_json(&document).expect("a good schema");
        let grade = schema.attribute("grade").expect("defined above");
        let registry = Registry::standard();
        let emails = registry.user().top_attribute("emails").expect("standard");
        let mut checker = Checker::new(&STANDARD);

        assert_eq!(
            checker.attribute(grade, json!("senior"), "grade"),
            Ok(Some(json!("Senior")))
        );
        assert!(checker.attribute(grade, json!("boss"), "grade").is_err());
        let secondary = json!([{"value": "a@b.example", "type": "secondary"}]);
        assert_eq!(
            checker.attribute(emails, secondary.clone(), "emails"),
            Ok(Some(secondary))
        );
    }

    #[test]
    fn a_unique_name_has_no_invisible_and_no_unassigned_characters() {
        let registry = Registry::standard();
        let user_name = registry.user().top_attribute("userName").expect("standard");
        for hidden in [
            "a\u{200b}b",
            "a\u{202e}b",
            "a\tb",
            "\u{feff}a",
            " ",
            "a\u{e0041}",
            "a\u{378}",
        ] {
            let got = Checker::new(&STANDARD).attribute(user_name, json!(hidden), "userName");
            assert!(got.is_err(), "{hidden:?}");
        }
    }
}
