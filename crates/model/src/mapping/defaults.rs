//! The mappings of a new application: those of the SCIM template (`customappsso`).
//!
//! **Is:** what Entra's template maps, with the attributes that its list shows. **Is not:** what an application has to do: every line can
//! be changed or taken out.
//! **Start at** [`users`] and [`groups`].

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
            AttributeMapping::expression(r#"Join(" ", [givenName], [surname])"#, "name.formatted"),
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
        input_filters: Vec::new(),
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
        input_filters: Vec::new(),
        target_attributes: group_attributes(),
    }
}

fn user_attributes() -> Vec<TargetAttribute> {
    let mut attributes = vec![
        TargetAttribute {
            primary_key: true,
            required: true,
            ..TargetAttribute::new("id")
        },
        TargetAttribute {
            kind: ValueType::Boolean,
            ..TargetAttribute::new("active")
        },
        TargetAttribute {
            required: true,
            ..TargetAttribute::new("userName")
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
        .map(TargetAttribute::new),
    );
    attributes.extend(
        [
            "employeeNumber",
            "department",
            "division",
            "costCenter",
            "organization",
        ]
        .map(|name| TargetAttribute::new(&format!("{ENTERPRISE_USER}:{name}"))),
    );
    attributes.push(TargetAttribute {
        kind: ValueType::Reference,
        referenced_objects: vec!["User".to_owned()],
        ..TargetAttribute::new(&format!("{ENTERPRISE_USER}:manager"))
    });
    attributes
}

fn group_attributes() -> Vec<TargetAttribute> {
    vec![
        TargetAttribute {
            primary_key: true,
            required: true,
            ..TargetAttribute::new("id")
        },
        TargetAttribute {
            required: true,
            ..TargetAttribute::new("displayName")
        },
        TargetAttribute::new("externalId"),
        TargetAttribute {
            kind: ValueType::Reference,
            multi_valued: true,
            referenced_objects: vec!["User".to_owned(), "Group".to_owned()],
            ..TargetAttribute::new("members")
        },
    ]
}
