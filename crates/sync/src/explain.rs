//! What the mappings make of one object, line by line: for whoever wants to see it before a cycle does it.
//!
//! **Is:** the effective values, each with where it comes from; a line that fails does not hide the others. **Is not:** what would be
//! sent: that depends on what the target has, and on whether the object is in scope.
//! **Start at** [`explain`].

use rollcall_model::mapping::{Apply, Nulls, Source};
use rollcall_model::provisioning::REDACTED;
use serde::Serialize;
use serde_json::Value;

use crate::comparison::is_empty;
use crate::rules::{Compiled, ObjectRules, Rule};
use crate::source::{MEMBERS, SourceObject};
use crate::target_path::TargetPath;
use crate::wish::{Surroundings, Unmappable, attributes_in_use, evaluate, fitted};

/// One line of a mapping, evaluated on one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The target's attribute.
    pub target: String,
    /// Where the value comes from: the name of an attribute, the text of a constant or expression.
    pub source: Source,
    /// What comes out.
    pub outcome: Outcome,
    /// When the line applies.
    pub apply: Apply,
    /// What happens at the target when there is no value.
    pub nulls: Nulls,
    /// Its precedence when objects are looked up by it.
    pub matching: Option<u8>,
}

/// What comes out of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// This value, as JSON text in the form in which it is sent; `[Redact]` when it must not be shown.
    Value(String),
    /// The source has no value; a new object gets this default, as JSON text.
    DefaultAtCreation(String),
    /// The source has no value.
    Nothing,
    /// The expression says to leave the attribute alone.
    LeftAlone,
    /// The object that it refers to, by its id at the source; it is sent when its counterpart is known.
    Reference(String),
    /// The members of the group, which are compared as a set.
    Members,
    /// It fails, and so does the object, or the object is left out.
    Failed {
        /// The code of the provisioning log.
        code: &'static str,
        /// Why.
        message: String,
    },
}

/// Evaluates every line on an object as if it were to be in use. The values come in the order of the mapping, references and members
/// after them.
pub fn explain(
    rules: &ObjectRules,
    object: &SourceObject,
    surroundings: &Surroundings<'_>,
) -> Vec<Explained> {
    explain_where(rules, object, surroundings, |_| true)
}

/// Likewise, only the line that fills this attribute of the target.
pub fn explain_line(
    rules: &ObjectRules,
    object: &SourceObject,
    surroundings: &Surroundings<'_>,
    target: &TargetPath,
) -> Option<Explained> {
    let is_it = |other: &TargetPath| other == target;
    explain_where(rules, object, surroundings, is_it).pop()
}

fn explain_where(
    rules: &ObjectRules,
    object: &SourceObject,
    surroundings: &Surroundings<'_>,
    is_wanted: impl Fn(&TargetPath) -> bool,
) -> Vec<Explained> {
    let attributes = attributes_in_use(object);
    let wanted = rules
        .attributes
        .iter()
        .filter(|rule| is_wanted(&rule.target));
    let values = wanted.map(|rule| Explained {
        target: rule.target.to_string(),
        source: source(rule),
        outcome: outcome(rule, evaluate(rule, &attributes, surroundings)),
        apply: rule.apply,
        nulls: rule.nulls,
        matching: rule.matching,
    });
    let references = rules.references.iter();
    let references = references.filter(|(target, _)| is_wanted(target));
    let references = references.map(|(target, attribute)| {
        let outcome = match object.reference(attribute) {
            Some(reference) => Outcome::Reference(reference.object.to_string()),
            None => Outcome::Nothing,
        };
        reference(&target.to_string(), attribute, outcome)
    });
    let is_members = TargetPath::parse(MEMBERS).is_ok_and(|target| is_wanted(&target));
    let members =
        (rules.members && is_members).then(|| reference(MEMBERS, MEMBERS, Outcome::Members));
    values.chain(references).chain(members).collect()
}

fn reference(target: &str, attribute: &str, outcome: Outcome) -> Explained {
    Explained {
        target: target.to_owned(),
        source: Source::Direct(attribute.to_owned()),
        outcome,
        apply: Apply::Always,
        nulls: Nulls::Clear,
        matching: None,
    }
}

fn source(rule: &Rule) -> Source {
    match &rule.source {
        Compiled::Attribute(name) => Source::Direct(name.clone()),
        Compiled::Constant(text) => Source::Constant(text.clone()),
        Compiled::Expression(expression) => Source::Expression(expression.source().to_owned()),
        Compiled::Nothing => Source::None,
    }
}

fn outcome(rule: &Rule, evaluated: Result<Option<(Value, bool)>, Unmappable>) -> Outcome {
    let failed = |unmappable: Unmappable| Outcome::Failed {
        code: unmappable.code(),
        message: unmappable.to_string(),
    };
    let (value, is_secret) = match evaluated {
        Err(unmappable) => return failed(unmappable),
        Ok(None) => return Outcome::LeftAlone,
        Ok(Some(value)) => value,
    };
    if !is_empty(&value) {
        return match fitted(rule, value, is_secret) {
            Err(unmappable) => failed(unmappable),
            Ok(_) if is_secret => Outcome::Value(REDACTED.to_owned()),
            Ok(value) => Outcome::Value(value.to_string()),
        };
    }
    match &rule.default {
        None => Outcome::Nothing,
        Some(default) => match fitted(rule, Value::from(default.as_str()), false) {
            Err(unmappable) => failed(unmappable),
            Ok(value) => Outcome::DefaultAtCreation(value.to_string()),
        },
    }
}
