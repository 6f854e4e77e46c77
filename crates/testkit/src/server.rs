//! Connections: HTTP/1.1, each request to the [`World`] and its answer back, or whatever the fault makes of it.
//!
//! **Is not:** careful. It trusts its clients, which are tests.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, IF_MATCH, RETRY_AFTER,
};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::behaviour::Fault;
use crate::protocol::World;
use crate::request::{Answer, Request};
use crate::target::Observer;

/// What the server shares with whoever holds the target.
pub(crate) struct Shared {
    world: Mutex<World>,
    /// Whether requests wait.
    pub(crate) paused: watch::Sender<bool>,
    observer: Option<Observer>,
}

impl Shared {
    pub(crate) fn new(world: World, observer: Option<Observer>) -> Self {
        Self {
            world: Mutex::new(world),
            paused: watch::Sender::new(false),
            observer,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // a connection that a fault ended, or a client that left
    drop(connection);
}

/// Answers a request; an error ends the connection without an answer.
async fn answer(
    request: hyper::Request<Incoming>,
    shared: Arc<Shared>,
) -> io::Result<hyper::Response<Cut>> {
    let request = read(request).await?;
    let mut paused = shared.paused.subscribe();
    paused
        .wait_for(|paused| !paused)
        .await
        .map_err(io::Error::other)?;
    let (answer, recorded) = shared.world().answer(request);
    if let Some(observer) = &shared.observer {
        observer(&recorded);
    }
    match (answer, recorded.fault) {
        (_, Some(Fault::Silence { .. })) => std::future::pending().await,
        (None, _) => Err(io::ErrorKind::ConnectionReset.into()),
        (Some(answer), Some(Fault::Slow { milliseconds })) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            response(answer, false)
        }
        (Some(answer), fault) => response(answer, fault == Some(Fault::TruncatedBody)),
    }
}

async fn read(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let header = |name: HeaderName| {
        let value = head.headers.get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    Ok(Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        authorization: header(AUTHORIZATION),
        if_match: header(IF_MATCH),
        body: body.to_vec(),
    })
}

fn response(answer: Answer, is_cut: bool) -> io::Result<hyper::Response<Cut>> {
    let mut response = hyper::Response::builder().status(answer.status);
    if answer.status != 204 {
        response = response
            .header(CONTENT_TYPE, answer.content_type)
            .header(CONTENT_LENGTH, answer.body.len());
    }
    if let Some(seconds) = answer.retry_after {
        response = response.header(RETRY_AFTER, seconds);
    }
    let mut bytes = Bytes::from(answer.body);
    if is_cut {
        bytes.truncate(bytes.len() / 2);
    }
    let body = Cut {
        bytes: Some(bytes).filter(|bytes| !bytes.is_empty()),
        breaks_off: is_cut,
        has_rested: false,
    };
    response.body(body).map_err(io::Error::other)
}

/// A body that may break off.
struct Cut {
    bytes: Option<Bytes>,
    breaks_off: bool,
    has_rested: bool,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if !self.breaks_off {
            return Poll::Ready(None);
        }
        // what was written reaches the client before the connection ends
        if !self.has_rested {
            self.has_rested = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
    }
}
