//! Resources that are read, changed and sent back whole: they come out as a PATCH would have left them.

use proptest::prelude::*;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::{PATCH_SCHEMA, Patch};
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::Registry;
use rollcall_sync::edit::{Manner, apply, strip_read_only};
use rollcall_sync::target_path::TargetPath;
use rollcall_sync::task::{member_patch, reference_patch};
use serde_json::{Map, Value, json};

const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn path(text: &str) -> TargetPath {
    TargetPath::parse(text).unwrap()
}

/// Paths of a person, each with a value that fits.
fn paths() -> Vec<(&'static str, Value)> {
    vec![
        ("title", json!("Buyer")),
        ("displayName", json!("Ann V.")),
        ("active", json!(false)),
        ("name.givenName", json!("Anna")),
        ("name.familyName", json!("Vance")),
        (r#"emails[type eq "work"].value"#, json!("new@example.com")),
        (r#"emails[type eq "home"].value"#, json!("home@example.com")),
        (r#"emails[type eq "other"].display"#, json!("Other")),
        (r#"addresses[type eq "work"].locality"#, json!("Bern")),
        (r#"addresses[type eq "home"].region"#, json!("BE")),
        (r#"phoneNumbers[type eq "mobile"].value"#, json!("+41 31 1")),
        (r#"roles[primary eq "True"].value"#, json!("Admin")),
        (
            r#"roles[primary eq "True"].display"#,
            json!("Administrator"),
        ),
        ("roles", json!([{"value": "User", "display": "User"}])),
        (DEPARTMENT, json!("Sales")),
        (MANAGER, json!("m2")),
    ]
}

/// People as a target might hold them.
fn resources() -> Vec<Value> {
    vec![
        json!({"userName": "ann@example.com", "active": true}),
        json!({
            "userName": "ann@example.com",
            "title": "Clerk",
            "name": {"givenName": "Ann", "formatted": "Ann V"},
            "emails": [
                {"type": "work", "value": "old@example.com", "primary": true},
                {"type": "home", "value": "ann@home.example"},
            ],
            "addresses": [{"type": "work", "locality": "Basel", "region": "BS"}],
            "roles": [{"value": "Reader", "primary": true}, {"value": "Writer"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                "department": "Retail",
                "employeeNumber": "7",
                "manager": {"value": "m1", "$ref": "../Users/m1", "displayName": "Max"},
            },
        }),
        json!({
            "userName": "ann@example.com",
            "emails": [{"type": "Work", "value": "w@example.com"}, {"type": "other", "value": "o@example.com"}],
            "roles": [{"value": "User", "type": "x"}],
        }),
    ]
}

fn operation() -> impl Strategy<Value = Value> {
    let verb = prop::sample::select(vec!["add", "replace", "remove"]);
    (verb, prop::sample::select(paths())).prop_map(|(verb, (path, value))| match verb {
        "remove" => json!({"op": verb, "path": path}),
        _ => json!({"op": verb, "path": path, "value": value}),
    })
}

fn resource() -> impl Strategy<Value = Value> {
    prop::sample::select(resources())
}

proptest! {
    #[test]
    fn a_put_leaves_a_server_with_what_a_patch_would_have_left(
        start in resource(),
        operations in prop::collection::vec(operation(), 1..5),
    ) {
        let (registry, body) = (Registry::standard(), json!({"schemas": [PATCH_SCHEMA], "Operations": operations}));
        let mut full = start;
        full["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
        let before = Resource::from_request(registry.user(), full, &STANDARD).unwrap();
        let mut patched = before.clone();
        let patch = Patch::parse(&body, registry.user(), &STANDARD).unwrap();
        // where PATCH itself refuses, there is nothing to compare with
        prop_assume!(patch.apply(&mut patched, registry.user(), &STANDARD).is_ok());

        let mut whole = before.as_map().clone();
        apply(&mut whole, &operations).unwrap();
        strip_read_only(&mut whole);
        let put = Resource::replacement(registry.user(), &before, Value::Object(whole), &STANDARD).unwrap();

        // a server sorts attributes by its schema, and the name of a manager is its own
        let plain = |resource: &Resource| {
            let mut map = resource.as_map().clone();
            strip_read_only(&mut map);
            Value::Object(map)
        };
        prop_assert_eq!(plain(&put), plain(&patched));
    }

    #[test]
    fn what_was_set_is_found(start in resource(), (text, value) in prop::sample::select(paths()), adds: bool) {
        let manner = if adds { Manner::Join } else { Manner::Replace };
        let mut whole = object(start);

        path(text).set(&mut whole, value.clone(), manner).unwrap();

        let found = path(text).find(&whole).unwrap();
        let is_there = match (found, &value) {
            (Value::Array(found), Value::Array(wanted)) => wanted.iter().all(|one| {
                found.iter().any(|there| there["value"] == one["value"])
            }),
            (Value::Object(reference), value) => reference["value"] == *value,
            (found, value) => found == value,
        };
        prop_assert!(is_there, "{} is {}", text, found);
    }

    #[test]
    fn what_was_removed_is_gone_and_nothing_else(start in resource(), (text, _) in prop::sample::select(paths())) {
        let before = object(start);
        let mut whole = before.clone();

        path(text).remove(&mut whole).unwrap();

        let found = path(text).find(&whole);
        prop_assert!(found.is_none_or(|found| *found == json!([])), "{:?}", found);
        let removed = path(text);
        for (other, _) in paths() {
            let other_path = path(other);
            let is_within = removed.urn == other_path.urn && removed.attribute == other_path.attribute;
            if !is_within {
                prop_assert_eq!(other_path.find(&whole), other_path.find(&before), "{}", other);
            }
        }
    }
}

#[test]
fn members_are_added_once_and_removed_exactly() {
    let mut group = object(json!({
        "displayName": "Sales",
        "members": [
            {"value": "a1", "display": "Ann", "$ref": "../Users/a1"},
            {"value": "A1", "display": "Another"},
            {"value": "b2", "type": "User"},
        ],
    }));

    let operations = member_patch(&["b2".into(), "c3".into()], &["a1".into(), "x9".into()]);
    apply(&mut group, &operations).unwrap();

    assert_eq!(
        group["members"],
        json!([
            {"value": "A1", "display": "Another"},
            {"value": "b2", "type": "User"},
            {"value": "c3"},
        ])
    );
}

#[test]
fn the_last_member_leaves_an_empty_list_behind() {
    let mut group = object(json!({"Members": [{"value": "a1"}]}));

    apply(&mut group, &member_patch(&[], &["a1".into()])).unwrap();

    assert_eq!(Value::Object(group), json!({"Members": []}));
}

#[test]
fn a_new_extension_is_declared_and_a_reference_becomes_an_object() {
    let mut person = object(json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}));

    apply(&mut person, &reference_patch(&path(MANAGER), Some("m1"))).unwrap();

    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    assert_eq!(person["schemas"][1], enterprise);
    assert_eq!(person[enterprise]["manager"], json!({"value": "m1"}));

    apply(&mut person, &reference_patch(&path(MANAGER), None)).unwrap();

    assert_eq!(person[enterprise]["manager"], Value::Null);
}

#[test]
fn what_is_not_understood_is_refused() {
    let rows = [
        (json!({"op": "move", "path": "title"}), "not an `add`"),
        (
            json!({"op": "replace", "value": {"title": "x"}}),
            "not an `add`",
        ),
        (
            json!({"op": "remove", "path": "members", "value": [{"value": "a"}]}),
            "not an `add`",
        ),
        (
            json!({"op": "add", "path": "a b", "value": 1}),
            "`a b` is not an attribute",
        ),
        (
            json!({"op": "add", "path": "title.x", "value": 1}),
            "`title.x` cannot be set",
        ),
        (
            json!({"op": "add", "path": "title[type eq \"a\"].value", "value": 1}),
            "cannot be set: the target holds something there that is not a list",
        ),
    ];
    for (operation, expected) in rows {
        let mut person = object(json!({"title": "Clerk"}));
        let error = apply(&mut person, &[operation]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_the_target_alone_can_set_is_not_sent_back() {
    let mut person = object(json!({
        "id": "1",
        "Meta": {"version": "W/\"1\""},
        "groups": [{"value": "g"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "m", "displayName": "Max"}},
    }));

    strip_read_only(&mut person);

    assert_eq!(
        Value::Object(person),
        json!({
            "id": "1",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "m"}},
        })
    );
}
