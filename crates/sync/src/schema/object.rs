//! An object mapping of a document, read whole and checked.
//!
//! **Is:** the mapping of people or of groups with the attribute list of its target. **Is not:** the choice of which mapping that is.
//! **Start at** [`object_mapping`] and [`checked`].

use rollcall_model::Kind;
use rollcall_model::mapping::{ObjectMapping, ScopeFilter, TargetAttribute};
use serde_json::Value;

use super::attributes::{flowing, object_place, target_attribute};
use super::findings::{At, Finding, Findings};
use super::parts::{actions, attribute_mapping, filter};
use crate::rules::{Spot, check};

/// The directories that a rule goes from and to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends<'d> {
    pub(super) document: &'d Value,
    pub(super) source: Option<&'d str>,
    pub(super) target: Option<&'d str>,
}

impl<'d> Ends<'d> {
    /// Returns the ends of a rule of the document.
    pub(super) fn of(document: &'d Value, rule: &'d Value) -> Self {
        let text = |name: &str| rule.get(name).and_then(Value::as_str);
        Self {
            document,
            source: text("sourceDirectoryName"),
            target: text("targetDirectoryName"),
        }
    }
}

/// An object mapping with the places of its parts.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) mapping: ObjectMapping,
    place: String,
    attributes: Vec<String>,
    filters: Vec<Vec<String>>,
    input_filters: Vec<Vec<String>>,
}

/// Reads an object mapping.
pub(super) fn object_mapping(findings: &mut Findings, at: &At<'_>, ends: Ends<'_>) -> Option<Read> {
    if !findings.is_object(at, "an object mapping") {
        return None;
    }
    findings.strangers(
        at,
        &[
            "name",
            "enabled",
            "flowTypes",
            "sourceObjectName",
            "targetObjectName",
            "metadata",
            "scope",
            "attributeMappings",
        ],
    );
    let help = "name the object type, such as User or urn:ietf:params:scim:schemas:core:2.0:Group";
    let source = findings.needed_text(at, "sourceObjectName", help);
    let target = findings.needed_text(at, "targetObjectName", help);
    let flowing = flowing(ends.document, ends.source, source);
    let attributes = findings.list(at, "attributeMappings");
    let (attributes, places) = attributes
        .iter()
        .filter_map(|at| {
            let attribute = attribute_mapping(findings, at, &flowing)?;
            Some((attribute, at.pointer.clone()))
        })
        .unzip();
    let mut read = Read {
        place: at.pointer.clone(),
        attributes: places,
        filters: Vec::new(),
        input_filters: Vec::new(),
        mapping: ObjectMapping {
            name: findings.text(at, "name").unwrap_or_default().to_owned(),
            enabled: findings.flag(at, "enabled", true),
            actions: actions(findings, at),
            source: source.unwrap_or_default().to_owned(),
            target: target.unwrap_or_default().to_owned(),
            attributes,
            filters: Vec::new(),
            input_filters: Vec::new(),
            target_attributes: target_attributes(findings, ends, target),
        },
    };
    if let Some(scope) = at.get("scope")
        && findings.is_object(&scope, "a scope")
    {
        findings.strangers(
            &scope,
            &["groups", "inputFilterGroups", "categoryFilterGroups"],
        );
        (read.mapping.filters, read.filters) = filters(findings, &scope, "groups");
        (read.mapping.input_filters, read.input_filters) =
            filters(findings, &scope, "inputFilterGroups");
        findings.kept(
            &scope,
            "categoryFilterGroups",
            "category filters have no effect here",
        );
    }
    Some(read)
}

fn filters(
    findings: &mut Findings,
    scope: &At<'_>,
    name: &str,
) -> (Vec<ScopeFilter>, Vec<Vec<String>>) {
    findings
        .list(scope, name)
        .iter()
        .filter_map(|at| filter(findings, at))
        .unzip()
}

/// Reads the attribute list of an object type of the target.
fn target_attributes(
    findings: &mut Findings,
    ends: Ends<'_>,
    target: Option<&str>,
) -> Vec<TargetAttribute> {
    let Some((directory, object)) = object_place(ends.document, ends.target, target) else {
        return Vec::new();
    };
    let at = At::root(ends.document)
        .get("directories")
        .and_then(|at| at.elements().into_iter().nth(directory))
        .and_then(|at| at.get("objects"))
        .and_then(|at| at.elements().into_iter().nth(object));
    let Some(at) = at else { return Vec::new() };
    findings
        .list(&at, "attributes")
        .iter()
        .filter_map(|at| target_attribute(findings, at))
        .collect()
}

/// Finds what is wrong with a mapping that could be read: its expressions, paths, patterns, and what they say about each other. What only
/// follows from parts that could not be read is left out.
pub(super) fn checked(findings: &mut Findings, read: &Read, kind: Kind, is_whole: bool) {
    for (spot, mistake) in check(&read.mapping, kind) {
        let of = |places: &[Vec<String>], filter: usize, clause: usize| {
            places
                .get(filter)
                .and_then(|clauses| clauses.get(clause))
                .cloned()
        };
        let place = match spot {
            Spot::Whole if !is_whole => continue,
            Spot::Whole => None,
            Spot::Attribute(place) => read.attributes.get(place).cloned(),
            Spot::Filter { filter, clause } => of(&read.filters, filter, clause),
            Spot::InputFilter { filter, clause } => of(&read.input_filters, filter, clause),
        };
        let names_it = mistake.message.contains(&mistake.place) || mistake.place.is_empty();
        findings.mistakes.push(Finding {
            pointer: place.unwrap_or_else(|| read.place.clone()),
            message: if names_it {
                mistake.message
            } else {
                format!("{}: {}", mistake.place, mistake.message)
            },
            help: mistake.help,
        });
    }
}
