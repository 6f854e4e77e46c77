//! An application's configuration, compiled: what does not compile stops here, with every mistake named.

use rollcall_expression::Expression;
use rollcall_model::Kind;
use rollcall_model::application::{Application, Leaving, Scope};
use rollcall_model::mapping::{
    Actions, Apply, AttributeMapping, Nulls, ObjectMapping, Source, TargetAttribute, ValueType,
};
use rollcall_model::provisioning::ModifiedProperty;
use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::scope::ScopeFilters;
use crate::source::{MEMBERS, REFERENCES};
use crate::target_path::TargetPath;

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
}

impl Rules {
    /// Compiles an application's mappings.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn compile(application: &Application) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut users = compile(&application.users, Kind::User, &mut mistakes);
        let mut groups = compile(&application.groups, Kind::Group, &mut mistakes);
        for rules in [&mut users, &mut groups] {
            rules.leaving = application.settings.leaving;
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
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
        let off = switch.typed(Value::Bool(false));
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

fn compile(mapping: &ObjectMapping, kind: Kind, mistakes: &mut Vec<Mistake>) -> ObjectRules {
    let mut rules = ObjectRules {
        enabled: mapping.enabled,
        actions: mapping.actions,
        filters: ScopeFilters::default(),
        attributes: Vec::new(),
        references: Vec::new(),
        members: false,
        leaving: Leaving::default(),
        matching: Vec::new(),
    };
    match ScopeFilters::compile(&mapping.filters) {
        Ok(filters) => rules.filters = filters,
        Err(reasons) => mistakes.extend(reasons.into_iter().map(|message| Mistake {
            place: mapping.name.clone(),
            message,
        })),
    }
    let mut order: Vec<(u8, usize)> = Vec::new();
    for attribute in &mapping.attributes {
        let target = match TargetPath::parse(&attribute.target) {
            Ok(target) => target,
            Err(error) => {
                mistakes.push(Mistake {
                    place: attribute.target.clone(),
                    message: error.to_string(),
                });
                continue;
            }
        };
        if let Source::Direct(name) = &attribute.source {
            if kind == Kind::Group && name == MEMBERS {
                rules.members = true;
                continue;
            }
            if let Some(reference) = REFERENCES.into_iter().find(|reference| reference == name) {
                rules.references.push((target, reference));
                continue;
            }
        }
        let Some(source) = source(attribute, mistakes) else {
            continue;
        };
        if let Some(precedence) = attribute.matching {
            order.push((precedence, rules.attributes.len()));
        }
        let listed = mapping
            .target_attributes
            .iter()
            .find(|listed| listed.name.eq_ignore_ascii_case(&attribute.target));
        rules
            .attributes
            .push(rule(attribute, target, source, listed));
    }
    order.sort_unstable();
    rules.matching = order.into_iter().map(|(_, place)| place).collect();
    if rules.matching.is_empty() && rules.enabled {
        let message =
            "no mapping is marked as matching attribute: choose one by which objects are looked up"
                .to_owned();
        mistakes.push(Mistake {
            place: mapping.name.clone(),
            message,
        });
    }
    rules
}

fn rule(
    attribute: &AttributeMapping,
    target: TargetPath,
    source: Compiled,
    listed: Option<&TargetAttribute>,
) -> Rule {
    let kind = match listed {
        Some(listed) => listed.kind,
        None if target.is_core("active") => ValueType::Boolean,
        None if target
            .sub
            .as_deref()
            .is_some_and(|sub| sub.eq_ignore_ascii_case("primary")) =>
        {
            ValueType::Boolean
        }
        None => ValueType::String,
    };
    Rule {
        target,
        source,
        default: attribute.default.clone(),
        apply: attribute.apply,
        nulls: attribute.nulls,
        exact_case: listed.is_some_and(|listed| listed.exact_case),
        kind,
    }
}

fn source(attribute: &AttributeMapping, mistakes: &mut Vec<Mistake>) -> Option<Compiled> {
    Some(match &attribute.source {
        Source::Direct(name) => Compiled::Attribute(name.clone()),
        Source::Constant(text) => Compiled::Constant(text.clone()),
        Source::None => Compiled::Nothing,
        Source::Expression(text) => match Expression::parse(text) {
            Ok(expression) => Compiled::Expression(Box::new(expression)),
            Err(wrong) => {
                let message = wrong
                    .iter()
                    .map(|mistake| rollcall_expression::render(text, mistake))
                    .collect();
                mistakes.push(Mistake {
                    place: attribute.target.clone(),
                    message,
                });
                return None;
            }
        },
    })
}

impl Rule {
    /// Tells whether nobody may see the value in logs and plans.
    pub fn is_secret(&self) -> bool {
        matches!(&self.source, Compiled::Expression(expression) if expression.is_redacted())
    }

    /// Brings a text into the type of the target's attribute. What does not fit stays text: the target will say so.
    pub(crate) fn typed(&self, value: Value) -> Value {
        match (self.kind, &value) {
            (ValueType::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => {
                Value::Bool(true)
            }
            (ValueType::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => {
                Value::Bool(false)
            }
            (ValueType::Integer, Value::String(text)) => {
                text.trim().parse::<i64>().map_or(value, Value::from)
            }
            (
                ValueType::String | ValueType::DateTime | ValueType::Binary | ValueType::Reference,
                Value::Bool(flag),
            ) => Value::from(if *flag { "True" } else { "False" }),
            (ValueType::String, Value::Number(number)) => Value::from(number.to_string()),
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_model::ApplicationId;

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

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let mut wrong = application();
        wrong.users.attributes.push(AttributeMapping::expression(
            "Jion(\" \", [a], [b])",
            "nickName",
        ));
        wrong.users.attributes.push(AttributeMapping::direct(
            "mail",
            "emails[type ne \"work\"].value",
        ));
        for attribute in &mut wrong.groups.attributes {
            attribute.matching = None;
        }

        let mistakes = Rules::compile(&wrong).unwrap_err();

        let places: Vec<&str> = mistakes
            .iter()
            .map(|mistake| mistake.place.as_str())
            .collect();
        assert_eq!(places.len(), 3, "{mistakes:?}");
        assert!(places.contains(&"nickName") && places.contains(&"emails[type ne \"work\"].value"));
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
