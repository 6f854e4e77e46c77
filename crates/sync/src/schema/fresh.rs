//! Parts of a document that are written anew.
//!
//! **Is:** a whole document without mappings, and each part of a mapping in the shape of an export. **Is not:** the change of parts that are
//! there; see `write`.
//! **Start at** [`document`] and [`object_mapping`].

use std::collections::BTreeSet;

use rollcall_expression::{Expression, Part, PartKind};
use rollcall_model::mapping::{
    Actions, Apply, AttributeMapping, Clause, Nulls, ObjectMapping, ScopeFilter, Source,
    TargetAttribute, ValueType,
};
use serde_json::{Value, json};

use super::parts::{FLOW_TYPES, in_brackets, in_quotes};

/// The source directory, by the name that exports use.
pub(super) const SOURCE: &str = "Azure Active Directory";
/// The target directory.
pub(super) const TARGET: &str = "customappsso";

/// Returns a document with both directories and one rule, without mappings.
pub(super) fn document() -> Value {
    json!({
        "id": "rollcall",
        "version": "v1.0",
        "directories": [
            directory("66c0f0bf-5a0d-4d8f-9d0b-7d8a3b1f0a01", SOURCE, &source_objects()),
            directory("66c0f0bf-5a0d-4d8f-9d0b-7d8a3b1f0a02", TARGET, &[]),
        ],
        "synchronizationRules": [rule()],
    })
}

/// Returns a directory.
pub(super) fn directory(id: &str, name: &str, objects: &[Value]) -> Value {
    json!({
        "id": id, "name": name, "version": "v1.0", "discoverabilities": "None",
        "discoveryDateTime": null, "metadata": [], "objects": objects,
    })
}

/// Returns a rule without mappings.
pub(super) fn rule() -> Value {
    json!({
        "id": "66c0f0bf-5a0d-4d8f-9d0b-7d8a3b1f0a03",
        "name": "USER_OUTBOUND_USER",
        "priority": 1,
        "editable": true,
        "sourceDirectoryName": SOURCE,
        "targetDirectoryName": TARGET,
        "containerFilter": null,
        "groupFilter": null,
        "metadata": [
            {"key": "defaultSourceObjectMappings", "value": "User"},
            {"key": "supportsProvisionOnDemand", "value": "true"},
        ],
        "objectMappings": [],
    })
}

/// Returns an object type of a directory.
pub(super) fn object(name: &str, attributes: Vec<Value>) -> Value {
    json!({"name": name, "metadata": [], "attributes": attributes})
}

/// The source's attributes, by the names of Azure AD Graph that mappings use.
fn source_objects() -> [Value; 2] {
    let text = |name: &str| target_attribute(&TargetAttribute::new(name));
    let anchor = target_attribute(&TargetAttribute {
        primary_key: true,
        required: true,
        ..TargetAttribute::new("objectId")
    });
    let flag = |name: &str| {
        target_attribute(&TargetAttribute {
            kind: ValueType::Boolean,
            ..TargetAttribute::new(name)
        })
    };
    let reference = |name: &str, to: &[&str], multi_valued: bool| {
        target_attribute(&TargetAttribute {
            kind: ValueType::Reference,
            multi_valued,
            referenced_objects: to.iter().map(|name| (*name).to_owned()).collect(),
            ..TargetAttribute::new(name)
        })
    };
    let list = |name: &str| {
        target_attribute(&TargetAttribute {
            multi_valued: true,
            ..TargetAttribute::new(name)
        })
    };
    let mut user = vec![anchor.clone()];
    user.extend(["IsSoftDeleted", "accountEnabled", "dirSyncEnabled"].map(flag));
    user.extend(USER_TEXTS.map(text));
    user.extend((1..=15).map(|number| text(&format!("extensionAttribute{number}"))));
    user.extend(["proxyAddresses", "appRoleAssignments"].map(list));
    user.push(reference("manager", &["User"], false));
    let mut group = vec![anchor];
    group.extend(["securityEnabled", "mailEnabled", "dirSyncEnabled"].map(flag));
    group.extend(["displayName", "description", "mail", "mailNickname"].map(text));
    group.push(list("proxyAddresses"));
    group.push(reference("members", &["User", "Group"], true));
    let mut user = object("User", user);
    if let Some(members) = user.as_object_mut() {
        let metadata = json!([{"key": "IsSoftDeletionSupported", "value": "true"}]);
        members.insert("metadata".to_owned(), metadata);
    }
    [user, object("Group", group)]
}

const USER_TEXTS: [&str; 27] = [
    "userPrincipalName",
    "originalUserPrincipalName",
    "displayName",
    "givenName",
    "surname",
    "jobTitle",
    "department",
    "companyName",
    "employeeId",
    "mail",
    "mailNickname",
    "telephoneNumber",
    "mobile",
    "facsimileTelephoneNumber",
    "physicalDeliveryOfficeName",
    "streetAddress",
    "city",
    "state",
    "postalCode",
    "country",
    "preferredLanguage",
    "onPremisesSecurityIdentifier",
    "passwordProfile.password",
    "netId",
    "showInAddressList",
    "usageLocation",
    "userType",
];

/// Returns an attribute of a directory.
pub(super) fn target_attribute(attribute: &TargetAttribute) -> Value {
    json!({
        "name": attribute.name,
        "type": attribute.kind.name(),
        "anchor": attribute.primary_key,
        "caseExact": attribute.exact_case,
        "defaultValue": null,
        "flowNullValues": false,
        "multivalued": attribute.multi_valued,
        "mutability": attribute.mutability.name(),
        "required": attribute.required,
        "metadata": [],
        "referencedObjects": referenced_objects(&attribute.referenced_objects),
        "apiExpressions": api_expressions(attribute),
    })
}

/// Returns what a reference may point to.
pub(super) fn referenced_objects(names: &[String]) -> Value {
    names
        .iter()
        .map(|name| json!({"referencedObjectName": name, "referencedProperty": "id"}))
        .collect()
}

/// Returns the expressions of the target's interface.
pub(super) fn api_expressions(attribute: &TargetAttribute) -> Value {
    let expression = attribute.api_expression.iter();
    expression
        .map(|text| json!({"key": attribute.name, "value": text}))
        .collect()
}

/// Returns an object mapping. `flowing` are the source's attributes whose nulls flow.
pub(super) fn object_mapping(mapping: &ObjectMapping, flowing: &BTreeSet<&str>) -> Value {
    let attributes = mapping.attributes.iter();
    json!({
        "name": mapping.name,
        "enabled": mapping.enabled,
        "flowTypes": flow_types(mapping.actions),
        "sourceObjectName": mapping.source,
        "targetObjectName": mapping.target,
        "metadata": [],
        "scope": scope(mapping),
        "attributeMappings":
            attributes.map(|one| attribute_mapping(one, flowing)).collect::<Vec<_>>(),
    })
}

/// Returns who is in scope; null: everybody.
pub(super) fn scope(mapping: &ObjectMapping) -> Value {
    if mapping.filters.is_empty() && mapping.input_filters.is_empty() {
        return Value::Null;
    }
    let filters = |filters: &[ScopeFilter]| filters.iter().map(filter).collect::<Vec<_>>();
    json!({
        "groups": filters(&mapping.filters),
        "inputFilterGroups": filters(&mapping.input_filters),
        "categoryFilterGroups": [],
    })
}

/// Returns a filter.
pub(super) fn filter(filter: &ScopeFilter) -> Value {
    let clauses: Vec<Value> = filter.clauses.iter().map(clause).collect();
    json!({"name": filter.name, "clauses": clauses})
}

/// Returns a clause.
pub(super) fn clause(clause: &Clause) -> Value {
    json!({
        "operatorName": clause.operator.name(),
        "sourceOperandName": clause.attribute,
        "targetOperand": {"values": clause.values},
    })
}

/// Returns an attribute mapping.
pub(super) fn attribute_mapping(mapping: &AttributeMapping, flowing: &BTreeSet<&str>) -> Value {
    let mut value = json!({
        "targetAttributeName": mapping.target,
        "matchingPriority": mapping.matching.unwrap_or(0),
        "flowType": flow_type(mapping.apply),
        "flowBehavior": "FlowWhenChanged",
        "defaultValue": mapping.default,
        "exportMissingReferences": false,
        "source": source(&mapping.source),
    });
    let flows = matches!(&mapping.source, Source::Direct(name) if flowing.contains(name.as_str()));
    let clears = mapping.nulls == Nulls::Clear;
    if clears != flows
        && let Some(members) = value.as_object_mut()
    {
        members.insert("flowNullValues".to_owned(), Value::Bool(clears));
    }
    value
}

/// Returns the name of a flow type.
pub(super) fn flow_type(apply: Apply) -> &'static str {
    FLOW_TYPES
        .iter()
        .find(|(_, known)| *known == apply)
        .map_or("Always", |(name, _)| name)
}

/// Returns the actions as flags.
pub(super) fn flow_types(actions: Actions) -> String {
    let flags = [
        ("Add", actions.create),
        ("Update", actions.update),
        ("Delete", actions.delete),
    ];
    let set: Vec<&str> = flags
        .iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(name, _)| *name)
        .collect();
    if set.is_empty() {
        "None".to_owned()
    } else {
        set.join(", ")
    }
}

/// Returns a source; null: from nowhere.
pub(super) fn source(source: &Source) -> Value {
    match source {
        Source::None => Value::Null,
        Source::Direct(name) => operand("Attribute", name, &in_brackets(name), Vec::new()),
        Source::Constant(text) => operand("Constant", text, &in_quotes(text), Vec::new()),
        Source::Expression(text) => match Expression::parse(text).map(|parsed| parsed.outline()) {
            Ok(Part {
                kind:
                    PartKind::Call {
                        function,
                        arguments,
                    },
                ..
            }) => operand("Function", function, text, parameters(&arguments, DEPTH)),
            // what is no call is written as a function without a name: as anything else it would come back as another type of mapping
            _ => operand("Function", "", text, Vec::new()),
        },
    }
}

/// So deep parameters are written: JSON that is nested deeper is refused by many readers, and nobody evaluates them.
const DEPTH: usize = 16;

fn parameters(arguments: &[(&'static str, Part)], depth: usize) -> Vec<Value> {
    if depth == 0 {
        return Vec::new();
    }
    arguments
        .iter()
        .map(|(name, part)| json!({"key": name, "value": parameter(part, depth - 1)}))
        .collect()
}

fn parameter(part: &Part, depth: usize) -> Value {
    match &part.kind {
        PartKind::Attribute(name) => operand("Attribute", name, &part.text, Vec::new()),
        PartKind::Constant(text) => operand("Constant", text, &part.text, Vec::new()),
        PartKind::Word(word) => operand("Constant", word, &part.text, Vec::new()),
        PartKind::Call {
            function,
            arguments,
        } => operand(
            "Function",
            function,
            &part.text,
            parameters(arguments, depth),
        ),
        PartKind::Operation(_) => operand("Function", "", &part.text, Vec::new()),
    }
}

fn operand(kind: &str, name: &str, expression: &str, parameters: Vec<Value>) -> Value {
    json!({"type": kind, "name": name, "expression": expression, "parameters": parameters})
}
