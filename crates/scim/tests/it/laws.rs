//! Laws that hold for all inputs.

use proptest::prelude::*;
use rollcall_scim::filter::{Filter, NoRelated};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::Patch;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::Registry;
use serde_json::{Value, json};

fn condition() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-z@. ]{0,8}",
        Just("ann@example.com".to_owned()),
        Just("Müller \"x\" \\".to_owned())
    ];
    let name = prop_oneof![
        Just("userName"),
        Just("DISPLAYNAME"),
        Just("name.familyName"),
        Just("emails.value"),
        Just("emails"),
        Just("externalId"),
        Just("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"),
        Just("emails[type eq \"work\"].value"),
    ];
    let operator = prop_oneof![
        Just("eq"),
        Just("ne"),
        Just("co"),
        Just("sw"),
        Just("ew"),
        Just("gt"),
        Just("le")
    ];
    prop_oneof![
        (name, operator, text).prop_map(|(name, operator, text)| format!(
            "{name} {operator} {}",
            Value::String(text)
        )),
        Just("title pr".to_owned()),
        Just("active eq true".to_owned()),
        Just("active eq \"False\"".to_owned()),
        Just("meta.lastModified ge \"2026-01-01T00:00:00Z\"".to_owned()),
        Just("title eq null".to_owned()),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    condition().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

fn person() -> impl Strategy<Value = Resource> {
    let name = prop_oneof![Just("ann@example.com".to_owned()), "[a-zA-Z@.]{1,10}"];
    let work = prop::option::of("[a-z]{1,4}@x\\.example");
    (
        name,
        any::<bool>(),
        work,
        prop::option::of("[A-Z][a-z]{0,6}"),
    )
        .prop_map(|(name, active, work, title)| {
            let emails: Vec<Value> = work
                .iter()
                .map(|work| json!({"value": work, "type": "work"}))
                .collect();
            let body =
                json!({"userName": name, "active": active, "emails": emails, "title": title});
            Resource::from_request(Registry::standard().user(), body, &STANDARD).unwrap()
        })
}

fn operation() -> impl Strategy<Value = Value> {
    let verb = prop_oneof![Just("add"), Just("Replace")];
    let place = prop_oneof![
        Just("title"),
        Just("name.givenName"),
        Just("emails[type eq \"work\"].value"),
        Just("phoneNumbers[type eq \"mobile\"].value"),
        Just("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"),
    ];
    prop_oneof![
        (verb, place.clone(), "[a-z]{0,6}")
            .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value})),
        place.prop_map(|path| json!({"op": "remove", "path": path})),
        any::<bool>().prop_map(|value| json!({"op": "replace", "value": {"active": value}})),
        Just(
            json!({"op": "add", "path": "emails", "value": [{"value": "a@x.example", "type": "home", "primary": true}]})
        ),
    ]
}

proptest! {
    #[test]
    fn a_filter_reads_back_from_its_print_and_means_the_same(text in filter(), person in person()) {
        let registry = Registry::standard();
        let read = Filter::parse(&text, registry.user(), &STANDARD).unwrap();
        let again = Filter::parse(&read.to_string(), registry.user(), &STANDARD).unwrap();
        prop_assert_eq!(&again, &read, "{} became {}", text, read);
        prop_assert_eq!(again.matches(person.as_map(), &NoRelated), read.matches(person.as_map(), &NoRelated));
    }

    #[test]
    fn a_filter_and_its_negation_disagree(text in filter(), person in person()) {
        let registry = Registry::standard();
        let plain = Filter::parse(&text, registry.user(), &STANDARD).unwrap();
        let negated = Filter::parse(&format!("not ({text})"), registry.user(), &STANDARD).unwrap();
        prop_assert_ne!(plain.matches(person.as_map(), &NoRelated), negated.matches(person.as_map(), &NoRelated));
    }

    #[test]
    fn applying_a_patch_twice_is_applying_it_once(person in person(), operations in prop::collection::vec(operation(), 1..5)) {
        let registry = Registry::standard();
        let body = json!({"Operations": operations});
        let patch = Patch::parse(&body, registry.user(), &STANDARD).unwrap();
        let mut once = person;
        patch.apply(&mut once, registry.user(), &STANDARD).unwrap();
        let mut twice = once.clone();
        let changes = patch.apply(&mut twice, registry.user(), &STANDARD).unwrap();
        prop_assert_eq!(&twice, &once);
        prop_assert!(changes.is_empty(), "{:?}", changes);
    }

    #[test]
    fn a_stored_resource_can_be_sent_back_and_is_the_same(person in person()) {
        let registry = Registry::standard();
        let replaced = Resource::replacement(registry.user(), &person, person.clone().into_value(), &STANDARD).unwrap();
        prop_assert_eq!(replaced.as_map(), person.as_map());
    }
}
