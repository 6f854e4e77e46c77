//! Pages for what does not work: what happened, why, what to do.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use rollcall_app::Failure;

use crate::filters;
use crate::layout::{self, Bare};
use crate::words::sentence;

/// Why a request is not answered with its page. The only place with HTTP status codes for failures of use cases.
#[derive(Debug)]
pub(crate) enum Problem {
    /// A use case did not do it.
    Failure(Failure),
    /// There is no such page.
    NoPage,
    /// The form cannot be used.
    Refused(String),
    /// The form belongs to a session that has ended, or was made too long ago.
    Stale,
    /// The form was sent before.
    SentBefore,
    /// The form was sent by another site.
    Elsewhere,
    /// The gate refused the request, or it got no answer.
    Gate(StatusCode),
    /// Others have so many files made, or so much of the past read, that there is no turn left.
    Busy,
    /// Something is wrong here.
    Internal(&'static str),
}

impl Problem {
    pub(crate) fn internal(what: &'static str) -> Self {
        Self::Internal(what)
    }

    pub(crate) fn refused(why: String) -> Self {
        Self::Refused(why)
    }

    /// Answers that there is no such thing here, alike for what never was and what belongs to others.
    pub(crate) fn missing() -> Self {
        Self::NoPage
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What a page of a problem says.
struct Said {
    status: StatusCode,
    title: String,
    text: String,
    retry_after: Option<u64>,
}

impl Problem {
    fn said(&self) -> Said {
        let said = |status, title: &str, text: String| Said {
            status,
            title: title.to_owned(),
            text,
            retry_after: None,
        };
        match self {
            Self::Failure(failure) => Self::said_of(failure),
            Self::NoPage => said(
                StatusCode::NOT_FOUND,
                "There is no such page",
                "It may have been deleted, or the address was not copied whole.".to_owned(),
            ),
            Self::Refused(why) => said(StatusCode::BAD_REQUEST, "This was not done", sentence(why)),
            Self::Stale => said(
                StatusCode::FORBIDDEN,
                "This form is too old",
                "You were signed out meanwhile, or signed in anew in another tab. Nothing was changed. Go back, load the page again, and repeat it.".to_owned(),
            ),
            Self::SentBefore => said(
                StatusCode::CONFLICT,
                "This was sent already",
                "The form was sent twice, and was carried out once. Look at the page that it belongs to.".to_owned(),
            ),
            Self::Elsewhere => said(
                StatusCode::FORBIDDEN,
                "This form came from another site",
                "Forms are taken from this console alone. Nothing was changed.".to_owned(),
            ),
            Self::Busy => Said {
                retry_after: Some(30),
                ..said(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Too much is being read at once",
                    "Others have files made, look at the past, or take changes back. Try again in half a minute.".to_owned(),
                )
            },
            Self::Gate(StatusCode::NOT_FOUND) => Self::NoPage.said(),
            Self::Gate(status) if status.is_client_error() => said(
                *status,
                "This request is too long",
                "The address, or what the browser sent with it, is longer than this server takes.".to_owned(),
            ),
            Self::Gate(StatusCode::SERVICE_UNAVAILABLE) => said(
                StatusCode::SERVICE_UNAVAILABLE,
                "This took too long",
                "It may have been done all the same: look before you repeat it.".to_owned(),
            ),
            Self::Gate(_) | Self::Internal(_) => said(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something is wrong with this server",
                "It was noted in the server's log under the number below.".to_owned(),
            ),
        }
    }

    fn said_of(failure: &Failure) -> Said {
        let text = sentence(&failure.to_string());
        let said = |status, title: &str| Said {
            status,
            title: title.to_owned(),
            text: text.clone(),
            retry_after: None,
        };
        match failure {
            Failure::Missing { .. } => said(StatusCode::NOT_FOUND, "There is no such thing here"),
            Failure::Malformed(_) | Failure::Principals(_) | Failure::Configuration(_) => {
                said(StatusCode::UNPROCESSABLE_ENTITY, "This cannot be done so")
            }
            Failure::Taken { .. } | Failure::Precondition => {
                said(StatusCode::CONFLICT, "Somebody was faster")
            }
            Failure::Unauthenticated { .. } => {
                said(StatusCode::UNAUTHORIZED, "You are not signed in")
            }
            Failure::Forbidden { .. } | Failure::Seats { .. } | Failure::TrialEnded { .. } => {
                said(StatusCode::FORBIDDEN, "This is not allowed")
            }
            Failure::OtherRegion { .. } => {
                said(StatusCode::MISDIRECTED_REQUEST, "This is another region")
            }
            Failure::TooMany { seconds } => Said {
                retry_after: Some(*seconds),
                ..said(StatusCode::TOO_MANY_REQUESTS, "Too many attempts")
            },
            failure if failure.is_busy() => Said {
                retry_after: Some(5),
                text: "Nothing was changed. Try again in a few seconds.".to_owned(),
                ..said(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Too much is asked for at once",
                )
            },
            Failure::Unavailable(_) => Said {
                retry_after: Some(5),
                text: "Nothing was changed. Try again in a few seconds.".to_owned(),
                ..said(StatusCode::SERVICE_UNAVAILABLE, "The store does not answer")
            },
            _ => Self::Internal("").said(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match &self {
            Self::Failure(failure @ (Failure::Internal(_) | Failure::Unavailable(_))) => {
                let cause = std::error::Error::source(failure).map(ToString::to_string);
                tracing::error!(%failure, ?cause, "a page could not be made");
            }
            Self::Internal(what) => tracing::error!(what, "a page could not be made"),
            _ => {}
        }
        let Said {
            status,
            title,
            text,
            retry_after,
        } = self.said();
        let page = ProblemPage {
            bare: Bare::new(&title),
            title,
            text,
        };
        let mut response = layout::rendered(&page);
        *response.status_mut() = status;
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    bare: Bare,
    title: String,
    text: String,
}

/// Answers for an address that no page has.
pub(crate) async fn no_page() -> Problem {
    Problem::NoPage
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    let page = ProblemPage {
        bare: Bare::new("There is no such page"),
        title: "There is no such page".to_owned(),
        text: "It may have been deleted, or the address was not copied whole.".to_owned(),
    };
    vec![("problem".to_owned(), page.render().unwrap_or_default())]
}
