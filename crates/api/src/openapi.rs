//! The description of the API (OpenAPI 3.1), made of the operations themselves.

use http::StatusCode;
use rollcall_model::KeyRole;
use serde_json::{Map, Value, json};

use crate::BASE;
use crate::described::{Components, Field};
use crate::operation::Operation;

/// Describes operations, for an installation with this public URL; as text.
pub(crate) fn text(operations: &[Operation], public_url: &str) -> String {
    document(operations, public_url).to_string()
}

/// Describes operations, for an installation with this public URL.
pub(crate) fn document(operations: &[Operation], public_url: &str) -> Value {
    let mut components = Components::default();
    components.schemas.insert("Problem".to_owned(), problem());
    let mut paths = Map::new();
    for operation in operations {
        let described = described(operation, &mut components);
        let methods = paths
            .entry(operation.path)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(operation.method.as_str().to_lowercase(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rollcall",
            "version": "1",
            "description": "People, groups, events, integrations, applications and the audit log of one organisation. The API key says which. Fields may be added; none goes or changes its meaning in this version.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": format!("{public_url}{BASE}")}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, as `rollcall api-key create` or the console's page Admins and security makes it: `rk_REGION_…`.",
                },
            },
        },
    })
}

fn described(operation: &Operation, components: &mut Components) -> Value {
    let mut parameters: Vec<Value> = placeholders(operation.path)
        .map(|name| {
            let said = match name {
                "kind" => {
                    "entra, okta, onelogin, google, jumpcloud, ping or custom."
                }
                "token" => "The token's id.",
                _ => "The id.",
            };
            json!({"name": name, "in": "path", "required": true, "description": said, "schema": {"type": "string"}})
        })
        .collect();
    let asked = (operation.query)(components);
    parameters.extend(asked.iter().map(|field| {
        json!({
            "name": field.name, "in": "query", "required": field.is_required, "description": field.said,
            "schema": not_null(&field.schema),
        })
    }));
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": match operation.role {
            KeyRole::Read => "Any API key may ask.",
            KeyRole::Manage => "Asks for an API key with the role `manage`.",
        },
        "parameters": parameters,
        "responses": responses(operation, components),
    });
    let taken = (operation.body)(components);
    if let (false, Some(fields)) = (taken.is_empty(), described.as_object_mut()) {
        fields.insert("requestBody".to_owned(), body(&taken));
    }
    described
}

/// Describes what is sent with a request.
fn body(taken: &[Field]) -> Value {
    let required: Vec<&str> = taken
        .iter()
        .filter(|field| field.is_required)
        .map(|field| field.name.as_str())
        .collect();
    let properties: Map<String, Value> = taken
        .iter()
        .map(|field| {
            let mut schema = field.schema.clone();
            if let Some(fields) = schema.as_object_mut() {
                fields.insert("description".to_owned(), field.said.as_str().into());
            }
            (field.name.clone(), schema)
        })
        .collect();
    json!({
        "required": !required.is_empty(),
        "content": {"application/json": {"schema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }}},
    })
}

fn responses(operation: &Operation, components: &mut Components) -> Value {
    let refused = |said: &str| {
        json!({
            "description": said,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        })
    };
    let mut responses = Map::new();
    let done = if operation.has_answer() {
        let schema = (operation.answer)(components);
        json!({"description": "Done.", "content": {"application/json": {"schema": schema}}})
    } else {
        json!({"description": "Done."})
    };
    responses.insert(operation.status.as_u16().to_string(), done);
    let mut refusals = vec![
        (
            StatusCode::UNAUTHORIZED,
            "No API key, or one that is not good.",
        ),
        (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests: wait as long as `Retry-After` says.",
        ),
    ];
    if operation.role == KeyRole::Manage {
        refusals.push((
            StatusCode::FORBIDDEN,
            "The key may only read, or the organisation's rules forbid it.",
        ));
    }
    if operation.path.contains('{') {
        refusals.push((StatusCode::NOT_FOUND, "There is no such thing."));
    }
    for (status, said) in refusals {
        responses.insert(status.as_u16().to_string(), refused(said));
    }
    responses.insert("default".to_owned(), refused("It failed."));
    Value::Object(responses)
}

/// Returns the names of a path's placeholders.
fn placeholders(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// Takes `null` out of a schema: in a query there is none, only a parameter that is left out.
fn not_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let kind = schema.get("type").and_then(Value::as_array);
    let first = kind.and_then(|kinds| kinds.first()).cloned();
    if let (Some(first), Some(kind)) = (first, schema.get_mut("type")) {
        *kind = first;
    }
    schema
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Why a request failed (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "What kind of problem it is, for programs: `urn:rollcall:problem:` and a word."},
            "title": {"type": "string", "description": "The name of the status."},
            "status": {"type": "integer", "description": "The status."},
            "detail": {"type": "string", "description": "What is wrong and what to do, for people."},
            "requestId": {"type": "string", "description": "The request, as logs and the audit log name it."},
        },
        "required": ["type", "title", "status", "detail"],
        "additionalProperties": false,
    })
}
