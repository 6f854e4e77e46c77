//! What is kept of a request and its answer, for whoever looks after a directory. The request does not wait for it.
//!
//! **Is not:** what is masked; that is [`rollcall_app::traffic`]'s, before anything is kept.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use http::header::USER_AGENT;
use http_body::{Frame, SizeHint};
use rollcall_app::traffic::{Answered, BODY_LOOKED_AT, Passed, Whose};
use rollcall_web::gate::Seen;

use crate::Endpoint;

/// Records a request whose token was good, or that was refused for its token. What knocks at no organisation is nobody's, and who
/// knocks too often is not listened to.
pub(crate) async fn note(
    State(endpoint): State<Endpoint>,
    Path(parameters): Path<std::collections::HashMap<String, String>>,
    axum::Extension(Seen { id, address }): axum::Extension<Seen>,
    request: Request,
    next: Next,
) -> Response {
    let (at, begun) = (endpoint.app.now(), std::time::Instant::now());
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let agent = parts
        .headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .map(str::to_owned);
    let asked = Arc::<Mutex<Read>>::default();
    let body = Body::new(Overheard {
        body,
        read: Arc::clone(&asked),
    });
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let whose = match response.extensions_mut().remove::<Whose>() {
        Some(whose) => whose,
        None if response.status() == StatusCode::UNAUTHORIZED => {
            let slug = parameters.get("organisation").map(|slug| slug.parse());
            let Some(Ok(slug)) = slug else {
                return response;
            };
            Whose::Refused(slug)
        }
        None => return response,
    };
    let (parts, body) = response.into_parts();
    // answers are made whole, so that nothing waits here and nothing is copied
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    {
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_about_groups = path
            .get(..7)
            .is_some_and(|path| path.eq_ignore_ascii_case("/groups"));
        endpoint.recorder.record(&Answered {
            request: id,
            at,
            took: begun.elapsed(),
            whose,
            address: address.map(|address| address.to_string()),
            agent: agent.as_deref(),
            method: method.as_str(),
            path: &path,
            status: parts.status.as_u16(),
            asked: Some(Passed {
                bytes: &asked.bytes,
                is_whole: asked.is_whole,
                may_hold_passwords: !is_about_groups,
            }),
            answered: Some(Passed {
                bytes: bytes.get(..BODY_LOOKED_AT).unwrap_or(&bytes),
                is_whole: bytes.len() <= BODY_LOOKED_AT,
                may_hold_passwords: false,
            }),
        });
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// The beginning of a body that somebody reads.
#[derive(Debug, Default)]
struct Read {
    bytes: Vec<u8>,
    /// Whether it went on behind what is kept.
    is_cut: bool,
    is_whole: bool,
}

/// A body whose beginning is kept while it is read.
#[derive(Debug)]
struct Overheard {
    body: Body,
    read: Arc<Mutex<Read>>,
}

impl http_body::Body for Overheard {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    let room = BODY_LOOKED_AT - read.bytes.len();
                    read.bytes
                        .extend_from_slice(data.get(..room).unwrap_or(data));
                    read.is_cut |= data.len() > room;
                }
            }
            // who reads on to the end sees it here; a frame may be known to be the last before
            Poll::Ready(None) => read.is_whole = !read.is_cut,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
