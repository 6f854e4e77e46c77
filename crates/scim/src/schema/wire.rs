//! Schemas and resource types as JSON (RFC 7643 §6, §7).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Attribute, AttributeType, Mutability, Registry, ResourceType, Returned, Schema, Uniqueness,
};
use crate::error::{Error, quoted};
use crate::list::ListResponse;

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// Deeper than attribute and sub-attribute a schema does not go (RFC 7643 §2.3.8).
const DEEPEST: usize = 2;

/// Pairs of a value and its word.
macro_rules! words {
    ($name:ident, $kind:ty, $($value:path => $word:literal),+) => {
        const $name: &[($kind, &str)] = &[$(($value, $word)),+];
    };
}
words!(TYPES, AttributeType,
    AttributeType::String => "string", AttributeType::Boolean => "boolean", AttributeType::Decimal => "decimal",
    AttributeType::Integer => "integer", AttributeType::DateTime => "dateTime", AttributeType::Binary => "binary",
    AttributeType::Reference => "reference", AttributeType::Complex => "complex");
words!(MUTABILITIES, Mutability,
    Mutability::ReadWrite => "readWrite", Mutability::ReadOnly => "readOnly",
    Mutability::Immutable => "immutable", Mutability::WriteOnly => "writeOnly");
words!(RETURNED, Returned,
    Returned::Default => "default", Returned::Always => "always", Returned::Never => "never",
    Returned::Request => "request");
words!(UNIQUENESS, Uniqueness,
    Uniqueness::None => "none", Uniqueness::Server => "server", Uniqueness::Global => "global");

fn word<T: PartialEq>(words: &[(T, &'static str)], value: &T) -> &'static str {
    words
        .iter()
        .find(|(known, _)| known == value)
        .map_or("", |(_, word)| word)
}

fn value_of<T: Copy>(
    words: &[(T, &'static str)],
    name: &str,
    given: Option<&Value>,
) -> Result<T, Error> {
    let Some(given) = given.filter(|given| !given.is_null()) else {
        return words
            .first()
            .map(|(first, _)| *first)
            .ok_or_else(|| Error::invalid_value("no words"));
    };
    let text = given.as_str().unwrap_or_default();
    words
        .iter()
        .find(|(_, word)| word.eq_ignore_ascii_case(text))
        .map(|(value, _)| *value)
        .ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
            Error::invalid_value(format!(
                "`{name}`: {} is none of {}",
                quoted(text),
                known.join(", ")
            ))
        })
}

impl Schema {
    /// Reads a schema from its JSON form.
    ///
    /// # Errors
    /// `invalidValue` with the name of the attribute that is wrong.
    pub fn from_json(value: &Value) -> Result<Self, Error> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text("id").filter(|id| {
            id.get(..4)
                .is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
        });
        let id = id.ok_or_else(|| Error::invalid_value("`id`: a schema has a URN"))?;
        let attributes = value.get("attributes").and_then(Value::as_array);
        let attributes = attributes
            .ok_or_else(|| Error::invalid_value("`attributes`: a schema has a list of them"))?;
        let attributes = attributes_from(attributes, 1)?;
        Ok(Self {
            name: text("name").unwrap_or_else(|| id.clone()),
            description: text("description").unwrap_or_default(),
            id,
            attributes,
        })
    }

    /// Returns the schema's JSON form.
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": [SCHEMA],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(|attribute| attribute.to_json()).collect::<Vec<_>>(),
        })
    }
}

fn attributes_from(values: &[Value], depth: usize) -> Result<Vec<Arc<Attribute>>, Error> {
    let mut attributes: Vec<Arc<Attribute>> = Vec::with_capacity(values.len());
    for value in values {
        let attribute = attribute_from(value, depth)?;
        if attributes
            .iter()
            .any(|there| there.name.eq_ignore_ascii_case(&attribute.name))
        {
            return Err(Error::invalid_value(format!(
                "the attribute {} occurs twice",
                quoted(&attribute.name)
            )));
        }
        attributes.push(Arc::new(attribute));
    }
    Ok(attributes)
}

fn attribute_from(value: &Value, depth: usize) -> Result<Attribute, Error> {
    let name = value
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let fits = name
        .strip_prefix('$')
        .unwrap_or(name)
        .bytes()
        .enumerate()
        .all(|(at, byte)| {
            byte.is_ascii_alphabetic()
                || (at > 0 && (byte.is_ascii_digit() || byte == b'_' || byte == b'-'))
        });
    if name.is_empty() || !fits {
        return Err(Error::invalid_value(format!(
            "{} cannot name an attribute",
            quoted(name)
        )));
    }
    let kind = value_of(TYPES, "type", value.get("type"))?;
    let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or_default();
    let list = |name: &str| -> Vec<String> {
        let list = value
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        list.filter_map(|element| element.as_str().map(str::to_owned))
            .collect()
    };
    let parts = value.get("subAttributes").and_then(Value::as_array);
    let sub_attributes = match (kind, parts) {
        (AttributeType::Complex, Some(parts)) if depth < DEEPEST => {
            attributes_from(parts, depth + 1)?
        }
        (AttributeType::Complex, _) => {
            return Err(Error::invalid_value(format!(
                "{}: a complex attribute has parts, and they have none",
                quoted(name)
            )));
        }
        _ => Vec::new(),
    };
    let canonical_values = list("canonicalValues");
    Ok(Attribute {
        name: name.to_owned(),
        kind,
        multi_valued: flag("multiValued"),
        description: value
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        required: flag("required"),
        restricted: !canonical_values.is_empty(),
        canonical_values,
        case_exact: flag("caseExact"),
        mutability: value_of(MUTABILITIES, "mutability", value.get("mutability"))?,
        returned: value_of(RETURNED, "returned", value.get("returned"))?,
        uniqueness: value_of(UNIQUENESS, "uniqueness", value.get("uniqueness"))?,
        reference_types: list("referenceTypes"),
        sub_attributes,
    })
}

impl Attribute {
    fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put("name", self.name.clone().into());
        put("type", word(TYPES, &self.kind).into());
        put("multiValued", self.multi_valued.into());
        put("description", self.description.clone().into());
        put("required", self.required.into());
        if !self.canonical_values.is_empty() {
            put("canonicalValues", self.canonical_values.clone().into());
        }
        put("caseExact", self.case_exact.into());
        put("mutability", word(MUTABILITIES, &self.mutability).into());
        put("returned", word(RETURNED, &self.returned).into());
        put("uniqueness", word(UNIQUENESS, &self.uniqueness).into());
        if !self.reference_types.is_empty() {
            put("referenceTypes", self.reference_types.clone().into());
        }
        if self.is_complex() {
            put(
                "subAttributes",
                self.sub_attributes
                    .iter()
                    .map(|sub| sub.to_json())
                    .collect(),
            );
        }
        Value::Object(fields)
    }
}

impl ResourceType {
    fn to_json(&self, base: &str) -> Value {
        let extensions: Vec<Value> = self
            .extensions
            .iter()
            .map(|extension| json!({"schema": extension.id, "required": false}))
            .collect();
        json!({
            "schemas": [RESOURCE_TYPE],
            "id": self.name,
            "name": self.name,
            "endpoint": self.endpoint,
            "description": self.description,
            "schema": self.schema.id,
            "schemaExtensions": extensions,
            "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name)},
        })
    }
}

impl Registry {
    /// Returns the answer to `GET /ResourceTypes` below this base URL.
    pub fn resource_types_json(&self, base: &str) -> Value {
        list(
            [self.user(), self.group()]
                .map(|kind| kind.to_json(base))
                .into(),
        )
    }

    /// Returns the answer to `GET /Schemas` below this base URL.
    pub fn schemas_json(&self, base: &str) -> Value {
        let kinds = [self.user(), self.group()];
        let schemas = kinds
            .into_iter()
            .flat_map(|kind| std::iter::once(&kind.schema).chain(&kind.extensions));
        list(
            schemas
                .map(|schema| {
                    let mut value = schema.to_json();
                    let location = format!("{base}/Schemas/{}", schema.id);
                    if let Some(fields) = value.as_object_mut() {
                        fields.insert(
                            "meta".into(),
                            json!({"resourceType": "Schema", "location": location}),
                        );
                    }
                    value
                })
                .collect(),
        )
    }
}

fn list(resources: Vec<Value>) -> Value {
    let count = resources.len() as u64;
    ListResponse {
        total: Some(count),
        start_index: Some(1),
        items_per_page: count,
        next_cursor: None,
        previous_cursor: None,
        resources,
    }
    .to_json()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A suggestion and a restriction look alike on the wire.
    fn relax(attributes: &mut [Arc<Attribute>]) {
        for attribute in attributes {
            let attribute = Arc::make_mut(attribute);
            attribute.restricted = false;
            relax(&mut attribute.sub_attributes);
        }
    }

    #[test]
    fn a_schema_reads_back_from_its_own_json() {
        for schema in [
            &Registry::standard().user().extensions[0],
            &Registry::standard().group().schema,
        ] {
            let mut read = Schema::from_json(&schema.to_json()).unwrap();
            relax(&mut read.attributes);
            assert_eq!(&read, schema);
        }
    }

    #[test]
    fn a_wrong_schema_is_refused_with_the_place() {
        for (wrong, place) in [
            (json!({"id": "x", "attributes": []}), "`id`"),
            (json!({"id": "urn:x:y"}), "`attributes`"),
            (
                json!({"id": "urn:x:y", "attributes": [{"name": "a b"}]}),
                "`a b`",
            ),
            (
                json!({"id": "urn:x:y", "attributes": [{"name": "a", "type": "strnig"}]}),
                "`strnig`",
            ),
            (
                json!({"id": "urn:x:y", "attributes": [{"name": "a"}, {"name": "A"}]}),
                "`A` occurs twice",
            ),
        ] {
            assert!(
                Schema::from_json(&wrong)
                    .unwrap_err()
                    .detail
                    .contains(place),
                "{wrong}"
            );
        }
    }
}
