//! A place in a document, and what is found there: mistakes and notes.
//!
//! **Is:** values by name, with a mistake when one is not what it should be. **Is not:** knowledge of what the document means.
//! **Start at** [`At`] and [`Findings`].

use serde_json::Value;

use super::Note;

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct At<'d> {
    pub(super) value: &'d Value,
    /// A JSON pointer.
    pub(super) pointer: String,
}

/// Something wrong in a document.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) help: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mistakes: Vec<Finding>,
    pub(super) notes: Vec<Note>,
}

impl<'d> At<'d> {
    pub(super) fn root(value: &'d Value) -> Self {
        Self {
            value,
            pointer: String::new(),
        }
    }

    /// Returns a member, unless it is absent or null.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self {
            value,
            pointer: format!("{}/{}", self.pointer, escaped(name)),
        })
    }

    /// Returns the elements of a list.
    pub(super) fn elements(&self) -> Vec<Self> {
        let elements = self.value.as_array().into_iter().flatten().enumerate();
        elements
            .map(|(place, value)| Self {
                value,
                pointer: format!("{}/{place}", self.pointer),
            })
            .collect()
    }
}

/// Escapes a name for a JSON pointer (RFC 6901 §3).
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl Findings {
    pub(super) fn mistake(
        &mut self,
        at: &At<'_>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.mistakes.push(Finding {
            pointer: at.pointer.clone(),
            message: message.into(),
            help: help.into(),
        });
    }

    pub(super) fn note(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.notes.push(Note {
            place: at.pointer.clone(),
            message: message.into(),
        });
    }

    /// Notes a member, if it is there, that is kept and not acted on.
    pub(super) fn kept(&mut self, at: &At<'_>, name: &str, message: &str) {
        let is_empty = |value: &Value| match value {
            Value::Array(elements) => elements.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Bool(flag) => !flag,
            _ => false,
        };
        if let Some(there) = at.get(name).filter(|there| !is_empty(there.value)) {
            self.note(&there, message);
        }
    }

    /// Notes members of an object that are not known. Annotations of `OData` are passed over.
    pub(super) fn strangers(&mut self, at: &At<'_>, known: &[&str]) {
        let Some(members) = at.value.as_object() else {
            return;
        };
        for name in members.keys() {
            if !known.contains(&name.as_str()) && !name.contains("@odata.") {
                self.notes.push(Note {
                    place: format!("{}/{}", at.pointer, escaped(name)),
                    message: "is not known here".to_owned(),
                });
            }
        }
    }

    /// Tells whether the value is an object; if not, that is a mistake.
    pub(super) fn is_object(&mut self, at: &At<'_>, what: &str) -> bool {
        if !at.value.is_object() {
            self.mistake(
                at,
                format!("{what} is an object, not {}", shown(at.value)),
                "write it in braces, as an export does",
            );
        }
        at.value.is_object()
    }

    /// Returns a text; absent or null: none.
    pub(super) fn text<'d>(&mut self, at: &At<'d>, name: &str) -> Option<&'d str> {
        let there = at.get(name)?;
        let text = there.value.as_str();
        if text.is_none() {
            let message = format!("`{name}` is a text, not {}", shown(there.value));
            self.mistake(&there, message, "write it in double quotes");
        }
        text
    }

    /// Returns a text that has to be there; `None` when it is not, which is a mistake.
    pub(super) fn needed_text<'d>(
        &mut self,
        at: &At<'d>,
        name: &str,
        help: &str,
    ) -> Option<&'d str> {
        if at.get(name).is_none() {
            self.mistake(at, format!("`{name}` is missing"), help);
            return None;
        }
        self.text(at, name)
    }

    /// Returns true or false; absent or null: `default`.
    pub(super) fn flag(&mut self, at: &At<'_>, name: &str, default: bool) -> bool {
        let Some(there) = at.get(name) else {
            return default;
        };
        if let Value::Bool(flag) = there.value {
            return *flag;
        }
        let message = format!("`{name}` is true or false, not {}", shown(there.value));
        self.mistake(&there, message, "write true or false, without quotes");
        default
    }

    /// Returns the elements of a list; absent or null: none.
    pub(super) fn list<'d>(&mut self, at: &At<'d>, name: &str) -> Vec<At<'d>> {
        let Some(there) = at.get(name) else {
            return Vec::new();
        };
        if !there.value.is_array() {
            let message = format!("`{name}` is a list, not {}", shown(there.value));
            self.mistake(&there, message, "write it in brackets, as an export does");
        }
        there.elements()
    }

    /// Returns the value of that name; absent or null: `default`. A name that is none of those is a mistake.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        at: &At<'_>,
        name: &str,
        default: T,
        names: &[(&str, T)],
    ) -> T {
        let Some(text) = self.text(at, name) else {
            return default;
        };
        let found = names
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(text.trim()));
        if let Some((_, value)) = found {
            return *value;
        }
        let known: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
        if let Some(there) = at.get(name) {
            self.mistake(
                &there,
                format!("`{name}` cannot be {}", shown(there.value)),
                format!("write one of {}", known.join(", ")),
            );
        }
        default
    }
}

/// So many characters of a value are shown.
const SHOWN: usize = 80;

/// Shows a value within bounds.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if text.chars().count() > SHOWN => {
            let start: String = text.chars().take(SHOWN).collect();
            format!("`{start}…`")
        }
        Value::String(text) => format!("`{text}`"),
        plain => format!("`{plain}`"),
    }
}
