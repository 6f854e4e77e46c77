//! Compiles a mapping, and finds every mistake in it.
//!
//! **Is:** one pass over the lines of a mapping, its filters and what they say about each other. **Is not:** a look at objects: what only
//! some of them get wrong is found when they are mapped.
//! **Start at** [`check`].

use std::collections::BTreeMap;

use rollcall_expression::Expression;
use rollcall_model::Kind;
use rollcall_model::application::Leaving;
use rollcall_model::mapping::{
    Apply, AttributeMapping, Mutability, ObjectMapping, ScopeFilter, Source, TargetAttribute,
    ValueType,
};
use serde_json::Value;

use super::fit::typed;
use super::{Compiled, Mistake, ObjectRules, Rule};
use crate::scope::ScopeFilters;
use crate::source::{MEMBERS, REFERENCES};
use crate::target_path::TargetPath;

/// Which part of a mapping a mistake is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// The mapping as a whole.
    Whole,
    /// The attribute mapping at this place.
    Attribute(usize),
    /// A clause of a scoping filter.
    Filter {
        /// The filter's place.
        filter: usize,
        /// The clause's place in it.
        clause: usize,
    },
    /// A clause of an input filter.
    InputFilter {
        /// The filter's place.
        filter: usize,
        /// The clause's place in it.
        clause: usize,
    },
}

/// Returns every mistake in a mapping, each with the part that it is in.
pub fn check(mapping: &ObjectMapping, kind: Kind) -> Vec<(Spot, Mistake)> {
    compile(mapping, kind).1
}

/// Tells whether objects can be looked up by what a line of a mapping fills.
pub fn can_match(mapping: &ObjectMapping, kind: Kind, line: &AttributeMapping) -> bool {
    TargetPath::parse(&line.target).is_ok_and(|target| {
        let is_reference = reference(kind, line).is_some();
        unmatchable(&target, listed(mapping, &line.target), is_reference).is_none()
    })
}

/// Says why objects cannot be looked up by an attribute of the target; absent: they can.
fn unmatchable(
    target: &TargetPath,
    listed: Option<&TargetAttribute>,
    is_reference: bool,
) -> Option<&'static str> {
    let kind = listed.map(|listed| listed.kind);
    if is_reference || kind == Some(ValueType::Reference) {
        Some("it refers to another object")
    } else if listed.is_some_and(|listed| listed.multi_valued) && target.is_whole() {
        Some("it holds many values")
    } else if matches!(kind, Some(ValueType::Boolean | ValueType::Integer)) {
        Some("it is no text")
    } else {
        None
    }
}

fn listed<'m>(mapping: &'m ObjectMapping, target: &str) -> Option<&'m TargetAttribute> {
    mapping
        .target_attributes
        .iter()
        .find(|listed| listed.name.trim().eq_ignore_ascii_case(target.trim()))
}

/// Returns the source's attribute that points to other objects, when the line copies one.
fn reference(kind: Kind, attribute: &AttributeMapping) -> Option<&'static str> {
    let Source::Direct(name) = &attribute.source else {
        return None;
    };
    if kind == Kind::Group && name == MEMBERS {
        return Some(MEMBERS);
    }
    REFERENCES.into_iter().find(|reference| reference == name)
}

/// Compiles a mapping. The rules are of use only when there are no mistakes.
pub(super) fn compile(mapping: &ObjectMapping, kind: Kind) -> (ObjectRules, Vec<(Spot, Mistake)>) {
    let mut compiler = Compiler {
        mapping,
        kind,
        rules: ObjectRules {
            enabled: mapping.enabled,
            actions: mapping.actions,
            filters: ScopeFilters::default(),
            input_filters: ScopeFilters::default(),
            attributes: Vec::new(),
            references: Vec::new(),
            members: false,
            leaving: Leaving::default(),
            matching: Vec::new(),
            unfilled: Vec::new(),
        },
        mistakes: Vec::new(),
        targets: BTreeMap::new(),
    };
    compiler.rules.filters = compiler.filters(&mapping.filters, |filter, clause| Spot::Filter {
        filter,
        clause,
    });
    compiler.rules.input_filters = compiler.filters(&mapping.input_filters, |filter, clause| {
        Spot::InputFilter { filter, clause }
    });
    for (place, attribute) in mapping.attributes.iter().enumerate() {
        compiler.attribute(place, attribute);
    }
    compiler.matching();
    compiler.unfilled();
    (compiler.rules, compiler.mistakes)
}

struct Compiler<'m> {
    mapping: &'m ObjectMapping,
    kind: Kind,
    rules: ObjectRules,
    mistakes: Vec<(Spot, Mistake)>,
    /// The targets that are mapped, in lower case.
    targets: BTreeMap<String, TargetPath>,
}

impl<'m> Compiler<'m> {
    fn mistake(&mut self, spot: Spot, place: &str, message: String, help: &str) {
        self.mistakes.push((
            spot,
            Mistake {
                place: place.to_owned(),
                message,
                help: help.to_owned(),
            },
        ));
    }

    fn filters(
        &mut self,
        filters: &[ScopeFilter],
        spot: impl Fn(usize, usize) -> Spot,
    ) -> ScopeFilters {
        match ScopeFilters::compile(filters) {
            Ok(compiled) => compiled,
            Err(mistakes) => {
                for wrong in mistakes {
                    let name = filters.get(wrong.filter).map_or("", |filter| &filter.name);
                    self.mistake(
                        spot(wrong.filter, wrong.clause),
                        &format!("filter `{name}`"),
                        wrong.message,
                        wrong.help,
                    );
                }
                ScopeFilters::default()
            }
        }
    }

    /// Compiles one line.
    fn attribute(&mut self, place: usize, attribute: &AttributeMapping) {
        let spot = Spot::Attribute(place);
        let target = match TargetPath::parse(&attribute.target) {
            Ok(target) => target,
            Err(error) => {
                let help = r#"write a SCIM path such as `userName`, `name.givenName` or `emails[type eq "work"].value`"#;
                return self.mistake(spot, &attribute.target, error.to_string(), help);
            }
        };
        let listed = self.listed(&attribute.target);
        self.check_target(spot, attribute, &target, listed);
        let reference = reference(self.kind, attribute);
        self.check_matching(spot, attribute, &target, listed, reference.is_some());
        match reference {
            Some(MEMBERS) => {
                self.rules.members = true;
                return;
            }
            Some(reference) => return self.rules.references.push((target, reference)),
            None => {}
        }
        let Some(source) = self.source(spot, attribute) else {
            return;
        };
        let rule = rule(attribute, target, source, listed);
        self.check_values(spot, attribute, &rule);
        self.rules.attributes.push(rule);
    }

    /// Finds the attribute of the target's list; a list need not have it.
    fn listed(&self, target: &str) -> Option<&'m TargetAttribute> {
        listed(self.mapping, target)
    }

    fn check_target(
        &mut self,
        spot: Spot,
        attribute: &AttributeMapping,
        target: &TargetPath,
        listed: Option<&TargetAttribute>,
    ) {
        let place = &attribute.target;
        let spelling = target.to_string().to_ascii_lowercase();
        if self.targets.insert(spelling, target.clone()).is_some() {
            let message = format!("`{place}` is mapped twice");
            self.mistake(spot, place, message, "keep one of the two mappings");
        }
        let Some(listed) = listed else { return };
        if listed.primary_key {
            let message = format!("`{place}` is the primary key, which the target sets");
            self.mistake(spot, place, message, "take this mapping out");
        } else if listed.mutability == Mutability::ReadOnly {
            let message = format!("`{place}` is read-only in the target");
            let help =
                "take this mapping out, or change the attribute's mutability in the attribute list";
            self.mistake(spot, place, message, help);
        }
        if attribute.apply == Apply::AddOnly && !listed.multi_valued {
            let message = format!("`{place}` holds one value, so nothing can be added to it");
            let help = "mark the attribute as multi-valued in the attribute list, or let the mapping apply always";
            self.mistake(spot, place, message, help);
        }
    }

    fn check_matching(
        &mut self,
        spot: Spot,
        attribute: &AttributeMapping,
        target: &TargetPath,
        listed: Option<&TargetAttribute>,
        is_reference: bool,
    ) {
        let Some(precedence) = attribute.matching else {
            return;
        };
        let place = &attribute.target;
        if precedence == 0 {
            let message = format!("`{place}` has the matching precedence 0");
            let help = "begin with 1, or leave the precedence out so that it does not match";
            self.mistake(spot, place, message, help);
        }
        let same = |other: &&AttributeMapping| other.matching == Some(precedence);
        let first = self.mapping.attributes.iter().find(same);
        if let Some(first) = first.filter(|first| !std::ptr::eq(*first, attribute)) {
            let message = format!(
                "`{place}` has the same matching precedence as `{}`: {precedence}",
                first.target
            );
            self.mistake(spot, place, message, "give each of them another precedence");
        }
        let Some(reason) = unmatchable(target, listed, is_reference) else {
            return;
        };
        let message = format!("objects cannot be looked up by `{place}`: {reason}");
        let help = "match by an attribute with one text that no two objects share, such as `userName` or `externalId`";
        self.mistake(spot, place, message, help);
    }

    /// Compiles the source; `None` when that is not possible.
    fn source(&mut self, spot: Spot, attribute: &AttributeMapping) -> Option<Compiled> {
        let place = &attribute.target;
        Some(match &attribute.source {
            Source::Direct(name) if name.trim().is_empty() => {
                let message = "it copies an attribute of the source and does not say which";
                let help = "choose the source attribute, or the mapping type None";
                self.mistake(spot, place, message.to_owned(), help);
                return None;
            }
            Source::Direct(name) => Compiled::Attribute(name.clone()),
            Source::Constant(text) => Compiled::Constant(text.clone()),
            Source::None => Compiled::Nothing,
            Source::Expression(text) => match Expression::parse(text) {
                Ok(expression) => Compiled::Expression(Box::new(expression)),
                Err(wrong) => {
                    let message: String = wrong
                        .iter()
                        .map(|mistake| rollcall_expression::render(text, mistake))
                        .collect();
                    let help = "`rollcall expression explain NAME` shows a function; docs/expressions.md has them all";
                    self.mistake(spot, place, message.trim_end().to_owned(), help);
                    return None;
                }
            },
        })
    }

    /// A constant or default that does not fit would fail every object.
    fn check_values(&mut self, spot: Spot, attribute: &AttributeMapping, rule: &Rule) {
        let constant = match &attribute.source {
            Source::Constant(text) if !text.is_empty() => Some(("constant", text)),
            _ => None,
        };
        let default = rule.default.as_ref().map(|text| ("default value", text));
        for (what, text) in constant.into_iter().chain(default) {
            if let Err(misfit) = typed(rule.kind, Value::from(text.as_str())) {
                let message = format!(
                    "the {what} `{}` does not fit: `{}` takes {}",
                    misfit.value, attribute.target, misfit.wanted
                );
                let help = "write a value of that type, or change the attribute's type in the attribute list";
                self.mistake(spot, &attribute.target, message, help);
            }
        }
    }

    /// Puts the matching attributes in order.
    fn matching(&mut self) {
        let rules = self.rules.attributes.iter().enumerate();
        let mut order: Vec<(u8, usize)> = rules
            .filter_map(|(place, rule)| Some((rule.matching?, place)))
            .collect();
        order.sort_unstable();
        self.rules.matching = order.into_iter().map(|(_, place)| place).collect();
        let is_none = self
            .mapping
            .attributes
            .iter()
            .all(|attribute| attribute.matching.is_none());
        if is_none && self.rules.enabled {
            let message = "no mapping is marked as matching attribute".to_owned();
            let help = "choose one by which objects are looked up, and give it precedence 1";
            let place = self.mapping.name.clone();
            self.mistake(Spot::Whole, &place, message, help);
        }
    }

    /// Finds what the target requires and no line fills, not even a part of it.
    fn unfilled(&mut self) {
        let required = self.mapping.target_attributes.iter().filter(|listed| {
            listed.required && !listed.primary_key && listed.mutability != Mutability::ReadOnly
        });
        for listed in required {
            let Ok(path) = TargetPath::parse(&listed.name) else {
                continue;
            };
            let is_part = |mapped: &TargetPath| {
                let has_name = mapped.attribute.eq_ignore_ascii_case(&path.attribute)
                    && mapped.urn.as_deref().map(str::to_ascii_lowercase)
                        == path.urn.as_deref().map(str::to_ascii_lowercase);
                has_name
                    && (path.is_whole()
                        || mapped.to_string().eq_ignore_ascii_case(&path.to_string()))
            };
            if !self.targets.values().any(is_part) {
                self.rules.unfilled.push(listed.name.clone());
            }
        }
    }
}

fn rule(
    attribute: &AttributeMapping,
    target: TargetPath,
    source: Compiled,
    listed: Option<&TargetAttribute>,
) -> Rule {
    let is_sub = |name: &str| {
        target
            .sub
            .as_deref()
            .is_some_and(|sub| sub.eq_ignore_ascii_case(name))
    };
    let kind = match listed {
        Some(listed) => listed.kind,
        None if target.is_core("active") || is_sub("primary") => ValueType::Boolean,
        None => ValueType::String,
    };
    let is_immutable = listed.is_some_and(|listed| listed.mutability == Mutability::Immutable);
    Rule {
        target,
        source,
        // targets take an empty text for none
        default: attribute.default.clone().filter(|text| !text.is_empty()),
        apply: if is_immutable {
            Apply::OnCreate
        } else {
            attribute.apply
        },
        nulls: attribute.nulls,
        exact_case: listed.is_some_and(|listed| listed.exact_case),
        kind,
        required: listed.is_some_and(|listed| listed.required),
        multi_valued: listed.is_some_and(|listed| listed.multi_valued),
        matching: attribute.matching,
    }
}
