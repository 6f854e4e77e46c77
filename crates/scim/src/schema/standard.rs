//! The schemas of RFC 7643 §4 and §8.7.1.

use std::sync::Arc;

use super::{Attribute, AttributeType, Mutability, ResourceType, Returned, Schema, Uniqueness};

/// The URN of the core schema of people.
pub const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The URN of the core schema of groups.
pub const CORE_GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The URN of the enterprise extension of people.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn of(kind: AttributeType, name: &str, description: &str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        kind,
        multi_valued: false,
        description: description.to_owned(),
        required: false,
        canonical_values: Vec::new(),
        restricted: false,
        case_exact: matches!(
            kind,
            AttributeType::Reference | AttributeType::Binary | AttributeType::DateTime
        ),
        mutability: Mutability::ReadWrite,
        returned: Returned::Default,
        uniqueness: Uniqueness::None,
        reference_types: Vec::new(),
        sub_attributes: Vec::new(),
    }
}

fn text(name: &str, description: &str) -> Attribute {
    of(AttributeType::String, name, description)
}

fn reference(name: &str, description: &str, types: &[&str]) -> Attribute {
    Attribute {
        reference_types: types.iter().map(ToString::to_string).collect(),
        ..of(AttributeType::Reference, name, description)
    }
}

fn complex<const N: usize>(name: &str, description: &str, parts: [Attribute; N]) -> Attribute {
    Attribute {
        sub_attributes: parts.into_iter().map(Arc::new).collect(),
        ..of(AttributeType::Complex, name, description)
    }
}

/// A list of values with the usual parts: value, display, type, primary (RFC 7643 §2.4).
fn plural(name: &str, description: &str, value: Attribute, types: &[&str]) -> Attribute {
    let parts = [
        value,
        text("display", "The value for people to read"),
        types_of(types),
        of(
            AttributeType::Boolean,
            "primary",
            "Whether it is the preferred value; one at most is",
        ),
    ];
    many(complex(name, description, parts))
}

fn types_of(types: &[&str]) -> Attribute {
    Attribute {
        canonical_values: types.iter().map(ToString::to_string).collect(),
        ..text("type", "What the value is used for")
    }
}

fn many(attribute: Attribute) -> Attribute {
    Attribute {
        multi_valued: true,
        ..attribute
    }
}

fn exact(attribute: Attribute) -> Attribute {
    Attribute {
        case_exact: true,
        ..attribute
    }
}

fn required(attribute: Attribute) -> Attribute {
    Attribute {
        required: true,
        ..attribute
    }
}

fn unique(attribute: Attribute) -> Attribute {
    Attribute {
        uniqueness: Uniqueness::Server,
        ..attribute
    }
}

fn read_only(attribute: Attribute) -> Attribute {
    Attribute {
        mutability: Mutability::ReadOnly,
        ..attribute
    }
}

fn common() -> Vec<Arc<Attribute>> {
    let meta = [
        exact(read_only(text(
            "resourceType",
            "The name of the resource type",
        ))),
        read_only(of(
            AttributeType::DateTime,
            "created",
            "When the resource was created",
        )),
        read_only(of(
            AttributeType::DateTime,
            "lastModified",
            "When the resource last changed",
        )),
        read_only(reference("location", "Where the resource is", &["uri"])),
        exact(read_only(text(
            "version",
            "The version of the resource, as its ETag",
        ))),
    ];
    let id = Attribute {
        returned: Returned::Always,
        ..unique(exact(read_only(text(
            "id",
            "The identifier that the server gave",
        ))))
    };
    let schemas = Attribute {
        returned: Returned::Always,
        ..many(read_only(reference(
            "schemas",
            "The schemas that the resource follows",
            &["uri"],
        )))
    };
    [
        schemas,
        id,
        exact(text("externalId", "The identifier that the client uses")),
        read_only(complex(
            "meta",
            "What the server knows about the resource",
            meta,
        )),
    ]
    .into_iter()
    .map(Arc::new)
    .collect()
}

/// The type of people (RFC 7643 §4.1) with the enterprise extension (§4.3).
pub(super) fn user() -> ResourceType {
    ResourceType {
        name: "User".to_owned(),
        endpoint: "/Users".to_owned(),
        description: "User Account".to_owned(),
        schema: schema(CORE_USER, "User", "User Account", user_attributes()),
        extensions: vec![enterprise()],
        common: common(),
    }
}

fn schema(id: &str, name: &str, description: &str, attributes: Vec<Attribute>) -> Schema {
    Schema {
        id: id.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        attributes: attributes.into_iter().map(Arc::new).collect(),
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "a table: one entry for each attribute of RFC 7643 §4.1"
)]
fn user_attributes() -> Vec<Attribute> {
    let name = [
        text("formatted", "The full name, as it is displayed"),
        text("familyName", "The family name"),
        text("givenName", "The given name"),
        text("middleName", "The middle names"),
        text(
            "honorificPrefix",
            "What stands before the name, such as Dr.",
        ),
        text("honorificSuffix", "What stands after the name, such as III"),
    ];
    let address = [
        text(
            "formatted",
            "The full address, as it is written on a letter",
        ),
        text("streetAddress", "Street and number"),
        text("locality", "City"),
        text("region", "State or region"),
        text("postalCode", "Postal code"),
        text("country", "Country, ISO 3166-1 alpha-2"),
        types_of(&["work", "home", "other"]),
        of(
            AttributeType::Boolean,
            "primary",
            "Whether it is the preferred address; one at most is",
        ),
    ];
    let group = [
        read_only(text("value", "The group's id")),
        read_only(reference("$ref", "Where the group is", &["Group"])),
        read_only(text("display", "The group's name")),
        read_only(types_of(&["direct", "indirect"])),
    ];
    let value = |description: &str| text("value", description);
    vec![
        unique(required(text(
            "userName",
            "The name with which the person signs in",
        ))),
        complex("name", "The parts of the person's name", name),
        text("displayName", "The name to display"),
        text("nickName", "The casual name"),
        reference("profileUrl", "A page about the person", &["external"]),
        text("title", "The job title"),
        text(
            "userType",
            "What the person is to the organisation, such as Contractor",
        ),
        text(
            "preferredLanguage",
            "Preferred languages, RFC 9110 Accept-Language",
        ),
        text("locale", "The locale for dates and numbers, RFC 5646"),
        text("timezone", "The time zone, IANA name"),
        of(
            AttributeType::Boolean,
            "active",
            "Whether the person may sign in",
        ),
        Attribute {
            mutability: Mutability::WriteOnly,
            returned: Returned::Never,
            ..exact(text(
                "password",
                "Accepted and discarded: passwords are not set by provisioning",
            ))
        },
        plural(
            "emails",
            "E-mail addresses",
            value("The address"),
            &["work", "home", "other"],
        ),
        plural(
            "phoneNumbers",
            "Telephone numbers",
            value("The number"),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        plural(
            "ims",
            "Instant messaging addresses",
            value("The address"),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        plural(
            "photos",
            "Pictures of the person",
            reference("value", "Where the picture is", &["external"]),
            &["photo", "thumbnail"],
        ),
        many(complex("addresses", "Postal addresses", address)),
        read_only(many(complex(
            "groups",
            "The groups whose member the person is",
            group,
        ))),
        plural(
            "entitlements",
            "What the person is entitled to",
            value("The entitlement"),
            &[],
        ),
        plural("roles", "The person's roles", value("The role"), &[]),
        plural(
            "x509Certificates",
            "Certificates",
            of(
                AttributeType::Binary,
                "value",
                "The certificate, DER in base64",
            ),
            &[],
        ),
    ]
}

fn enterprise() -> Schema {
    let manager = [
        text("value", "The manager's id"),
        reference("$ref", "Where the manager is", &["User"]),
        read_only(text("displayName", "The manager's name")),
    ];
    let attributes = vec![
        text(
            "employeeNumber",
            "The number by which the organisation knows the person",
        ),
        text("costCenter", "The cost centre"),
        text("organization", "The organisation"),
        text("division", "The division"),
        text("department", "The department"),
        complex("manager", "The person's manager", manager),
    ];
    schema(
        ENTERPRISE_USER,
        "EnterpriseUser",
        "What an employer knows about a person",
        attributes,
    )
}

/// The type of groups (RFC 7643 §4.2). Names are unique: directories look groups up by them.
pub(super) fn group() -> ResourceType {
    let immutable = |attribute: Attribute| Attribute {
        mutability: Mutability::Immutable,
        ..attribute
    };
    let member = [
        immutable(exact(text("value", "The member's id"))),
        immutable(reference("$ref", "Where the member is", &["User", "Group"])),
        immutable(Attribute {
            canonical_values: vec!["User".to_owned(), "Group".to_owned()],
            ..text("type", "Whether the member is a person or a group")
        }),
        read_only(text("display", "The member's name")),
    ];
    let attributes = vec![
        unique(required(text("displayName", "The group's name"))),
        many(complex("members", "The group's members", member)),
    ];
    ResourceType {
        name: "Group".to_owned(),
        endpoint: "/Groups".to_owned(),
        description: "A group of people and groups".to_owned(),
        schema: schema(
            CORE_GROUP,
            "Group",
            "A group of people and groups",
            attributes,
        ),
        extensions: Vec::new(),
        common: common(),
    }
}
