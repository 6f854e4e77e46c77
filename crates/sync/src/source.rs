//! An object of the source as mappings see it, and our own directory as such a source.
//!
//! **Is:** the translation of a SCIM document into the attribute names of the source directory (those of Azure AD Graph,
//! which published mappings use: `userPrincipalName`, `mail`, `jobTitle`).
//! **Is not:** the reading of documents: the engine does that.
//! **Start at** [`SourceObject`].

use rollcall_model::mapping::defaults::ENTERPRISE_USER;
use rollcall_model::provisioning::ObjectKey;
use rollcall_model::{Kind, ResourceId};
use serde_json::{Map, Value, json};

use crate::target_path::member;

/// An object of the source at the moment it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceObject {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Its id at the source.
    pub id: ResourceId,
    /// Whether it is there.
    pub presence: Presence,
    /// Its attributes, by the names that mappings use; empty when it is gone.
    pub attributes: Map<String, Value>,
    /// Whether it is assigned to the application, directly or through a group.
    pub is_assigned: bool,
    /// What it refers to.
    pub references: Vec<SourceReference>,
}

impl SourceObject {
    /// Makes an object of our own directory from its SCIM document.
    pub fn from_directory(
        kind: Kind,
        id: ResourceId,
        document: &Map<String, Value>,
        is_assigned: bool,
    ) -> Self {
        let (mut attributes, references) = match kind {
            Kind::User => (user(document), manager(document)),
            Kind::Group => (group(document), None),
        };
        if let Some(Value::Object(source)) = document.get(SOURCE) {
            overlay(&mut attributes, source);
        }
        Self {
            kind,
            id,
            presence: Presence::Present,
            attributes,
            is_assigned,
            references: references
                .into_iter()
                .map(|object| SourceReference {
                    attribute: "manager",
                    object,
                })
                .collect(),
        }
    }

    /// Makes an object that our own directory has deleted for good.
    pub fn gone(kind: Kind, id: ResourceId) -> Self {
        Self::absent(kind, id, Presence::Gone)
    }

    /// Makes an object that a foreign source had and has no longer.
    pub fn vanished(kind: Kind, id: ResourceId) -> Self {
        Self::absent(kind, id, Presence::Vanished)
    }

    fn absent(kind: Kind, id: ResourceId, presence: Presence) -> Self {
        Self {
            kind,
            id,
            presence,
            attributes: Map::new(),
            is_assigned: false,
            references: Vec::new(),
        }
    }

    /// Tells whether the source does not have it any more.
    pub fn is_gone(&self) -> bool {
        self.presence != Presence::Present
    }

    /// Returns the kind with the id.
    pub fn key(&self) -> ObjectKey {
        (self.kind, self.id)
    }

    /// Tells whether it may be in use: a person whose account is not blocked, any group.
    pub fn is_enabled(&self) -> bool {
        self.attributes.get("accountEnabled") != Some(&Value::Bool(false))
    }

    /// Returns its name for people.
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// Returns the name with which a person signs in.
    pub fn sign_in_name(&self) -> Option<&str> {
        self.text("userPrincipalName")
    }

    /// Returns the name by which people know it: the sign-in name of a person, the name of a group.
    pub fn name(&self) -> Option<&str> {
        self.sign_in_name().or_else(|| self.display_name())
    }

    /// Returns what it refers to by `attribute`.
    pub fn reference(&self, attribute: &str) -> Option<&SourceReference> {
        self.references
            .iter()
            .find(|reference| reference.attribute == attribute)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Value::as_str)
    }
}

/// Whether the source has an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    Present,
    /// It was deleted for good, by somebody who meant that.
    Gone,
    /// A foreign source, a file or another server, does not have it any more. Why, nobody knows.
    Vanished,
}

/// A reference to another object of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReference {
    /// The source's attribute.
    pub attribute: &'static str,
    /// The object that it points to.
    pub object: ResourceId,
}

/// The member of a mirrored document that holds what only the source knows: `id`, its own identity there, and `attributes`, which win over
/// those that follow from the resource.
pub const SOURCE: &str = "urn:rollcall:source";

fn overlay(attributes: &mut Map<String, Value>, source: &Map<String, Value>) {
    if let Some(id) = source.get("id") {
        attributes.insert("objectId".to_owned(), id.clone());
    }
    if let Some(Value::Object(own)) = source.get("attributes") {
        attributes.extend(
            own.iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
    }
}

/// The attributes that point to other objects, and so are sent when both ends exist.
pub const REFERENCES: [&str; 1] = ["manager"];
/// The attribute of a group that holds its members.
pub const MEMBERS: &str = "members";

/// Translates a person's SCIM document.
pub fn user(document: &Map<String, Value>) -> Map<String, Value> {
    let mut attributes = Map::new();
    let mut put = |name: &str, value: Option<&Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            attributes.insert(name.to_owned(), value.clone());
        }
    };
    let top = |name: &str| member(document, name);
    let within = |outer: &str, inner: &str| member(member(document, outer)?.as_object()?, inner);
    let enterprise = |name: &str| within(ENTERPRISE_USER, name);

    put("objectId", top("id"));
    let active = top("active").cloned().unwrap_or(Value::Bool(false));
    put("accountEnabled", Some(&active));
    put("userPrincipalName", top("userName"));
    put("originalUserPrincipalName", top("userName"));
    let alias = top("userName")
        .and_then(Value::as_str)
        .and_then(|name| name.split('@').next())
        .map(|alias| json!(alias));
    put("mailNickname", alias.as_ref());
    for name in [
        "displayName",
        "externalId",
        "nickName",
        "preferredLanguage",
        "userType",
        "locale",
        "timezone",
    ] {
        put(name, top(name));
    }
    put("jobTitle", top("title"));
    put("givenName", within("name", "givenName"));
    put("surname", within("name", "familyName"));
    put("middleName", within("name", "middleName"));

    put(
        "mail",
        chosen(document, "emails", "work", true).and_then(|one| member(one, "value")),
    );
    let addresses = proxy_addresses(document);
    put("proxyAddresses", addresses.as_ref());
    let address = chosen(document, "addresses", "work", true);
    for (name, part) in [
        ("physicalDeliveryOfficeName", "formatted"),
        ("streetAddress", "streetAddress"),
        ("city", "locality"),
        ("state", "region"),
        ("postalCode", "postalCode"),
        ("country", "country"),
    ] {
        put(name, address.and_then(|address| member(address, part)));
    }
    for (name, kind) in [
        ("telephoneNumber", "work"),
        ("mobile", "mobile"),
        ("facsimileTelephoneNumber", "fax"),
    ] {
        put(
            name,
            chosen(document, "phoneNumbers", kind, false).and_then(|one| member(one, "value")),
        );
    }
    put("employeeId", enterprise("employeeNumber"));
    put("department", enterprise("department"));
    put("companyName", enterprise("organization"));
    put("division", enterprise("division"));
    put("costCenter", enterprise("costCenter"));
    put(
        "manager",
        manager(document).map(|id| json!(id.to_string())).as_ref(),
    );
    attributes
}

/// Translates a group's SCIM document.
pub fn group(document: &Map<String, Value>) -> Map<String, Value> {
    let mut attributes = Map::new();
    for (name, theirs) in [
        ("objectId", "id"),
        ("displayName", "displayName"),
        ("externalId", "externalId"),
        ("description", "description"),
    ] {
        if let Some(value) = member(document, theirs).filter(|value| !value.is_null()) {
            attributes.insert(name.to_owned(), value.clone());
        }
    }
    attributes.insert("securityEnabled".to_owned(), Value::Bool(true));
    attributes
}

/// Returns a person's manager.
pub fn manager(document: &Map<String, Value>) -> Option<ResourceId> {
    let extension = member(document, ENTERPRISE_USER)?.as_object()?;
    let manager = member(extension, "manager")?.as_object()?;
    member(manager, "value")?.as_str()?.parse().ok()
}

/// Returns the element of that type; failing that, if asked for, the primary one or else the first.
fn chosen<'a>(
    document: &'a Map<String, Value>,
    attribute: &str,
    kind: &str,
    or_any: bool,
) -> Option<&'a Map<String, Value>> {
    let elements = member(document, attribute)?.as_array()?;
    let objects = || elements.iter().filter_map(Value::as_object);
    let of_kind = objects().find(|one| {
        member(one, "type")
            .and_then(Value::as_str)
            .is_some_and(|text| text.eq_ignore_ascii_case(kind))
    });
    if of_kind.is_some() || !or_any {
        return of_kind;
    }
    objects()
        .find(|one| member(one, "primary") == Some(&Value::Bool(true)))
        .or_else(|| objects().next())
}

fn proxy_addresses(document: &Map<String, Value>) -> Option<Value> {
    let main = chosen(document, "emails", "work", true).and_then(|one| member(one, "value"));
    let all: Vec<Value> = member(document, "emails")?
        .as_array()?
        .iter()
        .filter_map(|one| member(one.as_object()?, "value"))
        .filter_map(|value| {
            let scheme = if Some(value) == main { "SMTP" } else { "smtp" };
            Some(json!(format!("{scheme}:{}", value.as_str()?)))
        })
        .collect();
    (!all.is_empty()).then_some(Value::Array(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scim_person_shows_the_attribute_names_of_the_source_directory() {
        let id = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";
        let document = json!({
            "id": id,
            "userName": "ann@example.com",
            "active": false,
            "displayName": "Ann Lee",
            "title": "Buyer",
            "name": {"givenName": "Ann", "familyName": "Lee"},
            "emails": [{"type": "home", "value": "a@home.test"}, {"type": "work", "value": "ann@example.com"}],
            "phoneNumbers": [{"type": "mobile", "value": "1"}],
            "addresses": [{"type": "work", "locality": "Oslo", "region": null}],
            ENTERPRISE_USER: {"department": "Sales", "employeeNumber": "7", "manager": {"value": id}},
        });

        let attributes = user(document.as_object().unwrap());

        insta::assert_json_snapshot!(attributes, @r#"
        {
          "objectId": "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77",
          "accountEnabled": false,
          "userPrincipalName": "ann@example.com",
          "originalUserPrincipalName": "ann@example.com",
          "mailNickname": "ann",
          "displayName": "Ann Lee",
          "jobTitle": "Buyer",
          "givenName": "Ann",
          "surname": "Lee",
          "mail": "ann@example.com",
          "proxyAddresses": [
            "smtp:a@home.test",
            "SMTP:ann@example.com"
          ],
          "city": "Oslo",
          "mobile": "1",
          "employeeId": "7",
          "department": "Sales",
          "manager": "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77"
        }
        "#);
    }
}
