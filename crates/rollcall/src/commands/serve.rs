//! `rollcall serve`: the endpoint, the console and the engine, until they are told to stop.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::SignedDuration;
use rollcall_api::Api;
use rollcall_app::App;
use rollcall_app::traffic::Recorder;
use rollcall_console::Console;
use rollcall_endpoint::Endpoint;
use rollcall_engine::Engine;
use rollcall_mail::Way;
use rollcall_web::figures::Surface;
use rollcall_web::gate::Gate;
use rollcall_web::proxies::Proxies;
use rollcall_web::rates::Rates;
use rollcall_web::serve::Bounds;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Source};
use crate::figures::{self, Figures};
use crate::outcome::{Exit, Trouble};
use crate::traces::{self, Traces};
use crate::{printer, runtime};

/// How often whoever has not asked for a while is forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// How often what is old is forgotten, and how soon again while there is more of it.
const UPKEEP_EVERY: Duration = Duration::from_hours(1);
/// See [`UPKEEP_EVERY`].
const UPKEEP_AGAIN: Duration = Duration::from_secs(5);
/// A clock that went on by so much more, or less, than time did was set.
const CLOCK_SET: SignedDuration = SignedDuration::from_mins(10);
/// Connections at the same time to the address where figures are shown.
const WATCHERS: u32 = 16;

pub(crate) async fn run(config: &Config) -> anyhow::Result<Exit> {
    let traces = traces::begin(config)?;
    let listener = bind(&config.listen.value).await?;
    let metrics = match &config.metrics_listen.value {
        Some(address) => Some(bind_for("--metrics-listen", address).await?),
        None => None,
    };
    let mut config = config.clone();
    if config.public_url.source == Source::Default {
        // the address may have asked for any free port
        config.public_url.value = format!("http://{}", listener.local_addr()?);
    }
    let app = runtime::begun(&config).await?;
    let _only_server = app.store().claim_server()?;
    for warning in app.store().warnings() {
        printer::say(&format!("warning: {}", warning.trouble));
        printer::hint(&warning.remedy);
    }
    let rates = NonZeroU32::new(config.rate.value).map_or_else(Rates::default, Rates::new);
    let mut listeners = vec![listener.local_addr()?];
    if let Some(metrics) = &metrics {
        listeners.push(metrics.local_addr()?);
    }
    let mut client = runtime::client_beside(&config, listeners)?;
    if traces.is_some() {
        client = client.traced(traces::traceparent);
    }
    let engine = Engine::new(app.clone(), client);
    let mail = runtime::mail(&config)?;
    let serving = Serving {
        app: app.clone(),
        engine,
        runs_cycles: true,
        mail,
        rates,
        proxies: config.trusted_proxies.value.clone(),
        metrics,
        traces: traces.as_ref().map(Traces::figures),
    };
    let served = start(serving, listener).await?;
    printer::say(&format!(
        "rollcall serves {} on {}",
        config.store.value, served.address
    ));
    printer::say(&format!(
        "  SCIM     {}/scim/v2/ORGANISATION",
        config.public_url.value
    ));
    printer::say(&format!("  API      {}/api/v1", config.public_url.value));
    printer::say(&format!("  console  {}/", config.public_url.value));
    if let Some(address) = served.metrics {
        printer::say(&format!("  figures  http://{address}/metrics"));
    }
    if let Some(address) = app.open_set_up().await? {
        printer::say(
            "  there is no organisation yet; this page makes the first one, and works once:",
        );
        printer::say(&format!("           {}", address.expose()));
    }
    printer::say("  stop it with Ctrl-C or SIGTERM");
    stop_signal().await?;
    printer::say("finishing what is in flight … (the same once more leaves it)");
    let ended = async {
        served.stop().await;
        if let Some(traces) = traces {
            traces.flush().await;
        }
    };
    let left = "what was in flight is left; what was acknowledged is there";
    tokio::select! {
        () = ended => {}
        () = tokio::time::sleep(LAST_WAIT) => {
            printer::say(&format!("something does not come to its end, such as a database that does not answer: {left}"));
        }
        again = stop_signal() => {
            again?;
            printer::say(left);
        }
    }
    Ok(Exit::Done)
}

/// How long the end of a server may take: what is being answered, and then a request of a cycle under way. Who is cut short is as well off as
/// when the process is killed.
pub(crate) const LAST_WAIT: Duration =
    rollcall_web::limits::DRAIN_TIME.saturating_add(rollcall_connect::client::TOTAL);

/// A running server.
#[derive(Debug)]
pub(crate) struct Served {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it shows figures; absent: nowhere.
    pub(crate) metrics: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    /// What records requests, and how it is told that the last one was answered.
    recording: (JoinHandle<()>, CancellationToken),
}

impl Served {
    /// Runs the cycles that are due, from now on.
    pub(crate) fn run_cycles(&mut self, engine: Engine) {
        let cycles = rollcall_engine::schedule::run(engine, self.stop.clone());
        self.tasks.push(tokio::spawn(cycles));
    }

    /// Takes no new connections and returns when all requests are answered.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            drop(task.await);
        }
        let (recording, answered) = self.recording;
        answered.cancel();
        drop(recording.await);
    }
}

/// Listens on an address.
pub(crate) async fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    bind_for("--listen", listen).await
}

async fn bind_for(flag: &str, listen: &str) -> anyhow::Result<TcpListener> {
    let refused = |error| {
        Trouble::unreachable(format!("cannot listen on `{listen}`: {error}")).hint(format!(
            "choose another address with {flag}, for example 127.0.0.1:0 for any free port"
        ))
    };
    Ok(TcpListener::bind(listen).await.map_err(refused)?)
}

/// What a server serves.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) app: App,
    pub(crate) engine: Engine,
    /// Whether the cycles that are due are run.
    pub(crate) runs_cycles: bool,
    /// The way that mail takes; absent: none is written.
    pub(crate) mail: Option<Way>,
    pub(crate) rates: Rates,
    /// Whose word about addresses is taken.
    pub(crate) proxies: Proxies,
    /// Where figures are shown; absent: nowhere.
    pub(crate) metrics: Option<TcpListener>,
    /// What is counted of traces; absent: none are sent.
    pub(crate) traces: Option<Arc<traces::Figures>>,
}

/// Starts the server.
pub(crate) async fn start(serving: Serving, listener: TcpListener) -> anyhow::Result<Served> {
    let Serving {
        app,
        engine,
        runs_cycles,
        mail,
        rates,
        proxies,
        metrics,
        traces,
    } = serving;
    let address = listener.local_addr()?;
    let rates = Arc::new(rates);
    let (recorder, recording) = Recorder::new(app.clone());
    let answered = CancellationToken::new();
    let recording = tokio::spawn(recording.run(answered.clone().cancelled_owned()));
    let endpoint = Endpoint::new(app.clone(), Arc::clone(&rates), recorder)
        .await
        .context("preparing the endpoint")?;
    let gate = Gate {
        app: app.clone(),
        figures: Arc::default(),
        proxies: Arc::new(proxies),
        room: Arc::default(),
        form,
    };
    let figures = Figures {
        app: app.clone(),
        engine: engine.clone(),
        web: Arc::clone(&gate.figures),
        mail: Arc::default(),
        traces,
    };
    let stop = CancellationToken::new();
    let api = Api::new(app.clone(), Arc::clone(&rates), stop.clone())
        .await
        .context("preparing the API")?;
    let routes = rollcall_web::health::routes(app.clone())
        .and(rollcall_endpoint::routes(endpoint))
        .and(rollcall_api::routes(api))
        .and(rollcall_console::routes(Console::new(
            app.clone(),
            engine.clone(),
        )));
    let is_traced = figures.traces.is_some();
    let router = gate.before(routes, |router| {
        if is_traced {
            router.layer(from_fn(traces::continued))
        } else {
            router
        }
    });
    let server = tokio::spawn(rollcall_web::serve::serve(
        listener,
        router,
        Bounds::default(),
        stop.clone().cancelled_owned(),
    ));
    let mut tasks = vec![
        server,
        tokio::spawn(forget(rates, stop.clone())),
        tokio::spawn(upkeep(app.clone(), stop.clone())),
    ];
    if let Some(way) = mail {
        let counting = Arc::clone(&figures.mail);
        tasks.push(tokio::spawn(rollcall_mail::run(
            app,
            way,
            counting,
            stop.clone(),
        )));
    }
    let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
    if let Some(listener) = metrics {
        let bounds = Bounds {
            connections: WATCHERS,
            // nobody waits for the end of a page of figures
            drain_time: Duration::from_secs(1),
            ..Bounds::default()
        };
        let stop = stop.clone().cancelled_owned();
        let shown = figures::routes(figures).into_router();
        tasks.push(tokio::spawn(rollcall_web::serve::serve(
            listener, shown, bounds, stop,
        )));
    }
    let mut served = Served {
        address,
        metrics: metrics_address,
        stop,
        tasks,
        recording: (recording, answered),
    };
    if runs_cycles {
        served.run_cycles(engine);
    }
    Ok(served)
}

/// Puts what the gate refuses into the form of the surface that was asked.
fn form(surface: Surface, status: StatusCode) -> Response {
    match surface {
        Surface::Scim => rollcall_endpoint::refused(status),
        Surface::Api => rollcall_api::refused(status),
        Surface::Console => rollcall_console::refused(status),
        Surface::Health => status.into_response(),
    }
}

async fn forget(rates: Arc<Rates>, stop: CancellationToken) {
    while tokio::time::timeout(FORGET_EVERY, stop.cancelled())
        .await
        .is_err()
    {
        rates.forget_idle();
    }
}

/// Forgets what organisations do not keep any longer, as long as the clock has not been set meanwhile. Among nodes that share a store each of
/// them does: there is nothing to be done twice.
async fn upkeep(app: App, stop: CancellationToken) {
    let mut wait = UPKEEP_EVERY;
    let (mut before, mut since) = (app.now(), Instant::now());
    while tokio::time::timeout(wait, stop.cancelled()).await.is_err() {
        let (now, elapsed) = (app.now(), since.elapsed());
        let is_steady = is_steady(now.duration_since(before), elapsed);
        (before, since) = (now, Instant::now());
        if !is_steady {
            // what is forgotten by a clock that is ahead does not come back when it is set right
            tracing::warn!(
                "the clock was set: nothing that is old is forgotten within the next hour"
            );
            wait = UPKEEP_EVERY;
            continue;
        }
        wait = match app.forget_what_is_old().await {
            Ok(forgotten) if forgotten.more => UPKEEP_AGAIN,
            Ok(_) => UPKEEP_EVERY,
            Err(failure) => {
                tracing::warn!(%failure, "what is old could not be forgotten");
                UPKEEP_EVERY
            }
        };
    }
}

/// Tells whether a clock went on by as much as time did.
fn is_steady(by_clock: SignedDuration, elapsed: Duration) -> bool {
    let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
    (by_clock - elapsed).abs() <= CLOCK_SET
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::Permission;
    use rollcall_web::serve::serve;
    use rollcall_web::table::{Bearer, Entry, Needs, Policy, Public, Table, Watchers};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::cli::Common;

    async fn breaks() -> &'static str {
        tokio::task::yield_now().await;
        panic!("on purpose")
    }

    /// Starts a server with routes that panic beside one that does not. Returns its address, and the folder in which it lives.
    async fn started() -> (SocketAddr, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", folder.path().join("rollcall.db").display());
        let common = Common {
            store: Some(store),
            ..Common::default()
        };
        let config = Config::read(&common, None, &|_| None).unwrap();
        let app = runtime::begun(&config).await.unwrap();
        let table: Table<(), Public> = Table::new(vec![
            Entry::get("/scim/v2/{organisation}/breaks", Public, breaks),
            Entry::get("/breaks", Public, breaks),
            Entry::get("/works", Public, async || "works"),
        ]);
        let gate = Gate {
            app,
            figures: Arc::default(),
            proxies: Arc::default(),
            room: Arc::default(),
            form,
        };
        let router = gate.before(table.guarded((), |Public, handler| handler), |router| {
            router
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(
            listener,
            router,
            Bounds::default(),
            std::future::pending(),
        ));
        (address, folder)
    }

    async fn asked(stream: &mut TcpStream, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        loop {
            let mut part = [0; 1024];
            let count = stream.read(&mut part).await.unwrap();
            assert_ne!(count, 0, "{path}: {}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&part[..count]);
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                (name.eq_ignore_ascii_case("content-length")).then(|| value.parse().unwrap())
            });
            if Some(body.len()) == length {
                return text;
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_and_one_that_drifts_is_not() {
        let hour = Duration::from_hours(1);
        for (minutes, expected) in [
            (60, true),
            (65, true),
            (55, true),
            (75, false),
            (-60, false),
        ] {
            let by_clock = SignedDuration::from_mins(minutes);
            assert_eq!(is_steady(by_clock, hour), expected, "{minutes}");
        }
        assert!(!is_steady(SignedDuration::from_hours(24 * 365), hour));
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_told_in_the_form_of_its_surface_and_disturbs_nobody() {
        let (address, _folder) = started().await;
        // one connection for all: it goes on
        let mut stream = TcpStream::connect(address).await.unwrap();
        for (path, status, kind, word) in [
            (
                "/scim/v2/vault/breaks",
                500,
                "application/scim+json",
                "api:messages:2.0:Error",
            ),
            ("/works", 200, "text/plain", "works"),
            ("/breaks", 500, "text/html", "Something is wrong"),
            (
                "/scim/v2/vault/none/../x",
                404,
                "application/scim+json",
                "nothing at this path",
            ),
            ("//breaks", 404, "text/html", "no such page"),
            ("/works", 200, "text/plain", "works"),
        ] {
            let answer = asked(&mut stream, path).await;

            let begin = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&begin), "{path}: {answer}");
            let kind = format!("content-type: {kind}");
            assert!(answer.contains(&kind), "{path}: {answer}");
            assert!(answer.contains(word), "{path}: {answer}");
            assert!(answer.contains("x-request-id: "), "{path}: {answer}");
            assert!(!answer.contains("on purpose"), "{path}: {answer}");
        }
    }

    #[test]
    fn figures_are_for_those_who_watch_and_everything_else_is_declared_by_its_surface() {
        let all = |routes: Vec<rollcall_web::table::Route>| -> Vec<Policy> {
            routes.into_iter().map(|route| route.policy).collect()
        };
        assert_eq!(all(figures::route_table()), [Policy::from(Watchers)]);
        let scim = all(rollcall_endpoint::route_table());
        assert!(scim.iter().all(|policy| *policy == Bearer.into()));
        let health = all(rollcall_web::health::route_table());
        assert_eq!(health, [Policy::Public, Policy::Public]);
        let api = all(rollcall_api::route_table());
        let is_public = |policy: &&Policy| **policy == Policy::Public;
        assert_eq!(api.iter().filter(is_public).count(), 1, "its description");
        let is_keyed = |policy: &&Policy| matches!(policy, Policy::Key(_));
        assert_eq!(api.iter().filter(is_keyed).count(), api.len() - 1);
        let console = all(rollcall_console::route_table());
        assert!(console.contains(&Needs::Role(Permission::Read).into()));
        assert_eq!(
            console
                .iter()
                .filter(|policy| **policy == Policy::Public)
                .count(),
            1,
            "the assets, and nothing else"
        );
    }
}
