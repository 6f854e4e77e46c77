//! People and groups as rows of a table, under names by which an import knows its columns.

use rollcall_model::Kind;
use serde_json::Value;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Where a cell comes from.
#[derive(Debug, Clone, Copy)]
enum From {
    /// A place in the resource, as a JSON pointer.
    At(&'static str),
    /// An attribute of the enterprise extension, as a JSON pointer below it.
    Work(&'static str),
    /// A part of the value of type work, or another one, of a list.
    OfType(&'static str, &'static str, &'static str),
    /// The ids in a list.
    Ids(&'static str),
}

const PEOPLE: [(&str, From); 30] = [
    ("id", From::At("/id")),
    ("userName", From::At("/userName")),
    ("externalId", From::At("/externalId")),
    ("active", From::At("/active")),
    ("displayName", From::At("/displayName")),
    ("givenName", From::At("/name/givenName")),
    ("middleName", From::At("/name/middleName")),
    ("familyName", From::At("/name/familyName")),
    ("nickName", From::At("/nickName")),
    ("title", From::At("/title")),
    ("userType", From::At("/userType")),
    ("preferredLanguage", From::At("/preferredLanguage")),
    ("locale", From::At("/locale")),
    ("timezone", From::At("/timezone")),
    ("email", From::OfType("/emails", "work", "/value")),
    ("phone", From::OfType("/phoneNumbers", "work", "/value")),
    ("mobile", From::OfType("/phoneNumbers", "mobile", "/value")),
    (
        "facsimileTelephoneNumber",
        From::OfType("/phoneNumbers", "fax", "/value"),
    ),
    (
        "streetAddress",
        From::OfType("/addresses", "work", "/streetAddress"),
    ),
    ("city", From::OfType("/addresses", "work", "/locality")),
    ("state", From::OfType("/addresses", "work", "/region")),
    (
        "postalCode",
        From::OfType("/addresses", "work", "/postalCode"),
    ),
    ("country", From::OfType("/addresses", "work", "/country")),
    (
        "physicalDeliveryOfficeName",
        From::OfType("/addresses", "work", "/formatted"),
    ),
    ("employeeNumber", From::Work("/employeeNumber")),
    ("department", From::Work("/department")),
    ("division", From::Work("/division")),
    ("costCenter", From::Work("/costCenter")),
    ("organization", From::Work("/organization")),
    ("manager", From::Work("/manager/value")),
];

const GROUPS: [(&str, From); 4] = [
    ("id", From::At("/id")),
    ("displayName", From::At("/displayName")),
    ("externalId", From::At("/externalId")),
    ("members", From::Ids("/members")),
];

fn table(kind: Kind) -> &'static [(&'static str, From)] {
    match kind {
        Kind::User => &PEOPLE,
        Kind::Group => &GROUPS,
    }
}

/// Returns the header.
pub(super) fn columns(kind: Kind) -> impl Iterator<Item = &'static str> {
    table(kind).iter().map(|(name, _)| *name)
}

/// Returns the cells of a resource; what it does not have is empty.
pub(super) fn cells(kind: Kind, resource: &Value) -> impl Iterator<Item = String> {
    table(kind).iter().map(|(_, from)| cell(resource, *from))
}

fn cell(resource: &Value, from: From) -> String {
    match from {
        From::At(place) => text(resource.pointer(place)),
        From::Work(place) => text(resource.pointer(&format!("/{ENTERPRISE}{place}"))),
        From::OfType(list, kind, place) => {
            let mut values = listed(resource, list);
            let value = values.find(|value| text(value.pointer("/type")) == kind);
            text(value.and_then(|value| value.pointer(place)))
        }
        From::Ids(list) => {
            let ids = listed(resource, list).map(|value| text(value.pointer("/value")));
            ids.collect::<Vec<_>>().join(";")
        }
    }
}

fn listed<'r>(resource: &'r Value, list: &str) -> impl Iterator<Item = &'r Value> {
    let values = resource.pointer(list).and_then(Value::as_array);
    values.into_iter().flatten()
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
