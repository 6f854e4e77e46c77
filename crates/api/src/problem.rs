//! Every way in which a request can fail, and what the program is told (RFC 9457): the one place with status codes.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use rollcall_app::cursors::NoPage;
use rollcall_app::{Failure, StoreError};
use rollcall_model::{KeyRole, RequestId};
use rollcall_web::body::Unread;
use rollcall_web::rates::Wait;
use serde_json::json;

/// How long a program should wait when the store is out of reach, in seconds.
const STORE_WAIT: u64 = 5;
/// The media type of every problem (RFC 9457 §3).
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Problem {
    /// A use case refused.
    App(Failure),
    /// The request itself is wrong: says what is, and what to do.
    Wrong(String),
    /// The cursor opens no page.
    Cursor(NoPage),
    /// The body could not be read.
    Unread(Unread),
    /// The body is not declared as JSON.
    MediaType,
    /// The key may not do this; it would take this role.
    Role(KeyRole),
    /// Too many requests.
    TooMany(Wait),
    /// Too many requests wait for events.
    Crowded,
    /// The path names nothing.
    NoRoute,
    /// The path does not take this method.
    Method,
    /// The gate refused the request, or it got no answer.
    Refused(StatusCode),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::App(failure)
    }
}

impl From<NoPage> for Problem {
    fn from(refused: NoPage) -> Self {
        Self::Cursor(refused)
    }
}

/// What a problem becomes on the wire.
struct Wire {
    status: StatusCode,
    /// The end of its type, which programs compare: `urn:rollcall:problem:` and this word.
    word: &'static str,
    detail: String,
    retry_after: Option<u64>,
}

impl Problem {
    /// Chooses status, type and text. What went wrong inside goes to the log, not to the program.
    fn wire(&self) -> Wire {
        let wire = |status, word, detail: &str| Wire {
            status,
            word,
            detail: detail.to_owned(),
            retry_after: None,
        };
        match self {
            Self::App(failure) => Self::wire_of(failure),
            Self::Wrong(detail) => wire(StatusCode::BAD_REQUEST, "invalid", detail),
            Self::Cursor(refused) => wire(StatusCode::BAD_REQUEST, "cursor", &refused.to_string()),
            Self::Unread(Unread::TooLarge { limit }) => wire(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                &format!("the body is longer than {limit} bytes"),
            ),
            Self::Unread(Unread::TooSlow) => wire(
                StatusCode::REQUEST_TIMEOUT,
                "too-slow",
                "the body did not arrive in time: send it again",
            ),
            Self::Unread(Unread::NoRoom) => Self::wire_of(&Failure::busy()),
            Self::Unread(Unread::Broken) => wire(
                StatusCode::BAD_REQUEST,
                "invalid",
                "the body could not be read: send it again",
            ),
            Self::MediaType => wire(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "send the body as `application/json`",
            ),
            Self::Role(role) => wire(
                StatusCode::FORBIDDEN,
                "role",
                &format!("this API key may only read: use one with the role `{role}`"),
            ),
            Self::TooMany(Wait(seconds)) => Wire {
                retry_after: Some(*seconds),
                ..wire(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too-many",
                    &format!("too many requests: wait {seconds} s"),
                )
            },
            Self::Crowded => Wire {
                retry_after: Some(STORE_WAIT),
                ..wire(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "too many requests wait for events: try again later, or ask without `wait`",
                )
            },
            Self::NoRoute => wire(
                StatusCode::NOT_FOUND,
                "not-found",
                "there is nothing at this path: `/api/openapi.json` lists what there is",
            ),
            Self::Method => wire(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "this path does not take this method: `/api/openapi.json` lists what it takes",
            ),
            Self::Refused(status) => Self::wire_of_refusal(*status),
        }
    }

    fn wire_of_refusal(status: StatusCode) -> Wire {
        let (word, detail) = match status {
            StatusCode::NOT_FOUND => return Self::NoRoute.wire(),
            StatusCode::URI_TOO_LONG => (
                "too-large",
                "the path and the query are too long together: ask for less at once",
            ),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                ("too-large", "the header fields are too many or too long")
            }
            StatusCode::SERVICE_UNAVAILABLE => (
                "unavailable",
                "the request took too long: look what became of it, then repeat it",
            ),
            _ => ("internal", "internal error"),
        };
        Wire {
            status,
            word,
            detail: detail.to_owned(),
            retry_after: None,
        }
    }

    fn wire_of(failure: &Failure) -> Wire {
        let wire = |status, word| Wire {
            status,
            word,
            detail: failure.to_string(),
            retry_after: None,
        };
        match failure {
            Failure::Malformed(error) => Wire {
                detail: error.detail.clone(),
                ..wire(StatusCode::BAD_REQUEST, "invalid")
            },
            Failure::Missing { .. } => wire(StatusCode::NOT_FOUND, "not-found"),
            Failure::Taken { .. } => wire(StatusCode::CONFLICT, "taken"),
            Failure::Precondition => Wire {
                detail: "it changed since you read it: read it again and repeat the change"
                    .to_owned(),
                ..wire(StatusCode::CONFLICT, "changed")
            },
            Failure::Unauthenticated { .. } => wire(StatusCode::UNAUTHORIZED, "unauthenticated"),
            Failure::Forbidden { .. } => wire(StatusCode::FORBIDDEN, "forbidden"),
            Failure::Seats { .. } => wire(StatusCode::FORBIDDEN, "seats"),
            Failure::TrialEnded { .. } => wire(StatusCode::FORBIDDEN, "trial-ended"),
            Failure::TooMany { seconds } => Wire {
                retry_after: Some(*seconds),
                ..wire(StatusCode::TOO_MANY_REQUESTS, "too-many")
            },
            Failure::OtherRegion { .. } => wire(StatusCode::MISDIRECTED_REQUEST, "other-region"),
            Failure::Principals(_) => wire(StatusCode::BAD_REQUEST, "invalid"),
            Failure::Configuration(_) => wire(StatusCode::CONFLICT, "configuration"),
            Failure::Unavailable(StoreError::Busy) => Wire {
                retry_after: Some(STORE_WAIT),
                detail:
                    "too much is asked for at once: try again later, one request after the other"
                        .to_owned(),
                ..wire(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            },
            Failure::Unavailable(_) => Wire {
                retry_after: Some(STORE_WAIT),
                ..wire(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            },
            // the enum may grow in its own crate; what is not known here is our failure, not the program's
            _ => wire(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// Makes the answer, with the id of the request; and writes the cause of a failure of ours to the log.
    pub(crate) fn told(&self, request: Option<RequestId>) -> Response {
        let wire = self.wire();
        self.log(wire.status);
        let title = wire.status.canonical_reason().unwrap_or_default();
        let mut body = json!({
            "type": format!("urn:rollcall:problem:{}", wire.word),
            "title": title,
            "status": wire.status.as_u16(),
            "detail": wire.detail,
        });
        if let (Some(request), Some(fields)) = (request, body.as_object_mut()) {
            fields.insert("requestId".to_owned(), request.to_string().into());
        }
        let mut response = (wire.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM);
        let challenge = match self {
            _ if wire.status == StatusCode::UNAUTHORIZED => Some("Bearer realm=\"Rollcall API\""),
            // RFC 6750 §3.1
            Self::Role(_) => Some(
                "Bearer realm=\"Rollcall API\", error=\"insufficient_scope\", scope=\"manage\"",
            ),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = wire.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    /// Writes the cause of a failure of ours to the log.
    fn log(&self, status: StatusCode) {
        if !status.is_server_error() || matches!(self, Self::Crowded | Self::Refused(_)) {
            return;
        }
        match self {
            Self::App(Failure::Unavailable(StoreError::Busy)) => {
                tracing::debug!("the store has too much to do");
            }
            Self::App(failure) => {
                let cause = std::error::Error::source(failure);
                let cause = cause.map(ToString::to_string).unwrap_or_default();
                tracing::error!(%failure, %cause, "a request of the API failed");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_to_do_and_nothing_of_what_is_inside() {
        for (problem, status, word, waits) in [
            (Problem::Wrong("say x".into()), 400, "invalid", false),
            (Problem::Cursor(NoPage::TooOld), 400, "cursor", false),
            (Problem::Role(KeyRole::Manage), 403, "role", false),
            (Problem::TooMany(Wait(3)), 429, "too-many", true),
            (Problem::from(Failure::Precondition), 409, "changed", false),
            (
                Failure::from(StoreError::Unreachable("secret path".into())).into(),
                503,
                "unavailable",
                true,
            ),
            (
                Failure::Internal("secret path".into()).into(),
                500,
                "internal",
                false,
            ),
        ] {
            let wire = problem.wire();

            assert_eq!((wire.status.as_u16(), wire.word), (status, word));
            assert_eq!(wire.retry_after.is_some(), waits, "{word}");
            assert!(!wire.detail.contains("secret"), "{}", wire.detail);
        }
    }
}
