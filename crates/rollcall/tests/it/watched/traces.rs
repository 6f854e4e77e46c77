//! Traces: continued from the caller to the target, without names, and without a price when the collector is gone.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use super::sink::{Sink, Span};
use super::{Watched, stop};
use crate::support::answer;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const POST: &str = "POST /scim/v2/{organisation}/Users";

fn collector(url: &str) -> [(&str, &str); 2] {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        // what has been done is sent soon
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_continues_the_trace_of_its_sender_and_tells_no_names() {
    let (sink, url) = Sink::start().await;
    let mut watched = Watched::started(&collector(&url));
    let body = json!({"userName": "ann@secret.example", "password": "correct-horse-battery"});
    let request = watched
        .vault
        .request("POST", "/Users?x=queried")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .header("content-type", "application/scim+json")
        .body(body.to_string());

    let answered = answer(request).await.is(201);
    let span = sink.wait_for(|span| span.name == POST).await;
    answer(watched.vault.request("GET", "/Users")).await.is(200);
    let answered_id = answered.headers["x-request-id"].to_str().unwrap();
    stop(&mut watched.server);

    assert_eq!((span.trace.as_str(), span.parent.as_str()), (TRACE, CALLER));
    let attribute = |name: &str| span.attributes.get(name).map(String::as_str);
    assert_eq!(
        attribute("http.route"),
        Some("/scim/v2/{organisation}/Users")
    );
    assert_eq!(attribute("rollcall.request.id"), Some(answered_id));
    assert!(
        attribute("http.response.status_code")
            .unwrap()
            .contains("201")
    );
    // what was done last is sent before the server ends
    let spans = sink.spans();
    let get = spans.iter().find(|span| span.name.starts_with("GET /scim"));
    let get = get.expect("it is sent while the server stops");
    assert!(get.trace != TRACE && get.parent.is_empty(), "{get:?}");
    for span in &spans {
        assert_eq!(span.events, 0, "{span:?}");
        let text = format!("{span:?}");
        for word in [
            "vault",
            "ann@",
            "secret",
            "horse",
            "queried",
            "rc_",
            &answered.id(),
        ] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_is_a_trace_that_goes_on_at_the_target() {
    let (sink, url) = Sink::start().await;
    let detailed = [&collector(&url)[..], &[("ROLLCALL_TRACES", "debug")]].concat();
    let watched = Watched::started(&detailed);

    watched.provision("ann").await;

    let cycle = |span: &Span| span.name == "cycle";
    let ended = sink.wait_for(cycle).await;
    let kind = ended.attributes.get("rollcall.cycle.kind");
    assert_eq!(kind.map(String::as_str), Some("initial"), "{ended:?}");
    let spans = sink.spans();
    let one = |what: &dyn Fn(&Span) -> bool| {
        let found = spans
            .iter()
            .find(|span| span.trace == ended.trace && what(span));
        found.unwrap_or_else(|| panic!("{spans:#?}"))
    };
    // the target is the same server: it continues what it was sent
    let received = one(&|span| span.name == POST);
    let sent = one(&|span| span.id == received.parent);
    assert_eq!(sent.name, "request to the other end");
    assert_eq!(sent.attributes["http.request.method"], "POST");
    assert_eq!(sent.parent, ended.id);
    let written = one(&|span| span.name == "storage write" && span.parent == received.id);
    assert!(
        written.attributes.keys().all(|name| !name.contains("org")),
        "{written:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_continues_the_cycle_also_where_its_requests_are_not_traced() {
    let (sink, url) = Sink::start().await;
    let watched = Watched::started(&collector(&url));

    watched.provision("ann").await;

    let ended = sink.wait_for(|span| span.name == "cycle").await;
    let received = |span: &Span| span.name == POST && span.trace == ended.trace;
    assert_eq!(sink.wait_for(received).await.parent, ended.id);
    let detail =
        |span: &Span| span.name.starts_with("storage") || span.name.starts_with("request to");
    assert!(!sink.spans().iter().any(detail), "{:#?}", sink.spans());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_or_is_gone_slows_and_fails_nothing() {
    // one that takes connections and never says a word, and a place where nobody listens
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = (silent.local_addr().unwrap().port(), Some(silent));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    for (port, _listening) in [silent, (gone.unwrap().port(), None)] {
        let url = format!("http://127.0.0.1:{port}");
        // a queue that is full after the first of many requests
        let small = [
            ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
        ];
        let variables = [&collector(&url)[..], &small, &[("ROLLCALL_RATE", "100000")]].concat();
        let mut watched = Watched::started(&variables);

        let begun = Instant::now();
        let mut slowest = Duration::ZERO;
        for _ in 0..200 {
            let one = Instant::now();
            watched.vault.get("/Users").await.is(200);
            slowest = slowest.max(one.elapsed());
        }
        let all = begun.elapsed();
        let stopped = stop(&mut watched.server);

        println!("{url}: 200 requests in {all:?}, the slowest {slowest:?}; stopped in {stopped:?}");
        // a request that waited for the collector would take its five seconds
        assert!(slowest < Duration::from_secs(3), "{slowest:?}");
        assert!(stopped < Duration::from_secs(15), "{stopped:?}");
    }
}
