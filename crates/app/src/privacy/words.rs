//! The words by which a person is recognised in what is about others, or about nobody.

use rollcall_model::ResourceId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What stands where such a word was.
const ERASED: &str = "erased";

/// The id, names and addresses of a person, in small letters.
#[derive(Debug, Clone)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Begins with the id.
    pub(super) fn of(id: ResourceId) -> Self {
        Self(vec![id.to_string()])
    }

    /// Adds a word; also as it is written within JSON.
    pub(super) fn add(&mut self, word: &str) {
        let word = word.trim().to_lowercase();
        let in_json = Value::from(word.as_str()).to_string();
        let in_json = in_json.trim_matches('"').to_owned();
        for word in [word, in_json] {
            if !word.is_empty() && !self.0.contains(&word) {
                self.0.push(word);
            }
        }
    }

    /// Adds what a SCIM document calls the person. A given name or a family name alone is many people's.
    pub(super) fn add_document(&mut self, document: &Value) {
        let texts = ["userName", "externalId", "displayName"].map(|field| document.get(field));
        let name = document.get("name").and_then(|name| name.get("formatted"));
        let values = ["emails", "phoneNumbers", "ims"]
            .into_iter()
            .filter_map(|field| document.get(field)?.as_array())
            .flatten()
            .map(|one| one.get("value"));
        for text in texts.into_iter().chain([name]).chain(values).flatten() {
            if let Some(text) = text.as_str() {
                self.add(text);
            }
        }
    }

    /// Tells whether a text has one of the words, not within a longer one.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.0.iter().any(|word| {
            text.match_indices(word.as_str()).any(|(at, found)| {
                let (before, after) = (text.get(..at), text.get(at + found.len()..));
                let before = before.and_then(|before| before.chars().next_back());
                let after = after.and_then(|after| after.chars().next());
                ![before, after]
                    .into_iter()
                    .flatten()
                    .any(char::is_alphanumeric)
            })
        })
    }

    /// Tells whether a value says one of them.
    pub(super) fn are_said_by(&self, value: &impl Serialize) -> bool {
        serde_json::to_string(value).is_ok_and(|text| self.are_in(&text))
    }

    /// Tells whether a body that was sent has one of them, whichever way it writes its letters.
    pub(super) fn are_in_body(&self, body: &str) -> bool {
        let escaped = || {
            body.contains('\\')
                .then(|| serde_json::from_str::<Value>(body))
        };
        self.are_in(body) || matches!(escaped(), Some(Ok(value)) if self.are_said_by(&value))
    }

    /// Tells whether a path with its query has one of them.
    pub(super) fn are_in_path(&self, path: &str) -> bool {
        self.are_in(path) || self.are_in(&unescaped(path))
    }

    /// Returns a value with every text that has one of them replaced; absent: it cannot do without.
    pub(super) fn without<T: Serialize + DeserializeOwned>(&self, value: &T) -> Option<T> {
        let mut value = serde_json::to_value(value).ok()?;
        self.take_out(&mut value);
        serde_json::from_value(value).ok()
    }

    fn take_out(&self, value: &mut Value) {
        match value {
            Value::String(text) if self.are_in(text) => ERASED.clone_into(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.take_out(value)),
            Value::Object(fields) => fields
                .iter_mut()
                .for_each(|(_, value)| self.take_out(value)),
            _ => {}
        }
    }
}

/// Reads `%41` and `+` as what they stand for.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let mut ahead = rest.clone();
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                rest = ahead;
                bytes.push(u8::try_from(16 * high + low).unwrap_or_default());
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_is_recognised_however_their_name_is_written() {
        let mut words = Words::of(ResourceId::from_bytes([7; 16]));
        words.add_document(&json!({
            "userName": "Zoë@example.com", "displayName": "Zoë \"Z\" Lee", "name": {"givenName": "Zoë"},
            "phoneNumbers": [{"value": "+47 1"}, {"type": "fax"}],
        }));

        for text in [
            "07070707-0707-0707-0707-070707070707",
            r#"{"userName":"zOË@example.com"}"#,
            r#"to Zoë \"Z\" Lee, today"#,
            "call +47 1.",
        ] {
            assert!(words.are_in(text), "{text}");
        }
        assert!(words.are_in_body(r#"{"userName": "Zo\u00eb@example.com"}"#));
        assert!(words.are_in_path("/Users?filter=userName+eq+%22zo%C3%AB%40example.com%22"));
        for text in ["Zoë", "xzoë@example.com", "zoë@example.comx", "+47 12", ""] {
            assert!(!words.are_in(text), "{text}");
            assert!(
                !words.are_in_body(text) && !words.are_in_path(text),
                "{text}"
            );
        }
        assert!(!words.are_in_path("%4"));
        let value = json!({"first": ["Zoë \"Z\" Lee", "Bob"], "count": 2});
        assert_eq!(
            words.without(&value),
            Some(json!({"first": ["erased", "Bob"], "count": 2}))
        );
    }
}
