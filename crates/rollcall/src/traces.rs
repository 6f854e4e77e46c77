//! Logs to stderr, and traces to an OpenTelemetry collector (OTLP over HTTP, protobuf).
//!
//! **Is:** what is set up once at the start of `serve`, how the trace of a caller is continued, and how it goes on to targets.
//! **Is not:** spans. Each crate makes its own, with the target [`TRACE`]; only those are sent, so that what is written to logs never
//! leaves the house by accident.
//!
//! A collector that is slow or gone costs spans, and nothing else: they wait in a queue with an end, which a thread of its own empties.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Method};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rollcall_connect::client::{Client, Options};
use rollcall_connect::guard::Reach;
use rollcall_observe::{Counter, TRACE};
use rollcall_web::figures::{Surface, UNMATCHED};
use rollcall_web::gate::Seen;
use tokio::runtime::Handle;
use tracing::Instrument;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{EnvFilter, FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Config;
use crate::outcome::Trouble;

/// How long a collector may take for a batch. Nobody waits for it, but those that follow.
const EXPORT: Duration = Duration::from_secs(5);
/// How long a stopping server waits for the last batch.
const FLUSH: Duration = Duration::from_secs(3);

/// Sends spans to a collector.
#[derive(Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    figures: Arc<Figures>,
}

/// What was sent to a collector.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Batches that it took.
    pub(crate) sent: Counter,
    /// Batches that it did not take; they are lost.
    pub(crate) failed: Counter,
}

/// Begins to write logs, and to send traces where the configuration names a collector. `ROLLCALL_LOG` chooses how much is logged
/// (`info`, `rollcall=debug`, …), `ROLLCALL_LOG_FORMAT=json` makes an object of each line, `ROLLCALL_TRACES` how much is traced (`info`, or `debug` with every request to a target and every unit of
/// storage).
pub(crate) fn begin(config: &Config) -> anyhow::Result<Option<Traces>> {
    let filter = EnvFilter::try_from_env("ROLLCALL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let is_log = filter_fn(|metadata| metadata.target() != TRACE);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match std::env::var("ROLLCALL_LOG_FORMAT").as_deref() {
        Ok("json") => lines.json().flatten_event(true).boxed(),
        _ => lines.boxed(),
    };
    let logs = lines.with_filter(filter.and(is_log));
    let traces = match &config.otlp_endpoint.value {
        Some(endpoint) => Some(Traces::to(endpoint)?),
        None => None,
    };
    let sending = traces.as_ref().map(|traces| {
        let level = match std::env::var("ROLLCALL_TRACES").as_deref() {
            Ok("debug") => LevelFilter::DEBUG,
            _ => LevelFilter::INFO,
        };
        tracing_opentelemetry::layer()
            .with_tracer(traces.provider.tracer("rollcall"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TRACE, level))
    });
    drop(
        tracing_subscriber::registry()
            .with(logs)
            .with(sending)
            .try_init(),
    );
    Ok(traces)
}

impl Traces {
    /// Sends to the collector at a base URL.
    fn to(endpoint: &str) -> anyhow::Result<Self> {
        let figures = Arc::<Figures>::default();
        let client = Client::with(&Options {
            connect: EXPORT,
            silence: EXPORT,
            total: EXPORT,
            // the collector is the operator's own word, and nobody else's
            ..Options::of(Reach::Anywhere)
        })?;
        let courier = Courier {
            client,
            runtime: Handle::current(),
            figures: Arc::clone(&figures),
            is_lost: AtomicBool::new(false),
        };
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(courier)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .build()
            .map_err(|error| Trouble::wrong(format!("traces cannot be sent: {error}")))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("rollcall");
        }
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.with_attribute(version).build())
            .build();
        Ok(Self { provider, figures })
    }

    pub(crate) fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Sends what is left, for a while.
    pub(crate) async fn flush(self) {
        let provider = self.provider;
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        if !matches!(flushed.await, Ok(Ok(()))) {
            tracing::warn!("the last spans were not sent");
        }
    }
}

/// Takes batches to the collector, on the runtime of the server. The thread that calls it belongs to the batches alone.
#[derive(Debug)]
struct Courier {
    client: Client,
    runtime: Handle,
    figures: Arc<Figures>,
    /// Whether the last batch was lost: it is said once, not every five seconds.
    is_lost: AtomicBool,
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let (head, body) = request.into_parts();
        let sent = self.runtime.spawn(async move {
            let url = head.uri.to_string();
            client.post(&url, head.headers, body.to_vec()).await
        });
        let sent: Result<u16, HttpError> = match sent.await {
            Ok(Ok(status @ 200..300)) => Ok(status),
            Ok(Ok(status)) => Err(format!("it answers {status}").into()),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        };
        self.note(sent.as_ref().err());
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = http::StatusCode::from_u16(sent?)?;
        Ok(response)
    }
}

impl Courier {
    fn note(&self, error: Option<&HttpError>) {
        let was_lost = self.is_lost.swap(error.is_some(), Ordering::Relaxed);
        match error {
            None => {
                self.figures.sent.increment();
                if was_lost {
                    tracing::info!("the collector takes traces again");
                }
            }
            Some(error) => {
                self.figures.failed.increment();
                if !was_lost {
                    tracing::warn!(%error, "the collector does not take traces: they are lost until it does");
                }
            }
        }
    }
}

/// Makes a span of a request, which continues the trace of whoever asks. What only looks whether the server is up is left out.
pub(crate) async fn continued(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or(UNMATCHED, MatchedPath::as_str);
    if Surface::of(route) == Surface::Health {
        return next.run(request).await;
    }
    let method = known(request.method());
    let span = tracing::info_span!(
        target: TRACE,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        rollcall.request.id = Empty,
    );
    let parent = TraceContextPropagator::new().extract(&Headers(request.headers()));
    // refused where nobody listens to the span
    drop(span.set_parent(parent));
    if let Some(Seen { id, .. }) = request.extensions().get::<Seen>() {
        span.record("rollcall.request.id", tracing::field::display(id));
    }
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// Returns a method that is known; a stranger may send any word.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

struct Headers<'a>(&'a http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Returns the header by which a request that goes out now continues the trace that is under way.
pub(crate) fn traceparent() -> Option<HeaderValue> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    if !span.is_valid() {
        return None;
    }
    let flags = span.trace_flags().to_u8();
    let text = format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id());
    HeaderValue::from_str(&text).ok()
}
