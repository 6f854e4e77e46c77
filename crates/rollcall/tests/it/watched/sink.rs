//! A collector for tests: takes spans over OTLP, and shows them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span as Wire;
use prost::Message;

use super::PATIENCE;
use rollcall_web::table::{Entry, Public, Table};

/// A span that was sent.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) events: usize,
}

impl Span {
    fn of(wire: Wire) -> Self {
        let hex = |bytes: &[u8]| {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            digits.concat()
        };
        let attributes = wire.attributes.into_iter().map(|attribute| {
            let text = match attribute.value.and_then(|value| value.value) {
                Some(Value::StringValue(text)) => text,
                other => format!("{other:?}"),
            };
            (attribute.key, text)
        });
        Self {
            name: wire.name,
            trace: hex(&wire.trace_id),
            id: hex(&wire.span_id),
            parent: hex(&wire.parent_span_id),
            attributes: attributes.collect(),
            events: wire.events.len(),
        }
    }
}

/// A collector.
#[derive(Debug, Clone, Default)]
pub(super) struct Sink(Arc<Mutex<Vec<Span>>>);

impl Sink {
    /// Starts one; returns its base URL, too.
    pub(super) async fn start() -> (Self, String) {
        let sink = Self::default();
        let table = Table::new(vec![Entry::post("/v1/traces", Public, take)]);
        let routes = table.guarded(sink.clone(), |Public, handler| handler);
        let router = routes.into_router();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (sink, url)
    }

    /// Returns everything that was sent.
    pub(super) fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for the first span that is like this.
    pub(super) async fn wait_for(&self, is_it: impl Fn(&Span) -> bool) -> Span {
        let begun = Instant::now();
        loop {
            if let Some(found) = self.spans().into_iter().find(|span| is_it(span)) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{:#?}", self.spans());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn take(State(sink): State<Sink>, headers: axum::http::HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = request
        .resource_spans
        .into_iter()
        .flat_map(|spans| spans.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans).map(Span::of);
    sink.0.lock().unwrap().extend(spans);
}
