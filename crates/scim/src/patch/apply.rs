//! Applies one operation to a document.

use std::cell::Cell;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Operation, Verb};
use crate::error::{Error, ErrorKind, quoted};
use crate::filter::{Filter, NoRelated, Node, Operator};
use crate::limits::Limits;
use crate::path::{Place, Target};
use crate::resource::cannot_change;
use crate::schema::{Attribute, Mutability, ResourceType};
use crate::value::{Checker, Parts, is_primary, too_many};

/// At how many list values the operations of a PATCH may still look.
///
/// Each operation on a list costs time for every value that is there, so the number of operations and the length of the list
/// bound only together what a request may cost.
pub(super) struct Budget {
    left: Cell<usize>,
    most: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            left: Cell::new(limits.patch_steps),
            most: limits.patch_steps,
        }
    }

    fn spend(&self, steps: usize) -> Result<(), Error> {
        let left = self.left.get().checked_sub(steps).ok_or_else(|| {
            let detail = format!(
                "the operations together look at more than {} list values: send fewer at a time",
                self.most
            );
            Error::new(ErrorKind::TooMany, detail)
        })?;
        self.left.set(left);
        Ok(())
    }
}

/// Applies the operation. After an error the document is of no use.
pub(super) fn apply(
    operation: &Operation,
    document: &mut Map<String, Value>,
    kind: &ResourceType,
    limits: &Limits,
    budget: &Budget,
) -> Result<(), Error> {
    let Operation { verb, path, value } = operation;
    let text = path.to_string();
    let edit = Edit {
        verb: *verb,
        value,
        text: &text,
        limits,
        budget,
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
            if let Some(sub) = &place.sub {
                return edit.part(container, &place.attribute, sub);
            }
            edit.whole(container, &place.attribute)?;
            let is_cleared =
                is_switch(place, kind) && !container.contains_key(&place.attribute.name);
            if is_cleared && *verb != Verb::Remove {
                return Err(Error::invalid_value(format!(
                    "`{text}` must be true or false: `remove` takes it away, and with it the permission to come in"
                )));
            }
            Ok(())
        }
        Target::Elements { place, filter, sub } => {
            let Some(container) = container(document, place, *verb == Verb::Remove) else {
                return Ok(());
            };
            edit.elements(container, &place.attribute, filter, sub.as_ref())
        }
    }
}

/// Tells whether the place is what switches a person on and off. An empty value there is a mistake more often than a wish.
fn is_switch(place: &Place, kind: &ResourceType) -> bool {
    kind.name == "User" && place.extension.is_none() && place.attribute.name == "active"
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
    budget: &'a Budget,
}

impl Edit<'_> {
    /// Checks the operation's value; what the checker would pass over is refused here, since a PATCH asks for it.
    fn checked<T>(
        &self,
        check: impl FnOnce(&mut Checker<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
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
        let before = container.shift_remove(&attribute.name);
        // only what cannot change is compared with what it was: a copy of a long list for each operation is dear
        let is_fixed = attribute.mutability == Mutability::Immutable;
        let compared = is_fixed.then(|| before.clone()).flatten();
        let after = if attribute.multi_valued {
            self.list(attribute, before)?
        } else if self.verb == Verb::Remove {
            None
        } else if attribute.is_complex() {
            self.object(attribute, before)?
        } else {
            self.checked(|checker| checker.attribute(attribute, self.value.clone(), self.text))?
        };
        self.guard(attribute, compared.as_ref(), after.as_ref())?;
        put(container, &attribute.name, after);
        Ok(())
    }

    /// A list as a whole: it grows by, becomes, or loses the given values.
    fn list(&self, attribute: &Attribute, before: Option<Value>) -> Result<Option<Value>, Error> {
        let there = match before {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        self.budget.spend(there.len())?;
        let list = match self.verb {
            Verb::Remove if self.value.is_null() => Vec::new(),
            Verb::Remove => without(there, &self.unwanted(attribute)?),
            Verb::Add | Verb::Replace => {
                let given = self
                    .checked(|checker| checker.list(attribute, self.value.clone(), self.text))?
                    .unwrap_or_default();
                match self.verb {
                    Verb::Add => self.added(there, given)?,
                    _ => given,
                }
            }
        };
        Ok((!list.is_empty()).then_some(Value::Array(list)))
    }

    /// Returns the values that a removal names. One that names nothing, such as labels only, is refused: taken for no value at
    /// all it would empty the list.
    fn unwanted(&self, attribute: &Attribute) -> Result<Vec<Value>, Error> {
        let given = match self.value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        if given.len() > self.limits.attribute_values {
            return Err(too_many(self.text, self.limits));
        }
        let named = |one: &Value| {
            self.checked(|checker| checker.element(attribute, one.clone(), self.text))?
                .ok_or_else(|| {
                    Error::invalid_value(format!(
                        "`{text}`: say by its `value` what is to be removed, or by a condition as in \
                         `{text}[type eq \"work\"]`; without a `value` in the operation all are removed",
                        text = self.text
                    ))
                })
        };
        given.iter().map(named).collect()
    }

    /// "Object merged": the parts of a complex attribute that the value mentions. Only an empty value clears them all.
    fn object(&self, attribute: &Attribute, before: Option<Value>) -> Result<Option<Value>, Error> {
        let asked =
            self.checked(|checker| checker.parts(attribute, self.value.clone(), self.text))?;
        let Some(asked) = asked else {
            return Ok(None);
        };
        let there = match before {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let joined = self.joined(attribute, there, &asked)?;
        Ok((!joined.is_empty()).then_some(Value::Object(joined)))
    }

    /// Joins an object with what is asked of its parts.
    fn joined(
        &self,
        attribute: &Attribute,
        mut there: Map<String, Value>,
        asked: &Parts,
    ) -> Result<Map<String, Value>, Error> {
        for part in &attribute.sub_attributes {
            let after = asked.set.get(&part.name);
            if after.is_some() || asked.cleared.contains(&part.name) {
                self.guard(part, there.get(&part.name), after)?;
            }
        }
        let loses_value = asked.cleared.iter().any(|name| name == "value");
        let points_elsewhere = asked
            .set
            .get("value")
            .is_some_and(|value| there.get("value") != Some(value));
        if loses_value || (points_elsewhere && !attribute.multi_valued) {
            // who points elsewhere does not keep the address and name of the one before
            there.clear();
        } else if points_elsewhere {
            // an element of a list keeps its labels
            there.shift_remove("$ref");
        }
        for name in &asked.cleared {
            there.shift_remove(name);
        }
        there.extend(asked.set.clone());
        Ok(there)
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
                self.budget.spend(list.len())?;
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
        self.budget
            .spend(list.len().saturating_mul(filter.terms()))?;
        let is_chosen = |element: &Value| {
            element
                .as_object()
                .is_some_and(|map| filter.matches(map, &NoRelated))
        };
        let list = match (self.verb, sub) {
            (Verb::Remove, None) => {
                list.retain(|element| !is_chosen(element));
                list
            }
            (_, sub) => {
                let chosen: Vec<usize> = (0..list.len())
                    .filter(|at| list.get(*at).is_some_and(is_chosen))
                    .collect();
                match sub {
                    Some(sub) => self.part_of_chosen(list, chosen, attribute, filter, sub)?,
                    None => self.chosen(list, &chosen, attribute, filter)?,
                }
            }
        };
        put(
            container,
            &attribute.name,
            (!list.is_empty()).then_some(Value::Array(list)),
        );
        Ok(())
    }

    /// A part of the chosen elements, or of one that is made.
    fn part_of_chosen(
        &self,
        mut list: Vec<Value>,
        mut chosen: Vec<usize>,
        attribute: &Attribute,
        filter: &Filter,
        sub: &Attribute,
    ) -> Result<Vec<Value>, Error> {
        let value = match self.verb {
            Verb::Remove => None,
            _ => self.checked(|checker| checker.attribute(sub, self.value.clone(), self.text))?,
        };
        if chosen.is_empty() && self.verb != Verb::Remove {
            if list.len() >= self.limits.attribute_values {
                return Err(too_many(&attribute.name, self.limits));
            }
            chosen.push(list.len());
            list.push(Value::Object(self.made(attribute, filter)?));
        }
        for at in &chosen {
            if let Some(element) = list.get_mut(*at).and_then(Value::as_object_mut) {
                self.set(element, sub, value.clone())?;
            }
        }
        keep_one_primary(&mut list, &chosen);
        Ok(list)
    }

    /// The chosen elements as a whole, or one that is made. What the value does not mention stays; an empty value takes the
    /// elements away.
    fn chosen(
        &self,
        mut list: Vec<Value>,
        chosen: &[usize],
        attribute: &Attribute,
        filter: &Filter,
    ) -> Result<Vec<Value>, Error> {
        let asked =
            self.checked(|checker| checker.parts(attribute, self.value.clone(), self.text))?;
        if chosen.is_empty() {
            let made = self.made(attribute, filter)?;
            return match asked {
                Some(asked) => {
                    let made = self.joined(attribute, made, &asked)?;
                    self.added(list, vec![Value::Object(made)])
                }
                None => Ok(list),
            };
        }
        for at in chosen {
            let Some(element) = list.get_mut(*at) else {
                continue;
            };
            *element = match (&asked, element.take()) {
                (Some(asked), Value::Object(there)) => {
                    Value::Object(self.joined(attribute, there, asked)?)
                }
                (None, there) if self.verb == Verb::Add => there,
                // what is null is left out when the document is settled
                _ => Value::Null,
            };
        }
        keep_one_primary(&mut list, chosen);
        Ok(list)
    }

    fn made(&self, attribute: &Attribute, filter: &Filter) -> Result<Map<String, Value>, Error> {
        element_of(filter, attribute, self.limits)?.ok_or_else(|| {
            Error::no_target(format!(
                "`{}` chooses no element, and does not say how to make one",
                self.text
            ))
        })
    }

    /// Adds to a list what it does not hold yet. An element with the same `value` and `type` is the same element, more fully
    /// told.
    fn added(&self, mut list: Vec<Value>, new: Vec<Value>) -> Result<Vec<Value>, Error> {
        let mut known: HashMap<String, usize> = HashMap::with_capacity(list.len() + new.len());
        for (at, element) in list.iter().enumerate() {
            known.entry(identity(element)).or_insert(at);
        }
        let mut touched = Vec::new();
        for element in new {
            match known.entry(identity(&element)) {
                Entry::Occupied(found) => {
                    let at = *found.get();
                    if let (Some(Value::Object(there)), Value::Object(element)) =
                        (list.get_mut(at), element)
                    {
                        there.extend(element);
                    }
                    touched.push(at);
                }
                Entry::Vacant(_) if list.len() >= self.limits.attribute_values => {
                    return Err(too_many(self.text, self.limits));
                }
                Entry::Vacant(free) => {
                    free.insert(list.len());
                    touched.push(list.len());
                    list.push(element);
                }
            }
        }
        keep_one_primary(&mut list, &touched);
        Ok(list)
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

/// Returns a text that two elements of a list share when they are the same element: by `value` and `type`, without a `value` by
/// everything that they hold.
fn identity(element: &Value) -> String {
    let Some(value) = element.get("value") else {
        return canonical(element);
    };
    let mut text = value.to_string();
    if let Some(kind) = element.get("type") {
        text.push(' ');
        text.push_str(&kind.to_string());
    }
    text
}

/// Returns an element as text, its parts in the order of their names.
fn canonical(element: &Value) -> String {
    let Value::Object(map) = element else {
        return element.to_string();
    };
    let mut parts: Vec<(&String, &Value)> = map.iter().collect();
    parts.sort_unstable_by_key(|(name, _)| *name);
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    format!("{{{}}}", parts.join(","))
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

/// Takes out of a list what has the `value` of an unwanted element, or is alike in everything.
fn without(mut list: Vec<Value>, unwanted: &[Value]) -> Vec<Value> {
    let value = |element: &Value| element.get("value").map(Value::to_string);
    let values: HashSet<String> = unwanted.iter().filter_map(value).collect();
    let alike: HashSet<String> = unwanted.iter().map(canonical).collect();
    list.retain(|there| {
        !value(there).is_some_and(|value| values.contains(&value))
            && !alike.contains(&canonical(there))
    });
    list
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
