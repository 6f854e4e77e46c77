//! The description: it says what there is, no more and no less.

use std::collections::BTreeSet;

use rollcall_web::table::Policy;
use serde_json::{Map, Value};

use crate::support::Answer;

/// The description of an API, to compare answers with.
pub(super) struct Description(Value);

impl Description {
    pub(super) fn of(document: Value) -> Self {
        Self(document)
    }

    /// Compares an answer with what is said of it.
    pub(super) fn compare(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap();
        let paths = self.0["paths"].as_object().unwrap();
        let found = paths.iter().find(|(template, _)| fits(template, path));
        let operation = found.and_then(|(_, methods)| methods.get(method.to_lowercase()));
        let Some(operation) = operation else {
            assert!(answer.status >= 400, "{method} {path} is not described");
            return;
        };
        let responses = &operation["responses"];
        let status = answer.status.to_string();
        let response = responses.get(&status).unwrap_or(&responses["default"]);
        let shown = format!("{method} {path}: {status} {}", answer.body);
        let kind = match answer.status {
            200..=299 => {
                assert!(responses.get(&status).is_some(), "not described: {shown}");
                "application/json"
            }
            _ => "application/problem+json",
        };
        if let Some(content) = response.get("content") {
            assert_eq!(answer.headers["content-type"], kind, "{shown}");
            let told = self.check(&content[kind]["schema"], &answer.body, "");
            assert_eq!(told, Ok(()), "{shown}");
        } else {
            assert_eq!(answer.body, Value::Null, "{shown}");
        }
    }

    /// Compares a value with its schema: what of JSON Schema the description uses, and nothing that it does not know.
    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.0.pointer(reference.strip_prefix('#').unwrap());
            return self.check(target.unwrap(), value, at);
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let fits = choices.iter().any(|one| self.check(one, value, at).is_ok());
            return holds(fits, at, "fits none of the choices");
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            holds(words.contains(value), at, "is none of the words")?;
        }
        let kinds = match schema.get("type") {
            None => return Ok(()),
            Some(Value::Array(kinds)) => kinds.clone(),
            Some(kind) => vec![kind.clone()],
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        holds(
            kinds.iter().any(|one| one == kind),
            at,
            "is of another type",
        )?;
        match value {
            Value::String(text) if schema["format"] == "date-time" => {
                let read = text.parse::<jiff::Timestamp>();
                holds(read.is_ok(), at, "is no instant")
            }
            Value::Array(all) => all
                .iter()
                .try_for_each(|one| self.check(&schema["items"], one, &format!("{at}[]"))),
            Value::Object(fields) => self.check_object(schema, fields, at),
            _ => Ok(()),
        }
    }

    fn check_object(
        &self,
        schema: &Value,
        fields: &Map<String, Value>,
        at: &str,
    ) -> Result<(), String> {
        assert_eq!(schema["additionalProperties"], false, "{at}");
        for name in schema["required"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            holds(
                fields.contains_key(name),
                &format!("{at}.{name}"),
                "is missing",
            )?;
        }
        for (name, value) in fields {
            let at = format!("{at}.{name}");
            let described = schema["properties"].get(name);
            let described = described.ok_or_else(|| format!("{at} is not described"))?;
            self.check(described, value, &at)?;
        }
        Ok(())
    }
}

fn holds(holds: bool, at: &str, what: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{at} {what}"))
    }
}

/// Tells whether a path is one of a template.
fn fits(template: &str, path: &str) -> bool {
    let (mut parts, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(there)) if part.starts_with('{') || part == there => {}
            _ => return false,
        }
    }
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let document = rollcall_api::description("https://rollcall.example");
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let routes: BTreeSet<String> = rollcall_api::route_table()
        .into_iter()
        .filter(|route| matches!(route.policy, Policy::Key(_)))
        .map(|route| {
            let path = route.path.strip_prefix("/api/v1").unwrap();
            format!("{} {path}", route.method)
        })
        .collect();
    assert_eq!(described, routes);
    assert!(routes.len() >= 20, "{}", routes.len());
    assert_eq!(document["openapi"], "3.1.0");
    let server = &document["servers"][0]["url"];
    assert_eq!(server, "https://rollcall.example/api/v1");
}

/// Whoever generates a client of it needs a name of each operation, each parameter in its place, and words for everything.
#[test]
fn everything_that_is_described_has_a_name_and_words() {
    let document = rollcall_api::description("https://rollcall.example");
    let mut names = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(names.insert(id), "{id} twice");
            assert!(operation["summary"].as_str().unwrap().len() > 10, "{id}");
            let parameters = operation["parameters"].as_array().unwrap();
            for name in path.split('/').filter(|part| part.starts_with('{')) {
                let name = name.trim_matches(['{', '}']);
                let is_there = parameters
                    .iter()
                    .any(|one| one["name"] == name && one["in"] == "path");
                assert!(is_there, "{method} {path}: {name}");
            }
            for one in parameters {
                assert!(one["description"].as_str().unwrap().len() > 5, "{id} {one}");
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            for (name, field) in body["properties"].as_object().into_iter().flatten() {
                assert!(
                    field["description"].as_str().unwrap().len() > 5,
                    "{id} {name}"
                );
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].as_str().unwrap().len() > 5, "{name}");
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                schema["description"].as_str().unwrap().len() > 5,
                "{name}.{field}"
            );
        }
    }
    // every reference leads somewhere
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
