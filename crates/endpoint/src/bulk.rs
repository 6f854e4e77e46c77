//! POST `/Bulk` (RFC 7644 §3.7): each operation goes the way of a single request, in a transaction of its own.

use std::collections::HashMap;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use rollcall_app::directory::{Expected, Wanted};
use rollcall_app::tokens::Caller;
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::bulk::{self, Method, Operation, Outcome};
use rollcall_scim::patch::Patch;
use rollcall_scim::version::{ETag, IfMatch};
use rollcall_store::Entry;

use crate::failure::Failure;
use crate::render::{Renderer, json_answer};
use crate::{Endpoint, input};

pub(crate) async fn run(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let limits = &endpoint.app.settings().limits;
    let body = input::json(&endpoint, request, limits.bulk_body_bytes).await?;
    let request = bulk::Request::parse(&body, limits)?;
    let renderer = Renderer::new(&endpoint, &caller.organisation);
    let mut created = HashMap::new();
    let mut outcomes = Vec::with_capacity(request.operations.len());
    let mut failed = 0;
    for operation in request.operations {
        // RFC 7644 §3.7.3: what comes behind the last tolerated failure is left undone and not listed
        if request.fail_on_errors.is_some_and(|most| failed >= most) {
            break;
        }
        let outcome = one(&endpoint, &caller, &renderer, operation, &mut created).await;
        failed += u64::from(outcome.status >= 400);
        outcomes.push(outcome);
    }
    Ok(json_answer(StatusCode::OK, &bulk::response(outcomes)))
}

async fn one(
    endpoint: &Endpoint,
    caller: &Caller,
    renderer: &Renderer<'_>,
    operation: Operation,
    created: &mut HashMap<String, String>,
) -> Outcome {
    let kind = if operation.collection == "Groups" {
        Kind::Group
    } else {
        Kind::User
    };
    let mut outcome = Outcome {
        place: operation.place,
        method: operation.method,
        bulk_id: operation.bulk_id.clone(),
        location: operation
            .id
            .as_deref()
            .map(|id| renderer.location(kind, id)),
        version: None,
        status: StatusCode::NO_CONTENT.as_u16(),
        response: None,
    };
    match apply(endpoint, caller, kind, operation, created).await {
        Ok(Done { id, entry, status }) => {
            outcome.status = status.as_u16();
            outcome.location = Some(renderer.location(kind, &id.to_string()));
            outcome.version = entry.map(|entry| ETag(entry.version).to_string());
            if let (Method::Post, Some(name)) = (outcome.method, &outcome.bulk_id) {
                created.insert(name.clone(), id.to_string());
            }
        }
        Err(failure) => {
            let wire = failure.told();
            outcome.status = wire.status.as_u16();
            outcome.response = Some(wire.body());
        }
    }
    outcome
}

/// What an operation came to.
struct Done {
    id: ResourceId,
    entry: Option<Entry>,
    status: StatusCode,
}

async fn apply(
    endpoint: &Endpoint,
    caller: &Caller,
    kind: Kind,
    mut operation: Operation,
    created: &HashMap<String, String>,
) -> Result<Done, Failure> {
    // what is too much for one request is too much for one operation
    input::fits(&operation.data, endpoint.body_limit(kind))?;
    operation.resolve(created)?;
    let (app, context) = (&endpoint.app, caller.context());
    let id = operation
        .id
        .as_deref()
        .map(|id| input::id(kind, id))
        .transpose()?;
    let expected = match operation
        .version
        .as_deref()
        .map(IfMatch::parse)
        .transpose()?
    {
        None => Expected::Any,
        Some(IfMatch::Any) => Expected::Existing,
        Some(IfMatch::Versions(versions)) => Expected::Versions(versions),
    };
    let (shown, status) = match (operation.method, id) {
        (Method::Delete, Some(id)) => {
            app.delete(&context, kind, id, expected).await?;
            return Ok(Done {
                id,
                entry: None,
                status: StatusCode::NO_CONTENT,
            });
        }
        (Method::Put, Some(id)) => {
            let shown = app
                .replace(
                    &context,
                    kind,
                    id,
                    operation.data,
                    expected,
                    Wanted::NOTHING,
                )
                .await?;
            (shown, StatusCode::OK)
        }
        (Method::Patch, Some(id)) => {
            let limits = &app.settings().limits;
            let patch = Patch::parse(&operation.data, endpoint.resource_type(kind), limits)?;
            (
                app.patch(&context, kind, id, patch, expected, Wanted::NOTHING)
                    .await?,
                StatusCode::OK,
            )
        }
        (_, _) => (
            app.create(&context, kind, operation.data).await?,
            StatusCode::CREATED,
        ),
    };
    Ok(Done {
        id: shown.entry.id,
        entry: Some(shown.entry),
        status,
    })
}
