//! What the endpoint says about itself (RFC 7644 §4): the limits stated are the limits enforced, since both are read from one
//! table.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use rollcall_app::tokens::Caller;
use serde_json::Value;

use crate::Endpoint;
use crate::failure::Failure;
use crate::render::{Renderer, json_answer};

pub(crate) async fn service_provider_config(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let limits = &endpoint.app.settings().limits;
    let config = rollcall_scim::discovery::ServiceProviderConfig::new(limits);
    let base = Renderer::new(&endpoint, &caller.organisation);
    json_answer(StatusCode::OK, &config.to_json(base.base()))
}

pub(crate) async fn resource_types(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let base = Renderer::new(&endpoint, &caller.organisation);
    json_answer(
        StatusCode::OK,
        &endpoint.app.registry().resource_types_json(base.base()),
    )
}

pub(crate) async fn schemas(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let base = Renderer::new(&endpoint, &caller.organisation);
    json_answer(
        StatusCode::OK,
        &endpoint.app.registry().schemas_json(base.base()),
    )
}

pub(crate) async fn resource_type(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let base = Renderer::new(&endpoint, &caller.organisation);
    one(
        &endpoint.app.registry().resource_types_json(base.base()),
        "resource type",
        &name,
    )
}

pub(crate) async fn schema(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let base = Renderer::new(&endpoint, &caller.organisation);
    one(
        &endpoint.app.registry().schemas_json(base.base()),
        "schema",
        &name,
    )
}

/// `/Me` stands for the person who asks (RFC 7644 §3.11). A provisioning token belongs to a directory, not to a person.
pub(crate) async fn me() -> Failure {
    Failure::NotOffered(
        "a provisioning token acts for a directory, not for a person: /Me names nobody here",
    )
}

fn one(list: &Value, noun: &'static str, name: &str) -> Result<Response, Failure> {
    let resources = list.get("Resources").and_then(Value::as_array);
    resources
        .into_iter()
        .flatten()
        .find(|resource| {
            resource
                .get("id")
                .and_then(Value::as_str)
                .is_some_and(|id| id.eq_ignore_ascii_case(name))
        })
        .map(|resource| json_answer(StatusCode::OK, resource))
        .ok_or_else(|| {
            Failure::App(rollcall_app::Failure::Missing {
                noun,
                id: name.chars().take(120).collect(),
            })
        })
}
