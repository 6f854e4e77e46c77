//! From values to answers: the stored document, what belongs to it as rows, and where it is.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use rollcall_app::directory::{Related, Shown};
use rollcall_model::{Kind, Organisation};
use rollcall_scim::projection::Projection;
use rollcall_scim::resource::Resource;
use rollcall_scim::version::ETag;
use rollcall_store::Entry;
use serde_json::{Map, Value, json};

use crate::Endpoint;
use crate::failure::SCIM;
use crate::resources::collection;

/// Renders objects of one organisation.
pub(crate) struct Renderer {
    base: String,
}

impl Renderer {
    pub(crate) fn new(endpoint: &Endpoint, organisation: &Organisation) -> Self {
        Self {
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

    /// Returns an object's document as the client asked for it.
    pub(crate) fn document(
        &self,
        kind: Kind,
        resource: Resource,
        related: Related,
        projection: &Projection,
    ) -> Map<String, Value> {
        let id = resource.id().unwrap_or_default().to_owned();
        let mut document = match resource.into_value() {
            Value::Object(document) => document,
            _ => Map::new(),
        };
        if let Some(members) = related.members.filter(|members| !members.is_empty()) {
            let members = members.into_iter().map(|(member, display)| {
                let id = member.id.to_string();
                let location = self.location(member.kind, &id);
                let mut element =
                    json!({"value": id, "$ref": location, "type": member.kind.resource_type()});
                if let (Some(display), Some(fields)) = (display, element.as_object_mut()) {
                    fields.insert("display".into(), display.into());
                }
                element
            });
            document.insert("members".into(), members.collect());
        }
        if let Some(groups) = related.groups.filter(|groups| !groups.is_empty()) {
            let groups = groups.into_iter().map(|(group, display)| {
                let id = group.to_string();
                json!({"$ref": self.location(Kind::Group, &id), "value": id, "display": display, "type": "direct"})
            });
            document.insert("groups".into(), groups.collect());
        }
        if let Some(Value::Object(meta)) = document.get_mut("meta") {
            meta.insert("location".into(), self.location(kind, &id).into());
        }
        projection.apply(&mut document);
        document
    }

    /// Answers with one object.
    pub(crate) fn resource(
        &self,
        status: StatusCode,
        shown: Shown,
        projection: &Projection,
    ) -> Response {
        let Shown { entry, related } = shown;
        let etag = ETag(entry.version).to_string();
        let location = self.location(entry.kind, &entry.id.to_string());
        let document = self.document(entry.kind, entry.resource, related, projection);
        let mut response = json_answer(status, &Value::Object(document));
        let headers = response.headers_mut();
        for (name, value) in [(ETAG, etag), (LOCATION, location)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
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
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, SCIM);
    response
}
