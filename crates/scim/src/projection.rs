//! Which attributes an answer shows: `attributes` and `excludedAttributes` (RFC 7644 §3.9).

use serde_json::{Map, Value};

use crate::error::Error;
use crate::path::{Path, Target};
use crate::schema::{Attribute, ResourceType, Returned};

/// A choice of attributes. Names that the type does not have choose nothing.
#[derive(Debug, Clone)]
pub struct Projection(Choice);

#[derive(Debug, Clone)]
enum Choice {
    Default,
    Only(Vec<Chosen>),
    Without(Vec<Chosen>),
}

/// An attribute, or a part of one; without an attribute, a whole extension.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chosen {
    extension: Option<String>,
    attribute: Option<String>,
    part: Option<String>,
}

impl Projection {
    /// Reads the two parameters.
    ///
    /// # Errors
    /// When both are given: they exclude each other.
    pub fn parse(
        attributes: Option<&str>,
        excluded: Option<&str>,
        kind: &ResourceType,
    ) -> Result<Self, Error> {
        let given = |text: Option<&str>| {
            text.map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Ok(Self(match (given(attributes), given(excluded)) {
            (None, None) => Choice::Default,
            (Some(only), None) => Choice::Only(chosen(&only, kind)),
            (None, Some(without)) => Choice::Without(chosen(&without, kind)),
            (Some(_), Some(_)) => {
                return Err(Error::invalid_value(
                    "`attributes` and `excludedAttributes` exclude each other",
                ));
            }
        }))
    }

    /// Tells whether the client asked for nothing in particular.
    pub fn is_default(&self) -> bool {
        matches!(self.0, Choice::Default)
    }

    /// Tells whether a stored document of this type is shown as it is: the client asked for nothing in particular, and no attribute has to
    /// be asked for. What is never returned is never stored.
    pub fn shows_all(&self, kind: &ResourceType) -> bool {
        let mut attributes = kind
            .common
            .iter()
            .chain(kind.schemas().flat_map(|schema| &schema.attributes));
        self.is_default() && !attributes.any(|attribute| attribute.returned == Returned::Request)
    }

    /// Tells whether an attribute of the core schema will be shown.
    pub fn includes(&self, name: &str) -> bool {
        match &self.0 {
            Choice::Default => true,
            Choice::Only(list) => list
                .iter()
                .any(|chosen| chosen.extension.is_none() && chosen.is_attribute(name)),
            Choice::Without(list) => !list.iter().any(|chosen| {
                chosen.extension.is_none() && chosen.is_attribute(name) && chosen.part.is_none()
            }),
        }
    }

    /// Takes out of a document of this type what is not to be shown.
    pub fn apply(&self, kind: &ResourceType, document: &mut Map<String, Value>) {
        let names: Vec<String> = document.keys().cloned().collect();
        for name in names {
            if let Some(extension) = kind.extension(&name) {
                let Some(Value::Object(inner)) = document.get_mut(&name) else {
                    continue;
                };
                let inner_names: Vec<String> = inner.keys().cloned().collect();
                for inner_name in inner_names {
                    let definition = extension.attribute(&inner_name).map(AsRef::as_ref);
                    self.apply_to(inner, Some(&name), &inner_name, definition);
                }
                if inner.is_empty() {
                    document.shift_remove(&name);
                }
            } else {
                let definition = kind.top_attribute(&name).map(AsRef::as_ref);
                self.apply_to(document, None, &name, definition);
            }
        }
    }

    fn apply_to(
        &self,
        container: &mut Map<String, Value>,
        extension: Option<&str>,
        name: &str,
        definition: Option<&Attribute>,
    ) {
        let returned = definition.map_or(Returned::Default, |definition| definition.returned);
        if returned == Returned::Always {
            return;
        }
        let about = |list: &[Chosen]| -> Vec<Chosen> {
            let is_here = |chosen: &&Chosen| {
                chosen.extension.as_deref() == extension
                    && chosen.attribute.as_deref().is_none_or(|a| a == name)
            };
            list.iter().filter(is_here).cloned().collect()
        };
        let keep = match &self.0 {
            _ if returned == Returned::Never => false,
            Choice::Default => returned == Returned::Default,
            Choice::Only(list) => {
                let here = about(list);
                let parts: Vec<&str> = here
                    .iter()
                    .filter_map(|chosen| chosen.part.as_deref())
                    .collect();
                if !here.is_empty() && parts.len() == here.len() {
                    retain_parts(container.get_mut(name), |part| parts.contains(&part));
                }
                !here.is_empty()
            }
            Choice::Without(list) => {
                let here = about(list);
                let parts: Vec<&str> = here
                    .iter()
                    .filter_map(|chosen| chosen.part.as_deref())
                    .collect();
                retain_parts(container.get_mut(name), |part| !parts.contains(&part));
                here.len() == parts.len() && returned == Returned::Default
            }
        };
        if !keep {
            container.shift_remove(name);
        }
    }
}

impl Chosen {
    fn is_attribute(&self, name: &str) -> bool {
        self.attribute
            .as_deref()
            .is_some_and(|attribute| attribute == name)
    }
}

fn retain_parts(value: Option<&mut Value>, keep: impl Fn(&str) -> bool + Copy) {
    match value {
        Some(Value::Object(object)) => object.retain(|name, _| keep(name)),
        Some(Value::Array(list)) => list
            .iter_mut()
            .for_each(|element| retain_parts(Some(element), keep)),
        _ => {}
    }
}

fn chosen(text: &str, kind: &ResourceType) -> Vec<Chosen> {
    split(text)
        .into_iter()
        .filter_map(|name| Path::parse(name, kind).ok())
        .map(|path| match path.target {
            Target::Extension(urn) => Chosen {
                extension: Some(urn.to_string()),
                attribute: None,
                part: None,
            },
            Target::Attribute(place) => Chosen {
                extension: place.extension.map(|urn| urn.to_string()),
                attribute: Some(place.attribute.name.clone()),
                part: place.sub.map(|sub| sub.name.clone()),
            },
            Target::Elements { place, sub, .. } => Chosen {
                extension: place.extension.map(|urn| urn.to_string()),
                attribute: Some(place.attribute.name.clone()),
                part: sub.map(|sub| sub.name.clone()),
            },
        })
        .collect()
}

/// Splits at commas that are not in quotes.
fn split(text: &str) -> Vec<&str> {
    let mut in_quotes = false;
    text.split(|character| {
        in_quotes ^= character == '"';
        character == ',' && !in_quotes
    })
    .map(str::trim)
    .filter(|name| !name.is_empty())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Registry;
    use serde_json::json;

    fn shown(attributes: Option<&str>, excluded: Option<&str>) -> Value {
        let registry = Registry::standard();
        let mut document = json!({
            "schemas": ["x"], "id": "1", "userName": "ann", "name": {"givenName": "Ann", "familyName": "Vance"},
            "emails": [{"value": "a@b.example", "type": "work"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales", "division": "EMEA"},
        });
        let projection = Projection::parse(attributes, excluded, registry.user()).unwrap();
        projection.apply(registry.user(), document.as_object_mut().unwrap());
        document
    }

    #[test]
    fn what_is_always_returned_stays_and_the_rest_is_chosen() {
        assert_eq!(
            shown(Some("USERNAME,name.familyName"), None),
            json!({"schemas": ["x"], "id": "1", "userName": "ann", "name": {"familyName": "Vance"}})
        );
        assert_eq!(
            shown(
                Some(
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department,nosuch"
                ),
                None
            ),
            json!({"schemas": ["x"], "id": "1",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales"}})
        );
        assert_eq!(
            shown(
                None,
                Some(
                    "id,name,emails.type,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
                )
            ),
            json!({"schemas": ["x"], "id": "1", "userName": "ann", "emails": [{"value": "a@b.example"}]})
        );
        assert!(Projection::parse(Some("a"), Some("b"), Registry::standard().user()).is_err());
    }
}
