//! From values to answers: the stored document, what belongs to it as rows, and where it is.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use rollcall_app::directory::{Related, Shown, Stored};
use rollcall_model::{Kind, Organisation, ResourceId};
use rollcall_scim::projection::Projection;
use rollcall_scim::stored;
use rollcall_scim::version::ETag;
use rollcall_store::{Entry, Raw};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Endpoint;
use crate::failure::{Failure, SCIM};
use crate::resources::collection;

/// Renders objects of one organisation.
pub(crate) struct Renderer<'e> {
    endpoint: &'e Endpoint,
    base: String,
}

/// A row that belongs to an object, as it is shown: a member of a group, or a group of a person.
#[derive(Serialize)]
struct Row {
    value: String,
    #[serde(rename = "$ref")]
    location: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<String>,
}

impl<'e> Renderer<'e> {
    pub(crate) fn new(endpoint: &'e Endpoint, organisation: &Organisation) -> Self {
        Self {
            endpoint,
            base: endpoint.app.settings().tenant_url(organisation),
        }
    }

    /// Returns the base URL under which the organisation's resources are.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Returns where an object is.
    pub(crate) fn location(&self, kind: Kind, id: &str) -> String {
        format!("{}/{}/{id}", self.base, collection(kind))
    }

    /// Returns the rows that belong to an object, under the name of their attribute.
    fn rows(&self, related: Related) -> Option<(&'static str, Vec<Row>)> {
        let row = |id: ResourceId, kind, display| (id.to_string(), kind, display);
        let (name, rows): (_, Vec<_>) = match related {
            Related {
                members: Some(members),
                ..
            } => {
                let rows = members.into_iter();
                let rows = rows.map(|(member, display)| row(member.id, member.kind, display));
                ("members", rows.collect())
            }
            Related {
                groups: Some(groups),
                ..
            } => {
                let rows = groups.into_iter();
                let rows = rows.map(|(group, display)| row(group, Kind::Group, Some(display)));
                ("groups", rows.collect())
            }
            Related { .. } => return None,
        };
        let is_group = name == "groups";
        let rows = rows.into_iter().map(|(value, kind, display)| Row {
            location: self.location(kind, &value),
            kind: if is_group {
                "direct"
            } else {
                kind.resource_type()
            },
            value,
            display,
        });
        Some((name, rows.collect())).filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty())
    }

    /// Returns an object's document as the client asked for it, as JSON text.
    ///
    /// # Errors
    /// [`Failure::App`] when what is stored cannot be read.
    pub(crate) fn document(
        &self,
        (kind, id): (Kind, ResourceId),
        stored: &[u8],
        related: Related,
        projection: &Projection,
    ) -> Result<Vec<u8>, Failure> {
        let unreadable = |error| {
            Failure::from(rollcall_app::Failure::Internal(
                Box::<serde_json::Error>::new(error),
            ))
        };
        let resource_type = self.endpoint.resource_type(kind);
        let location = self.location(kind, &id.to_string());
        let rows = self.rows(related);
        if projection.shows_all(resource_type) {
            let rows = rows
                .iter()
                .map(|(name, rows)| Ok((*name, serde_json::to_string(rows)?)));
            let rows: Vec<_> = rows.collect::<Result<_, _>>().map_err(unreadable)?;
            if let Some(document) = stored::shown(stored, &location, &rows) {
                return Ok(document);
            }
        }
        let mut document: Map<String, Value> =
            serde_json::from_slice(stored).map_err(unreadable)?;
        if let Some((name, rows)) = rows {
            let rows = serde_json::to_value(rows).map_err(unreadable)?;
            document.insert(name.into(), rows);
        }
        if let Some(Value::Object(meta)) = document.get_mut("meta") {
            meta.insert("location".into(), location.into());
        }
        projection.apply(resource_type, &mut document);
        serde_json::to_vec(&document).map_err(unreadable)
    }

    /// Answers with one object.
    pub(crate) fn resource(
        &self,
        status: StatusCode,
        kind: Kind,
        Stored { raw, related }: Stored,
        projection: &Projection,
    ) -> Result<Response, Failure> {
        let etag = ETag(raw.version).to_string();
        let location = self.location(kind, &raw.id.to_string());
        let document = self.document((kind, raw.id), &raw.document, related, projection)?;
        let mut response = json_text(status, document);
        let headers = response.headers_mut();
        for (name, value) in [(ETAG, etag), (LOCATION, location)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        Ok(response)
    }

    /// Answers with one object that was just written.
    pub(crate) fn written(
        &self,
        status: StatusCode,
        Shown { entry, related }: Shown,
        projection: &Projection,
    ) -> Result<Response, Failure> {
        let raw = Raw {
            id: entry.id,
            version: entry.version,
            document: entry.resource.to_bytes(),
        };
        self.resource(status, entry.kind, Stored { raw, related }, projection)
    }

    /// Answers that an object changed, without the object.
    #[expect(
        clippy::unused_self,
        reason = "every answer about a resource is made by the renderer"
    )]
    pub(crate) fn nothing(&self, entry: &Entry) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if let Ok(value) = HeaderValue::from_str(&ETag(entry.version).to_string()) {
            response.headers_mut().insert(ETAG, value);
        }
        response
    }
}

/// Answers with JSON.
pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response {
    json_text(status, body.to_string().into_bytes())
}

/// Answers with JSON that is written already.
pub(crate) fn json_text(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, SCIM);
    response
}
