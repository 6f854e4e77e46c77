//! The one evaluator of filters.
//!
//! An attribute with several values fulfils a comparison when one of them does (RFC 7644 §3.4.2.2). An absent one fulfils only
//! `ne`, and `eq null`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Comparison, Literal, Node, Operator, Related};
use crate::key;
use crate::path::{Path, Place, Target};
use crate::schema::{Attribute, AttributeType};
use crate::value::instant;

pub(super) fn matches(node: &Node, document: &Map<String, Value>, related: &dyn Related) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| matches(node, document, related)),
        Node::Or(nodes) => nodes.iter().any(|node| matches(node, document, related)),
        Node::Not(node) => !matches(node, document, related),
        Node::Compare(comparison) if comparison.place.related => {
            compare_related(comparison, related)
        }
        Node::Compare(comparison) => compare(comparison, &values(&comparison.place, document)),
        Node::Within { place, inner } if place.related => within_related(place, inner, related),
        Node::Within { place, inner } => within(inner, elements(place, document).into_iter()),
    }
}

fn within<'v>(inner: &Node, mut elements: impl Iterator<Item = &'v Value>) -> bool {
    elements.any(|element| {
        element
            .as_object()
            .is_some_and(|map| matches(inner, map, &super::NoRelated))
    })
}

fn within_related(place: &Place, inner: &Node, related: &dyn Related) -> bool {
    let attribute = &place.attribute.name;
    if let Node::Compare(comparison) = inner
        && let (Operator::Eq, Literal::String(value)) = (comparison.operator, &comparison.literal)
        && comparison.place.attribute.name == "value"
    {
        return related.contains(attribute, value);
    }
    within(inner, related.values(attribute).iter())
}

fn compare_related(comparison: &Comparison, related: &dyn Related) -> bool {
    let place = &comparison.place;
    let asks_value = place.sub.as_ref().is_none_or(|sub| sub.name == "value");
    if let (true, Operator::Eq, Literal::String(value)) =
        (asks_value, comparison.operator, &comparison.literal)
    {
        return related.contains(&place.attribute.name, value);
    }
    let elements = related.values(&place.attribute.name);
    compare(comparison, &parts(place, elements.iter().collect()))
}

/// Returns the elements of an attribute: one for a single value.
fn elements<'v>(place: &Place, document: &'v Map<String, Value>) -> Vec<&'v Value> {
    let container = match &place.extension {
        Some(urn) => document.get(urn.as_ref()).and_then(Value::as_object),
        None => Some(document),
    };
    match container.and_then(|container| container.get(&place.attribute.name)) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    }
}

fn values<'v>(place: &Place, document: &'v Map<String, Value>) -> Vec<&'v Value> {
    parts(place, elements(place, document))
}

/// Returns the part of each element that the place names; of a complex one without a name, its `value`.
fn parts<'v>(place: &Place, elements: Vec<&'v Value>) -> Vec<&'v Value> {
    let name = match &place.sub {
        Some(sub) => &sub.name,
        None if place.attribute.is_complex()
            && place.attribute.sub_attribute("value").is_some() =>
        {
            "value"
        }
        None => return elements,
    };
    elements
        .into_iter()
        .filter_map(|element| element.get(name))
        .filter(|part| !part.is_null())
        .collect()
}

/// Returns the values at a path.
pub(crate) fn values_at<'v>(path: &Path, document: &'v Map<String, Value>) -> Vec<&'v Value> {
    match &path.target {
        Target::Extension(urn) => document.get(urn.as_ref()).into_iter().collect(),
        Target::Attribute(place) => {
            let elements = elements(place, document);
            match &place.sub {
                Some(sub) => elements
                    .into_iter()
                    .filter_map(|element| element.get(&sub.name))
                    .collect(),
                None => elements,
            }
        }
        Target::Elements { place, filter, sub } => elements(place, document)
            .into_iter()
            .filter(|element| {
                element
                    .as_object()
                    .is_some_and(|map| filter.matches(map, &super::NoRelated))
            })
            .filter_map(|element| match sub {
                Some(sub) => element.get(&sub.name),
                None => Some(element),
            })
            .collect(),
    }
}

fn compare(comparison: &Comparison, values: &[&Value]) -> bool {
    match (comparison.operator, &comparison.literal) {
        (Operator::Pr, _) | (Operator::Ne, Literal::Null) => {
            values.iter().any(|value| is_present(value))
        }
        (Operator::Eq, Literal::Null) => !values.iter().any(|value| is_present(value)),
        (Operator::Ne, _) if values.is_empty() => true,
        _ => values.iter().any(|value| fulfils(comparison, value)),
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

/// Returns the definition by which the values are compared.
fn compared(place: &Place) -> &Attribute {
    let definition = place.definition();
    match definition.sub_attribute("value") {
        Some(value) if definition.is_complex() => value,
        _ => definition,
    }
}

fn fulfils(comparison: &Comparison, value: &Value) -> bool {
    let needle = comparison.needle.as_str();
    let definition = compared(&comparison.place);
    match (comparison.operator, value) {
        (Operator::Eq, _) => equal(comparison, definition, value),
        (Operator::Ne, _) => !equal(comparison, definition, value),
        (Operator::Co, Value::String(text)) => {
            with_case(definition, text, |text| text.contains(needle))
        }
        (Operator::Sw, Value::String(text)) => {
            with_case(definition, text, |text| text.starts_with(needle))
        }
        (Operator::Ew, Value::String(text)) => {
            with_case(definition, text, |text| text.ends_with(needle))
        }
        (operator, _) => {
            let Some(order) = order(comparison, definition, value) else {
                return false;
            };
            match operator {
                Operator::Gt => order == Ordering::Greater,
                Operator::Ge => order != Ordering::Less,
                Operator::Lt => order == Ordering::Less,
                Operator::Le => order != Ordering::Greater,
                _ => false,
            }
        }
    }
}

fn with_case(definition: &Attribute, text: &str, test: impl FnOnce(&str) -> bool) -> bool {
    if definition.case_exact {
        test(text)
    } else {
        test(&key::folded(text))
    }
}

fn equal(comparison: &Comparison, definition: &Attribute, value: &Value) -> bool {
    match (&comparison.literal, value) {
        (Literal::Boolean(wanted), Value::Bool(found)) => wanted == found,
        (Literal::String(wanted), Value::String(found))
            if definition.kind == AttributeType::DateTime =>
        {
            match (instant(wanted), instant(found)) {
                (Some(wanted), Some(found)) => wanted == found,
                _ => wanted == found,
            }
        }
        (Literal::String(wanted), Value::String(found)) if definition.case_exact => wanted == found,
        (Literal::String(_), Value::String(found)) => key::has_key(found, &comparison.needle),
        (Literal::Number(_), Value::Number(_)) => {
            order(comparison, definition, value) == Some(Ordering::Equal)
        }
        _ => false,
    }
}

fn order(comparison: &Comparison, definition: &Attribute, value: &Value) -> Option<Ordering> {
    match (&comparison.literal, value) {
        (Literal::Number(wanted), Value::Number(found)) => {
            match (found.as_i64(), wanted.as_i64()) {
                (Some(found), Some(wanted)) => Some(found.cmp(&wanted)),
                _ => found.as_f64()?.partial_cmp(&wanted.as_f64()?),
            }
        }
        (Literal::String(wanted), Value::String(found))
            if definition.kind == AttributeType::DateTime =>
        {
            Some(instant(found)?.cmp(&instant(wanted)?))
        }
        (Literal::String(_), Value::String(found)) if definition.case_exact => {
            Some(found.as_str().cmp(&comparison.needle))
        }
        (Literal::String(_), Value::String(found)) => {
            Some(key::canonical(found).as_str().cmp(&comparison.needle))
        }
        _ => None,
    }
}
