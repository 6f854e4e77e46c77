//! Mappings: which attribute of the target is filled from what.
//!
//! **Is:** configuration as an administrator edits it, with the texts as typed. Names follow the synchronization schema of
//! Microsoft Graph, so that one can be read from and written to the other.
//! **Is not:** checked: expressions, paths and patterns are parsed when the rules of a cycle are compiled, which reports
//! every mistake at once.
//! **Start at** [`ObjectMapping`]; [`defaults`] has the mappings of a new application.

use serde::{Deserialize, Serialize};

/// How one kind of object of the source becomes one kind of resource at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMapping {
    /// Its name for people.
    pub name: String,
    /// Whether objects of this kind are provisioned.
    pub enabled: bool,
    /// What may be done to the target.
    pub actions: Actions,
    /// The source's object type: `User` or `Group`.
    pub source: String,
    /// The target's object type: a SCIM schema URN.
    pub target: String,
    /// What goes where.
    pub attributes: Vec<AttributeMapping>,
    /// Which objects are in scope: those that pass any of the filters; all when there is none.
    #[serde(default)]
    pub filters: Vec<ScopeFilter>,
    /// The attributes of the target and their properties.
    #[serde(default)]
    pub target_attributes: Vec<TargetAttribute>,
}

/// What may be done to the target's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actions {
    /// New ones may be created; otherwise only existing ones are adopted.
    pub create: bool,
    /// Existing ones may be changed, which includes disabling them.
    pub update: bool,
    /// They may be deleted.
    pub delete: bool,
}

impl Actions {
    /// Everything is allowed.
    pub const ALL: Self = Self {
        create: true,
        update: true,
        delete: true,
    };
}

/// What fills one attribute of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttributeMapping {
    /// The target's attribute, as a SCIM path: `emails[type eq "work"].value`.
    pub target: String,
    /// Where the value comes from.
    pub source: Source,
    /// What a new object gets when the source has no value; existing objects never get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Objects are matched by this attribute, in ascending order of precedence from 1; absent: it does not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<u8>,
    /// When the mapping applies.
    #[serde(default)]
    pub apply: Apply,
    /// What happens at the target when the source has no value.
    #[serde(default)]
    pub nulls: Nulls,
}

impl AttributeMapping {
    /// Makes a mapping that copies an attribute.
    pub fn direct(source: &str, target: &str) -> Self {
        Self::from_source(Source::Direct(source.to_owned()), target)
    }

    /// Makes a mapping that evaluates an expression.
    pub fn expression(expression: &str, target: &str) -> Self {
        Self::from_source(Source::Expression(expression.to_owned()), target)
    }

    /// Makes a mapping that always gives the same value.
    pub fn constant(value: &str, target: &str) -> Self {
        Self::from_source(Source::Constant(value.to_owned()), target)
    }

    fn from_source(source: Source, target: &str) -> Self {
        Self {
            target: target.to_owned(),
            source,
            default: None,
            matching: None,
            apply: Apply::default(),
            nulls: Nulls::default(),
        }
    }

    /// Makes the mapping match objects, with this precedence.
    #[must_use]
    pub fn matching(mut self, precedence: u8) -> Self {
        self.matching = Some(precedence);
        self
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum Source {
    /// From the source's attribute of this name.
    Direct(String),
    /// It is this text.
    Constant(String),
    /// It is the result of this expression.
    Expression(String),
    /// From nowhere: the target's attribute is left alone; a default value is given to new objects.
    None,
}

/// When a mapping applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Apply {
    /// When the object is created and whenever it changes.
    #[default]
    Always,
    /// When the object is created.
    OnCreate,
}

/// What happens at the target when the source has no value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Nulls {
    /// The target keeps the value that it has.
    #[default]
    Keep,
    /// The target's value is removed.
    Clear,
}

/// Clauses that all have to be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeFilter {
    /// Its name for people.
    pub name: String,
    /// The clauses.
    pub clauses: Vec<Clause>,
}

/// A condition on one attribute of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// The source's attribute.
    pub attribute: String,
    /// What is asked of it.
    pub operator: Operator,
    /// The values it is compared with; none for operators that need none.
    #[serde(default)]
    pub values: Vec<String>,
}

/// What a clause asks. A source without a value makes every clause false but [`Operator::IsNull`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// The whole text is equal, also in case.
    #[serde(rename = "EQUALS")]
    Equals,
    /// The text differs.
    #[serde(rename = "NOT EQUALS")]
    NotEquals,
    /// The boolean is true.
    #[serde(rename = "IS TRUE")]
    IsTrue,
    /// The boolean is false.
    #[serde(rename = "IS FALSE")]
    IsFalse,
    /// There is no value, or an empty one.
    #[serde(rename = "IS NULL")]
    IsNull,
    /// There is a value.
    #[serde(rename = "IS NOT NULL")]
    IsNotNull,
    /// The pattern matches somewhere.
    #[serde(rename = "REGEX MATCH")]
    RegexMatch,
    /// The pattern matches nowhere.
    #[serde(rename = "NOT REGEX MATCH")]
    NotRegexMatch,
    /// The integer is greater.
    #[serde(rename = "Greater_Than")]
    GreaterThan,
    /// The integer is greater or equal.
    #[serde(rename = "Greater_Than_OR_EQUALS")]
    GreaterThanOrEquals,
    /// The text contains the value, also in case.
    #[serde(rename = "Includes")]
    Includes,
    /// The text ends with the value, also in case.
    #[serde(rename = "ENDS_WITH")]
    EndsWith,
    /// The attribute's value occurs in the text given.
    #[serde(rename = "&")]
    OccursIn,
    /// The attribute's value does not occur in the text given.
    #[serde(rename = "!&")]
    NotOccursIn,
}

impl Operator {
    /// All operators, in the order in which they are offered.
    pub const ALL: [Self; 14] = [
        Self::Equals,
        Self::NotEquals,
        Self::IsTrue,
        Self::IsFalse,
        Self::IsNull,
        Self::IsNotNull,
        Self::RegexMatch,
        Self::NotRegexMatch,
        Self::GreaterThan,
        Self::GreaterThanOrEquals,
        Self::Includes,
        Self::EndsWith,
        Self::OccursIn,
        Self::NotOccursIn,
    ];

    /// Returns the name that an exported schema uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equals => "EQUALS",
            Self::NotEquals => "NOT EQUALS",
            Self::IsTrue => "IS TRUE",
            Self::IsFalse => "IS FALSE",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
            Self::RegexMatch => "REGEX MATCH",
            Self::NotRegexMatch => "NOT REGEX MATCH",
            Self::GreaterThan => "Greater_Than",
            Self::GreaterThanOrEquals => "Greater_Than_OR_EQUALS",
            Self::Includes => "Includes",
            Self::EndsWith => "ENDS_WITH",
            Self::OccursIn => "&",
            Self::NotOccursIn => "!&",
        }
    }

    /// Tells whether the operator compares with a value.
    pub fn takes_a_value(self) -> bool {
        !matches!(
            self,
            Self::IsTrue | Self::IsFalse | Self::IsNull | Self::IsNotNull
        )
    }
}

/// An attribute of the target.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the properties of the attribute list, which are independent of each other"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetAttribute {
    /// Its name, as a SCIM path.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: ValueType,
    /// Whether it identifies the object; such an attribute is not mapped.
    #[serde(default)]
    pub primary_key: bool,
    /// Whether the target wants a value.
    #[serde(default)]
    pub required: bool,
    /// Whether it holds many values.
    #[serde(default)]
    pub multi_valued: bool,
    /// Whether a difference in case alone is a change.
    #[serde(default)]
    pub exact_case: bool,
    /// An expression of the target's own interface; kept for round trips.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_expression: Option<String>,
    /// The object types that a reference may point to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referenced_objects: Vec<String>,
}

/// The type of an attribute's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueType {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// An instant.
    DateTime,
    /// Bytes, base64.
    Binary,
    /// Another object.
    Reference,
}

/// The mappings of a new application: those of the SCIM template (`customappsso`).
pub mod defaults {
    use super::{Actions, AttributeMapping, ObjectMapping, TargetAttribute, ValueType};

    /// The enterprise extension of a SCIM user.
    pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    /// The SCIM group.
    pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

    /// Returns the default mapping of people.
    pub fn users() -> ObjectMapping {
        let enterprise = |name: &str| format!("{ENTERPRISE_USER}:{name}");
        let direct = AttributeMapping::direct;
        ObjectMapping {
            name: "Synchronize Rollcall Users to customappsso".to_owned(),
            enabled: true,
            actions: Actions::ALL,
            source: "User".to_owned(),
            target: ENTERPRISE_USER.to_owned(),
            attributes: vec![
                direct("userPrincipalName", "userName").matching(1),
                AttributeMapping::expression(
                    r#"Switch([IsSoftDeleted], , "False", "True", "True", "False")"#,
                    "active",
                ),
                direct("displayName", "displayName"),
                direct("jobTitle", "title"),
                direct("mail", r#"emails[type eq "work"].value"#),
                direct("preferredLanguage", "preferredLanguage"),
                direct("givenName", "name.givenName"),
                direct("surname", "name.familyName"),
                AttributeMapping::expression(
                    r#"Join(" ", [givenName], [surname])"#,
                    "name.formatted",
                ),
                direct(
                    "physicalDeliveryOfficeName",
                    r#"addresses[type eq "work"].formatted"#,
                ),
                direct(
                    "streetAddress",
                    r#"addresses[type eq "work"].streetAddress"#,
                ),
                direct("city", r#"addresses[type eq "work"].locality"#),
                direct("state", r#"addresses[type eq "work"].region"#),
                direct("postalCode", r#"addresses[type eq "work"].postalCode"#),
                direct("country", r#"addresses[type eq "work"].country"#),
                direct("telephoneNumber", r#"phoneNumbers[type eq "work"].value"#),
                direct("mobile", r#"phoneNumbers[type eq "mobile"].value"#),
                direct(
                    "facsimileTelephoneNumber",
                    r#"phoneNumbers[type eq "fax"].value"#,
                ),
                direct("mailNickname", "externalId"),
                direct("employeeId", &enterprise("employeeNumber")),
                direct("department", &enterprise("department")),
                direct("manager", &enterprise("manager")),
            ],
            filters: Vec::new(),
            target_attributes: user_attributes(),
        }
    }

    /// Returns the default mapping of groups.
    pub fn groups() -> ObjectMapping {
        ObjectMapping {
            name: "Synchronize Rollcall Groups to customappsso".to_owned(),
            enabled: true,
            actions: Actions::ALL,
            source: "Group".to_owned(),
            target: GROUP.to_owned(),
            attributes: vec![
                AttributeMapping::direct("displayName", "displayName").matching(1),
                AttributeMapping::direct("objectId", "externalId"),
                AttributeMapping::direct("members", "members"),
            ],
            filters: Vec::new(),
            target_attributes: group_attributes(),
        }
    }

    fn attribute(name: &str) -> TargetAttribute {
        TargetAttribute {
            name: name.to_owned(),
            kind: ValueType::String,
            primary_key: false,
            required: false,
            multi_valued: false,
            exact_case: false,
            api_expression: None,
            referenced_objects: Vec::new(),
        }
    }

    fn user_attributes() -> Vec<TargetAttribute> {
        let mut attributes = vec![
            TargetAttribute {
                primary_key: true,
                required: true,
                ..attribute("id")
            },
            TargetAttribute {
                kind: ValueType::Boolean,
                ..attribute("active")
            },
            TargetAttribute {
                required: true,
                ..attribute("userName")
            },
        ];
        attributes.extend(
            [
                "displayName",
                "title",
                r#"emails[type eq "work"].value"#,
                r#"emails[type eq "home"].value"#,
                r#"emails[type eq "other"].value"#,
                "preferredLanguage",
                "name.givenName",
                "name.familyName",
                "name.formatted",
                "name.honorificPrefix",
                "name.honorificSuffix",
                r#"addresses[type eq "work"].formatted"#,
                r#"addresses[type eq "work"].streetAddress"#,
                r#"addresses[type eq "work"].locality"#,
                r#"addresses[type eq "work"].region"#,
                r#"addresses[type eq "work"].postalCode"#,
                r#"addresses[type eq "work"].country"#,
                r#"addresses[type eq "home"].formatted"#,
                r#"addresses[type eq "home"].streetAddress"#,
                r#"addresses[type eq "home"].locality"#,
                r#"addresses[type eq "home"].region"#,
                r#"addresses[type eq "home"].postalCode"#,
                r#"addresses[type eq "home"].country"#,
                r#"phoneNumbers[type eq "work"].value"#,
                r#"phoneNumbers[type eq "mobile"].value"#,
                r#"phoneNumbers[type eq "fax"].value"#,
                r#"phoneNumbers[type eq "home"].value"#,
                r#"phoneNumbers[type eq "pager"].value"#,
                r#"phoneNumbers[type eq "other"].value"#,
                "externalId",
                "nickName",
                "locale",
                "timezone",
                "userType",
                "profileUrl",
            ]
            .map(attribute),
        );
        attributes.extend(
            [
                "employeeNumber",
                "department",
                "division",
                "costCenter",
                "organization",
            ]
            .map(|name| attribute(&format!("{ENTERPRISE_USER}:{name}"))),
        );
        attributes.push(TargetAttribute {
            kind: ValueType::Reference,
            referenced_objects: vec!["User".to_owned()],
            ..attribute(&format!("{ENTERPRISE_USER}:manager"))
        });
        attributes
    }

    fn group_attributes() -> Vec<TargetAttribute> {
        vec![
            TargetAttribute {
                primary_key: true,
                required: true,
                ..attribute("id")
            },
            TargetAttribute {
                required: true,
                ..attribute("displayName")
            },
            attribute("externalId"),
            TargetAttribute {
                kind: ValueType::Reference,
                multi_valued: true,
                referenced_objects: vec!["User".to_owned(), "Group".to_owned()],
                ..attribute("members")
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_written_under_the_name_of_the_exported_schema() {
        for operator in Operator::ALL {
            let written = serde_json::to_value(operator).unwrap();
            assert_eq!(written, operator.name(), "{operator:?}");
            assert_eq!(
                serde_json::from_value::<Operator>(written).unwrap(),
                operator
            );
        }
    }

    #[test]
    fn every_default_mapping_has_a_target_attribute_in_the_list_and_one_matches() {
        for mapping in [defaults::users(), defaults::groups()] {
            for attribute in &mapping.attributes {
                assert!(
                    mapping
                        .target_attributes
                        .iter()
                        .any(|known| known.name == attribute.target),
                    "{}",
                    attribute.target
                );
            }
            let matching: Vec<_> = mapping
                .attributes
                .iter()
                .filter_map(|attribute| attribute.matching)
                .collect();
            assert_eq!(matching, [1]);
        }
    }

    #[test]
    fn a_mapping_reads_back_from_what_is_stored() {
        let mapping = defaults::users();

        let stored = serde_json::to_string(&mapping).unwrap();

        assert_eq!(
            serde_json::from_str::<ObjectMapping>(&stored).unwrap(),
            mapping
        );
    }
}
