//! Reads JSON bodies within bounds.
//!
//! **Is:** the only door for JSON text of strangers: depth, number of values, string length, duplicate
//! names and U+0000 are checked while reading, so that nothing oversized is ever built. **Is not:** a check of
//! meaning; that is [`crate::resource`] and its neighbours.
//! **Start at** [`parse`].

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{Error, quoted};
use crate::limits::Limits;

/// Objects with more names than this are checked for duplicates with a set.
const FEW_NAMES: usize = 16;

/// Returns the value of a JSON text.
///
/// Stricter than JSON where leniency would let two readers disagree: names of one object differ by
/// more than case (SCIM names are case-insensitive), strings hold no U+0000 and no lone surrogate,
/// numbers fit 64 bits, and nothing follows the value.
///
/// # Errors
/// `invalidSyntax` with the line and column.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    let malformed = |reason: &dyn fmt::Display| {
        Error::invalid_syntax(format!("the body is not acceptable JSON: {reason}"))
    };
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let bounded = Bounded {
        limits,
        depth: 0,
        left: &Cell::new(limits.json_values),
    };
    let value = bounded
        .deserialize(&mut reader)
        .map_err(|error| malformed(&error))?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Bounded<'l> {
    limits: &'l Limits,
    depth: usize,
    /// How many more values the whole text may have.
    left: &'l Cell<usize>,
}

impl<'l> Bounded<'l> {
    fn deeper<E: de::Error>(self) -> Result<Bounded<'l>, E> {
        if self.depth >= self.limits.json_depth {
            return Err(E::custom(format_args!(
                "nested deeper than {} levels",
                self.limits.json_depth
            )));
        }
        Ok(Bounded {
            depth: self.depth + 1,
            ..self
        })
    }

    /// Counts one more value or name.
    fn count<E: de::Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| {
            E::custom(format_args!(
                "it has more than {} values and names",
                self.limits.json_values
            ))
        })?;
        self.left.set(left);
        Ok(())
    }

    fn text<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.len() > self.limits.string_bytes {
            return Err(E::custom(format_args!(
                "a string is longer than {} bytes",
                self.limits.string_bytes
            )));
        }
        if text.contains('\0') {
            return Err(E::custom("a string contains U+0000"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.text(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        self.text(&text)?;
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            self.count()?;
            self.text(&name)?;
            let repeated = if map.len() < FEW_NAMES {
                map.keys().any(|known| known.eq_ignore_ascii_case(&name))
            } else {
                if seen.is_empty() {
                    seen.extend(map.keys().map(|known| known.to_ascii_lowercase()));
                }
                !seen.insert(name.to_ascii_lowercase())
            };
            if repeated {
                return Err(de::Error::custom(format_args!(
                    "the name {} occurs twice in one object",
                    quoted(&name)
                )));
            }
            map.insert(name, entries.next_value_seed(inner)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STANDARD;

    fn refusal(text: &str) -> String {
        parse(text.as_bytes(), &STANDARD).expect_err(text).detail
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":1")).collect();
        let many = format!("{{{},\"K3\":2}}", many.join(","));
        let long = format!("\"{}\"", "x".repeat(8 * 1024 + 1));
        let rows: &[(&str, &str)] = &[
            (r#"{"a":1,"a":2}"#, "occurs twice"),
            (r#"{"active":true,"ACTIVE":false}"#, "`ACTIVE` occurs twice"),
            (&many, "`K3` occurs twice"),
            (r#""a\u0000b""#, "U+0000"),
            (r#"{"a\u0000":1}"#, "U+0000"),
            (r#""\ud800""#, "line 1 column"),
            (r#""\udc00x""#, "line 1 column"),
            ("1e400", "out of range"),
            ("{} x", "trailing"),
            ("", "EOF"),
            ("{\"a\":1,}", "trailing comma"),
            (&long, "longer than 8192 bytes"),
        ];

        for (text, expected) in rows {
            let detail = refusal(text);
            assert!(detail.contains(expected), "{text:.40}: {detail}");
        }
        assert!(parse(b"\"\xff\"", &STANDARD).is_err());
    }

    #[test]
    fn the_number_of_values_is_bounded_while_reading() {
        let few = Limits {
            json_values: 8,
            ..STANDARD
        };
        let rows = [
            ("[0,0,0,0,0,0,0]", true),
            ("[0,0,0,0,0,0,0,0]", false),
            (r#"[{"a":[null]},{"b":1}]"#, true),
            (r#"[{"a":[null]},{"b":[]},1]"#, false),
            ("[{},{},{},{},{},{},{},{}]", false),
        ];
        for (text, is_read) in rows {
            assert_eq!(parse(text.as_bytes(), &few).is_ok(), is_read, "{text}");
        }

        let zeros = format!("[{}0]", "0,".repeat(8 * 1024 * 1024));
        assert!(refusal(&zeros).contains("more than 1000000 values"));
    }

    #[test]
    fn a_group_of_a_hundred_thousand_members_is_read() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let plain = format!(r#"{{"value":"{id}"}}"#);
        let full =
            format!(r#"{{"value":"{id}","$ref":"../Users/{id}","type":"User","display":"Ann"}}"#);
        for member in [plain, full] {
            let members = vec![member; 100_000].join(",");
            let group = format!(r#"{{"displayName":"All","members":[{members}]}}"#);

            assert!(group.len() < STANDARD.group_body_bytes);
            assert!(parse(group.as_bytes(), &STANDARD).is_ok());
        }
    }

    #[test]
    fn nesting_is_bounded_while_reading() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));

        assert!(parse(nested(32).as_bytes(), &STANDARD).is_ok());
        assert!(refusal(&nested(33)).contains("deeper than 32"));
        assert!(refusal(&"[".repeat(100_000)).contains("deeper than 32"));
        assert!(refusal(&"{\"a\":".repeat(100_000)).contains("deeper than 32"));
    }
}
