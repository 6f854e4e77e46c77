//! Writes mappings into a document: what is the same stays as it is.
//!
//! **Is:** a comparison of what the document itself says with what it should say, part by part; only parts that differ are changed, added or
//! taken out. **Is not:** a check of the mappings.
//! **Start at** [`write()`].

use std::collections::BTreeSet;

use rollcall_expression::Expression;
use rollcall_model::Kind;
use rollcall_model::mapping::{
    AttributeMapping, Clause, Nulls, ObjectMapping, ScopeFilter, Source, TargetAttribute,
};
use serde_json::{Map, Value, json};

use super::align::align;
use super::attributes::{flowing, object_place, referenced_objects, target_attribute};
use super::choose::{Chosen, elements, named};
use super::findings::{At, Findings};
use super::fresh;
use super::object::{Ends, object_mapping};
use super::parts::{attribute_mapping, clause, filter};

/// Returns a document with these mappings. With the document that they were read from, everything that they do not change comes out as it
/// went in: order, nulls, unknown properties, the parameters of functions. Without one, a complete document is made.
///
/// A mapping of groups that is switched off is not added to a document that has none.
pub fn write(document: Option<&Value>, users: &ObjectMapping, groups: &ObjectMapping) -> Value {
    let given = document.filter(|document| document.is_object());
    let mut document = given.cloned().unwrap_or_else(fresh::document);
    for (kind, mapping) in [(Kind::User, users), (Kind::Group, groups)] {
        let is_there = Chosen::of(&document).mapping(kind).is_some();
        if is_there || mapping.enabled || given.is_none() || kind == Kind::User {
            put(&mut document, kind, mapping);
        }
        if given.is_none() {
            describe_source(&mut document, mapping);
        }
    }
    document
}

/// Brings one mapping into the document.
fn put(document: &mut Value, kind: Kind, wanted: &ObjectMapping) {
    let chosen = Chosen::of(document);
    let place = chosen.rule.unwrap_or(0);
    let mut rule = elements(document, "synchronizationRules")
        .get(place)
        .filter(|rule| rule.is_object())
        .cloned()
        .unwrap_or_else(fresh::rule);
    if rule
        .get("targetDirectoryName")
        .is_none_or(|name| !name.is_string())
        && !wanted.target_attributes.is_empty()
    {
        set(
            &mut rule,
            [("targetDirectoryName", true, json!(fresh::TARGET))],
        );
    }
    let ends = Ends::of(document, &rule);
    let source = ends.source.map(str::to_owned);
    let target = ends.target.map(str::to_owned);
    let mut mappings = elements(&rule, "objectMappings").to_vec();
    let there = chosen
        .mapping(kind)
        .and_then(|place| mappings.get_mut(place));
    let flowing = flowing(document, source.as_deref(), Some(&wanted.source));
    match there {
        Some(there) => {
            let old = object_mapping(&mut Findings::default(), &At::root(there), ends);
            match old {
                Some(old) => change_mapping(there, &old.mapping, wanted, &flowing),
                None => *there = fresh::object_mapping(wanted, &flowing),
            }
        }
        None => mappings.push(fresh::object_mapping(wanted, &flowing)),
    }
    if let Some(rule) = rule.as_object_mut() {
        rule.insert("objectMappings".to_owned(), Value::Array(mappings));
    }
    replace(document, "synchronizationRules", place, rule);
    if let Some(target) = target {
        put_attributes(document, &target, wanted);
    }
}

/// Brings the attribute list of the target into its directory.
fn put_attributes(document: &mut Value, directory: &str, wanted: &ObjectMapping) {
    let place = object_place(document, Some(directory), Some(&wanted.target));
    let directories = elements(document, "directories");
    let of_name = named(directories, directory);
    if place.is_none() && wanted.target_attributes.is_empty() {
        return;
    }
    let at = of_name.unwrap_or(directories.len());
    let mut definition = of_name
        .and_then(|place| directories.get(place))
        .cloned()
        .unwrap_or_else(|| {
            fresh::directory("66c0f0bf-5a0d-4d8f-9d0b-7d8a3b1f0a02", directory, &[])
        });
    let objects = elements(&definition, "objects");
    let number = place.map_or(objects.len(), |(_, number)| number);
    let mut object = objects
        .get(number)
        .cloned()
        .unwrap_or_else(|| fresh::object(&wanted.target, Vec::new()));
    let attributes = align(
        elements(&object, "attributes"),
        &wanted.target_attributes,
        |value| target_attribute(&mut Findings::default(), &At::root(value)),
        |old, new| old.name.eq_ignore_ascii_case(&new.name),
        change_attribute,
        fresh::target_attribute,
    );
    set_list(&mut object, "attributes", attributes);
    replace(&mut definition, "objects", number, object);
    replace(document, "directories", at, definition);
}

fn change_mapping(
    there: &mut Value,
    old: &ObjectMapping,
    wanted: &ObjectMapping,
    flowing: &BTreeSet<&str>,
) {
    let differing = [
        ("name", old.name != wanted.name, json!(wanted.name)),
        (
            "enabled",
            old.enabled != wanted.enabled,
            json!(wanted.enabled),
        ),
        (
            "flowTypes",
            old.actions != wanted.actions,
            json!(fresh::flow_types(wanted.actions)),
        ),
        (
            "sourceObjectName",
            old.source != wanted.source,
            json!(wanted.source),
        ),
        (
            "targetObjectName",
            old.target != wanted.target,
            json!(wanted.target),
        ),
    ];
    set(there, differing);
    let attributes = align(
        elements(there, "attributeMappings"),
        &wanted.attributes,
        |value| attribute_mapping(&mut Findings::default(), &At::root(value), flowing),
        |old, new| old.target == new.target,
        |value, old, new| change_attribute_mapping(value, old, new, flowing),
        |new| fresh::attribute_mapping(new, flowing),
    );
    set_list(there, "attributeMappings", attributes);
    if old.filters == wanted.filters && old.input_filters == wanted.input_filters {
        return;
    }
    match there.get("scope").filter(|scope| scope.is_object()) {
        None => set(there, [("scope", true, fresh::scope(wanted))]),
        Some(scope) => {
            let mut scope = scope.clone();
            for (name, wanted) in [
                ("groups", &wanted.filters),
                ("inputFilterGroups", &wanted.input_filters),
            ] {
                let filters = align(
                    elements(&scope, name),
                    wanted,
                    |value| filter(&mut Findings::default(), &At::root(value)).map(|(one, _)| one),
                    |old, new| old.name == new.name,
                    change_filter,
                    fresh::filter,
                );
                set_list(&mut scope, name, filters);
            }
            set(there, [("scope", true, scope)]);
        }
    }
}

fn change_attribute_mapping(
    value: &mut Value,
    old: &AttributeMapping,
    new: &AttributeMapping,
    flowing: &BTreeSet<&str>,
) {
    let differing = [
        (
            "targetAttributeName",
            old.target != new.target,
            json!(new.target),
        ),
        (
            "matchingPriority",
            old.matching != new.matching,
            json!(new.matching.unwrap_or(0)),
        ),
        (
            "flowType",
            old.apply != new.apply,
            json!(fresh::flow_type(new.apply)),
        ),
        (
            "defaultValue",
            old.default != new.default,
            json!(new.default),
        ),
        (
            "source",
            old.source != new.source,
            fresh::source(&new.source),
        ),
    ];
    set(value, differing);
    // whether nulls flow may follow from the source, which may have changed
    let says = attribute_mapping(&mut Findings::default(), &At::root(value), flowing);
    let is_same = says.is_some_and(|says| says.nulls == new.nulls);
    let clears = json!(new.nulls == Nulls::Clear);
    set(value, [("flowNullValues", !is_same, clears)]);
}

fn change_filter(value: &mut Value, old: &ScopeFilter, new: &ScopeFilter) {
    set(value, [("name", old.name != new.name, json!(new.name))]);
    let clauses = align(
        elements(value, "clauses"),
        &new.clauses,
        |value| clause(&mut Findings::default(), &At::root(value)),
        |old, new| old.attribute == new.attribute && old.operator == new.operator,
        change_clause,
        fresh::clause,
    );
    set_list(value, "clauses", clauses);
}

fn change_clause(value: &mut Value, old: &Clause, new: &Clause) {
    let differing = [
        (
            "operatorName",
            old.operator != new.operator,
            json!(new.operator.name()),
        ),
        (
            "sourceOperandName",
            old.attribute != new.attribute,
            json!(new.attribute),
        ),
    ];
    set(value, differing);
    if old.values != new.values {
        let operand = value.get("targetOperand").filter(|one| one.is_object());
        let mut operand = operand.cloned().unwrap_or_else(|| json!({}));
        set(&mut operand, [("values", true, json!(new.values))]);
        set(value, [("targetOperand", true, operand)]);
    }
}

fn change_attribute(value: &mut Value, old: &TargetAttribute, new: &TargetAttribute) {
    let differing = [
        ("name", old.name != new.name, json!(new.name)),
        ("type", old.kind != new.kind, json!(new.kind.name())),
        (
            "anchor",
            old.primary_key != new.primary_key,
            json!(new.primary_key),
        ),
        (
            "caseExact",
            old.exact_case != new.exact_case,
            json!(new.exact_case),
        ),
        (
            "multivalued",
            old.multi_valued != new.multi_valued,
            json!(new.multi_valued),
        ),
        (
            "mutability",
            old.mutability != new.mutability,
            json!(new.mutability.name()),
        ),
        (
            "required",
            old.required != new.required,
            json!(new.required),
        ),
        (
            "apiExpressions",
            old.api_expression != new.api_expression,
            fresh::api_expressions(new),
        ),
    ];
    set(value, differing);
    if old.referenced_objects == new.referenced_objects {
        return;
    }
    let name = |value: &Value| {
        let one = json!({"referencedObjects": [value]});
        let names = referenced_objects(&mut Findings::default(), &At::root(&one));
        names.into_iter().next()
    };
    let references = align(
        elements(value, "referencedObjects"),
        &new.referenced_objects,
        name,
        |_, _| false,
        |value, _, name| set(value, [("referencedObjectName", true, json!(name))]),
        |name| json!({"referencedObjectName": name, "referencedProperty": "id"}),
    );
    set_list(value, "referencedObjects", references);
}

/// Describes the attributes of the source that a mapping uses and that a fresh document does not list yet.
fn describe_source(document: &mut Value, mapping: &ObjectMapping) {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for attribute in &mapping.attributes {
        match &attribute.source {
            Source::Direct(name) => {
                used.insert(name.clone());
            }
            Source::Expression(text) => {
                if let Ok(expression) = Expression::parse(text) {
                    used.extend(expression.attributes().into_iter().map(str::to_owned));
                }
            }
            Source::Constant(_) | Source::None => {}
        }
    }
    let filters = mapping.filters.iter().chain(&mapping.input_filters);
    used.extend(filters.flat_map(|filter| filter.clauses.iter().map(|one| one.attribute.clone())));
    let Some(directory) = named(elements(document, "directories"), fresh::SOURCE) else {
        return;
    };
    let Some(mut definition) = elements(document, "directories").get(directory).cloned() else {
        return;
    };
    let objects = elements(&definition, "objects");
    let number = named(objects, &mapping.source).unwrap_or(objects.len());
    let mut object = objects
        .get(number)
        .cloned()
        .unwrap_or_else(|| fresh::object(&mapping.source, Vec::new()));
    let mut attributes = elements(&object, "attributes").to_vec();
    for name in used {
        if named(&attributes, &name).is_none() {
            attributes.push(fresh::target_attribute(&TargetAttribute::new(&name)));
        }
    }
    set_list(&mut object, "attributes", attributes);
    replace(&mut definition, "objects", number, object);
    replace(document, "directories", directory, definition);
}

/// Sets the members that differ. One that is there keeps its place.
fn set<const N: usize>(value: &mut Value, members: [(&str, bool, Value); N]) {
    let Some(object) = value.as_object_mut() else {
        return;
    };
    for (name, differs, value) in members {
        if differs {
            object.insert(name.to_owned(), value);
        }
    }
}

/// Sets a list, unless it is there as it is; an empty one is not added.
fn set_list(value: &mut Value, name: &str, list: Vec<Value>) {
    let is_same = elements(value, name) == list;
    set(value, [(name, !is_same, Value::Array(list))]);
}

/// Puts an element into a list, at its place or at the end. What was no list becomes one.
fn replace(value: &mut Value, name: &str, place: usize, element: Value) {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let mut list = elements(value, name).to_vec();
    match list.get_mut(place) {
        Some(there) => *there = element,
        None => list.push(element),
    }
    set(value, [(name, true, Value::Array(list))]);
}
