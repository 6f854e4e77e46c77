//! Whatever comes in: no panic, and a refusal that says what is wrong.

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
