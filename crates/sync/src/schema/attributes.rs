//! Attributes of directories: the attribute list of the target, and what flows from the source.
//!
//! **Is:** `attributeDefinition`s as the model has them. **Is not:** what they do to values; see [`crate::rules`].
//! **Start at** [`target_attribute`].

use std::collections::BTreeSet;

use rollcall_model::mapping::{Mutability, TargetAttribute, ValueType};
use serde_json::Value;

use super::choose::{elements, named};
use super::findings::{At, Findings};

/// The properties of an attribute that are known.
pub(super) const KNOWN: [&str; 12] = [
    "name",
    "type",
    "anchor",
    "caseExact",
    "defaultValue",
    "flowNullValues",
    "multivalued",
    "mutability",
    "required",
    "metadata",
    "referencedObjects",
    "apiExpressions",
];

/// Reads an attribute of the target; `None` when it has no name.
pub(super) fn target_attribute(findings: &mut Findings, at: &At<'_>) -> Option<TargetAttribute> {
    if !findings.is_object(at, "an attribute") {
        return None;
    }
    let types = ValueType::ALL.map(|kind| (kind.name(), kind));
    let mutabilities = Mutability::ALL.map(|mutability| (mutability.name(), mutability));
    let name = findings.needed_text(at, "name", "name the attribute, as a SCIM path");
    let attribute = TargetAttribute {
        name: name.unwrap_or_default().to_owned(),
        kind: findings.one_of(at, "type", ValueType::String, &types),
        primary_key: findings.flag(at, "anchor", false),
        required: findings.flag(at, "required", false),
        multi_valued: findings.flag(at, "multivalued", false),
        exact_case: findings.flag(at, "caseExact", false),
        api_expression: api_expression(findings, at),
        referenced_objects: referenced_objects(findings, at),
        mutability: findings.one_of(at, "mutability", Mutability::ReadWrite, &mutabilities),
    };
    name.is_some().then_some(attribute)
}

/// Reads the object types that a reference may point to.
pub(super) fn referenced_objects(findings: &mut Findings, at: &At<'_>) -> Vec<String> {
    let references = findings.list(at, "referencedObjects");
    references
        .iter()
        .filter_map(|reference| {
            if !findings.is_object(reference, "a referenced object") {
                return None;
            }
            findings.strangers(reference, &["referencedObjectName", "referencedProperty"]);
            let help = "name the object type that is referred to, such as User";
            findings
                .needed_text(reference, "referencedObjectName", help)
                .map(str::to_owned)
        })
        .collect()
}

/// Reads the first expression of the target's interface: a pair of key and value.
fn api_expression(findings: &mut Findings, at: &At<'_>) -> Option<String> {
    let expressions = findings.list(at, "apiExpressions");
    let mut texts = expressions.iter();
    let first = texts.next()?;
    if texts.next().is_some() {
        findings.note(first, "of several API expressions only the first is shown");
    }
    if !findings.is_object(first, "an API expression") {
        return None;
    }
    let text = findings.text(first, "value")?;
    Some(text.to_owned())
}

/// Returns the names of the source's attributes whose nulls flow to the target.
pub(super) fn flowing<'d>(
    document: &'d Value,
    directory: Option<&str>,
    object: Option<&str>,
) -> BTreeSet<&'d str> {
    object_definition(document, directory, object)
        .map_or(&[][..], |object| elements(object, "attributes"))
        .iter()
        .filter(|attribute| attribute.get("flowNullValues") == Some(&Value::Bool(true)))
        .filter_map(|attribute| attribute.get("name")?.as_str())
        .collect()
}

/// Finds the definition of an object type of a directory.
fn object_definition<'d>(
    document: &'d Value,
    directory: Option<&str>,
    object: Option<&str>,
) -> Option<&'d Value> {
    let (directory, object) = object_place(document, directory, object)?;
    elements(document, "directories")
        .get(directory)
        .and_then(|directory| elements(directory, "objects").get(object))
}

/// Finds the places of a directory and of an object type in it.
pub(super) fn object_place(
    document: &Value,
    directory: Option<&str>,
    object: Option<&str>,
) -> Option<(usize, usize)> {
    let directories = elements(document, "directories");
    let place = named(directories, directory?)?;
    let objects = elements(directories.get(place)?, "objects");
    Some((place, named(objects, object?)?))
}
