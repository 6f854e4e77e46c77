//! What the target should hold of an object: the mappings evaluated on it.
//!
//! **Is:** the values, the body that creates the object, the operations that change it. **Is not:** references and members, which are
//! sent when both ends exist.
//! **Start at** [`Wish::of`].
//!
//! Every mapping is evaluated on the whole object as it is now, never on a difference: so a value that did not change cannot be
//! mistaken for one that is absent.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rollcall_expression::{Context, Outcome, Taken};
use rollcall_model::Randomness;
use rollcall_model::mapping::{Apply, Nulls};
use rollcall_model::provisioning::{ModifiedProperty, REDACTED};
use serde_json::{Map, Value, json};

use crate::comparison::{added, is_empty, is_same};
use crate::digest::Digest;
use crate::rules::{Compiled, ObjectRules, Rule};
use crate::source::SourceObject;

/// What the target should hold of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    values: Vec<Wanted>,
    /// The texts by which the object is looked up: target attribute and value, in order.
    pub matching: Vec<(String, String)>,
}

/// One value that the target should hold.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    /// The place of its rule.
    rule: usize,
    /// Null clears.
    value: Value,
    /// Whether logs must not show it.
    is_secret: bool,
}

/// Why an object cannot be mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmappable {
    /// An expression failed on this object.
    #[error("the mapping of `{attribute}` failed: {reason}")]
    Failed {
        /// The target's attribute.
        attribute: String,
        /// What went wrong.
        reason: String,
    },
    /// A mapping says to leave the object out.
    #[error("the mapping of `{attribute}` leaves this object out")]
    LeftOut {
        /// The target's attribute.
        attribute: String,
    },
    /// The target would not take what comes out.
    #[error("{reason}")]
    Unfit {
        /// The code of the provisioning log.
        code: &'static str,
        /// What does not fit, with the target's attribute.
        reason: String,
    },
}

impl Unmappable {
    /// A value that is not of the attribute's type.
    pub const WRONG_TYPE: &'static str = "SchemaPropertyCanOnlyAcceptValue";
    /// A value that a new object has to have.
    pub const MISSING: &'static str = "MissingValues";

    /// Returns the code of the provisioning log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "EntrySynchronizationError",
            Self::LeftOut { .. } => "EntrySynchronizationSkipped",
            Self::Unfit { code, .. } => code,
        }
    }
}

/// What evaluation may use beside the object.
pub struct Surroundings<'a> {
    /// The time.
    pub now: Timestamp,
    /// A source of random numbers that is fit for passwords.
    pub randomness: &'a dyn Randomness,
}

/// Lends the source of random numbers to an expression.
struct Lent<'a>(&'a dyn Randomness);

impl rollcall_expression::Randomness for Lent<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

impl Wish {
    /// Evaluates the mappings of an object that is to be in use.
    ///
    /// # Errors
    /// [`Unmappable`] when an expression fails, or says to leave the object out.
    pub fn of(
        rules: &ObjectRules,
        object: &SourceObject,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, Unmappable> {
        let attributes = attributes_in_use(object);
        let mut wish = Self {
            values: Vec::new(),
            matching: Vec::new(),
        };
        for (place, rule) in rules.attributes.iter().enumerate() {
            let Some((value, is_secret)) = evaluate(rule, &attributes, surroundings)? else {
                continue;
            };
            // targets take an empty text for none: sent as a text it would differ in every cycle
            let value = if is_empty(&value) {
                Value::Null
            } else {
                fitted(rule, value, is_secret)?
            };
            wish.values.push(Wanted {
                rule: place,
                value,
                is_secret,
            });
        }
        for place in &rules.matching {
            let found = wish.values.iter().find(|wanted| wanted.rule == *place);
            let text = found
                .and_then(|wanted| wanted.value.as_str())
                .filter(|text| !text.is_empty());
            if let (Some(text), Some(rule)) = (text, rules.attributes.get(*place)) {
                wish.matching
                    .push((rule.target.to_string(), text.to_owned()));
            }
        }
        Ok(wish)
    }

    /// Returns by which texts an object can be looked up, whatever else of it cannot be mapped.
    pub fn places(
        rules: &ObjectRules,
        object: &SourceObject,
        surroundings: &Surroundings<'_>,
    ) -> Vec<(String, String)> {
        let mut attributes = object.attributes.clone();
        attributes.insert("IsSoftDeleted".into(), Value::Bool(true));
        let rules = rules
            .matching
            .iter()
            .filter_map(|place| rules.attributes.get(*place));
        rules
            .filter_map(|rule| {
                let (value, _) = evaluate(rule, &attributes, surroundings).ok()??;
                let text = value.as_str().filter(|text| !text.is_empty())?;
                Some((rule.target.to_string(), text.to_owned()))
            })
            .collect()
    }

    /// Returns a digest of what will be kept equal in the target.
    pub fn digest(&self, rules: &ObjectRules) -> String {
        let mut digest = Digest::default();
        for (rule, wanted) in self.lasting(rules) {
            digest.text(&rule.target.to_string()).value(&wanted.value);
        }
        digest.finish()
    }

    /// Returns the body that creates the object, and what it sets.
    ///
    /// # Errors
    /// [`Unmappable::Unfit`] names every value that the target requires and that there is none of.
    pub fn creation(
        &self,
        rules: &ObjectRules,
        schema: &str,
    ) -> Result<(Map<String, Value>, Vec<ModifiedProperty>), Unmappable> {
        let mut body = Map::new();
        let mut properties = Vec::new();
        let mut filled = BTreeSet::new();
        for (place, rule, wanted) in self.all(rules) {
            let value = match (&wanted.value, &rule.default) {
                (Value::Null, Some(default)) => fitted(rule, Value::from(default.as_str()), false)?,
                (Value::Null, None) => continue,
                (value, _) => value.clone(),
            };
            filled.insert(place);
            properties.push(property(rule, wanted.is_secret, None, Some(&value)));
            rule.target.insert(&mut body, value);
        }
        let missing = rules
            .attributes
            .iter()
            .enumerate()
            .filter(|(place, rule)| rule.required && !filled.contains(place))
            .map(|(_, rule)| rule.target.to_string())
            .chain(rules.unfilled.iter().cloned());
        let missing: Vec<String> = missing.map(|name| format!("`{name}`")).collect();
        if !missing.is_empty() {
            return Err(Unmappable::Unfit {
                code: Unmappable::MISSING,
                reason: format!(
                    "the target requires {}, and there is no value: fill it at the source, or give the mapping a default value",
                    missing.join(", ")
                ),
            });
        }
        let mut schemas = vec![json!(schema)];
        schemas.extend(
            body.keys()
                .filter(|name| name.starts_with("urn:"))
                .map(|urn| json!(urn)),
        );
        body.shift_insert(0, "schemas".into(), Value::Array(schemas));
        Ok((body, properties))
    }

    /// Returns the PATCH operations that make a resource of the target what it should be, and what they change; none when it is
    /// already.
    pub fn changes(
        &self,
        rules: &ObjectRules,
        there: &Map<String, Value>,
    ) -> (Vec<Value>, Vec<ModifiedProperty>) {
        let (mut operations, mut properties) = (Vec::new(), Vec::new());
        for (rule, wanted) in self.lasting(rules) {
            let found = rule.target.find(there);
            let path = rule.target.to_string();
            if rule.apply == Apply::AddOnly {
                if let Some(added) = added(rule, found, &wanted.value) {
                    operations.push(json!({"op": "add", "path": path, "value": added}));
                    properties.push(property(rule, wanted.is_secret, found, Some(&added)));
                }
                continue;
            }
            if is_same(found, &wanted.value, rule.exact_case) {
                continue;
            }
            operations.push(match (&wanted.value, found) {
                (Value::Null, _) => json!({"op": "remove", "path": path}),
                (value, Some(_)) => json!({"op": "replace", "path": path, "value": value}),
                (value, None) => json!({"op": "add", "path": path, "value": value}),
            });
            properties.push(property(rule, wanted.is_secret, found, Some(&wanted.value)));
        }
        (operations, properties)
    }

    /// The values with their rules and the places of these.
    fn all<'w>(
        &'w self,
        rules: &'w ObjectRules,
    ) -> impl Iterator<Item = (usize, &'w Rule, &'w Wanted)> {
        self.values
            .iter()
            .filter_map(|wanted| Some((wanted.rule, rules.attributes.get(wanted.rule)?, wanted)))
    }

    /// What is kept equal after the creation: not what applies at creation only, nor a default.
    fn lasting<'w>(
        &'w self,
        rules: &'w ObjectRules,
    ) -> impl Iterator<Item = (&'w Rule, &'w Wanted)> {
        self.all(rules)
            .map(|(_, rule, wanted)| (rule, wanted))
            .filter(|(rule, wanted)| match rule.apply {
                Apply::OnCreate => false,
                Apply::AddOnly => !wanted.value.is_null(),
                Apply::Always => !wanted.value.is_null() || rule.nulls == Nulls::Clear,
            })
    }
}

/// Returns the attributes of an object that is to be in use.
pub(crate) fn attributes_in_use(object: &SourceObject) -> Map<String, Value> {
    let mut attributes = object.attributes.clone();
    attributes.insert("IsSoftDeleted".into(), Value::Bool(false));
    attributes
}

/// Brings a value into the form that the target takes.
pub(crate) fn fitted(rule: &Rule, value: Value, is_secret: bool) -> Result<Value, Unmappable> {
    rule.fitted(value).map_err(|misfit| {
        let shown = if is_secret { REDACTED } else { &misfit.value };
        Unmappable::Unfit {
            code: Unmappable::WRONG_TYPE,
            reason: format!("`{}` takes {}, not `{shown}`", rule.target, misfit.wanted),
        }
    })
}

/// Evaluates a mapping; `None`: the attribute is left alone.
pub(crate) fn evaluate(
    rule: &Rule,
    attributes: &Map<String, Value>,
    surroundings: &Surroundings<'_>,
) -> Result<Option<(Value, bool)>, Unmappable> {
    let expression = match &rule.source {
        Compiled::Attribute(name) => {
            return Ok(Some((
                attributes.get(name).cloned().unwrap_or_default(),
                false,
            )));
        }
        Compiled::Constant(text) => return Ok(Some((Value::from(text.as_str()), false))),
        Compiled::Nothing => return Ok(Some((Value::Null, false))),
        Compiled::Expression(expression) => expression,
    };
    let attribute = || rule.target.to_string();
    let mut randomness = Lent(surroundings.randomness);
    let mut context = Context {
        now: surroundings.now,
        randomness: &mut randomness,
        taken: &|_| Taken::No,
    };
    match expression.evaluate(attributes, &mut context) {
        Ok(Outcome::Value(value)) => Ok(Some((value.to_json(), expression.is_redacted()))),
        Ok(Outcome::Ignore) => Ok(None),
        Ok(Outcome::SkipObject) => Err(Unmappable::LeftOut {
            attribute: attribute(),
        }),
        // nobody answers that a value is unknown, so none is asked for
        Ok(Outcome::NeedsLookUp(value)) => Err(Unmappable::Failed {
            attribute: attribute(),
            reason: format!("whether `{value}` is taken cannot be found out"),
        }),
        Err(failure) => Err(Unmappable::Failed {
            attribute: attribute(),
            reason: failure.mistake().message,
        }),
    }
}

fn property(
    rule: &Rule,
    is_secret: bool,
    old: Option<&Value>,
    new: Option<&Value>,
) -> ModifiedProperty {
    let text = |value: &Value| match value {
        _ if is_secret => REDACTED.to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
        other => other.to_string(),
    };
    ModifiedProperty {
        display_name: rule.target.to_string(),
        old_value: old.map(text),
        new_value: new.filter(|value| !value.is_null()).map(text),
    }
}
