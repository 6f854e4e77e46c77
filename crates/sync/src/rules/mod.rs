//! An application's configuration, compiled: what does not compile stops here, with every mistake named.
//!
//! **Is:** [`Rules`], which a cycle follows; what is wrong with a mapping, and what to do about it. **Is not:** the evaluation of mappings
//! on an object; see [`crate::wish`].
//! **Start at** [`Rules::compile`]; [`check`] tells the mistakes of one mapping with their places.

mod compile;
mod fit;

use std::fmt;

use rollcall_expression::Expression;
use rollcall_model::Kind;
use rollcall_model::application::{Application, Leaving, Scope};
use rollcall_model::mapping::{Actions, Apply, Nulls, ValueType};
use rollcall_model::provisioning::ModifiedProperty;
use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::scope::ScopeFilters;
use crate::target_path::TargetPath;

pub use compile::{Spot, can_match, check};
pub use fit::Misfit;

/// The rules of an application.
#[derive(Debug)]
pub struct Rules {
    /// Whether only who is assigned is provisioned.
    pub scope: Scope,
    users: ObjectRules,
    groups: ObjectRules,
    basis: String,
}

/// The rules for one kind of object.
#[derive(Debug)]
pub struct ObjectRules {
    /// Whether objects of the kind are provisioned at all.
    pub enabled: bool,
    /// What may be done in the target.
    pub actions: Actions,
    /// The scoping filters.
    pub filters: ScopeFilters,
    /// The filters outside which an object is left alone.
    pub input_filters: ScopeFilters,
    /// The mappings of values, in the order of the configuration.
    pub attributes: Vec<Rule>,
    /// The target's attributes that take references, with the source's attributes.
    pub references: Vec<(TargetPath, &'static str)>,
    /// Whether the target's `members` are provisioned.
    pub members: bool,
    /// What becomes of an object that leaves the scope.
    pub leaving: Leaving,
    /// Places in `attributes` of the matching attributes, in the order in which they are tried.
    pub matching: Vec<usize>,
    /// Attributes that the target requires and that no mapping fills.
    pub unfilled: Vec<String>,
}

/// A compiled mapping.
#[derive(Debug)]
pub struct Rule {
    /// The target's attribute.
    pub target: TargetPath,
    /// Where the value comes from.
    pub source: Compiled,
    /// The value at creation when the source has none.
    pub default: Option<String>,
    /// When the mapping applies.
    pub apply: Apply,
    /// What a null does.
    pub nulls: Nulls,
    /// Whether case matters when values are compared.
    pub exact_case: bool,
    /// The type of the target's attribute.
    pub kind: ValueType,
    /// Whether a new object has to have a value.
    pub required: bool,
    /// Whether the target's attribute holds a list.
    pub multi_valued: bool,
    /// Its precedence when objects are looked up by it.
    pub matching: Option<u8>,
}

/// Where a value comes from.
#[derive(Debug)]
pub enum Compiled {
    /// An attribute of the source.
    Attribute(String),
    /// A constant.
    Constant(String),
    /// A formula.
    Expression(Box<Expression>),
    /// Nothing: only the default, at creation.
    Nothing,
}

/// Something wrong in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Which mapping: its target attribute, or the filter.
    pub place: String,
    /// What is wrong, for people; may have several lines.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for Mistake {
    /// The place, what is wrong there, and in brackets what to do.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            message,
            help,
        } = self;
        write!(formatter, "{place}: {} ({help})", message.trim_end())
    }
}

impl Rules {
    /// Compiles an application's mappings.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn compile(application: &Application) -> Result<Self, Vec<Mistake>> {
        let (mut users, mut mistakes) = compile::compile(&application.users, Kind::User);
        let (mut groups, more) = compile::compile(&application.groups, Kind::Group);
        mistakes.extend(more);
        for rules in [&mut users, &mut groups] {
            rules.leaving = application.settings.leaving;
        }
        if !mistakes.is_empty() {
            return Err(mistakes.into_iter().map(|(_, mistake)| mistake).collect());
        }
        let mut basis = Digest::default();
        for mapping in [&application.users, &application.groups] {
            // a structure of texts and lists always has a JSON form
            basis.value(&serde_json::to_value(mapping).unwrap_or_default());
        }
        let settings = &application.settings;
        let words = serde_json::to_value((settings.leaving, settings.nested_groups));
        basis.value(&words.unwrap_or_default());
        basis.text(if application.scope == Scope::All {
            "all"
        } else {
            "assigned"
        });
        Ok(Self {
            scope: application.scope,
            users,
            groups,
            basis: basis.finish(),
        })
    }

    /// Returns the rules for a kind of object.
    pub fn of(&self, kind: Kind) -> &ObjectRules {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }

    /// Returns a digest of all that the rules were compiled from: when it changes, everything has to be looked at again.
    pub fn basis(&self) -> &str {
        &self.basis
    }
}

impl ObjectRules {
    /// Tells whether a person can be switched off by an update, so that leaving scope need not delete.
    pub fn can_disable(&self) -> bool {
        self.switch().is_some()
    }

    /// Returns the operations that switch a resource of the target off, and what they change; none when it is off already. The value
    /// is not computed: whoever has to go is switched off, whatever the mapping makes of it.
    pub fn switch_off(&self, there: &Map<String, Value>) -> (Vec<Value>, Vec<ModifiedProperty>) {
        let Some(switch) = self.switch() else {
            return (Vec::new(), Vec::new());
        };
        let path = switch.target.to_string();
        let found = switch.target.find(there);
        let is_off = match found {
            Some(Value::Bool(active)) => !active,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("false"),
            _ => false,
        };
        if is_off {
            return (Vec::new(), Vec::new());
        }
        let off = switch
            .fitted(Value::Bool(false))
            .unwrap_or(Value::Bool(false));
        let property = ModifiedProperty {
            display_name: path.clone(),
            old_value: found.map(|_| "True".to_owned()),
            new_value: Some("False".to_owned()),
        };
        (
            vec![json!({"op": "replace", "path": path, "value": off})],
            vec![property],
        )
    }

    /// Returns the mapping by which people are switched on and off: of `active`, from something that tells of their state.
    fn switch(&self) -> Option<&Rule> {
        self.attributes.iter().find(|rule| {
            let tells = match &rule.source {
                Compiled::Expression(expression) => expression
                    .attributes()
                    .iter()
                    .any(|name| depends_on_state(name)),
                Compiled::Attribute(name) => depends_on_state(name),
                Compiled::Constant(_) | Compiled::Nothing => false,
            };
            tells && rule.target.is_core("active") && rule.apply == Apply::Always
        })
    }
}

fn depends_on_state(name: &str) -> bool {
    name == "IsSoftDeleted" || name == "accountEnabled"
}

impl Rule {
    /// Tells whether nobody may see the value in logs and plans.
    pub fn is_secret(&self) -> bool {
        matches!(&self.source, Compiled::Expression(expression) if expression.is_redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_model::ApplicationId;
    use rollcall_model::mapping::{
        AttributeMapping, Clause, Mutability, Operator, ScopeFilter, Source, TargetAttribute,
    };

    const ENTERPRISE: &str = rollcall_model::mapping::defaults::ENTERPRISE_USER;

    fn application() -> Application {
        let id: ApplicationId = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".parse().unwrap();
        Application::new(id, "App".into(), jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_default_mappings_compile_and_can_disable_people() {
        let rules = Rules::compile(&application()).unwrap();

        assert!(rules.of(Kind::User).can_disable());
        assert!(rules.of(Kind::Group).members);
        assert_eq!(rules.of(Kind::User).references.len(), 1);
        let matching = rules
            .of(Kind::User)
            .matching
            .first()
            .and_then(|place| rules.of(Kind::User).attributes.get(*place));
        assert_eq!(matching.unwrap().target.to_string(), "userName");
    }

    fn change(wrong: &mut Application, target: &str, change: impl Fn(&mut TargetAttribute)) {
        let listed = &mut wrong.users.target_attributes;
        change(listed.iter_mut().find(|one| one.name == target).unwrap());
    }

    #[test]
    fn every_mistake_is_named_with_its_place_and_what_to_do() {
        let mut wrong = application();
        wrong.users.attributes.extend([
            AttributeMapping::expression("Jion(\" \", [a], [b])", "nickName"),
            AttributeMapping::direct("mail", "emails[type ne \"work\"].value"),
            AttributeMapping::direct("mail", "TITLE"),
            AttributeMapping::direct("objectId", "id"),
            AttributeMapping::constant("maybe", "profileUrl"),
            AttributeMapping::direct("", "locale"),
            AttributeMapping::direct("division", "userType").matching(1),
            AttributeMapping::direct("city", "timezone").matching(0),
            AttributeMapping::direct("proxyAddresses", "tags").matching(8),
            AttributeMapping::direct("employeeId", "level").matching(9),
            AttributeMapping {
                apply: Apply::AddOnly,
                default: Some("never".into()),
                ..AttributeMapping::direct("costCenter", &format!("{ENTERPRISE}:costCenter"))
            },
        ]);
        wrong.users.target_attributes.extend([
            TargetAttribute {
                multi_valued: true,
                ..TargetAttribute::new("tags")
            },
            TargetAttribute {
                kind: ValueType::Integer,
                ..TargetAttribute::new("level")
            },
        ]);
        for attribute in &mut wrong.users.attributes {
            if attribute.source == Source::Direct("manager".into()) {
                attribute.matching = Some(3);
            }
        }
        change(&mut wrong, "profileUrl", |one| {
            one.kind = ValueType::Boolean;
        });
        change(&mut wrong, "displayName", |one| {
            one.mutability = Mutability::ReadOnly;
        });
        change(&mut wrong, &format!("{ENTERPRISE}:costCenter"), |one| {
            one.kind = ValueType::Integer;
        });
        wrong.users.input_filters.push(ScopeFilter {
            name: "Staff".into(),
            clauses: vec![Clause {
                attribute: "department".into(),
                operator: Operator::RegexMatch,
                values: vec!["(".into()],
            }],
        });
        for attribute in &mut wrong.groups.attributes {
            attribute.matching = None;
        }

        let mistakes = Rules::compile(&wrong).unwrap_err();

        let text: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn a_target_that_is_not_in_the_list_is_no_mistake() {
        let mut one = application();
        one.users.attributes.push(AttributeMapping::direct(
            "division",
            "urn:example:ext:2.0:User:unit",
        ));

        assert!(Rules::compile(&one).is_ok());
    }

    #[test]
    fn a_changed_mapping_changes_the_basis() {
        let one = Rules::compile(&application()).unwrap();
        let mut other = application();
        other
            .users
            .attributes
            .push(AttributeMapping::constant("x", "nickName"));

        assert_ne!(one.basis(), Rules::compile(&other).unwrap().basis());
        assert_eq!(one.basis(), Rules::compile(&application()).unwrap().basis());
    }
}
