//! Serving connections, with the time-outs and bounds that a bare server does not have.
//!
//! There are so many places for connections; one that does nothing must not keep its place. hyper times a request's head from
//! its first bytes on, and HTTP/2 pings find out whether somebody is there at all. What neither of them sees is watched here:
//! who never says a word, or stops in the middle of the first one, and who has had an answer and asks for nothing more.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

use crate::limits;

/// Who reads an answer more slowly than this many bytes in [`Bounds::idle_time`] does not count as reading it. The pings of HTTP/2
/// are far below.
const PROGRESS: u64 = 16 * 1024;

/// How many connections there may be, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at the same time; more wait to be accepted.
    pub connections: u32,
    /// How long a client may take to send a header block, and how long a connection may last without one.
    pub header_time: Duration,
    /// How long a connection may do nothing after its first request.
    pub idle_time: Duration,
    /// How long a stopping server waits for what is in flight.
    pub drain_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: limits::CONNECTIONS,
            header_time: limits::HEADER_TIME,
            idle_time: limits::IDLE_TIME,
            drain_time: limits::DRAIN_TIME,
        }
    }
}

/// Serves `router` on `listener` until `stop` comes true; then takes no new connection and waits for what is in flight, at most
/// [`Bounds::drain_time`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let builder = Arc::new(builder(&bounds));
    let places = Arc::new(Semaphore::new(bounds.connections as usize));
    let (stopping, stops) = watch::channel(false);
    let mut stop = pin!(stop);
    loop {
        let Accepted {
            stream,
            address,
            place,
        } = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // out of file descriptors, for one: breathe, then go on
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let conversation = Conversation {
            builder: Arc::clone(&builder),
            router: router.clone(),
            bounds,
            address,
        };
        let stops = stops.clone();
        tokio::spawn(async move {
            conversation.hold(stream, stops).await;
            drop(place);
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let drained = places.acquire_many(bounds.connections);
    if tokio::time::timeout(bounds.drain_time, drained)
        .await
        .is_err()
    {
        tracing::warn!(
            "some requests were still running after {} s",
            bounds.drain_time.as_secs()
        );
    }
}

struct Accepted {
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(Accepted {
        stream,
        address,
        place,
    })
}

fn builder(bounds: &Bounds) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_time)
        .max_headers(limits::HEADER_FIELDS)
        .max_buf_size(limits::HEADER_BYTES + limits::TARGET_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits::BODY_IDLE)
        .keep_alive_timeout(bounds.header_time)
        .max_concurrent_streams(limits::STREAMS)
        .max_header_list_size(u32::try_from(limits::HEADER_BYTES).unwrap_or(u32::MAX));
    builder
}

/// One connection, from its first byte to its last.
struct Conversation {
    builder: Arc<Builder<TokioExecutor>>,
    router: Router,
    bounds: Bounds,
    address: SocketAddr,
}

impl Conversation {
    async fn hold(self, stream: TcpStream, mut stops: watch::Receiver<bool>) {
        let activity = Arc::new(Activity::default());
        let stream = Watched {
            stream: TokioIo::new(stream),
            activity: Arc::clone(&activity),
        };
        let service = service(self.router, self.address, Arc::clone(&activity));
        let mut connection = pin!(self.builder.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = activity.ceases(&self.bounds) => {
                tracing::debug!(address = %self.address, "an idle connection is closed");
                connection.as_mut().graceful_shutdown();
                // who is not there does not say goodbye, and who never asked for anything is not waited for
                let patience = match activity.events.load(Ordering::Relaxed) {
                    0 => Duration::ZERO,
                    _ => self.bounds.header_time,
                };
                tokio::time::timeout(patience, connection).await.unwrap_or(Ok(()))
            }
            () = async { drop(stops.wait_for(|stopping| *stopping).await) } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(address = %self.address, %error, "a connection broke");
        }
    }
}

/// What happens on a connection.
#[derive(Debug, Default)]
struct Activity {
    /// Requests that are being answered.
    running: AtomicUsize,
    /// Counts each beginning and each end of a request.
    events: AtomicU64,
    /// Bytes written.
    written: AtomicU64,
}

impl Activity {
    /// Returns when nothing happens any more, or nothing happened in the first place.
    async fn ceases(&self, bounds: &Bounds) {
        tokio::time::sleep(bounds.header_time).await;
        let (mut events, mut written) = (0, 0);
        loop {
            let now = (
                self.events.load(Ordering::Relaxed),
                self.written.load(Ordering::Relaxed),
            );
            let is_idle = self.running.load(Ordering::Relaxed) == 0
                && now.0 == events
                && now.1.saturating_sub(written) < PROGRESS;
            if is_idle {
                return;
            }
            (events, written) = now;
            tokio::time::sleep(bounds.idle_time).await;
        }
    }

    fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.events.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }
}

/// A request that is being answered, until it is dropped.
struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.events.fetch_add(1, Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

fn service(
    router: Router,
    address: SocketAddr,
    activity: Arc<Activity>,
) -> impl hyper::service::Service<
    http::Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future = impl Future<Output = Result<axum::response::Response, Infallible>> + Send,
> + Clone {
    hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
        let running = activity.begin();
        request.extensions_mut().insert(ConnectInfo(address));
        let answer = router.clone().oneshot(request);
        async move {
            let answer = answer.await;
            drop(running);
            answer
        }
    })
}

/// A stream that counts what is written to it.
struct Watched {
    stream: TokioIo<TcpStream>,
    activity: Arc<Activity>,
}

impl Watched {
    fn count(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.activity
                .written
                .fetch_add(*bytes as u64, Ordering::Relaxed);
        }
    }
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.count(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::table::{Entry, Public, Table};

    const PATIENCE: Duration = Duration::from_secs(20);
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

    fn bounds() -> Bounds {
        Bounds {
            connections: 4,
            header_time: Duration::from_millis(300),
            idle_time: Duration::from_millis(500),
            drain_time: Duration::from_secs(5),
        }
    }

    /// Starts a server; it stops when the sender is dropped.
    async fn started(
        bounds: Bounds,
    ) -> (
        SocketAddr,
        tokio::sync::oneshot::Sender<()>,
        tokio::task::JoinHandle<()>,
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            "slow"
        };
        let table: Table<(), Public> = Table::new(vec![
            Entry::get("/", Public, async || "here"),
            Entry::get("/slow", Public, slow),
        ]);
        let router = table.guarded((), |Public, handler| handler).into_router();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, router, bounds, async {
            drop(stopped.await);
        }));
        (address, stop, server)
    }

    async fn connected(address: SocketAddr, first: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(first).await.unwrap();
        stream
    }

    async fn asked(address: SocketAddr, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
        let mut stream = connected(address, head.as_bytes()).await;
        let mut answer = String::new();
        let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.expect("an answer in time").unwrap();
        answer
    }

    /// Reads until the server closes the connection.
    async fn closed(mut stream: TcpStream) -> Duration {
        let began = Instant::now();
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        drop(read.expect("the server closes the connection"));
        began.elapsed()
    }

    #[tokio::test]
    async fn connections_that_say_nothing_lock_nobody_out() {
        let (address, _stop, _server) = started(bounds()).await;
        let no_stream = [PREFACE, SETTINGS].concat();
        for first in [
            &b""[..],
            b"P",
            &PREFACE[..23],
            &no_stream,
            b"GET / HTTP/1.1\r\n",
        ] {
            let mut silent = Vec::new();
            for _ in 0..bounds().connections {
                silent.push(connected(address, first).await);
            }

            let answer = asked(address, "/").await;

            assert!(answer.ends_with("here"), "{first:?}: {answer}");
            for stream in silent {
                closed(stream).await;
            }
        }
    }

    #[tokio::test]
    async fn connections_that_ask_for_nothing_are_closed() {
        let (address, _stop, _server) = started(bounds()).await;
        let keep = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
        let one = connected(address, keep).await;
        let other = connected(address, &[PREFACE, SETTINGS].concat()).await;

        let (one, other) = tokio::join!(closed(one), closed(other));

        assert!(one.max(other) < PATIENCE / 2, "{one:?} {other:?}");
    }

    #[tokio::test]
    async fn a_request_that_takes_its_time_is_answered() {
        let (address, stop, server) = started(bounds()).await;
        assert!(asked(address, "/slow").await.ends_with("slow"));

        let last = tokio::spawn(async move { asked(address, "/slow").await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(stop);
        assert!(last.await.unwrap().ends_with("slow"));
        timeout(PATIENCE, server).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_http2_connection_is_closed_some_time_after_its_last_request() {
        let (address, _stop, _server) = started(bounds()).await;
        // GET / of here: indexed fields of the static table, and the authority as a literal
        let head = b"\x82\x86\x84\x41\x04here";
        let frame = [
            &[0, 0, u8::try_from(head.len()).unwrap(), 1, 5, 0, 0, 0, 1][..],
            head,
        ]
        .concat();
        let mut stream = connected(address, &[PREFACE, SETTINGS, &frame].concat()).await;
        let mut seen = Vec::new();
        while !seen.windows(4).any(|part| part == b"here") {
            let mut part = [0; 1_024];
            let count = timeout(PATIENCE, stream.read(&mut part)).await.unwrap();
            let count = count.unwrap();
            assert_ne!(count, 0, "{seen:?}");
            seen.extend_from_slice(&part[..count]);
        }

        let lasted = closed(stream).await;

        assert!(lasted >= Duration::from_millis(200), "{lasted:?}");
    }
}
