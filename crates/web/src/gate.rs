//! What every request goes through before a surface sees it: an id, the size of its head, one spelling of its path.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body::Body as _;
use rollcall_app::App;
use rollcall_model::RequestId;
use tracing::Instrument;

use crate::figures::Figures;
use crate::limits;

/// The header that carries the request's id in every answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request before anything of it was believed.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Its id; ours, never the client's.
    pub id: RequestId,
    /// The address at the other end of the connection.
    pub address: Option<IpAddr>,
}

/// What stands at the gate.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Gives ids.
    pub app: App,
    /// Counts.
    pub figures: Arc<Figures>,
}

/// Gives the request its id and refuses what is too long or has a second spelling. Counts the request.
pub async fn enter(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Gate { app, figures } = gate;
    let asked = {
        let route = request.extensions().get::<MatchedPath>();
        let path = request.uri().path();
        figures.begin(route.map(MatchedPath::as_str), path, request.method())
    };
    let id = app.new_request_id();
    let address = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    request.extensions_mut().insert(Seen { id, address });
    let span = tracing::info_span!("request", %id, method = %request.method(), path = %request.uri().path());
    let answer = if let Some(status) = refusal(&request) {
        Some(status.into_response())
    } else {
        let time = time_for(&request);
        in_time(time, next.run(request))
            .instrument(span.clone())
            .await
    };
    let is_late = answer.is_none();
    let mut response = answer.unwrap_or_else(come_again);
    asked.answered(response.status(), is_late);
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "answered"));
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let headers = response.headers_mut();
    headers.insert(
        http::header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    );
    response
}

/// Returns how long a request may take: its body, if it has one, and the work.
fn time_for(request: &Request) -> Duration {
    if request.body().is_end_stream() {
        limits::REQUEST_TIME
    } else {
        limits::BODY_TIME + limits::REQUEST_TIME
    }
}

/// Waits for an answer as long as may be; absent: there is none. What was asked to be written by then may still be written: the client
/// has to look.
async fn in_time(time: Duration, answer: impl Future<Output = Response>) -> Option<Response> {
    let answer = tokio::time::timeout(time, answer).await.ok();
    if answer.is_none() {
        tracing::warn!("a request took longer than {} s", time.as_secs());
    }
    answer
}

fn come_again() -> Response {
    let wait = [(RETRY_AFTER, HeaderValue::from(limits::REQUEST_WAIT))];
    (StatusCode::SERVICE_UNAVAILABLE, wait).into_response()
}

fn refusal(request: &Request) -> Option<StatusCode> {
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > limits::TARGET_BYTES {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if headers.len() > limits::HEADER_FIELDS || bytes > limits::HEADER_BYTES {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    (!is_canonical(request.uri().path())).then_some(StatusCode::NOT_FOUND)
}

/// Tells whether a path has its only spelling: no encoded slash, dot or unreserved character, no empty or dot segment, no
/// path parameter. Two readers of a path that has a second spelling might disagree about what it names.
fn is_canonical(path: &str) -> bool {
    if path == "/" {
        return true;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments_fit = path.split('/').skip(1).all(|segment| {
        !segment.is_empty() && segment != "." && segment != ".." && !segment.contains(';')
    });
    segments_fit && !path.contains('\\') && encodings_fit(path.as_bytes())
}

fn encodings_fit(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let digits = rest
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return false;
        };
        let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if unreserved || matches!(byte, b'/' | b'\\' | b'%' | b';') || byte.is_ascii_control() {
            return false;
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_told_to_come_again() {
        let bare = Request::new(Body::empty());
        let late = in_time(time_for(&bare), std::future::pending()).await;
        assert!(late.is_none());
        let late = come_again();
        assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(late.headers().contains_key(RETRY_AFTER));

        let with_body = time_for(&Request::new(Body::from("{}")));
        let slow = async {
            tokio::time::sleep(limits::BODY_TIME).await;
            StatusCode::CREATED.into_response()
        };
        let answered = in_time(with_body, slow).await;
        assert_eq!(answered.unwrap().status(), StatusCode::CREATED);
    }

    #[test]
    fn a_path_with_a_second_spelling_is_not_served() {
        for good in [
            "/",
            "/healthz",
            "/scim/v2/vault/Users",
            "/scim/v2/vault/Users/",
            "/scim/v2/vault/Schemas/urn:ietf:params:scim",
            "/a%20b",
        ] {
            assert!(is_canonical(good), "{good}");
        }
        for bad in [
            "//scim",
            "/scim//v2",
            "/scim/./v2",
            "/scim/../v2",
            "/scim/v2/%55sers",
            "/scim%2fv2",
            "/scim/v2;x=1/vault",
            "/a%2e%2e/b",
            "/a%00",
            "/a%zz",
            "/a%2",
            "/a\\b",
            "/a%255c",
        ] {
            assert!(!is_canonical(bad), "{bad}");
        }
    }
}
