//! From a request to values.

use std::sync::Arc;

use axum::extract::Request;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use rollcall_app::directory::Expected;
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::json;
use rollcall_scim::version::{IfMatch, IfNoneMatch};
use rollcall_web::body::{self, Unread};
use rollcall_web::room::Place;
use serde_json::Value;

use crate::Endpoint;
use crate::failure::Failure;

/// Reads a JSON body of at most `limit` bytes.
pub(crate) async fn json(
    endpoint: &Endpoint,
    request: Request,
    limit: usize,
) -> Result<Value, Failure> {
    if !is_json(request.headers()) {
        return Err(Failure::MediaType);
    }
    let place = request.extensions().get::<Arc<Place>>().cloned();
    let bytes = body::read(request.into_body(), limit, place.as_deref())
        .await
        .map_err(Failure::Unread)?;
    Ok(json::parse(&bytes, &endpoint.app.settings().limits)?)
}

/// Checks that a value inside a body is no longer, as JSON text, than a body of its own could be.
pub(crate) fn fits(value: &Value, limit: usize) -> Result<(), Failure> {
    serde_json::to_writer(Within { left: limit }, value)
        .map_err(|_| Failure::Unread(Unread::TooLarge { limit }))
}

/// Takes so many bytes, keeps none, and fails on the first that is too many.
struct Within {
    left: usize,
}

impl std::io::Write for Within {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len())
            .ok_or(std::io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let media_type = value.split(';').next().unwrap_or_default().trim();
    ["application/scim+json", "application/json"]
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
}

/// Reads the id in a path. A text that is no id of ours names nothing here.
pub(crate) fn id(kind: Kind, text: &str) -> Result<ResourceId, Failure> {
    text.parse().map_err(|_| {
        let noun = match kind {
            Kind::User => "user",
            Kind::Group => "group",
        };
        Failure::App(rollcall_app::Failure::Missing {
            noun,
            id: text.chars().take(64).collect(),
        })
    })
}

/// Reads `If-Match`.
pub(crate) fn expected(headers: &HeaderMap) -> Result<Expected, Failure> {
    let Some(value) = headers.get(IF_MATCH) else {
        return Ok(Expected::Any);
    };
    let text = value.to_str().unwrap_or_default();
    Ok(match IfMatch::parse(text)? {
        IfMatch::Any => Expected::Existing,
        IfMatch::Versions(versions) => Expected::Versions(versions),
    })
}

/// Tells whether `If-None-Match` says that the client has this version already.
pub(crate) fn has_already(headers: &HeaderMap, version: u64) -> Result<bool, Failure> {
    let Some(value) = headers.get(IF_NONE_MATCH) else {
        return Ok(false);
    };
    Ok(
        match IfNoneMatch::parse(value.to_str().unwrap_or_default())? {
            IfNoneMatch::Any => true,
            IfNoneMatch::Versions(versions) => versions.contains(&version),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_fits_when_its_text_does() {
        let value = json!({"a": ["b", 1]});
        let length = value.to_string().len();

        assert!(fits(&value, length).is_ok());
        assert!(matches!(
            fits(&value, length - 1),
            Err(Failure::Unread(Unread::TooLarge { .. }))
        ));
    }
}
