//! Values that say of themselves what they look like, in JSON Schema.
//!
//! **Is:** [`Described`], and the two macros that make a type and its description of the same words: [`described!`] for objects,
//! [`words!`] for a choice of words. So a field that is sent is described, and its comment is what programmers read.
//! **Is not:** the document around them; see [`crate::openapi`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use rollcall_model::{Event, EventType};
use serde_json::{Map, Value, json};

/// The schemas that have a name, by their names.
#[derive(Debug, Default)]
pub(crate) struct Components {
    pub(crate) schemas: Map<String, Value>,
    /// Which type has which name.
    types: BTreeMap<String, &'static str>,
}

impl Components {
    /// Takes a name for a type; tells whether it is still to be described.
    fn begin<T>(&mut self, name: &str) -> bool {
        let this = std::any::type_name::<T>();
        let whose = self.types.insert(name.to_owned(), this);
        debug_assert!(
            whose.is_none_or(|whose| whose == this),
            "`{name}` is the name of {whose:?} and of {this}"
        );
        whose.is_none()
    }
}

/// Something that is sent or taken as JSON.
pub(crate) trait Described {
    /// Returns its schema; what has a name of its own is put among the components, and referred to.
    fn schema(components: &mut Components) -> Value;
}

/// A field of an object, as it is described.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) said: String,
    pub(crate) schema: Value,
    pub(crate) is_required: bool,
}

/// Fields that are taken from the query of a request.
pub(crate) trait Fields {
    /// Lists them.
    fn fields(components: &mut Components) -> Vec<Field>;
}

/// Makes an object with its description: fields in camel case, all of them always there, `null` where there is nothing. What it does not
/// have is refused when it is read.
macro_rules! described {
    (
        $(#[doc = $said:literal])+
        $vis:vis struct $name:ident {
            $($(#[doc = $told:literal])+ $field:ident: $type:ty,)*
        }
    ) => {
        $(#[doc = $said])+
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        $vis struct $name {
            $($(#[doc = $told])+ pub(crate) $field: $type,)*
        }

        impl crate::described::Fields for $name {
            fn fields(components: &mut crate::described::Components) -> Vec<crate::described::Field> {
                let _ = &components;
                vec![$(crate::described::field::<$type>(
                    stringify!($field),
                    &[$($told),+],
                    components,
                )),*]
            }
        }

        impl crate::described::Described for $name {
            fn schema(components: &mut crate::described::Components) -> serde_json::Value {
                crate::described::object::<Self>(stringify!($name), &[$($said),+], components)
            }
        }
    };
}

/// Makes a choice of words with its description.
macro_rules! words {
    (
        $(#[doc = $said:literal])+
        $vis:vis enum $name:ident {
            $($(#[doc = $told:literal])+ $variant:ident $word:literal,)+
        }
    ) => {
        $(#[doc = $said])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        $vis enum $name {
            $($(#[doc = $told])+ #[serde(rename = $word)] $variant,)+
        }

        impl crate::described::Described for $name {
            fn schema(components: &mut crate::described::Components) -> serde_json::Value {
                crate::described::choice::<Self>(
                    stringify!($name),
                    &[$($said),+],
                    &[$(($word, &[$($told),+])),+],
                    components,
                )
            }
        }
    };
}

/// Describes a field.
pub(crate) fn field<T: Described>(name: &str, said: &[&str], components: &mut Components) -> Field {
    let schema = T::schema(components);
    Field {
        name: camel(name),
        said: joined(said),
        is_required: !is_nullable(&schema),
        schema,
    }
}

/// Describes an object, once.
pub(crate) fn object<T: Fields>(name: &str, said: &[&str], components: &mut Components) -> Value {
    if components.begin::<T>(name) {
        let fields = T::fields(components);
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let required = json!(names);
        let properties: Map<String, Value> = fields
            .iter()
            .map(|field| (field.name.clone(), commented(&field.schema, &field.said)))
            .collect();
        let schema = json!({
            "type": "object",
            "description": joined(said),
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        });
        components.schemas.insert(name.to_owned(), schema);
    }
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Describes a choice of words, once.
pub(crate) fn choice<T>(
    name: &str,
    said: &[&str],
    words: &[(&str, &[&str])],
    components: &mut Components,
) -> Value {
    components.begin::<T>(name);
    let told: Vec<String> = words
        .iter()
        .map(|(word, told)| format!("`{word}`: {}", joined(told)))
        .collect();
    let schema = json!({
        "type": "string",
        "description": format!("{} {}", joined(said), told.join(" ")),
        "enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>(),
    });
    components.schemas.insert(name.to_owned(), schema);
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Puts a comment to a schema. Beside a reference it may stand too (OpenAPI 3.1).
fn commented(schema: &Value, said: &str) -> Value {
    let mut schema = schema.clone();
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".to_owned(), said.into());
    }
    schema
}

/// Joins the lines of a comment.
pub(crate) fn joined(said: &[&str]) -> String {
    let lines: Vec<&str> = said.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// Writes `display_name` as `displayName`, as serde does.
fn camel(name: &str) -> String {
    let mut words = name.trim_start_matches("r#").split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let (head, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        text + &head.to_uppercase() + rest
    })
}

fn is_nullable(schema: &Value) -> bool {
    let has_null = |list: &Value| {
        let list = list.as_array();
        let is_null =
            |one: &Value| one == "null" || one.get("type").is_some_and(|kind| kind == "null");
        list.is_some_and(|list| list.iter().any(is_null))
    };
    schema.get("type").is_some_and(has_null) || schema.get("anyOf").is_some_and(has_null)
}

macro_rules! simple {
    ($($type:ty => $schema:tt),* $(,)?) => {$(
        impl Described for $type {
            fn schema(_: &mut Components) -> Value {
                json!($schema)
            }
        }
    )*};
}
simple! {
    String => {"type": "string"},
    bool => {"type": "boolean"},
    u64 => {"type": "integer", "minimum": 0},
    Timestamp => {"type": "string", "format": "date-time"},
    // whatever it is
    Value => {},
}

impl<T: Described> Described for Option<T> {
    fn schema(components: &mut Components) -> Value {
        let mut schema = T::schema(components);
        let is_plain = schema.get("type").is_some_and(Value::is_string);
        if !is_plain {
            return json!({"anyOf": [schema, {"type": "null"}]});
        }
        if let Some(kind) = schema.get_mut("type") {
            *kind = json!([kind.clone(), "null"]);
        }
        schema
    }
}

impl<T: Described> Described for Vec<T> {
    fn schema(components: &mut Components) -> Value {
        json!({"type": "array", "items": T::schema(components)})
    }
}

/// Events are described where they are sent; their type is shared with webhooks.
impl Described for Event {
    fn schema(components: &mut Components) -> Value {
        let types = EventType::ALL.map(EventType::word);
        let schema = json!({
            "type": "object",
            "description": "What happened to a person or a group: what changed, never what it is now.",
            "properties": {
                "id": {"type": "string", "description": "The same whenever and however it is told."},
                "type": {"type": "string", "enum": types, "description": "What happened."},
                "time": {"type": "string", "format": "date-time", "description": "When it was committed."},
                "organisation": {"type": "string", "description": "In which organisation, by its name in URLs."},
                "object": {
                    "type": "object",
                    "description": "To what it happened.",
                    "properties": {
                        "type": {"type": "string", "enum": ["User", "Group"], "description": "Its kind."},
                        "id": {"type": "string", "description": "Its id."},
                        "version": {"type": ["integer", "null"], "description": "Its version afterwards; null when it is gone."},
                    },
                    "required": ["type", "id", "version"],
                    "additionalProperties": false,
                },
                "changed": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "The names of what changed; empty when the object is new or gone.",
                },
                "actor": {
                    "type": ["string", "null"],
                    "enum": ["integration", "administrator", "command", "system", "key", null],
                    "description": "What kind of actor did it; null where that was not noted.",
                },
            },
            "required": ["id", "type", "time", "organisation", "object", "changed", "actor"],
            "additionalProperties": false,
        });
        components.schemas.insert("Event".to_owned(), schema);
        json!({"$ref": "#/components/schemas/Event"})
    }
}

described! {
    /// Nothing.
    pub(crate) struct Nothing {}
}

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// A colour.
        enum Colour {
            /// Like blood.
            Red "red",
        }
    }

    described! {
        /// A sample
        /// of two lines.
        struct Sample {
            /// Its name.
            display_name: String,
            /// Its colour.
            colour: Option<Colour>,
            /// How many.
            count: Option<u64>,
        }
    }

    #[test]
    fn a_type_is_described_by_its_own_words() {
        let mut components = Components::default();

        let schema = Sample::schema(&mut components);

        assert_eq!(schema, json!({"$ref": "#/components/schemas/Sample"}));
        assert_eq!(
            Value::Object(components.schemas),
            json!({
                "Sample": {
                    "type": "object",
                    "description": "A sample of two lines.",
                    "properties": {
                        "displayName": {"type": "string", "description": "Its name."},
                        "colour": {
                            "anyOf": [{"$ref": "#/components/schemas/Colour"}, {"type": "null"}],
                            "description": "Its colour.",
                        },
                        "count": {"type": ["integer", "null"], "minimum": 0, "description": "How many."},
                    },
                    "required": ["displayName", "colour", "count"],
                    "additionalProperties": false,
                },
                "Colour": {"type": "string", "description": "A colour. `red`: Like blood.", "enum": ["red"]},
            })
        );
        let sample = Sample {
            display_name: "x".into(),
            colour: Some(Colour::Red),
            count: None,
        };
        let sent = serde_json::to_value(&sample).unwrap();
        assert_eq!(
            sent,
            json!({"displayName": "x", "colour": "red", "count": null})
        );
        let unknown = serde_json::from_value::<Sample>(json!({"displayName": "x", "size": 3}));
        assert!(unknown.unwrap_err().to_string().contains("`size`"));
    }
}
