//! What every request goes through before a surface sees it: an id, the size of its head, one spelling of its path. And what happens to
//! it there: it is counted, it has an end, and a failure of ours is its own.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::header::{CONNECTION, EXPECT, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode, Version};
use http_body::Body as _;
use rollcall_app::App;
use rollcall_model::RequestId;
use tracing::Instrument;

use crate::figures::{Figures, Surface};
use crate::proxies::Proxies;
use crate::room::Room;
use crate::table::{self, Routes};
use crate::{body, limits};

/// The header that carries the request's id in every answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How the gate's refusals look at each surface. They say no more than the status.
pub type Form = fn(Surface, StatusCode) -> Response;

/// What is known of a request before anything of it was believed.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Its id; ours, never the client's.
    pub id: RequestId,
    /// The address that it comes from: the other end of the connection, or whom a trusted proxy there asks for.
    pub address: Option<IpAddr>,
}

/// What stands at the gate.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Gives ids.
    pub app: App,
    /// Counts.
    pub figures: Arc<Figures>,
    /// Whose word about addresses is taken.
    pub proxies: Arc<Proxies>,
    /// Where bodies find room; handlers find it in a request's extensions.
    pub room: Arc<Room>,
    /// How refusals look.
    pub form: Form,
}

impl Gate {
    /// Stands before routes: what it refuses is never compared with one of them. `within` is put between the two.
    pub fn before(self, routes: Routes, within: impl FnOnce(Router) -> Router) -> Router {
        let counted = routes
            .into_router()
            .layer(from_fn_with_state(self.clone(), count));
        table::before(within(counted)).layer(from_fn_with_state(self, enter))
    }
}

/// Gives the request its id and refuses what is too long or has a second spelling.
async fn enter(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let id = gate.app.new_request_id();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = peer.map(|info| gate.proxies.client(info.0.ip(), request.headers()));
    request.extensions_mut().insert(Seen { id, address });
    request.extensions_mut().insert(Arc::clone(&gate.room));
    let is_alone = request.version() < Version::HTTP_2;
    // who waits to be asked for the body is not asked for one that nobody wants
    let waits = request.headers().contains_key(EXPECT);
    let rest = (is_alone && !request.body().is_end_stream()).then(|| body::lend(&mut request));
    let mut response = if let Some(status) = refusal(&request) {
        let path = request.uri().path();
        let asked = gate.figures.begin(None, path, request.method());
        asked.answered(status, false);
        tracing::debug!(%id, %path, status = status.as_u16(), "refused at the gate");
        (gate.form)(Surface::of(path), status)
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(
        http::header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    );
    // otherwise the connection would be closed without a word, and the client's next request would be lost on it
    if let Some(rest) = rest
        && (waits || !rest.finish().await)
    {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// Counts the request, and sees to it that it is answered: in time, and whatever its handler does.
async fn count(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Gate { figures, form, .. } = gate;
    let path = request.uri().path();
    let surface = Surface::of(path);
    let route = request.extensions().get::<MatchedPath>();
    let asked = figures.begin(route.map(MatchedPath::as_str), path, request.method());
    let span = match request.extensions().get::<Seen>() {
        Some(Seen { id, .. }) => {
            tracing::info_span!("request", %id, method = %request.method(), %path)
        }
        None => tracing::Span::none(),
    };
    let time = time_for(&request);
    let ended = in_time(time, caught(next.run(request)))
        .instrument(span.clone())
        .await;
    let is_late = matches!(ended, Err(Unanswered::Late));
    let response = ended.unwrap_or_else(|unanswered| unanswered.told(surface, form));
    asked.answered(response.status(), is_late);
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "answered"));
    response
}

/// Why a handler gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unanswered {
    /// Its time was up.
    Late,
    /// It panicked.
    Broken,
}

impl Unanswered {
    fn told(self, surface: Surface, form: Form) -> Response {
        match self {
            Self::Late => {
                let mut response = form(surface, StatusCode::SERVICE_UNAVAILABLE);
                let wait = HeaderValue::from(limits::REQUEST_WAIT);
                response.headers_mut().insert(RETRY_AFTER, wait);
                response
            }
            Self::Broken => form(surface, StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// Waits for an answer, and catches a panic on the way: it ends this request, and neither the connection nor the others on it.
async fn caught<T>(answer: impl Future<Output = T>) -> Result<T, Unanswered> {
    let mut answer = pin!(answer);
    // after a panic it is not asked again; what it shares with others is locked against halves of changes, or is the store's
    let polled = std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)))
            .map_or(Poll::Ready(None), |polled| polled.map(Some))
    });
    let answered = polled.await;
    if answered.is_none() {
        tracing::error!("a handler panicked; its request is answered with 500");
    }
    answered.ok_or(Unanswered::Broken)
}

/// Returns how long a request may take: its body, if it has one, and the work.
fn time_for(request: &Request) -> Duration {
    if request.body().is_end_stream() {
        limits::REQUEST_TIME
    } else {
        limits::BODY_TIME + limits::REQUEST_TIME
    }
}

/// Waits for an answer as long as may be. What was asked to be written by then may still be written: the client has to look.
async fn in_time<T>(
    time: Duration,
    answer: impl Future<Output = Result<T, Unanswered>>,
) -> Result<T, Unanswered> {
    let answer = tokio::time::timeout(time, answer).await;
    if answer.is_err() {
        tracing::warn!("a request took longer than {} s", time.as_secs());
    }
    answer.unwrap_or(Err(Unanswered::Late))
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
    use axum::response::IntoResponse;

    use super::*;

    fn bare(_: Surface, status: StatusCode) -> Response {
        status.into_response()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_told_to_come_again() {
        let request = Request::new(Body::empty());
        let late = in_time(time_for(&request), std::future::pending::<Result<(), _>>()).await;
        assert_eq!(late, Err(Unanswered::Late));
        let late = Unanswered::Late.told(Surface::Scim, bare);
        assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(late.headers().contains_key(RETRY_AFTER));

        let with_body = time_for(&Request::new(Body::from("{}")));
        let slow = async {
            tokio::time::sleep(limits::BODY_TIME).await;
            Ok(StatusCode::CREATED)
        };
        let answered = in_time(with_body, slow).await;
        assert_eq!(answered, Ok(StatusCode::CREATED));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_of_its_own_request() {
        let panics = async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        };

        assert_eq!(caught::<()>(panics).await, Err(Unanswered::Broken));
        assert_eq!(caught(async { 1 }).await, Ok(1));
        let told = Unanswered::Broken.told(Surface::Console, bare);
        assert_eq!(told.status(), StatusCode::INTERNAL_SERVER_ERROR);
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
