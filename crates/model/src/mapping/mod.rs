//! Mappings: which attribute of the target is filled from what.
//!
//! **Is:** configuration as an administrator edits it, with the texts as typed. Names follow the synchronization schema of
//! Microsoft Graph, so that one can be read from and written to the other.
//! **Is not:** checked: expressions, paths and patterns are parsed when the rules of a cycle are compiled, which reports
//! every mistake at once.
//! **Start at** [`ObjectMapping`]; [`defaults`] has the mappings of a new application.

pub mod defaults;
mod filter;
mod matching;
mod words;

use serde::{Deserialize, Serialize};

pub use filter::{Clause, Operator, ScopeFilter};

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
    /// Which objects are looked at: those that pass any of the filters; all when there is none. Who does not pass is left alone: not
    /// created, and neither changed nor switched off when it is in the target already.
    #[serde(default)]
    pub input_filters: Vec<ScopeFilter>,
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
    /// Always, and only adding: what the target's multi-valued attribute holds besides stays.
    AddOnly,
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
    /// Whether it can be read and written.
    #[serde(default, skip_serializing_if = "Mutability::is_read_write")]
    pub mutability: Mutability,
}

impl TargetAttribute {
    /// Makes an attribute that holds one text.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: ValueType::String,
            primary_key: false,
            required: false,
            multi_valued: false,
            exact_case: false,
            api_expression: None,
            referenced_objects: Vec::new(),
            mutability: Mutability::ReadWrite,
        }
    }
}

/// Whether an attribute of the target can be read and written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mutability {
    /// Both, at any time.
    #[default]
    ReadWrite,
    /// The target sets it; it is not mapped.
    ReadOnly,
    /// It is written when the object is created, and never again.
    Immutable,
    /// It is written, and the target does not show it.
    WriteOnly,
}

impl Mutability {
    /// Every value.
    pub const ALL: [Self; 4] = [
        Self::ReadWrite,
        Self::ReadOnly,
        Self::Immutable,
        Self::WriteOnly,
    ];

    /// Returns the name that an exported schema uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadWrite => "ReadWrite",
            Self::ReadOnly => "ReadOnly",
            Self::Immutable => "Immutable",
            Self::WriteOnly => "WriteOnly",
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the form that serde asks for"
    )]
    fn is_read_write(&self) -> bool {
        *self == Self::ReadWrite
    }
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

impl ValueType {
    /// Every type.
    pub const ALL: [Self; 6] = [
        Self::String,
        Self::Integer,
        Self::Boolean,
        Self::DateTime,
        Self::Binary,
        Self::Reference,
    ];

    /// Returns the name that an exported schema uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Integer => "Integer",
            Self::Boolean => "Boolean",
            Self::DateTime => "DateTime",
            Self::Binary => "Binary",
            Self::Reference => "Reference",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
