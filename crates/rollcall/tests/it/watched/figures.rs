//! `/metrics`: well-formed, true, on its own address only, and explained.

use std::time::Instant;

use serde_json::json;

use super::exposition::Exposition;
use super::{PATIENCE, Watched};
use crate::support::{Scim, answer};

const ON: [(&str, &str); 1] = [("ROLLCALL_METRICS_LISTEN", "127.0.0.1:0")];
const USERS: &str = "/scim/v2/{organisation}/Users";

/// Makes a client without a credential.
fn nobody(base: &str) -> Scim {
    let mut client = Scim::of(base, "");
    client.authorization = None;
    client
}

async fn page(address: &str) -> String {
    let answer = answer(nobody(address).request("GET", "")).await.is(200);
    let kind = answer.headers["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    answer.body.as_str().unwrap().to_owned()
}

async fn figures(watched: &Watched) -> Exposition {
    Exposition::read(&page(watched.figures().unwrap()).await)
}

#[track_caller]
fn assert_is(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[tokio::test]
async fn figures_are_well_formed_and_move_with_what_is_done() {
    let watched = Watched::started(&ON);
    let vault = &watched.vault;
    let before = figures(&watched).await;

    for name in ["ann", "bob", "cleo"] {
        vault.person(name).await;
    }
    vault
        .post("/Users", json!({"userName": "ann"}))
        .await
        .is(409);
    vault.get("/Users?filter=userName eq \"ann\"").await.is(200);
    let stranger = Scim::of(&vault.base, "rc_wrong");
    stranger.get("/Users").await.is(401);
    let large = "x".repeat(2 * 1024 * 1024);
    vault
        .post("/Users", json!({"userName": large}))
        .await
        .is(413);
    vault
        .get(&format!("/Users?filter={}", "x".repeat(9_000)))
        .await;
    for path in ["/wp-login.php", "/.env", "/one/two"] {
        answer(Scim::of(&watched.server.url, "").request("GET", path)).await;
    }
    let after = figures(&watched).await;

    let grown =
        |name: &str, labels: &[(&str, &str)]| after.sum(name, labels) - before.sum(name, labels);
    let total = "rollcall_http_requests_total";
    let posts = [("surface", "scim"), ("route", USERS), ("method", "POST")];
    let posted = |status| grown(total, &[&posts[..], &[("status", status)]].concat());
    assert_is(posted("2xx"), 3.0);
    assert_is(posted("4xx"), 2.0);
    assert_is(
        grown("rollcall_http_request_duration_seconds_count", &posts),
        5.0,
    );
    assert_is(
        grown(
            total,
            &[("route", USERS), ("method", "GET"), ("status", "2xx")],
        ),
        1.0,
    );
    let refused = |reason| grown("rollcall_http_refused_total", &[("reason", reason)]);
    assert_is(refused("unauthenticated"), 1.0);
    assert_is(refused("body_too_large"), 1.0);
    assert_is(refused("head_too_large"), 1.0);
    assert_is(
        grown(total, &[("surface", "console"), ("route", "unmatched")]),
        3.0,
    );
    assert_is(after.sum("rollcall_http_requests_in_flight", &[]), 0.0);

    // three people, and one that was refused: each a unit that writes
    let done = |kind| {
        grown(
            "rollcall_store_units_total",
            &[("kind", kind), ("outcome", "done")],
        )
    };
    assert!(done("write") >= 4.0 && done("read") >= 7.0, "{after:?}");
    let units = grown("rollcall_store_commit_units_sum", &[]);
    let commits = grown("rollcall_store_commit_units_count", &[]);
    assert!(
        units >= 4.0 && commits >= 1.0 && commits <= units,
        "{after:?}"
    );
    assert_is(
        grown("rollcall_store_commit_duration_seconds_count", &[]),
        commits,
    );
    // the listing waited for its turn; a glance at a SQLite file waits for none
    assert!(
        grown(
            "rollcall_store_wait_duration_seconds_count",
            &[("kind", "read")]
        ) >= 1.0
    );
    assert_is(after.sum("rollcall_store_units_waiting", &[]), 0.0);

    assert_is(
        after.sum(
            "rollcall_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))],
        ),
        1.0,
    );
    assert!(after.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert!(after.sum("process_open_fds", &[]) > 3.0);
    assert!(after.sum("process_cpu_seconds_total", &[]) > 0.0);
    assert!(after.sum("process_start_time_seconds", &[]) > 1.6e9);
}

#[tokio::test]
async fn a_cycle_is_counted_with_its_requests_and_its_objects() {
    let watched = Watched::started(&ON);
    let before = figures(&watched).await;
    assert_is(before.sum("rollcall_cycles_total", &[]), 0.0);

    watched.provision("ann").await;

    // the person is there before the cycle has ended
    let begun = Instant::now();
    let after = loop {
        let after = figures(&watched).await;
        if after.sum("rollcall_cycles_total", &[("outcome", "succeeded")]) >= 1.0 {
            break after;
        }
        assert!(begun.elapsed() < PATIENCE, "{after:?}");
    };
    assert_is(
        after.sum(
            "rollcall_objects_total",
            &[("kind", "user"), ("decision", "create")],
        ),
        1.0,
    );
    assert!(
        after.sum(
            "rollcall_cycle_duration_seconds_count",
            &[("kind", "initial")]
        ) >= 1.0
    );
    let sent = after.sum("rollcall_outgoing_requests_total", &[("end", "target")]);
    assert!(sent >= 2.0, "{after:?}");
    assert_is(
        after.sum("rollcall_outgoing_request_duration_seconds_count", &[]),
        sent,
    );
    assert_is(after.sum("rollcall_jobs_in_quarantine", &[]), 0.0);

    // a target that does not know the token any more
    std::fs::write(watched.installation.folder.path().join("token"), "rc_wrong").unwrap();
    watched.app(&[
        "connect",
        "Vault",
        "--url",
        &watched.vault.base,
        "--token-file",
        "token",
        "--no-test",
    ]);
    watched.northwind.person("bob").await;
    loop {
        let after = figures(&watched).await;
        if after.sum("rollcall_jobs_in_quarantine", &[]) >= 1.0 {
            assert!(after.sum("rollcall_cycles_total", &[("outcome", "stopped")]) >= 1.0);
            let refused = [("end", "target"), ("outcome", "unauthorised")];
            assert!(after.sum("rollcall_outgoing_requests_total", &refused) >= 1.0);
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{after:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn no_label_holds_a_name_or_an_id() {
    let watched = Watched::started(&ON);
    watched.provision("ann.example").await;
    let id = watched.vault.person("somebody.else").await;
    watched.vault.get(&format!("/Users/{id}")).await.is(200);
    answer(Scim::of(&watched.server.url, "").request("GET", "/activate/secret")).await;

    let text = page(watched.figures().unwrap()).await;

    for word in [
        "vault",
        "northwind",
        "ann.example",
        "somebody",
        "secret",
        "rc_",
        id.as_str(),
    ] {
        let found = text.lines().find(|line| line.to_lowercase().contains(word));
        assert_eq!(found, None, "{word}");
    }
    let read = Exposition::read(&text);
    assert!(
        read.values("route")
            .contains("/scim/v2/{organisation}/Users/{id}"),
        "{:?}",
        read.values("route")
    );
    assert!(read.values("status").len() <= 6 && read.values("method").len() <= 6);
}

#[tokio::test]
async fn figures_are_shown_at_their_own_address_only() {
    let watched = Watched::started(&ON);
    let main = answer(nobody(&watched.server.url).request("GET", "/metrics")).await;
    assert_eq!(main.status, 404);
    assert!(
        !main.body.to_string().contains("rollcall_"),
        "{}",
        main.body
    );
    let own = watched
        .figures()
        .unwrap()
        .trim_end_matches("/metrics")
        .to_owned();
    for path in ["/", "/healthz", "/scim/v2/vault/Users", "/sign-in"] {
        assert_eq!(
            answer(nobody(&own).request("GET", path)).await.status,
            404,
            "{path}"
        );
    }
    assert_eq!(
        answer(nobody(&own).request("POST", "/metrics"))
            .await
            .status,
        405
    );

    assert_eq!(Watched::started(&[]).figures(), None, "nobody asked for it");
}

#[tokio::test]
async fn the_page_of_figures_explains_exactly_those_that_there_are() {
    let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let watched = Watched::started(&[ON[0], collector]);

    let read = figures(&watched).await;

    let mut shown: Vec<&str> = read.families.keys().map(String::as_str).collect();
    // on PostgreSQL only
    if crate::store::is_a_file() {
        shown.extend([
            "rollcall_store_connections",
            "rollcall_store_connections_max",
        ]);
    }
    shown.sort_unstable();
    let text = include_str!("../../../../../docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut explained: Vec<&str> = rows
        .filter_map(|row| row.split(['`', '{']).next())
        .collect();
    explained.sort_unstable();
    assert_eq!(explained, shown);
}

#[test]
fn config_show_tells_where_figures_and_traces_go() {
    let installation = crate::support::Installation::new();
    let show = |variables: &[(&str, &str)]| {
        let mut command = installation.command(&["config", "show"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let (printed, said) = (output.stdout, output.stderr);
        String::from_utf8([printed, said].concat()).unwrap()
    };
    let row = |shown: &str, name: &str| {
        let line = shown.lines().find(|line| line.contains(name));
        line.unwrap_or_else(|| panic!("{shown}")).to_owned()
    };

    let shown = show(&[
        ("ROLLCALL_METRICS_LISTEN", "127.0.0.1:9464"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/"),
    ]);
    let metrics = row(&shown, "metrics_listen");
    assert!(
        metrics.contains("127.0.0.1:9464") && metrics.contains("$ROLLCALL_METRICS_LISTEN"),
        "{metrics}"
    );
    let traces = row(&shown, "otlp_endpoint");
    assert!(traces.contains("http://collector:4318 "), "{traces}");
    assert!(row(&show(&[]), "metrics_listen").contains("default"));
    let wrong = show(&[("ROLLCALL_METRICS_LISTEN", "here")]);
    assert!(wrong.contains("is not an address and a port"), "{wrong}");
}
