//! Okta's SCIM 2.0 SPEC test, step by step as its file says.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Installation, answer};

#[tokio::test]
async fn every_assertion_of_the_spec_test_is_green() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    // the test expects that somebody is there already
    scim.post("/Users", json!({
        "userName": "first@example.com", "active": true, "name": {"givenName": "First", "familyName": "Person"},
        "emails": [{"value": "first@example.com", "type": "work", "primary": true}],
    }))
    .await
    .is(201);
    let mut variables: BTreeMap<String, String> = [
        ("SCIMBaseURL", scim.base.as_str()),
        ("auth", &format!("Bearer {token}")),
        ("InvalidUserEmail", "nobody@example.com"),
        ("UserIdThatDoesNotExist", "010101001010101011001010101011"),
        ("randomEmail", "random@example.com"),
        ("randomUsername", "random.user@example.com"),
        ("randomUsernameCaps", "RANDOM.USER@EXAMPLE.COM"),
        ("randomGivenName", "Random"),
        ("randomFamilyName", "User"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../conformance/okta-spec/Okta-SCIM-20-SPEC-Test.json"
    );
    let test: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let (mut green, mut red) = (0, Vec::new());
    for step in test["steps"].as_array().unwrap() {
        if step["step_type"] != "request" {
            continue;
        }
        let text = |value: &Value| filled(value.as_str().unwrap_or_default(), &variables);
        let url = text(&step["url"]);
        let mut caller = scim.clone();
        caller.base = String::new();
        caller.authorization = None;
        let mut request = caller.request(step["method"].as_str().unwrap(), &url);
        for (name, values) in step["headers"].as_object().unwrap() {
            request = request.header(name, text(&values[0]));
        }
        if step["body"].is_string() {
            request = request.body(text(&step["body"]));
        }
        let begun = Instant::now();
        let found = answer(request).await;
        let took = begun.elapsed().as_millis();
        for assertion in step["assertions"].as_array().unwrap() {
            let wanted = text(&assertion["value"]);
            let property = assertion["property"].as_str().unwrap_or_default();
            let value = match assertion["source"].as_str().unwrap() {
                "response_status" => Value::from(found.status),
                "response_time" => Value::from(u64::try_from(took).unwrap()),
                _ => at(&found.body, property),
            };
            if holds(assertion["comparison"].as_str().unwrap(), &value, &wanted) {
                green += 1;
            } else {
                red.push(format!("{}: {assertion} but {value}", step["note"]));
            }
        }
        for variable in step["variables"].as_array().unwrap() {
            let value = at(&found.body, variable["property"].as_str().unwrap());
            let name = variable["name"].as_str().unwrap().to_owned();
            variables.insert(name, plain(&value));
        }
    }
    assert!(red.is_empty(), "{green} green, and\n{}", red.join("\n"));
    assert_eq!(green, 52);
}

fn filled(text: &str, variables: &BTreeMap<String, String>) -> String {
    variables
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{{{name}}}}}"), value)
        })
}

/// Returns what lies at a place such as `Resources[0].name.familyName`.
fn at(body: &Value, property: &str) -> Value {
    let pointer = property
        .replace('[', ".")
        .replace(']', "")
        .replace('.', "/");
    body.pointer(&format!("/{pointer}"))
        .cloned()
        .unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn holds(comparison: &str, value: &Value, wanted: &str) -> bool {
    let has = |value: &Value| match value {
        Value::Array(values) => values.iter().any(|one| plain(one) == wanted),
        other => plain(other).contains(wanted),
    };
    match comparison {
        "equal" | "equal_number" => plain(value) == wanted,
        "not_empty" => {
            !matches!(value, Value::Null) && plain(value) != "\"\"" && *value != json!([])
        }
        "has_value" | "contains" => has(value),
        "is_a_number" => value.is_number(),
        "is_less_than" => value.as_u64().unwrap() < wanted.parse().unwrap(),
        other => panic!("{other}"),
    }
}
