//! Applies one operation to a document.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Operation, Verb};
use crate::error::{Error, quoted};
use crate::filter::{Filter, NoRelated, Node, Operator};
use crate::limits::Limits;
use crate::path::{Place, Target};
use crate::resource::cannot_change;
use crate::schema::{Attribute, Mutability, ResourceType};
use crate::value::{Checker, is_primary};

pub(super) fn apply(
    operation: &Operation,
    document: &mut Map<String, Value>,
    kind: &ResourceType,
    limits: &Limits,
) -> Result<(), Error> {
    let Operation { verb, path, value } = operation;
    let text = path.to_string();
    let edit = Edit {
        verb: *verb,
        value,
        text: &text,
        limits,
    };
    match &path.target {
        Target::Extension(urn) => {
            debug_assert!(
                kind.extension(urn).is_some(),
                "paths are resolved against the type"
            );
            document.shift_remove(urn.as_ref());
            Ok(())
        }
        Target::Attribute(place) => {
            let container = container(document, place, *verb == Verb::Remove);
            let Some(container) = container else {
                return Ok(());
            };
            match &place.sub {
                Some(sub) => edit.part(container, &place.attribute, sub),
                None => edit.whole(container, &place.attribute),
            }
        }
        Target::Elements { place, filter, sub } => {
            let Some(container) = container(document, place, *verb == Verb::Remove) else {
                return Ok(());
            };
            edit.elements(container, &place.attribute, filter, sub.as_ref())
        }
    }
}

/// Returns the object in which the attribute lies, made when it is to be written.
fn container<'d>(
    document: &'d mut Map<String, Value>,
    place: &Place,
    only_existing: bool,
) -> Option<&'d mut Map<String, Value>> {
    let Some(urn) = &place.extension else {
        return Some(document);
    };
    if only_existing {
        return document
            .get_mut(urn.as_ref())
            .and_then(Value::as_object_mut);
    }
    document
        .entry(urn.to_string())
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
}

struct Edit<'a> {
    verb: Verb,
    value: &'a Value,
    text: &'a str,
    limits: &'a Limits,
}

impl Edit<'_> {
    /// Checks the operation's value; what the checker would pass over is refused here, since a PATCH asks for it.
    fn checked(
        &self,
        check: impl FnOnce(&mut Checker<'_>) -> Result<Option<Value>, Error>,
    ) -> Result<Option<Value>, Error> {
        let mut checker = Checker::new(self.limits);
        let value = check(&mut checker)?;
        match checker
            .ignored
            .iter()
            .find(|place| !place.ends_with(".displayName") && !place.ends_with(".$ref"))
        {
            Some(place) => Err(Error::invalid_path(format!(
                "{} names nothing that could be set",
                quoted(place)
            ))),
            None => Ok(value),
        }
    }

    fn guard(
        &self,
        attribute: &Attribute,
        before: Option<&Value>,
        after: Option<&Value>,
    ) -> Result<(), Error> {
        let is_changed = before.is_some() && before != after;
        if attribute.mutability == Mutability::Immutable && is_changed {
            return Err(cannot_change(self.text));
        }
        Ok(())
    }

    /// The whole attribute.
    fn whole(
        &self,
        container: &mut Map<String, Value>,
        attribute: &Attribute,
    ) -> Result<(), Error> {
        let before = container.get(&attribute.name).cloned();
        let after = match self.verb {
            Verb::Remove if attribute.multi_valued && !self.value.is_null() => {
                let gone = self.checked(|checker| {
                    checker.attribute(attribute, self.value.clone(), self.text)
                })?;
                without(before.clone(), gone.as_ref())
            }
            Verb::Remove => None,
            Verb::Add | Verb::Replace => {
                let given = self.checked(|checker| {
                    checker.attribute(attribute, self.value.clone(), self.text)
                })?;
                match (given, &before) {
                    (None, _) if self.verb == Verb::Add && attribute.multi_valued => before.clone(),
                    (Some(Value::Array(new)), Some(Value::Array(old)))
                        if self.verb == Verb::Add =>
                    {
                        Some(Value::Array(added(old.clone(), new)))
                    }
                    // "object merged"
                    (Some(Value::Object(new)), Some(Value::Object(old)))
                        if !attribute.multi_valued =>
                    {
                        Some(Value::Object(self.merged(attribute, old, new)))
                    }
                    (given, _) => given,
                }
            }
        };
        self.guard(attribute, before.as_ref(), after.as_ref())?;
        put(container, &attribute.name, after);
        Ok(())
    }

    /// Joins an object with what is there; a part that came as null or empty text is cleared.
    fn merged(
        &self,
        attribute: &Attribute,
        old: &Map<String, Value>,
        new: Map<String, Value>,
    ) -> Map<String, Value> {
        let mut joined = old.clone();
        if let Some(given) = self.value.as_object() {
            for (name, value) in given {
                let is_empty = value.is_null() || value.as_str() == Some("");
                if let (true, Some(part)) = (is_empty, attribute.sub_attribute(name)) {
                    joined.shift_remove(&part.name);
                }
            }
        }
        // who points elsewhere does not keep the address and name of the one before
        let points_elsewhere = new
            .get("value")
            .is_some_and(|value| old.get("value") != Some(value));
        if points_elsewhere {
            joined.clear();
        }
        joined.extend(new);
        joined
    }

    /// A part of a complex attribute; of a list, the part of every element.
    fn part(
        &self,
        container: &mut Map<String, Value>,
        attribute: &Attribute,
        sub: &Arc<Attribute>,
    ) -> Result<(), Error> {
        let value = match self.verb {
            Verb::Remove => None,
            _ => self.checked(|checker| checker.attribute(sub, self.value.clone(), self.text))?,
        };
        let clears = value.is_none();
        match container.get_mut(&attribute.name) {
            Some(Value::Object(object)) => self.set(object, sub, value),
            Some(Value::Array(list)) if !list.is_empty() => {
                if sub.name == "primary" && list.len() > 1 && !clears {
                    let detail = format!(
                        "`{}` would hold for every element: choose one, as in `{}[type eq \"work\"]`",
                        self.text, attribute.name
                    );
                    return Err(Error::no_target(detail));
                }
                list.iter_mut()
                    .filter_map(Value::as_object_mut)
                    .try_for_each(|element| self.set(element, sub, value.clone()))
            }
            _ if clears => Ok(()),
            _ => {
                let mut object = Map::new();
                put(&mut object, &sub.name, value);
                let object = Value::Object(object);
                let value = if attribute.multi_valued {
                    Value::Array(vec![object])
                } else {
                    object
                };
                put(container, &attribute.name, Some(value));
                Ok(())
            }
        }
    }

    fn set(
        &self,
        object: &mut Map<String, Value>,
        sub: &Attribute,
        value: Option<Value>,
    ) -> Result<(), Error> {
        self.guard(sub, object.get(&sub.name), value.as_ref())?;
        if sub.name == "value" && value.as_ref() != object.get("value") {
            // the address and name of what the value pointed to before
            object.shift_remove("$ref");
        }
        put(object, &sub.name, value);
        Ok(())
    }

    /// The elements of a list that fulfil a condition.
    fn elements(
        &self,
        container: &mut Map<String, Value>,
        attribute: &Attribute,
        filter: &Filter,
        sub: Option<&Arc<Attribute>>,
    ) -> Result<(), Error> {
        let mut list = match container.shift_remove(&attribute.name) {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        let is_chosen = |element: &Value| {
            element
                .as_object()
                .is_some_and(|map| filter.matches(map, &NoRelated))
        };
        let mut chosen: Vec<usize> = (0..list.len())
            .filter(|at| list.get(*at).is_some_and(is_chosen))
            .collect();
        if chosen.is_empty() && self.verb != Verb::Remove {
            let made = element_of(filter, attribute, self.limits)?.ok_or_else(|| {
                Error::no_target(format!(
                    "`{}` chooses no element, and does not say how to make one",
                    self.text
                ))
            })?;
            chosen.push(list.len());
            list.push(Value::Object(made));
        }
        match (self.verb, sub) {
            (Verb::Remove, None) => {
                let mut at = 0;
                list.retain(|_| {
                    at += 1;
                    !chosen.contains(&(at - 1))
                });
            }
            (verb, Some(sub)) => {
                let value = match verb {
                    Verb::Remove => None,
                    _ => self
                        .checked(|checker| checker.attribute(sub, self.value.clone(), self.text))?,
                };
                for at in &chosen {
                    if let Some(element) = list.get_mut(*at).and_then(Value::as_object_mut) {
                        self.set(element, sub, value.clone())?;
                    }
                }
            }
            (verb, None) => {
                let given = self
                    .checked(|checker| checker.element(attribute, self.value.clone(), self.text))?;
                for at in &chosen {
                    let Some(element) = list.get_mut(*at) else {
                        continue;
                    };
                    *element = match (verb, &given, element.as_object()) {
                        (_, None, _) => Value::Null,
                        (_, Some(Value::Object(new)), Some(old)) => {
                            Value::Object(self.merged(attribute, old, new.clone()))
                        }
                        (_, Some(new), _) => new.clone(),
                    };
                }
            }
        }
        keep_one_primary(&mut list, &chosen);
        put(
            container,
            &attribute.name,
            (!list.is_empty()).then_some(Value::Array(list)),
        );
        Ok(())
    }
}

/// "Element made by its filter": the object that the filter's equations describe, when they describe one.
fn element_of(
    filter: &Filter,
    attribute: &Attribute,
    limits: &Limits,
) -> Result<Option<Map<String, Value>>, Error> {
    let mut element = Map::new();
    let equations: Vec<&Node> = match &filter.node {
        Node::And(nodes) => nodes.iter().collect(),
        node => vec![node],
    };
    for node in equations {
        let Node::Compare(comparison) = node else {
            return Ok(None);
        };
        if comparison.operator != Operator::Eq || comparison.place.sub.is_some() {
            return Ok(None);
        }
        element.insert(comparison.place.attribute.name.clone(), comparison.value());
    }
    // the literals pass the same check as any value
    for (name, value) in &mut element {
        if let Some(part) = attribute.sub_attribute(name) {
            let checked = Checker::new(limits).attribute(part, value.take(), name)?;
            *value = checked.unwrap_or_default();
        }
    }
    Ok(Some(element))
}

/// Adds to a list what it does not hold yet. An element with the same `value` and `type` is the same element, more fully told.
fn added(mut list: Vec<Value>, new: Vec<Value>) -> Vec<Value> {
    let mut touched = Vec::new();
    for element in new {
        let is_same = |there: &Value| {
            *there == element
                || (there.get("value").is_some()
                    && there.get("value") == element.get("value")
                    && there.get("type") == element.get("type"))
        };
        if let Some(at) = list.iter().position(is_same) {
            if let (Some(Value::Object(there)), Value::Object(element)) =
                (list.get_mut(at), element)
            {
                there.extend(element);
            }
            touched.push(at);
        } else {
            touched.push(list.len());
            list.push(element);
        }
    }
    keep_one_primary(&mut list, &touched);
    list
}

/// A new primary value takes the place of the old one (RFC 7644 §3.5.2).
fn keep_one_primary(list: &mut [Value], touched: &[usize]) {
    let newest = touched
        .iter()
        .rev()
        .find(|at| list.get(**at).is_some_and(is_primary))
        .copied();
    let Some(newest) = newest else { return };
    for (at, element) in list.iter_mut().enumerate() {
        if at != newest
            && is_primary(element)
            && let Some(element) = element.as_object_mut()
        {
            element.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

fn without(before: Option<Value>, gone: Option<&Value>) -> Option<Value> {
    let (Some(Value::Array(mut list)), Some(Value::Array(gone))) = (before, gone) else {
        return None;
    };
    list.retain(|there| {
        !gone.iter().any(|gone| {
            there == gone
                || (gone.get("value").is_some() && gone.get("value") == there.get("value"))
        })
    });
    (!list.is_empty()).then_some(Value::Array(list))
}

fn put(map: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            map.insert(name.to_owned(), value);
        }
        None => {
            map.shift_remove(name);
        }
    }
}
