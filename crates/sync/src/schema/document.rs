//! The frame of a document: directories, rules, and which mappings are ours.
//!
//! **Is:** what surrounds the object mappings, most of which is kept and not acted on, and says so. **Is not:** the mappings themselves.
//! **Start at** [`document`].

use rollcall_model::Kind;
use rollcall_model::mapping::ObjectMapping;

use super::attributes::{KNOWN, object_place};
use super::choose::{Chosen, kind_of};
use super::findings::{At, Findings};
use super::object::{Ends, checked, object_mapping};

/// Reads a document: the mapping of people and that of groups, as far as there are any.
pub(super) fn document(
    findings: &mut Findings,
    at: &At<'_>,
) -> (Option<ObjectMapping>, Option<ObjectMapping>) {
    if !findings.is_object(at, "a synchronization schema") {
        return (None, None);
    }
    findings.strangers(
        at,
        &["id", "version", "directories", "synchronizationRules"],
    );
    for directory in findings.list(at, "directories") {
        self::directory(findings, &directory);
    }
    let rules = findings.list(at, "synchronizationRules");
    let chosen = Chosen::of(at.value);
    let mut mappings = (None, None);
    for (place, rule) in rules.iter().enumerate() {
        if Some(place) == chosen.rule {
            mappings = self::rule(findings, at, rule, chosen);
        } else {
            findings.note(rule, "a second synchronization rule has no effect");
        }
    }
    if rules.is_empty() && findings.mistakes.is_empty() {
        let help = "export the schema of a synchronization job: it has `synchronizationRules`";
        findings.mistake(at, "the document has no synchronization rule", help);
    }
    mappings
}

fn rule(
    findings: &mut Findings,
    document: &At<'_>,
    at: &At<'_>,
    chosen: Chosen,
) -> (Option<ObjectMapping>, Option<ObjectMapping>) {
    if !findings.is_object(at, "a synchronization rule") {
        return (None, None);
    }
    findings.strangers(
        at,
        &[
            "id",
            "name",
            "priority",
            "editable",
            "sourceDirectoryName",
            "targetDirectoryName",
            "containerFilter",
            "groupFilter",
            "metadata",
            "objectMappings",
        ],
    );
    for name in ["containerFilter", "groupFilter"] {
        findings.kept(
            at,
            name,
            "has no effect: scoping filters and assignments say who is in scope",
        );
    }
    for name in ["sourceDirectoryName", "targetDirectoryName"] {
        let _ = findings.text(at, name);
    }
    let ends = Ends::of(document.value, at.value);
    let mut mappings = (None, None);
    for (place, mapping) in findings.list(at, "objectMappings").iter().enumerate() {
        let place = Some(place);
        let kind = if place == chosen.users {
            Kind::User
        } else if place == chosen.groups {
            Kind::Group
        } else {
            let message = match kind_of(mapping.value) {
                None => "maps neither people nor groups, and has no effect",
                Some(_) => "only the first mapping of a kind is used, so this one has no effect",
            };
            findings.note(mapping, message);
            continue;
        };
        let read = self::mapping(findings, mapping, ends, kind);
        match kind {
            Kind::User => mappings.0 = read,
            Kind::Group => mappings.1 = read,
        }
    }
    if chosen.users.is_none() {
        let help = "add an object mapping whose `sourceObjectName` is User";
        findings.mistake(at, "no object mapping is about people", help);
    }
    mappings
}

fn mapping(
    findings: &mut Findings,
    at: &At<'_>,
    ends: Ends<'_>,
    kind: Kind,
) -> Option<ObjectMapping> {
    let before = findings.mistakes.len();
    let read = object_mapping(findings, at, ends)?;
    let is_whole = findings.mistakes.len() == before;
    checked(findings, &read, kind, is_whole);
    let mapping = read.mapping;
    if !mapping.enabled {
        findings.note(at, "is switched off, so its objects are not provisioned");
    }
    let is_described = object_place(ends.document, ends.target, Some(&mapping.target)).is_some();
    if !is_described && is_whole {
        let message = format!(
            "no directory describes `{}`, so nothing is known of its attributes but their names",
            mapping.target
        );
        findings.note(at, message);
    }
    Some(mapping)
}

fn directory(findings: &mut Findings, at: &At<'_>) {
    if !findings.is_object(at, "a directory") {
        return;
    }
    findings.strangers(
        at,
        &[
            "id",
            "name",
            "version",
            "readOnly",
            "discoverabilities",
            "discoveryDateTime",
            "metadata",
            "objects",
        ],
    );
    let discoverable = findings.text(at, "discoverabilities");
    if discoverable.is_some_and(|text| !text.eq_ignore_ascii_case("None")) {
        let message = "has no effect: attributes are not discovered here";
        findings.kept(at, "discoverabilities", message);
    }
    for object in findings.list(at, "objects") {
        if !findings.is_object(&object, "an object type") {
            continue;
        }
        findings.strangers(
            &object,
            &["name", "metadata", "supportedApis", "attributes"],
        );
        findings.kept(&object, "supportedApis", "has no effect");
        for attribute in object.get("attributes").iter().flat_map(At::elements) {
            findings.strangers(&attribute, &KNOWN);
            let message = "has no effect: defaults are given in the attribute mappings";
            findings.kept(&attribute, "defaultValue", message);
        }
    }
}
