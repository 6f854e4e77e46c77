//! Schemas and resource types: what a resource may contain (RFC 7643 §2, §7).
//!
//! **Is:** the definitions that every other module asks, as data that can be read from and written to JSON.
//! **Is not:** the check of a value against them; that is [`crate::resource`].
//! **Start at** [`Registry::standard`].

mod standard;
mod wire;

use std::sync::Arc;

pub use standard::{CORE_GROUP, CORE_USER, ENTERPRISE_USER};

/// A set of attributes with a URN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Its URN.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it describes.
    pub description: String,
    /// Its attributes.
    pub attributes: Vec<Arc<Attribute>>,
}

/// An attribute: its type and the rules about it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the characteristics of RFC 7643 §7, independent of each other"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, in the spelling of the schema.
    pub name: String,
    /// What a value is.
    pub kind: AttributeType,
    /// Whether it holds a list.
    pub multi_valued: bool,
    /// What it means.
    pub description: String,
    /// Whether a resource must have it.
    pub required: bool,
    /// Values that are usual.
    pub canonical_values: Vec<String>,
    /// Whether other values than the canonical ones are refused. Those of the core schemas are suggestions.
    pub restricted: bool,
    /// Whether case matters when values are compared.
    pub case_exact: bool,
    /// Who may change it, and when.
    pub mutability: Mutability,
    /// When it is in an answer.
    pub returned: Returned,
    /// Among which resources a value occurs once.
    pub uniqueness: Uniqueness,
    /// What a reference may point to.
    pub reference_types: Vec<String>,
    /// The parts of a complex value.
    pub sub_attributes: Vec<Arc<Attribute>>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A number with a fraction.
    Decimal,
    /// A whole number.
    Integer,
    /// An instant, RFC 3339 with offset.
    DateTime,
    /// Base64.
    Binary,
    /// A URI or an id.
    Reference,
    /// Parts with names.
    Complex,
}

/// Who may change an attribute, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// The server alone.
    ReadOnly,
    /// The client.
    ReadWrite,
    /// The client, once.
    Immutable,
    /// The client, who never sees it again.
    WriteOnly,
}

/// When an attribute is in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// In every answer.
    Always,
    /// In none.
    Never,
    /// Unless it was excluded, or others were asked for.
    Default,
    /// Only when asked for.
    Request,
}

/// Among which resources a value occurs once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// It may occur often.
    None,
    /// Among those of the organisation.
    Server,
    /// Everywhere.
    Global,
}

impl Attribute {
    /// Tells whether this is the attribute's name, in any case.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Tells whether the attribute is never in an answer.
    pub fn is_secret(&self) -> bool {
        self.returned == Returned::Never
    }

    /// Tells whether other values than the canonical ones are refused.
    pub(crate) fn admits_only_canonical_values(&self) -> bool {
        self.restricted
    }

    /// Finds a part of a complex attribute, however its name is written.
    pub fn sub_attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.sub_attributes.iter().find(|sub| sub.is_named(name))
    }

    /// Tells whether the attribute has parts.
    pub fn is_complex(&self) -> bool {
        self.kind == AttributeType::Complex
    }
}

impl Schema {
    /// Finds an attribute, however its name is written.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.attributes
            .iter()
            .find(|attribute| attribute.is_named(name))
    }
}

/// A kind of resource: its schema and the extensions that it may carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// Its name: `User`, `Group`.
    pub name: String,
    /// Where resources of the type are, below the base: `/Users`.
    pub endpoint: String,
    /// What it is for.
    pub description: String,
    /// Its schema.
    pub schema: Schema,
    /// The extensions that a resource may carry.
    pub extensions: Vec<Schema>,
    /// `schemas`, `id`, `externalId` and `meta`, which every resource has (RFC 7643 §3.1).
    pub common: Vec<Arc<Attribute>>,
}

impl ResourceType {
    /// Finds an extension by its URN, in any case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions
            .iter()
            .find(|extension| extension.id.eq_ignore_ascii_case(urn))
    }

    /// Finds an attribute of the core schema, or a common one, however its name is written.
    pub fn top_attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.top_attributes()
            .find(|attribute| attribute.is_named(name))
    }

    /// Returns the common attributes and those of the core schema, in the order in which a document shows them.
    pub fn top_attributes(&self) -> impl Iterator<Item = &Arc<Attribute>> {
        self.common.iter().chain(&self.schema.attributes)
    }

    /// Returns the core schema and the extensions.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        std::iter::once(&self.schema).chain(&self.extensions)
    }

    /// Tells whether an attribute is kept as rows beside the document: members of a group, groups of a person.
    pub(crate) fn is_related(&self, extension: Option<&str>, attribute: &Attribute) -> bool {
        extension.is_none()
            && matches!(
                (self.name.as_str(), attribute.name.as_str()),
                ("Group", "members") | ("User", "groups")
            )
    }
}

/// Returns the parts of an attribute kept as rows on which there can be a condition. A row of a member is its id and kind; the
/// name shown beside it belongs to another resource, and the address is made for each answer.
pub(crate) fn parts_of_rows(attribute: &Attribute) -> &'static [&'static str] {
    match attribute.name.as_str() {
        "members" => &["value", "type"],
        _ => &["value", "type", "display"],
    }
}

/// The resource types of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    user: ResourceType,
    group: ResourceType,
}

impl Registry {
    /// Returns the resource types of RFC 7643: User with the enterprise extension, and Group.
    pub fn standard() -> Self {
        Self {
            user: standard::user(),
            group: standard::group(),
        }
    }

    /// Returns the type of people.
    pub fn user(&self) -> &ResourceType {
        &self.user
    }

    /// Returns the type of groups.
    pub fn group(&self) -> &ResourceType {
        &self.group
    }

    /// Finds a resource type by its name.
    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        [&self.user, &self.group]
            .into_iter()
            .find(|kind| kind.name.eq_ignore_ascii_case(name))
    }

    /// Adds an extension to a resource type, replacing one with the same URN. An unknown type's name changes nothing.
    #[must_use]
    pub fn with_extension(mut self, resource_type: &str, extension: Schema) -> Self {
        let kinds = [&mut self.user, &mut self.group];
        if let Some(kind) = kinds
            .into_iter()
            .find(|kind| kind.name.eq_ignore_ascii_case(resource_type))
        {
            kind.extensions
                .retain(|there| !there.id.eq_ignore_ascii_case(&extension.id));
            kind.extensions.push(extension);
        }
        self
    }
}
