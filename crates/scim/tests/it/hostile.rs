//! Whatever comes in: no panic, and a refusal that says what is wrong.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rollcall_scim::bulk;
use rollcall_scim::filter::Filter;
use rollcall_scim::json;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::Patch;
use rollcall_scim::path::Path;
use rollcall_scim::query::Query;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::{Registry, Schema};
use rollcall_scim::version::IfMatch;
use serde_json::{Value, json};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!("True")),
        Just(json!("emails[type eq \"work\"].value")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![
            "\\PC{0,6}",
            Just("userName".to_owned()),
            Just("members".to_owned()),
            Just("value".to_owned()),
            Just("emails".to_owned()),
            Just("name.givenName".to_owned()),
            Just("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User".to_owned()),
            Just("op".to_owned()),
            Just("Operations".to_owned()),
            Just("schemas".to_owned()),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn text_of_any_kind_is_read_or_refused(text in "\\PC{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let registry = Registry::standard();
        drop(Filter::parse(&text, registry.user(), &STANDARD));
        drop(Path::parse(&text, registry.user()));
        drop(IfMatch::parse(&text));
        drop(json::parse(&bytes, &STANDARD));
        drop(Query::from_parameters([("filter", text.as_str()), ("count", text.as_str())].into_iter(), registry.group(), &STANDARD));
    }

    #[test]
    fn filters_made_of_filter_words_are_read_or_refused(
        words in prop::collection::vec(prop_oneof![
            Just("userName"), Just("eq"), Just("\"x\""), Just("and"), Just("or"), Just("not"), Just("("), Just(")"), Just("["),
            Just("]"), Just("emails"), Just("pr"), Just("."), Just(".value"), Just("\""), Just("type"), Just("null"), Just("1e9"),
        ], 0..14)
    ) {
        let registry = Registry::standard();
        drop(Filter::parse(&words.join(" "), registry.user(), &STANDARD));
        drop(Path::parse(&words.concat(), registry.user()));
    }

    #[test]
    fn bodies_of_any_shape_are_read_or_refused(body in any_json(), path in "\\PC{0,20}") {
        let registry = Registry::standard();
        for kind in [registry.user(), registry.group()] {
            drop(Resource::from_request(kind, body.clone(), &STANDARD));
            drop(Query::from_search_request(&body, kind, &STANDARD));
            let mut person = Resource::from_request(kind, json!({"userName": "x", "displayName": "y"}), &STANDARD).unwrap();
            for operation in [
                json!({"op": "add", "value": body}),
                json!({"op": "replace", "path": path, "value": body}),
                json!({"op": "remove", "path": "emails[type eq \"x\"]", "value": body}),
                json!({"op": "add", "path": "emails", "value": body}),
                json!({"op": "add", "path": "members", "value": body}),
            ] {
                if let Ok(patch) = Patch::parse(&json!({"Operations": [operation]}), kind, &STANDARD) {
                    drop(patch.apply(&mut person, kind, &STANDARD));
                }
            }
            drop(Patch::parse(&body, kind, &STANDARD));
        }
        drop(bulk::Request::parse(&body, &STANDARD));
        drop(Schema::from_json(&body));
    }
}

#[test]
fn what_is_deep_or_long_is_refused_before_it_costs_anything() {
    let registry = Registry::standard();
    let kind = registry.user();
    let deep_filter = format!("{}userName pr{}", "(".repeat(100_000), ")".repeat(100_000));
    let nested = format!("{}userName pr{}", "(".repeat(1_000), ")".repeat(1_000));
    let many = vec!["userName pr"; 65].join(" and ");
    for filter in [
        &deep_filter,
        &nested,
        &many,
        &format!("userName eq \"{}\"", "x".repeat(1 << 20)),
    ] {
        let error = Filter::parse(filter, kind, &STANDARD).unwrap_err();
        assert_eq!(error.scim_type(), Some("invalidFilter"));
        assert!(Path::parse(&format!("emails[{filter}]"), kind).is_err());
    }
    let long = json!({"userName": "x".repeat(1 << 20)});
    assert!(json::parse(long.to_string().as_bytes(), &STANDARD).is_err());
    assert!(Resource::from_request(kind, long, &STANDARD).is_err());
    let emails: Vec<Value> = (0..1_001)
        .map(|n| json!({"value": format!("{n}@x.example")}))
        .collect();
    assert!(
        Resource::from_request(kind, json!({"userName": "x", "emails": emails}), &STANDARD)
            .is_err()
    );
    let operations = vec![json!({"op": "remove", "path": "title"}); 1_001];
    assert!(Patch::parse(&json!({"Operations": operations}), kind, &STANDARD).is_err());
}

/// Returns how long a PATCH takes from its text to the changed person, and the refusal if it is refused.
fn timed(person: &Resource, operations: &Value) -> (Duration, Option<String>) {
    let text = json!({"Operations": operations}).to_string();
    assert!(text.len() <= STANDARD.body_bytes, "{}", text.len());
    let registry = Registry::standard();
    let kind = registry.user();
    let mut person = person.clone();
    let begun = Instant::now();
    let answer = json::parse(text.as_bytes(), &STANDARD)
        .and_then(|body| Patch::parse(&body, kind, &STANDARD))
        .and_then(|patch| patch.apply(&mut person, kind, &STANDARD));
    (begun.elapsed(), answer.err().map(|error| error.detail))
}

/// In a debug build on a busy machine; what grows with the square of the request takes minutes.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_patch_of_the_largest_size_is_soon_done() {
    let registry = Registry::standard();
    let address = |n: usize| format!("{n}@x.io");
    let emails = |numbers: std::ops::Range<usize>| -> Vec<Value> {
        numbers.map(|n| json!({"value": address(n)})).collect()
    };
    let nobody = json!({"userName": "x"});
    let full = json!({"userName": "x", "emails": emails(0..1_000)});
    let add = |value: Value| json!({"op": "add", "path": "emails", "value": value});
    let long_condition = vec!["type eq \"a\""; 60].join(" or ");
    let rows: Vec<(&str, &Value, Vec<Value>)> = vec![
        (
            "distinct values",
            &nobody,
            (0..44)
                .map(|k| add(json!(emails(k * 1_000..(k + 1) * 1_000))))
                .collect(),
        ),
        (
            "the same values",
            &nobody,
            vec![add(json!(emails(0..1_000))); 40],
        ),
        (
            "one by one",
            &nobody,
            (0..700)
                .map(|n| add(json!({"value": address(n)})))
                .collect(),
        ),
        (
            "one by one to a full list",
            &full,
            vec![add(json!({"value": address(999)})); 250],
        ),
        (
            "removed and added again",
            &full,
            (0..40)
                .map(|n| {
                    let op = if n % 2 == 0 { "remove" } else { "add" };
                    json!({"op": op, "path": "emails", "value": emails(0..1_000)})
                })
                .collect(),
        ),
        (
            "removals of what is not there",
            &full,
            vec![json!({"op": "remove", "path": "emails", "value": emails(1_000..2_000)}); 40],
        ),
        (
            "a part of all",
            &full,
            vec![json!({"op": "replace", "path": "emails.display", "value": "x"}); 250],
        ),
        (
            "long conditions",
            &full,
            vec![json!({"op": "remove", "path": format!("emails[{long_condition}]")}); 900],
        ),
        (
            "conditions that choose all",
            &full,
            vec![
                json!({"op": "replace", "path": "emails[value pr]", "value": {"display": "x"}});
                250
            ],
        ),
    ];
    for (name, body, operations) in rows {
        let person = Resource::from_request(registry.user(), body.clone(), &STANDARD).unwrap();

        let (took, refusal) = timed(&person, &json!(operations));

        assert!(took < SOON, "{name}: {took:?} {refusal:?}");
    }
}

#[test]
fn a_list_does_not_outgrow_its_limit_and_expanded_operations_are_counted() {
    let registry = Registry::standard();
    let body = json!({"userName": "x", "emails": [{"value": "first", "type": "work"}]});
    let person = Resource::from_request(registry.user(), body, &STANDARD).unwrap();
    let emails = |count: usize| -> Value {
        let list = (0..count).map(|n| json!({"value": n.to_string()}));
        json!({"op": "add", "path": "emails", "value": list.collect::<Vec<_>>()})
    };
    // one more, made for a condition that no address fulfils
    let made = json!({"op": "add", "path": "emails[type eq \"home\"]", "value": "x"});
    let made_part = json!({"op": "add", "path": "emails[type eq \"home\"].value", "value": "x"});
    let without_path = |count: usize| -> Value {
        let paths = (0..count).map(|n| (format!("emails[type eq \"{n}\"].value"), json!("x")));
        json!({"op": "replace", "value": paths.collect::<serde_json::Map<_, _>>()})
    };

    for (operations, refusal) in [
        (json!([emails(999)]), None),
        (json!([emails(1_000)]), Some("more than 1000 values")),
        (json!([emails(999), made]), Some("more than 1000 values")),
        (
            json!([emails(999), made_part]),
            Some("more than 1000 values"),
        ),
        (json!([without_path(500)]), None),
        (
            json!([without_path(1_001)]),
            Some("at most 1000 operations"),
        ),
        (
            json!([without_path(500), without_path(501)]),
            Some("at most 1000 operations"),
        ),
    ] {
        let (_, found) = timed(&person, &operations);
        match refusal {
            None => assert_eq!(found, None),
            Some(text) => assert!(found.as_ref().unwrap().contains(text), "{found:?}"),
        }
    }
}

#[test]
fn operations_that_look_at_too_many_values_together_are_refused() {
    let registry = Registry::standard();
    let emails: Vec<Value> = (0..1_000)
        .map(|n| json!({"value": n.to_string()}))
        .collect();
    let body = json!({"userName": "x", "emails": emails});
    let person = Resource::from_request(registry.user(), body, &STANDARD).unwrap();
    let condition = vec!["value eq \"x\""; 50].join(" or ");
    let operation = json!({"op": "remove", "path": format!("emails[{condition}]")});

    let (_, few) = timed(&person, &json!(vec![operation.clone(); 5]));
    let (_, many) = timed(&person, &json!(vec![operation; 6]));

    assert_eq!(few, None);
    assert!(many.unwrap().contains("more than 250000 list values"));
}
