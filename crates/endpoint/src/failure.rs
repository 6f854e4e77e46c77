//! Every way in which a SCIM request can fail, and what the client is told: the one place with status codes.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use rollcall_app::Failure as App;
use rollcall_scim::error::Error;
use rollcall_store as store;
use rollcall_web::body::Unread;
use rollcall_web::rates::Wait;
use serde_json::{Value, json};

/// The media type of every SCIM answer (RFC 7644 §3.1).
pub(crate) const SCIM: HeaderValue = HeaderValue::from_static("application/scim+json");

/// How long a client should wait when the store is out of reach, in seconds.
const STORE_WAIT: u64 = 5;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A use case refused.
    App(App),
    /// The request itself is wrong.
    Scim(Error),
    /// The body could not be read.
    Unread(Unread),
    /// The body is not declared as JSON.
    MediaType,
    /// Too many requests.
    TooMany(Wait),
    /// The path names nothing.
    NoRoute,
    /// The path does not take this method.
    Method,
    /// The feature is not offered.
    NotOffered(&'static str),
    /// The gate refused the request, or it got no answer.
    Refused(StatusCode),
}

impl From<App> for Failure {
    fn from(failure: App) -> Self {
        match failure {
            App::Malformed(error) => Self::Scim(error),
            other => Self::App(other),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Scim(error)
    }
}

/// What a failure becomes on the wire.
pub(crate) struct Wire {
    pub(crate) status: StatusCode,
    scim_type: Option<&'static str>,
    detail: String,
    retry_after: Option<u64>,
}

impl Failure {
    /// Chooses status, scimType and text. What went wrong inside goes to the log, not to the client.
    fn wire(&self) -> Wire {
        let wire = |status, scim_type, detail: String| Wire {
            status,
            scim_type,
            detail,
            retry_after: None,
        };
        match self {
            Self::Scim(error) => {
                let status =
                    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
                wire(status, error.scim_type(), error.detail.clone())
            }
            Self::App(failure) => Self::wire_of(failure),
            Self::Unread(Unread::TooLarge { limit }) => wire(
                StatusCode::PAYLOAD_TOO_LARGE,
                None,
                format!("the body is longer than {limit} bytes"),
            ),
            Self::Unread(Unread::TooSlow) => wire(
                StatusCode::REQUEST_TIMEOUT,
                None,
                "the body did not arrive in time".into(),
            ),
            Self::Unread(Unread::Broken) => wire(
                StatusCode::BAD_REQUEST,
                None,
                "the body could not be read".into(),
            ),
            Self::Unread(Unread::NoRoom) => Self::wire_of(&App::busy()),
            Self::MediaType => wire(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                None,
                "send the body as `application/scim+json` or `application/json`".into(),
            ),
            Self::TooMany(Wait(seconds)) => Wire {
                retry_after: Some(*seconds),
                ..wire(
                    StatusCode::TOO_MANY_REQUESTS,
                    None,
                    format!("too many requests: wait {seconds} s"),
                )
            },
            Self::NoRoute => wire(
                StatusCode::NOT_FOUND,
                None,
                "there is nothing at this path".into(),
            ),
            Self::Method => wire(
                StatusCode::METHOD_NOT_ALLOWED,
                None,
                "this path does not take this method".into(),
            ),
            Self::Refused(status) => Self::wire_of_refusal(*status),
            Self::NotOffered(what) => wire(StatusCode::NOT_IMPLEMENTED, None, (*what).into()),
        }
    }

    fn wire_of_refusal(status: StatusCode) -> Wire {
        let detail = match status {
            StatusCode::NOT_FOUND => return Self::NoRoute.wire(),
            StatusCode::URI_TOO_LONG => "the path and the query are too long together",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                "the header fields are too many or too long"
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                "the request took too long: look what became of it, then repeat it"
            }
            _ => "internal error",
        };
        Wire {
            status,
            scim_type: None,
            detail: detail.into(),
            retry_after: None,
        }
    }

    fn wire_of(failure: &App) -> Wire {
        let detail = failure.to_string();
        let wire = |status, scim_type| Wire {
            status,
            scim_type,
            detail: detail.clone(),
            retry_after: None,
        };
        match failure {
            App::Missing { .. } => wire(StatusCode::NOT_FOUND, None),
            App::Taken { .. } => wire(StatusCode::CONFLICT, Some("uniqueness")),
            App::Precondition => wire(StatusCode::PRECONDITION_FAILED, None),
            App::Unauthenticated { .. } => wire(StatusCode::UNAUTHORIZED, None),
            App::Forbidden { .. } | App::Seats { .. } | App::TrialEnded { .. } => {
                wire(StatusCode::FORBIDDEN, None)
            }
            App::TooMany { seconds } => Wire {
                retry_after: Some(*seconds),
                ..wire(StatusCode::TOO_MANY_REQUESTS, None)
            },
            App::OtherRegion { .. } => wire(StatusCode::MISDIRECTED_REQUEST, None),
            App::Unavailable(store::Error::Busy) => Wire {
                retry_after: Some(STORE_WAIT),
                detail:
                    "too much is asked for at once: try again later, one request after the other"
                        .into(),
                ..wire(StatusCode::SERVICE_UNAVAILABLE, None)
            },
            App::Unavailable(_) => Wire {
                retry_after: Some(STORE_WAIT),
                ..wire(StatusCode::SERVICE_UNAVAILABLE, None)
            },
            App::Malformed(error) => Self::Scim(error.clone()).wire(),
            // the enum may grow in its own crate; what is not known here is our failure, not the client's
            _ => wire(StatusCode::INTERNAL_SERVER_ERROR, None),
        }
    }

    /// Chooses what the client is told, and writes the cause of a failure of ours to the log.
    pub(crate) fn told(&self) -> Wire {
        let wire = self.wire();
        self.log(wire.status);
        wire
    }

    /// Writes the cause of a failure of ours to the log.
    fn log(&self, status: StatusCode) {
        if let Self::App(App::Unavailable(store::Error::Busy)) = self {
            // one who asks for too much is no failure of ours
            tracing::warn!(
                status = status.as_u16(),
                "a request was not let in: its organisation asks for too much at once"
            );
        } else if let Self::App(failure @ (App::Internal(_) | App::Unavailable(_))) = self {
            let causes =
                std::iter::successors(std::error::Error::source(failure), |error| error.source());
            let causes: Vec<String> = causes.map(ToString::to_string).collect();
            tracing::error!(
                status = status.as_u16(),
                causes = causes.join(": "),
                "{failure}"
            );
        }
    }
}

impl Wire {
    /// Returns the error's body (RFC 7644 §3.12).
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({
            "schemas": [rollcall_scim::error::ERROR_SCHEMA],
            "status": self.status.as_str(),
            "detail": self.detail,
        });
        if let (Some(scim_type), Some(fields)) = (self.scim_type, body.as_object_mut()) {
            fields.insert("scimType".into(), scim_type.into());
        }
        body
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let wire = self.told();
        let mut response = (wire.status, wire.body().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, SCIM);
        if wire.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"Rollcall SCIM\""),
            );
        }
        if let Some(seconds) = wire.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_for_the_store_is_told_in_words_that_can_be_acted_on() {
        for (error, status, scim_type, waits, word) in [
            (store::Error::TooLong, 400, Some("tooMany"), false, "index"),
            (store::Error::Busy, 503, None, true, "at once"),
            (
                store::Error::Unreachable("disk full".into()),
                503,
                None,
                true,
                "out of reach",
            ),
        ] {
            let shown = error.to_string();

            let wire = Failure::from(App::from(error)).wire();

            assert_eq!(wire.status.as_u16(), status, "{shown}");
            assert_eq!(wire.scim_type, scim_type, "{shown}");
            assert_eq!(wire.retry_after.is_some(), waits, "{shown}");
            assert!(wire.detail.contains(word), "{shown}: {}", wire.detail);
        }
    }
}
