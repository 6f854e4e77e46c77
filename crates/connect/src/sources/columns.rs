//! What the columns of a table mean.
//!
//! A column's name is a SCIM path (`name.givenName`, `emails[type eq "work"].value`, an extension's URN and attribute), one of
//! the [`NAMES`], or any other name: then it is an attribute of the source under that name, for mappings. `id` and `objectId` hold
//! the key, `members` and `manager` refer to other records.

use rollcall_model::Kind;
use rollcall_scim::error::Error;
use rollcall_scim::limits::Limits;
use rollcall_scim::patch::{PATCH_SCHEMA, Patch};
use rollcall_scim::path::Path;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::{Mutability, ResourceType};
use serde_json::{Value, json};

/// Names of columns for people, with the SCIM paths that they stand for: short names for spreadsheets, and those that the source
/// directory gives its attributes, in its own exports too.
pub const NAMES: [(&str, &str); 26] = [
    ("email", "emails[type eq \"work\"].value"),
    ("mail", "emails[type eq \"work\"].value"),
    ("phone", "phoneNumbers[type eq \"work\"].value"),
    ("telephoneNumber", "phoneNumbers[type eq \"work\"].value"),
    ("mobile", "phoneNumbers[type eq \"mobile\"].value"),
    (
        "facsimileTelephoneNumber",
        "phoneNumbers[type eq \"fax\"].value",
    ),
    ("userPrincipalName", "userName"),
    ("accountEnabled", "active"),
    ("givenName", "name.givenName"),
    ("middleName", "name.middleName"),
    ("familyName", "name.familyName"),
    ("surname", "name.familyName"),
    ("jobTitle", "title"),
    ("streetAddress", "addresses[type eq \"work\"].streetAddress"),
    ("city", "addresses[type eq \"work\"].locality"),
    ("state", "addresses[type eq \"work\"].region"),
    ("postalCode", "addresses[type eq \"work\"].postalCode"),
    ("country", "addresses[type eq \"work\"].country"),
    (
        "physicalDeliveryOfficeName",
        "addresses[type eq \"work\"].formatted",
    ),
    (
        "department",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    ),
    (
        "division",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division",
    ),
    (
        "costCenter",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter",
    ),
    (
        "employeeId",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    ),
    (
        "employeeNumber",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    ),
    (
        "companyName",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization",
    ),
    (
        "organization",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization",
    ),
];

/// The source directory's name of the key, by which mappings know it.
pub(crate) const OBJECT_ID: &str = "objectId";

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Column {
    /// The key; under the source directory's name it is an attribute too.
    Key {
        is_attribute: bool,
    },
    Members,
    Manager,
    /// A value of the resource, with its path as SCIM writes it.
    Path(String),
    /// An attribute of the source alone.
    Attribute(String),
}

impl Column {
    /// Reads the name of a column.
    pub(crate) fn of(kind: Kind, name: &str, resource_type: &ResourceType) -> Result<Self, String> {
        if name.is_empty() {
            return Err("a column has no name: name it, or take it out".to_owned());
        }
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("id") || is(OBJECT_ID) {
            return Ok(Self::Key {
                is_attribute: is(OBJECT_ID),
            });
        }
        match kind {
            Kind::Group if is("members") => return Ok(Self::Members),
            Kind::User if is("manager") => return Ok(Self::Manager),
            _ => {}
        }
        let known = NAMES
            .iter()
            .find(|(known, _)| kind == Kind::User && is(known));
        let path = known.map_or(name, |(_, path)| path);
        match Path::parse(path, resource_type) {
            Ok(path) => {
                let is_ours = |mutability| mutability == Mutability::ReadOnly;
                if path
                    .definition()
                    .is_some_and(|definition| is_ours(definition.mutability))
                {
                    return Err(format!("nobody can write `{name}`: take the column out"));
                }
                Ok(Self::Path(path.to_string()))
            }
            // what is written as a path is meant as one
            Err(error) if name.contains(['[', ']', '.', ':']) => Err(format!(
                "a column is a SCIM attribute, or a name of your own without dots, colons and brackets: {}",
                error.detail
            )),
            Err(_) => Ok(Self::Attribute(name.to_owned())),
        }
    }

    /// Tells whether two columns hold the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key { .. }, Self::Key { .. }) => true,
            (Self::Path(one), Self::Path(other))
            | (Self::Attribute(one), Self::Attribute(other)) => one.eq_ignore_ascii_case(other),
            _ => self == other,
        }
    }
}

/// Makes a resource by operations of PATCH, as a client would.
pub(crate) fn resource(
    operations: Vec<Value>,
    resource_type: &ResourceType,
    limits: &Limits,
) -> Result<Value, Error> {
    let mut resource = Resource::from_stored(json!({}));
    if !operations.is_empty() {
        let body = json!({"schemas": [PATCH_SCHEMA], "Operations": operations});
        let patch = Patch::parse(&body, resource_type, limits)?;
        patch.apply(&mut resource, resource_type, limits)?;
    }
    Ok(resource.into_value())
}

/// Returns the path without which there is no record of a kind, with the names by which a column may go for it.
pub(crate) fn required(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::User => ("userName", "`userName` or `userPrincipalName`"),
        Kind::Group => ("displayName", "`displayName`"),
    }
}
