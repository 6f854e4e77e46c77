//! Users and groups: RFC 7644 §3.3 to §3.6. Both kinds go the same way; what differs is in the schema and in the use cases.

use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use rollcall_app::directory::Wanted;
use rollcall_app::tokens::Caller;
use rollcall_model::Kind;
use rollcall_scim::patch::Patch;
use rollcall_scim::projection::Projection;
use rollcall_scim::schema::ResourceType;

use crate::failure::Failure;
use crate::render::Renderer;
use crate::search::{Asked, parameters};
use crate::{Endpoint, input};

/// Where resources of a kind are.
pub(crate) fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "Users",
        Kind::Group => "Groups",
    }
}

impl Endpoint {
    pub(crate) fn resource_type(&self, kind: Kind) -> &ResourceType {
        match kind {
            Kind::User => self.app.registry().user(),
            Kind::Group => self.app.registry().group(),
        }
    }

    /// How long a body about such a resource may be: a group may come with many members.
    pub(crate) fn body_limit(&self, kind: Kind) -> usize {
        let limits = &self.app.settings().limits;
        match kind {
            Kind::User => limits.body_bytes,
            Kind::Group => limits.group_body_bytes,
        }
    }
}

pub(crate) fn wanted(projection: &Projection) -> Wanted {
    Wanted {
        members: projection.includes("members"),
        groups: projection.includes("groups"),
    }
}

/// The path of one resource: `/scim/v2/{organisation}/Users/{id}`.
#[derive(Debug)]
pub(crate) struct Named(String);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        state: &S,
    ) -> Result<Self, Failure> {
        let Path((_, id)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| Failure::NoRoute)?;
        Ok(Self(id))
    }
}

pub(crate) async fn create(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Extension(kind): Extension<Kind>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Failure> {
    let projection = projection(&endpoint, kind, query.as_deref())?;
    let body = input::json(&endpoint, request, endpoint.body_limit(kind)).await?;
    let shown = endpoint.app.create(&caller.context(), kind, body).await?;
    Renderer::new(&endpoint, &caller.organisation).written(StatusCode::CREATED, shown, &projection)
}

pub(crate) async fn read(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Extension(kind): Extension<Kind>,
    Named(id): Named,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let projection = projection(&endpoint, kind, query.as_deref())?;
    let stored = endpoint
        .app
        .stored(
            &caller.context(),
            kind,
            input::id(kind, &id)?,
            wanted(&projection),
        )
        .await?;
    if input::has_already(&headers, stored.raw.version)? {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    Renderer::new(&endpoint, &caller.organisation).resource(
        StatusCode::OK,
        kind,
        stored,
        &projection,
    )
}

pub(crate) async fn list(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Extension(kind): Extension<Kind>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let asked = Asked::from_query(&endpoint, kind, query.as_deref().unwrap_or_default())?;
    asked.answer(&endpoint, &caller, kind).await
}

pub(crate) async fn replace(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Extension(kind): Extension<Kind>,
    Named(id): Named,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Failure> {
    let id = input::id(kind, &id)?;
    let projection = projection(&endpoint, kind, query.as_deref())?;
    let expected = input::expected(request.headers())?;
    let body = input::json(&endpoint, request, endpoint.body_limit(kind)).await?;
    let shown = endpoint
        .app
        .replace(
            &caller.context(),
            kind,
            id,
            body,
            expected,
            wanted(&projection),
        )
        .await?;
    Renderer::new(&endpoint, &caller.organisation).written(StatusCode::OK, shown, &projection)
}

/// PATCH (RFC 7644 §3.5.2): 204, which every known client takes, unless the client names the attributes that it wants to see.
pub(crate) async fn patch(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Extension(kind): Extension<Kind>,
    Named(id): Named,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Failure> {
    let id = input::id(kind, &id)?;
    let projection = projection(&endpoint, kind, query.as_deref())?;
    let expected = input::expected(request.headers())?;
    let body = input::json(&endpoint, request, endpoint.body_limit(kind)).await?;
    let patch = Patch::parse(
        &body,
        endpoint.resource_type(kind),
        &endpoint.app.settings().limits,
    )?;
    let quiet = projection.is_default();
    let wanted = if quiet {
        Wanted::NOTHING
    } else {
        wanted(&projection)
    };
    let shown = endpoint
        .app
        .patch(&caller.context(), kind, id, patch, expected, wanted)
        .await?;
    let renderer = Renderer::new(&endpoint, &caller.organisation);
    if quiet {
        return Ok(renderer.nothing(&shown.entry));
    }
    renderer.written(StatusCode::OK, shown, &projection)
}

pub(crate) async fn delete(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Extension(kind): Extension<Kind>,
    Named(id): Named,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let expected = input::expected(&headers)?;
    endpoint
        .app
        .delete(&caller.context(), kind, input::id(kind, &id)?, expected)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads `attributes` and `excludedAttributes`.
fn projection(endpoint: &Endpoint, kind: Kind, query: Option<&str>) -> Result<Projection, Failure> {
    let parameters = parameters(query.unwrap_or_default())?;
    let find = |name: &str| {
        parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    Ok(Projection::parse(
        find("attributes"),
        find("excludedAttributes"),
        endpoint.resource_type(kind),
    )?)
}
