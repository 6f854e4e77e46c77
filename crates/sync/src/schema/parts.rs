//! The parts of an object mapping: attribute mappings, filters, attributes of the target.
//!
//! **Is:** one part at a time, from JSON into the model. **Is not:** a check of expressions, paths and patterns; that is done on the whole.
//! **Start at** [`attribute_mapping`].

use std::collections::BTreeSet;

use rollcall_expression::{Expression, PartKind};
use rollcall_model::mapping::{
    Actions, Apply, AttributeMapping, Clause, Nulls, Operator, ScopeFilter, Source,
};

use super::findings::{At, Findings, shown};

/// Names of `flowType`.
pub(super) const FLOW_TYPES: [(&str, Apply); 3] = [
    ("Always", Apply::Always),
    ("ObjectAddOnly", Apply::OnCreate),
    ("MultiValueAddOnly", Apply::AddOnly),
];

/// Reads an attribute mapping; `None` when it cannot be one. `flowing` are the source's attributes whose nulls flow.
pub(super) fn attribute_mapping(
    findings: &mut Findings,
    at: &At<'_>,
    flowing: &BTreeSet<&str>,
) -> Option<AttributeMapping> {
    if !findings.is_object(at, "an attribute mapping") {
        return None;
    }
    findings.strangers(
        at,
        &[
            "targetAttributeName",
            "matchingPriority",
            "flowType",
            "flowBehavior",
            "defaultValue",
            "exportMissingReferences",
            "flowNullValues",
            "source",
        ],
    );
    let behaviour = findings.text(at, "flowBehavior");
    if let Some(behaviour) = behaviour.filter(|text| !text.eq_ignore_ascii_case("FlowWhenChanged"))
    {
        findings.kept(
            at,
            "flowBehavior",
            &format!("`{behaviour}` has no effect: values are sent when they differ"),
        );
    }
    findings.kept(
        at,
        "exportMissingReferences",
        "has no effect: a reference is sent when the object that it points to is in the target",
    );
    let help = "name the attribute of the target that is filled";
    let target = findings.needed_text(at, "targetAttributeName", help);
    let apply = findings.one_of(at, "flowType", Apply::Always, &FLOW_TYPES);
    let default = findings.text(at, "defaultValue");
    let matching = matching(findings, at);
    let source = source(findings, at);
    let (target, source) = (target?, source?);
    let flows = matches!(&source, Source::Direct(name) if flowing.contains(name.as_str()));
    let nulls = if findings.flag(at, "flowNullValues", flows) {
        Nulls::Clear
    } else {
        Nulls::Keep
    };
    Some(AttributeMapping {
        target: target.to_owned(),
        source,
        default: default.filter(|text| !text.is_empty()).map(str::to_owned),
        matching,
        apply,
        nulls,
    })
}

fn matching(findings: &mut Findings, at: &At<'_>) -> Option<u8> {
    let there = at.get("matchingPriority")?;
    let number = there.value.as_u64();
    let Some(number) = number.and_then(|number| u8::try_from(number).ok()) else {
        findings.mistake(
            &there,
            format!("`matchingPriority` cannot be {}", shown(there.value)),
            "write 0 for an attribute that does not match, otherwise 1 to 255",
        );
        return None;
    };
    (number > 0).then_some(number)
}

/// Reads a source. What is evaluated is `expression`; `parameters` only repeat it.
fn source(findings: &mut Findings, at: &At<'_>) -> Option<Source> {
    let Some(there) = at.get("source") else {
        return Some(Source::None);
    };
    if !findings.is_object(&there, "a source") {
        return None;
    }
    findings.strangers(&there, &["type", "name", "expression", "parameters"]);
    let kind = findings.text(&there, "type").map(str::to_ascii_lowercase);
    let name = findings.text(&there, "name");
    let expression = findings.text(&there, "expression");
    let expression = expression.filter(|text| !text.trim().is_empty());
    match (kind.as_deref(), expression) {
        (Some("attribute"), Some(text)) => match name {
            Some(name) if text == in_brackets(name) => Some(Source::Direct(name.to_owned())),
            _ => Some(plain(text)),
        },
        (Some("constant"), Some(text)) => match name {
            Some(name) if text == in_quotes(name) => Some(Source::Constant(name.to_owned())),
            _ => Some(plain(text)),
        },
        (Some("function"), Some(text)) => Some(Source::Expression(text.to_owned())),
        (None, Some(text)) => Some(plain(text)),
        (Some("attribute"), None) if name.is_some() => {
            name.map(|name| Source::Direct(name.to_owned()))
        }
        (Some("constant"), None) if name.is_some() => {
            name.map(|name| Source::Constant(name.to_owned()))
        }
        (None, None) if name.is_none() => Some(Source::None),
        (Some("attribute" | "constant" | "function") | None, None) => {
            let help = "write the formula into `expression`: `parameters` alone are not evaluated";
            findings.mistake(&there, "the source has no `expression`", help);
            None
        }
        (Some(_), _) => {
            if let Some(kind) = there.get("type") {
                let message = format!("`type` cannot be {}", shown(kind.value));
                findings.mistake(&kind, message, "write Attribute, Constant or Function");
            }
            None
        }
    }
}

/// Returns what an expression is, whatever it is called.
fn plain(text: &str) -> Source {
    match Expression::parse(text).map(|expression| expression.outline().kind) {
        Ok(PartKind::Attribute(name)) => Source::Direct(name),
        Ok(PartKind::Constant(constant)) => Source::Constant(constant),
        _ => Source::Expression(text.to_owned()),
    }
}

/// Writes an attribute as an expression.
pub(super) fn in_brackets(name: &str) -> String {
    format!("[{name}]")
}

/// Writes a constant as an expression.
pub(super) fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Reads `Add, Update, Delete`; absent: everything is allowed.
pub(super) fn actions(findings: &mut Findings, at: &At<'_>) -> Actions {
    let Some(text) = findings.text(at, "flowTypes") else {
        return Actions::ALL;
    };
    let mut actions = Actions {
        create: false,
        update: false,
        delete: false,
    };
    for word in text.split(',').map(str::trim) {
        match word.to_ascii_lowercase().as_str() {
            "add" => actions.create = true,
            "update" => actions.update = true,
            "delete" => actions.delete = true,
            "" | "none" => {}
            _ => {
                if let Some(there) = at.get("flowTypes") {
                    let message = format!("`{word}` is nothing that can be done to the target");
                    let help = "write Add, Update and Delete, separated by commas, or None";
                    findings.mistake(&there, message, help);
                }
            }
        }
    }
    actions
}

/// Reads a filter, with the places of its clauses.
pub(super) fn filter(findings: &mut Findings, at: &At<'_>) -> Option<(ScopeFilter, Vec<String>)> {
    if !findings.is_object(at, "a filter") {
        return None;
    }
    findings.strangers(at, &["name", "clauses"]);
    let name = findings.text(at, "name").unwrap_or_default().to_owned();
    let clauses = findings.list(at, "clauses");
    let read = clauses
        .iter()
        .filter_map(|at| Some((clause(findings, at)?, at.pointer.clone())));
    let (clauses, places) = read.unzip();
    Some((ScopeFilter { name, clauses }, places))
}

/// Reads a clause; `None` when it cannot be one.
pub(super) fn clause(findings: &mut Findings, at: &At<'_>) -> Option<Clause> {
    if !findings.is_object(at, "a clause") {
        return None;
    }
    findings.strangers(at, &["operatorName", "sourceOperandName", "targetOperand"]);
    let attribute = findings.needed_text(at, "sourceOperandName", "name the source attribute");
    let operator = findings.needed_text(at, "operatorName", "name the operator");
    let found = operator.and_then(Operator::find);
    if let (Some(there), Some(name), None) = (at.get("operatorName"), operator, found) {
        let known = Operator::ALL.map(Operator::name).join(", ");
        findings.mistake(
            &there,
            format!("there is no operator `{name}`"),
            format!("write one of {known}"),
        );
    }
    let mut values = Vec::new();
    if let Some(operand) = at.get("targetOperand")
        && findings.is_object(&operand, "a target operand")
    {
        findings.strangers(&operand, &["values"]);
        for value in findings.list(&operand, "values") {
            match value.value.as_str() {
                Some(text) => values.push(text.to_owned()),
                None => findings.mistake(
                    &value,
                    format!(
                        "a value to compare with is a text, not {}",
                        shown(value.value)
                    ),
                    "write it in double quotes",
                ),
            }
        }
    }
    Some(Clause {
        attribute: attribute?.to_owned(),
        operator: found?,
        values,
    })
}
